//! What all workers serve right now, and who may be counted in at an endpoint.
//!
//! The table is replaced as a whole. A worker takes the current one, chooses, counts itself in, and only then asks
//! whether its table is still the current one:
//!
//! # Why no request reaches a drained endpoint
//!
//! Promise: once a replacement that took an endpoint out of service has been acknowledged, and its count has been seen
//! at zero, no request is sent to it any more, however long a worker was held up in between.
//!
//! Four steps matter, all sequentially consistent, so there is one order of them that all threads agree on:
//!
//! - the worker **adds** one to the endpoint's count, then **checks** that the serial number is not above its table's;
//! - the owner **writes** the new serial number (after the new table), acknowledges, then someone **reads** the count.
//!
//! If the check comes before the write, so does the add, and the read sees the request in flight until it has ended. If
//! the check comes after the write, it sees a number above its table's; the worker counts itself out again without having
//! sent anything and chooses anew from the new table. There is no third case. The count may thus be one too high for a
//! moment, and never too low.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, Semaphore};

use crate::choice::{Candidate, Choice, Random, choose};
use crate::config::{Config, Endpoint, EndpointState, Probe, Route};
use crate::endpoint::{InFlight, LiveEndpoint};
use crate::paths::Paths;
use crate::status::{EndpointStatus, RouteStatus};
use crate::token::TokenHash;

/// At most so many requests wait for an endpoint to become ready.
const HOLDERS: usize = 1024;

/// What all workers share.
#[derive(Debug)]
pub(crate) struct Live {
    table: ArcSwap<Table>,
    /// The current table's number. Written after the table.
    serial: AtomicU64,
    /// Told whenever an endpoint becomes ready or the table is replaced.
    pub(crate) changed: Notify,
    /// The places for requests that wait.
    pub(crate) holders: Semaphore,
}

/// The routes of one configuration.
#[derive(Debug)]
struct Table {
    paths: Paths<Arc<LiveRoute>>,
    routes: Vec<Arc<LiveRoute>>,
}

/// A route as a request meets it.
#[derive(Debug)]
pub(crate) struct LiveRoute {
    serial: u64,
    name: String,
    pub(crate) service: String,
    pub(crate) tokens: Vec<TokenHash>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_body: Option<u64>,
    places: Vec<Place>,
}

/// An endpoint within a route.
#[derive(Debug)]
struct Place {
    endpoint: Arc<LiveEndpoint>,
    state: EndpointState,
    probe: Probe,
}

/// Why no endpoint was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turned {
    /// None is ready, or all that are were ejected and the caller would rather wait.
    NoneReady,
    /// The route is not there any more.
    RouteGone,
}

/// What to do about endpoints that were ejected a moment ago, when there are no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ejected {
    /// Rather none.
    Avoid,
    /// Better than none.
    Use,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self {
            table: ArcSwap::from_pointee(Table { paths: Paths::new([]), routes: Vec::new() }),
            serial: AtomicU64::new(0),
            changed: Notify::new(),
            holders: Semaphore::new(HOLDERS),
        }
    }

    /// The route for a path, and how much of the path its prefix covers.
    pub(crate) fn route(&self, path: &str) -> Option<(Arc<LiveRoute>, usize)> {
        self.table.load().paths.find_shared(path)
    }

    /// Chooses an endpoint and counts the request in there. Brings `route` up to date if it was replaced meanwhile.
    pub(crate) fn admit(
        &self,
        route: &mut Arc<LiveRoute>,
        random: &Random,
        ejected: Ejected,
    ) -> Result<InFlight, Turned> {
        loop {
            let admitted = route.choose(random, ejected).map(LiveEndpoint::enter);
            // The check of the module's proof: after the count, before anything is sent.
            if self.serial.load(Ordering::SeqCst) <= route.serial {
                return admitted.ok_or(Turned::NoneReady);
            }
            drop(admitted);
            *route = self.table.load().named(&route.name).ok_or(Turned::RouteGone)?;
        }
    }

    /// Makes `config`, which is checked, what all workers serve. When this returns, no worker admits a request by the
    /// table before. Only the gateway's owner calls this.
    pub(crate) fn replace(&self, config: &Config, registry: &mut Registry) {
        let serial = self.serial.load(Ordering::SeqCst) + 1;
        let before = self.table.load_full();
        let routes: Vec<_> = config.routes.iter().map(|route| registry.route(serial, route)).collect();
        let paths = routes.iter().zip(&config.routes);
        let paths = paths.flat_map(|(live, route)| route.paths.iter().map(|path| (path.clone(), live.clone())));
        self.table.store(Arc::new(Table { paths: Paths::new(paths), routes: routes.clone() }));
        self.serial.store(serial, Ordering::SeqCst);
        registry.retire(&before.routes, &routes);
        self.changed.notify_waiters();
        tracing::info!(generation = config.generation, routes = routes.len(), "serving a new configuration");
    }

    /// The endpoints that get requests, each once, with how they are probed.
    pub(crate) fn probed(&self) -> Vec<(Arc<LiveEndpoint>, Probe)> {
        let table = self.table.load();
        let mut seen = HashSet::new();
        let mut probed = Vec::new();
        for route in &table.routes {
            for place in route.places.iter().filter(|place| place.state == EndpointState::Serving) {
                if seen.insert(Arc::as_ptr(&place.endpoint)) {
                    probed.push((place.endpoint.clone(), place.probe.clone()));
                }
            }
        }
        probed
    }

    /// All routes with their endpoints, those that have left but still have requests in flight included.
    pub(crate) fn status(&self, registry: &mut Registry) -> Vec<RouteStatus> {
        let table = self.table.load();
        let mut routes: Vec<_> = table.routes.iter().map(|route| route.status()).collect();
        for (name, endpoint) in registry.leaving() {
            let status = endpoint_status(endpoint, EndpointState::Draining);
            match routes.iter_mut().find(|route| &route.name == name) {
                Some(route) => route.endpoints.push(status),
                None => routes.push(RouteStatus { name: name.clone(), endpoints: vec![status] }),
            }
        }
        routes
    }
}

