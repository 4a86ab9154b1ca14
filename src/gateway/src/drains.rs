//! When a drain's time is over, streams that are still open are ended as politely as they can be.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};

use crate::endpoint::LiveEndpoint;

/// The drains that have an end. Dropping it forgets them.
#[derive(Debug, Default)]
pub(crate) struct Drains {
    /// By the endpoint's id.
    under_way: HashMap<u64, AbortHandle>,
    tasks: JoinSet<()>,
}

impl Drains {
    /// Ends the streams of these endpoints when their time, counted from when they were first named here, is over.
    /// Whoever is not named serves again, or is gone.
    pub(crate) fn follow(&mut self, draining: Vec<(Arc<LiveEndpoint>, Duration)>) {
        let mut before = std::mem::take(&mut self.under_way);
        for (endpoint, time) in draining {
            let id = endpoint.id;
            let task = before.remove(&id).unwrap_or_else(|| {
                self.tasks.spawn(async move {
                    tokio::time::sleep(time).await;
                    if endpoint.in_flight() > 0 {
                        tracing::info!(endpoint = endpoint.name, open = endpoint.in_flight(), "its streams are ended");
                    }
                    endpoint.cut().cancel();
                })
            });
            self.under_way.insert(id, task);
        }
        before.into_values().for_each(|task| task.abort());
        while self.tasks.try_join_next().is_some() {}
    }
}
