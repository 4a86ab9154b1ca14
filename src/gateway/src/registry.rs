//! What outlives a replacement of the configuration: endpoints with their counts, what routes have taken on, and who has
//! left but is not idle yet. The gateway's owner keeps it; workers never see it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::{Endpoint, EndpointState, Route};
use crate::endpoint::LiveEndpoint;
use crate::limit::Window;
use crate::live::{LiveRoute, LiveToken, Place, Stickiness};
use crate::load::Load;
use crate::story::Recording;

/// Every endpoint that is in the table or still has requests in flight, and what every route has taken on.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    /// Ends all streams that are still open.
    cut: CancellationToken,
    known: HashMap<String, Arc<LiveEndpoint>>,
    /// Taken out of a route (named) and perhaps not idle yet.
    leaving: Vec<(String, Arc<LiveEndpoint>)>,
    /// By the route's name.
    loads: HashMap<String, Arc<Load>>,
    /// By the names of route and token.
    tokens: HashMap<(String, String), Arc<Window>>,
}

impl Registry {
    pub(crate) fn new(cut: CancellationToken) -> Self {
        Self { cut, ..Self::default() }
    }

    /// The live form of a route, for the table of this number.
    pub(crate) fn route(&mut self, serial: u64, route: &Route) -> Arc<LiveRoute> {
        let share = |at: &Endpoint| {
            let name = at.share.as_ref()?;
            route.shares.iter().position(|share| &share.name == name)
        };
        let place = |at: &Endpoint| Place {
            endpoint: self.endpoint(at),
            state: at.state,
            share: share(at),
            drain: at.drain_ms.map(Duration::from_millis),
            probe: route.probe_of(at).cloned().unwrap_or_default(),
        };
        let places = route.endpoints.iter().map(place).collect();
        Arc::new(LiveRoute {
            serial,
            name: route.name.clone(),
            service: route.service.clone(),
            tokens: self.tokens(route),
            timeout: route.timeout_ms.map(Duration::from_millis),
            timeouts: route.timeouts,
            max_body: route.max_body,
            limits: route.limits,
            load: self.loads.entry(route.name.clone()).or_default().clone(),
            hold: route.hold_ms.map(Duration::from_millis),
            protocol: route.protocol,
            weights: route.shares.iter().map(|share| share.weight).collect(),
            sticky: route.sticky.as_ref().and_then(Stickiness::of),
            recording: route.records.as_ref().map(|records| Arc::new(Recording::of(records))),
            places,
        })
    }

    fn tokens(&mut self, route: &Route) -> Vec<LiveToken> {
        let token = |token: &crate::config::TokenDigest| {
            let key = (route.name.clone(), token.name.clone());
            let rate = token.rate.map(|rate| (rate, self.tokens.entry(key).or_default().clone()));
            Some(LiveToken { name: token.name.as_str().into(), hash: token.digest()?, rate })
        };
        route.tokens.iter().filter_map(token).collect()
    }

    /// The endpoint that already has this name and address, or a new one.
    fn endpoint(&mut self, wanted: &Endpoint) -> Arc<LiveEndpoint> {
        let left = self.leaving.iter().map(|(_, endpoint)| endpoint);
        let same = |known: &&Arc<LiveEndpoint>| known.name == wanted.name && known.address == wanted.address;
        let kept = self.known.get(&wanted.name).filter(same).or_else(|| left.into_iter().find(same)).cloned();
        let new = || {
            Arc::new(LiveEndpoint::new(wanted.name.clone(), wanted.address, wanted.revision.clone(), self.cut.clone()))
        };
        let endpoint = kept.unwrap_or_else(new);
        self.known.insert(wanted.name.clone(), endpoint.clone());
        endpoint
    }

    /// Notes who left which route, and who gets no requests from any.
    pub(crate) fn retire(&mut self, before: &[Arc<LiveRoute>], after: &[Arc<LiveRoute>]) {
        let stands: HashSet<_> = stations(after).map(|(route, place)| (route, Arc::as_ptr(&place.endpoint))).collect();
        let serving = stations(after).filter(|(_, place)| place.state == EndpointState::Serving);
        let serving: HashSet<_> = serving.map(|(_, place)| Arc::as_ptr(&place.endpoint)).collect();

        let gone = |name: &str, endpoint: &Arc<LiveEndpoint>| !stands.contains(&(name, Arc::as_ptr(endpoint)));
        self.leaving.retain(|(name, endpoint)| endpoint.in_flight() > 0 && gone(name, endpoint));
        let left = stations(before).filter(|(name, place)| gone(name, &place.endpoint));
        self.leaving.extend(left.map(|(name, place)| (name.to_owned(), place.endpoint.clone())));
        stations(after).filter(|(_, place)| place.state == EndpointState::Serving).for_each(|(_, place)| {
            place.endpoint.serve_again();
        });
        for (_, place) in stations(before).chain(stations(after)) {
            place.endpoint.set_retired(!serving.contains(&Arc::as_ptr(&place.endpoint)));
        }
        self.known = stations(after).map(|(_, place)| (place.endpoint.name.clone(), place.endpoint.clone())).collect();
        let names: HashSet<_> = after.iter().map(|route| route.name.as_str()).collect();
        self.loads.retain(|name, _| names.contains(name.as_str()));
        self.tokens.retain(|(name, _), _| names.contains(name.as_str()));
    }

    /// Those that have left a route and still have requests in flight.
    pub(crate) fn leaving(&mut self) -> &[(String, Arc<LiveEndpoint>)] {
        self.leaving.retain(|(_, endpoint)| endpoint.in_flight() > 0);
        &self.leaving
    }
}

/// Every place of every route, with the route's name.
fn stations(routes: &[Arc<LiveRoute>]) -> impl Iterator<Item = (&str, &Place)> {
    routes.iter().flat_map(|route| route.places.iter().map(|place| (route.name.as_str(), place)))
}