impl Table {
    fn named(&self, name: &str) -> Option<Arc<LiveRoute>> {
        self.routes.iter().find(|route| route.name == name).cloned()
    }
}

impl LiveRoute {
    fn choose(&self, random: &Random, ejected: Ejected) -> Option<&Arc<LiveEndpoint>> {
        let candidates = self.places.iter().map(|Place { endpoint, state, probe: _ }| Candidate {
            serving: *state == EndpointState::Serving,
            ready: endpoint.ready(),
            ejected: endpoint.ejected(),
            in_flight: endpoint.in_flight(),
        });
        match choose(candidates, random.next()) {
            Choice::Endpoint(place) => Some(&self.places[place].endpoint),
            Choice::OnlyEjected(place) if ejected == Ejected::Use => Some(&self.places[place].endpoint),
            Choice::OnlyEjected(_) | Choice::NoneReady => None,
        }
    }

    fn status(&self) -> RouteStatus {
        let endpoints = self.places.iter().map(|place| endpoint_status(&place.endpoint, place.state)).collect();
        RouteStatus { name: self.name.clone(), endpoints }
    }
}

fn endpoint_status(endpoint: &LiveEndpoint, state: EndpointState) -> EndpointStatus {
    EndpointStatus {
        name: endpoint.name.clone(),
        address: endpoint.address,
        state,
        ready: endpoint.ready(),
        in_flight: endpoint.in_flight(),
        last_answer: endpoint.last_answer(),
        served: endpoint.served(),
        failed: endpoint.failed(),
    }
}

/// Every endpoint that is in the table or still has requests in flight. The gateway's owner keeps it.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    known: HashMap<String, Arc<LiveEndpoint>>,
    /// Taken out of a route (named) and perhaps not idle yet.
    leaving: Vec<(String, Arc<LiveEndpoint>)>,
}

impl Registry {
    fn route(&mut self, serial: u64, route: &Route) -> Arc<LiveRoute> {
        let place = |at: &Endpoint| Place {
            endpoint: self.endpoint(at),
            state: at.state,
            probe: route.probe_of(at).cloned().unwrap_or_default(),
        };
        let places = route.endpoints.iter().map(place).collect();
        Arc::new(LiveRoute {
            serial,
            name: route.name.clone(),
            service: route.service.clone(),
            tokens: route.tokens.iter().filter_map(|token| token.digest()).collect(),
            timeout: route.timeout_ms.map(Duration::from_millis),
            max_body: route.max_body,
            places,
        })
    }

