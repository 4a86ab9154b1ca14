//! What a path leads to: one route, or the routes of a group, among which each request is drawn anew.
//!
//! A request that came in through a group then goes on as if it had named its route: that route's tokens, limits and
//! times hold for it.

use std::sync::Arc;

use crate::choice::{Random, draw};
use crate::live::LiveRoute;

/// What a path leads to.
#[derive(Debug)]
pub(crate) enum Target {
    Route(Arc<LiveRoute>),
    /// Routes that divide the requests of one entry.
    Group(Vec<Member>),
}

/// A route's part in a group.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) route: Arc<LiveRoute>,
    /// Its weight; without one, each of its ready endpoints weighs the same.
    pub(crate) weight: Option<u32>,
}

impl Target {
    /// The route that a request goes to. None where no route of a group may have any.
    pub(crate) fn choose(&self, random: &Random) -> Option<Arc<LiveRoute>> {
        match self {
            Self::Route(route) => Some(route.clone()),
            Self::Group(members) => {
                let weighed = members.iter().map(|member| {
                    let ready = member.route.serving();
                    let heavy = member.weight.map_or(ready as u64, u64::from);
                    if ready == 0 { 0 } else { heavy }
                });
                // Where none is ready, one of those that may have requests says so.
                let place =
                    draw(weighed, random.next()).or_else(|| members.iter().position(|member| member.weight != Some(0)));
                Some(members.get(place?)?.route.clone())
            }
        }
    }
}