    /// The endpoint that already has this name and address, or a new one.
    fn endpoint(&mut self, wanted: &Endpoint) -> Arc<LiveEndpoint> {
        let left = self.leaving.iter().map(|(_, endpoint)| endpoint);
        let same = |known: &&Arc<LiveEndpoint>| known.name == wanted.name && known.address == wanted.address;
        let kept = self.known.get(&wanted.name).filter(same).or_else(|| left.into_iter().find(same)).cloned();
        let endpoint = kept.unwrap_or_else(|| Arc::new(LiveEndpoint::new(wanted.name.clone(), wanted.address)));
        self.known.insert(wanted.name.clone(), endpoint.clone());
        endpoint
    }

    /// Notes who left which route, and who gets no requests from any.
    fn retire(&mut self, before: &[Arc<LiveRoute>], after: &[Arc<LiveRoute>]) {
        let stands: HashSet<_> = stations(after).map(|(route, place)| (route, Arc::as_ptr(&place.endpoint))).collect();
        let serving = stations(after).filter(|(_, place)| place.state == EndpointState::Serving);
        let serving: HashSet<_> = serving.map(|(_, place)| Arc::as_ptr(&place.endpoint)).collect();

        let gone = |name: &str, endpoint: &Arc<LiveEndpoint>| !stands.contains(&(name, Arc::as_ptr(endpoint)));
        self.leaving.retain(|(name, endpoint)| endpoint.in_flight() > 0 && gone(name, endpoint));
        let left = stations(before).filter(|(name, place)| gone(name, &place.endpoint));
        self.leaving.extend(left.map(|(name, place)| (name.to_owned(), place.endpoint.clone())));
        for (_, place) in stations(before).chain(stations(after)) {
            place.endpoint.set_retired(!serving.contains(&Arc::as_ptr(&place.endpoint)));
        }
        self.known = stations(after).map(|(_, place)| (place.endpoint.name.clone(), place.endpoint.clone())).collect();
    }

    /// Those that have left a route and still have requests in flight.
    fn leaving(&mut self) -> &[(String, Arc<LiveEndpoint>)] {
        self.leaving.retain(|(_, endpoint)| endpoint.in_flight() > 0);
        &self.leaving
    }
}

/// Every place of every route, with the route's name.
fn stations(routes: &[Arc<LiveRoute>]) -> impl Iterator<Item = (&str, &Place)> {
    routes.iter().flat_map(|route| route.places.iter().map(|place| (route.name.as_str(), place)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FORMAT;
    use std::sync::atomic::AtomicBool;

    fn endpoint(number: usize, state: EndpointState) -> Endpoint {
        let port = 9_000 + u16::try_from(number).unwrap();
        Endpoint { name: format!("hello-{number}-g1"), address: ([127, 0, 0, 1], port).into(), state, probe: None }
    }

    fn config(generation: u64, endpoints: Vec<Endpoint>) -> Config {
        let route = Route {
            name: "public/hello".into(),
            service: "hello".into(),
            paths: vec!["/hello".into()],
            tokens: vec![],
            timeout_ms: None,
            max_body: None,
            probe: None,
            endpoints,
        };
        Config { format: FORMAT, generation, listeners: vec![], routes: vec![route] }
    }

    /// A gateway's shared part that serves these states, in order.
    fn live(states: &[EndpointState]) -> (Live, Registry) {
        let (live, mut registry) = (Live::new(), Registry::default());
        live.replace(&config(1, numbered(states)), &mut registry);
        (live, registry)
    }

    fn numbered(states: &[EndpointState]) -> Vec<Endpoint> {
        states.iter().enumerate().map(|(number, state)| endpoint(number, *state)).collect()
    }

    fn admit(live: &Live) -> Result<InFlight, Turned> {
        let (mut route, _) = live.route("/hello").expect("the route");
        live.admit(&mut route, &Random::seeded(1), Ejected::Avoid)
    }

    use EndpointState::{Draining, Serving};

    #[test]
    fn a_count_survives_replacements_and_is_shown_until_it_ends() {
        let (live, mut registry) = live(&[Serving]);
        let request = admit(&live).unwrap();
        let check = |registry: &mut Registry, expected: &[(&str, EndpointState, u64)]| {
            let routes = live.status(registry);
            let endpoints = routes.iter().flat_map(|route| &route.endpoints);
            let seen: Vec<_> = endpoints.map(|at| (at.name.as_str(), at.state, at.in_flight)).collect();
            assert_eq!(seen, expected);
        };
        check(&mut registry, &[("hello-0-g1", Serving, 1)]);
        live.replace(&config(2, numbered(&[Draining])), &mut registry);
        check(&mut registry, &[("hello-0-g1", Draining, 1)]);
        live.replace(&config(3, vec![]), &mut registry);
        check(&mut registry, &[("hello-0-g1", Draining, 1)]);
        live.replace(&config(4, numbered(&[Serving])), &mut registry);
        check(&mut registry, &[("hello-0-g1", Serving, 1)]);
        live.replace(&Config { generation: 5, ..Config::empty() }, &mut registry);
        check(&mut registry, &[("hello-0-g1", Draining, 1)]);
        drop(request);
        check(&mut registry, &[]);
    }

    #[test]
    fn a_request_with_an_old_route_is_admitted_by_the_new_one() {
        let (live, mut registry) = live(&[Serving, Draining]);
        let (mut route, _) = live.route("/hello").unwrap();
        live.replace(&config(2, numbered(&[Draining, Serving])), &mut registry);
        let request = live.admit(&mut route, &Random::seeded(1), Ejected::Avoid).unwrap();
        assert_eq!(request.endpoint().name, "hello-1-g1");

        let (mut route, _) = live.route("/hello").unwrap();
        live.replace(&Config { generation: 3, ..Config::empty() }, &mut registry);
        let turned = live.admit(&mut route, &Random::seeded(1), Ejected::Avoid).unwrap_err();
        assert_eq!(turned, Turned::RouteGone);
    }

    #[test]
    fn only_serving_ready_endpoints_that_are_not_ejected_are_admitted() {
        let (live, _registry) = live(&[Serving, Draining]);
        admit(&live).unwrap().endpoint().eject();
        assert_eq!(admit(&live).unwrap_err(), Turned::NoneReady);
        let (mut route, _) = live.route("/hello").unwrap();
        let request = live.admit(&mut route, &Random::seeded(1), Ejected::Use).unwrap();
        request.endpoint().readmit();
        admit(&live).unwrap().endpoint().set_ready(false);
        assert_eq!(live.admit(&mut route, &Random::seeded(1), Ejected::Use).unwrap_err(), Turned::NoneReady);
    }

    /// The module's proof, tried: threads admit as fast as they can and hold on to old routes, while endpoints are drained
    /// in turn. No one may be admitted to an endpoint between the moment its count was seen at zero after a replacement
    /// and the replacement that lets it serve again.
    #[test]
    fn nothing_reaches_a_drained_endpoint() {
        let (live, mut registry) = live(&[Serving, Serving]);
        let drained = [AtomicBool::new(false), AtomicBool::new(false)];
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for seed in 0..3 {
                let (live, drained, done) = (&live, &drained, &done);
                scope.spawn(move || admit_until(done, live, drained, seed));
            }
            // Ends the threads when an assertion stops this loop, too.
            let _done = Done(&done);
            drain_in_turn(&live, &mut registry, &drained);
        });
    }

    fn admit_until(done: &AtomicBool, live: &Live, drained: &[AtomicBool; 2], seed: u64) {
        let random = Random::seeded(seed);
        while !done.load(Ordering::Relaxed) {
            let (mut route, _) = live.route("/hello").unwrap();
            // Now and then be held up between taking the table and choosing.
            if random.next().is_multiple_of(8) {
                std::thread::yield_now();
            }
            let request = live.admit(&mut route, &random, Ejected::Avoid).unwrap();
            let number = usize::from(request.endpoint().name == "hello-1-g1");
            assert!(!drained[number].load(Ordering::SeqCst), "a request reached a drained endpoint");
        }
    }

    fn drain_in_turn(live: &Live, registry: &mut Registry, drained: &[AtomicBool; 2]) {
        for round in 0..3_000 {
            let number = usize::try_from(round % 2).unwrap();
            let mut endpoints = numbered(&[Serving, Serving]);
            endpoints[number].state = Draining;
            live.replace(&config(2 + 2 * round, endpoints), registry);
            while live.status(registry)[0].endpoints[number].in_flight > 0 {
                std::thread::yield_now();
            }
            drained[number].store(true, Ordering::SeqCst);
            std::thread::yield_now();
            drained[number].store(false, Ordering::SeqCst);
            live.replace(&config(3 + 2 * round, numbered(&[Serving, Serving])), registry);
        }
    }

    struct Done<'a>(&'a AtomicBool);

    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}
