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
use hyper::header::HeaderName;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use crate::choice::{Candidate, Choice, Random, Standing, choose};
use crate::config::{Config, EndpointState, Entry, Limits, Probe, Protocol, Route, Sticky, Timeouts};
use crate::endpoint::{InFlight, LiveEndpoint};
use crate::limit::Window;
use crate::load::Load;
use crate::outlier::Ejection;
use crate::paths::Paths;
use crate::registry::Registry;
use crate::sink::Rotated;
use crate::status::{EndpointStatus, RouteStatus};
use crate::story::Recording;
use crate::target::{Member, Target};
use crate::token::TokenHash;
use crate::tracer::Tracer;

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
    born: Instant,
}

/// The routes of one configuration.
#[derive(Debug)]
struct Table {
    /// Of routes that are found under every host.
    paths: Paths<Target>,
    /// Of those that are not, by the host in lower case.
    by_host: HashMap<Box<str>, Paths<Target>>,
    routes: Vec<Arc<LiveRoute>>,
    telling: Telling,
}

/// Where each request is told of, if it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Telling {
    /// The access log.
    pub(crate) access: Option<Arc<Rotated>>,
    /// The way to a collector of traces.
    pub(crate) tracer: Option<Arc<Tracer>>,
}

/// What a request's host and path lead to.
#[derive(Debug)]
pub(crate) struct Found {
    /// The route, and how much of the path its prefix covers.
    pub(crate) route: Option<(Arc<LiveRoute>, usize)>,
    pub(crate) telling: Telling,
}

/// A route as a request meets it.
#[derive(Debug)]
pub(crate) struct LiveRoute {
    pub(crate) serial: u64,
    pub(crate) name: String,
    pub(crate) service: String,
    pub(crate) tokens: Vec<LiveToken>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) timeouts: Timeouts,
    pub(crate) max_body: Option<u64>,
    pub(crate) limits: Limits,
    pub(crate) load: Arc<Load>,
    pub(crate) hold: Option<Duration>,
    pub(crate) protocol: Protocol,
    /// Of the shares, by number.
    pub(crate) weights: Vec<u32>,
    pub(crate) sticky: Option<Stickiness>,
    pub(crate) recording: Option<Arc<Recording>>,
    pub(crate) places: Vec<Place>,
}

/// A token as a request meets it.
#[derive(Debug)]
pub(crate) struct LiveToken {
    pub(crate) name: Box<str>,
    pub(crate) hash: TokenHash,
    /// So many requests a second, and how many there were.
    pub(crate) rate: Option<(u32, Arc<Window>)>,
}

/// What makes requests go to the same instance.
#[derive(Debug)]
pub(crate) enum Stickiness {
    Header(HeaderName),
    Token,
}

/// An endpoint within a route.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) endpoint: Arc<LiveEndpoint>,
    pub(crate) state: EndpointState,
    pub(crate) share: Option<usize>,
    /// How long its streams may go on while it drains.
    pub(crate) drain: Option<Duration>,
    pub(crate) probe: Probe,
}

/// Why no endpoint was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turned {
    /// None is ready, or all that are cannot be reached and the caller would rather wait.
    NoneReady,
    /// Those that are ready have as much as they take at once.
    AllFull,
    /// They have had as much as they take in a second.
    AllLimited,
    /// The route is not there any more.
    RouteGone,
}

/// How a request looks for an endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search<'a> {
    pub(crate) random: &'a Random,
    /// Stands for a caller who is to meet the same endpoint each time.
    pub(crate) key: Option<u64>,
    /// Whether an endpoint to which connections failed a moment ago is better than none.
    pub(crate) even_unreachable: bool,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self {
            table: ArcSwap::from_pointee(Table::of(&[], &[], Telling::default())),
            serial: AtomicU64::new(0),
            changed: Notify::new(),
            holders: Semaphore::new(HOLDERS),
            born: Instant::now(),
        }
    }

    /// The time as windows count it, in milliseconds.
    pub(crate) fn millis(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// What a host and a path lead to; `random` draws among the routes of a group.
    pub(crate) fn find(&self, host: Option<&str>, path: &str, random: &Random) -> Found {
        let table = self.table.load();
        let own = host.filter(|_| !table.by_host.is_empty()).and_then(|host| {
            let host = host.rsplit_once(':').map_or(host, |(name, port)| if port.contains(']') { host } else { name });
            table.by_host.get(host.to_ascii_lowercase().as_str())?.find(path)
        });
        let found = own.or_else(|| table.paths.find(path));
        let route = found.and_then(|found| Some((found.target.choose(random)?, found.covered)));
        Found { route, telling: table.telling.clone() }
    }

    /// The route of this name.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<LiveRoute>> {
        self.table.load().named(name)
    }

    /// Chooses an endpoint and counts the request in there. Brings `route` up to date if it was replaced meanwhile.
    pub(crate) fn admit(&self, route: &mut Arc<LiveRoute>, search: Search<'_>) -> Result<InFlight, Turned> {
        loop {
            let admitted = route.choose(search, || self.millis()).map(LiveEndpoint::enter);
            // The check of the module's proof: after the count, before anything is sent.
            if self.serial.load(Ordering::SeqCst) > route.serial {
                drop(admitted);
                *route = self.table.load().named(&route.name).ok_or(Turned::RouteGone)?;
                continue;
            }
            let (mut in_flight, before) = admitted?;
            if let Some(most) = route.limits.instance_concurrency {
                // Another worker was faster.
                if before >= u64::from(most) {
                    continue;
                }
                in_flight.tell(&route.load);
            }
            if let Some(rate) = route.limits.instance_rate
                && in_flight.endpoint().lately.admit(self.millis(), rate).is_err()
            {
                continue;
            }
            return Ok(in_flight);
        }
    }

    /// Makes `config`, which is checked, what all workers serve. When this returns, no worker admits a request by the
    /// table before. Only the gateway's owner calls this.
    pub(crate) fn replace(&self, config: &Config, telling: Telling, registry: &mut Registry) {
        let serial = self.serial.load(Ordering::SeqCst) + 1;
        let before = self.table.load_full();
        let routes: Vec<_> = config.routes.iter().map(|route| registry.route(serial, route)).collect();
        self.table.store(Arc::new(Table::of(&routes, &config.routes, telling)));
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

    /// The endpoints that drain and whose streams have an end, each once, with how long they may go on.
    pub(crate) fn draining(&self) -> Vec<(Arc<LiveEndpoint>, Duration)> {
        let table = self.table.load();
        let places = table.routes.iter().flat_map(|route| &route.places);
        let draining = places.filter(|place| place.state == EndpointState::Draining);
        draining.filter_map(|place| Some((place.endpoint.clone(), place.drain?))).collect()
    }

    /// Where requests are told of, if they are.
    pub(crate) fn telling(&self) -> Telling {
        self.table.load().telling.clone()
    }

    /// All routes.
    pub(crate) fn routes(&self) -> Vec<Arc<LiveRoute>> {
        self.table.load().routes.clone()
    }

    /// All routes with their endpoints, those that have left but still have requests in flight included.
    pub(crate) fn status(&self, registry: &mut Registry) -> Vec<RouteStatus> {
        let mut routes: Vec<_> = self.routes().iter().map(|route| route.status()).collect();
        for (name, endpoint) in registry.leaving() {
            let status = EndpointStatus::of(endpoint, EndpointState::Draining);
            match routes.iter_mut().find(|route| &route.name == name) {
                Some(route) => route.endpoints.push(status),
                None => {
                    routes.push(RouteStatus { name: name.clone(), endpoints: vec![status], ..RouteStatus::default() })
                }
            }
        }
        routes
    }
}

impl Table {
    /// `rules` says of each of `routes`, in order, where it is found.
    fn of(routes: &[Arc<LiveRoute>], rules: &[Route], telling: Telling) -> Self {
        let (mut everywhere, mut by_host) = (Targets::default(), HashMap::<Box<str>, Targets>::new());
        for (route, rule) in routes.iter().zip(rules) {
            if rule.hosts.is_empty() {
                everywhere.add(route, rule);
            }
            for host in &rule.hosts {
                by_host.entry(host.to_ascii_lowercase().into_boxed_str()).or_default().add(route, rule);
            }
        }
        let by_host = by_host.into_iter().map(|(host, targets)| (host, targets.paths())).collect();
        Self { paths: everywhere.paths(), by_host, routes: routes.to_vec(), telling }
    }

    fn named(&self, name: &str) -> Option<Arc<LiveRoute>> {
        self.routes.iter().find(|route| route.name == name).cloned()
    }
}

/// What the paths of one host lead to.
#[derive(Default)]
struct Targets {
    routes: Vec<(String, Target)>,
    groups: HashMap<String, Vec<Member>>,
}

impl Targets {
    fn add(&mut self, route: &Arc<LiveRoute>, rule: &Route) {
        self.routes.extend(rule.paths.iter().map(|path| (path.clone(), Target::Route(route.clone()))));
        if let Some(Entry { path, weight }) = &rule.entry {
            self.groups.entry(path.clone()).or_default().push(Member { route: route.clone(), weight: *weight });
        }
    }

    fn paths(self) -> Paths<Target> {
        // The later of two with the same path stands.
        Paths::new(self.routes.into_iter().chain(self.groups.into_iter().map(|(path, of)| (path, Target::Group(of)))))
    }
}

impl LiveRoute {
    fn choose(&self, search: Search<'_>, now: impl Fn() -> u64) -> Result<&Arc<LiveEndpoint>, Turned> {
        let now = self.limits.instance_rate.map(|rate| (rate, now()));
        let candidates = self.places.iter().map(|place| Candidate {
            standing: self.standing(place, now),
            in_flight: place.endpoint.in_flight(),
            share: place.share,
            part: place.endpoint.part(),
            hash: place.endpoint.hash,
        });
        match choose(candidates, &self.weights, search.random.next(), search.key) {
            Choice::Endpoint(place) => Ok(&self.places[place].endpoint),
            Choice::OnlyUnreachable(place) if search.even_unreachable => Ok(&self.places[place].endpoint),
            Choice::OnlyUnreachable(_) | Choice::NoneReady => Err(Turned::NoneReady),
            Choice::AllFull => Err(Turned::AllFull),
            Choice::AllLimited => Err(Turned::AllLimited),
        }
    }

    fn standing(&self, place: &Place, rate: Option<(u32, u64)>) -> Standing {
        let endpoint = &place.endpoint;
        if place.state != EndpointState::Serving || !endpoint.ready() {
            return Standing::Out;
        }
        let ejected = endpoint.ejected();
        if ejected == Some(Ejection::Hard) {
            return Standing::Unreachable;
        }
        if self.limits.instance_concurrency.is_some_and(|most| endpoint.in_flight() >= u64::from(most)) {
            return Standing::Full;
        }
        if rate.is_some_and(|(rate, now)| !endpoint.lately.has_room(now, rate)) {
            return Standing::Limited;
        }
        if ejected.is_some() { Standing::Doubtful } else { Standing::Free }
    }

    /// How many endpoints may get requests.
    pub(crate) fn serving(&self) -> usize {
        self.places.iter().filter(|place| place.state == EndpointState::Serving && place.endpoint.ready()).count()
    }

    fn status(&self) -> RouteStatus {
        let endpoints = self.places.iter().map(|place| EndpointStatus::of(&place.endpoint, place.state)).collect();
        let refused = self.load.refused().map(|(reason, count)| (reason.to_owned(), count)).collect();
        RouteStatus {
            name: self.name.clone(),
            service: self.service.clone(),
            endpoints,
            refused,
            queued: self.load.queued(),
        }
    }
}

impl Stickiness {
    pub(crate) fn of(sticky: &Sticky) -> Option<Self> {
        match sticky {
            Sticky::Header(name) => name.parse().ok().map(Self::Header),
            Sticky::Token => Some(Self::Token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Endpoint;
    use crate::outlier::Fault;
    use std::sync::atomic::AtomicBool;

    fn endpoint(number: usize, state: EndpointState) -> Endpoint {
        let port = 9_000 + u16::try_from(number).unwrap();
        Endpoint { state, ..Endpoint::serving(format!("hello-{number}-g1"), ([127, 0, 0, 1], port).into()) }
    }

    fn config(generation: u64, endpoints: Vec<Endpoint>) -> Config {
        let (name, service, paths) = ("public/hello".into(), "hello".into(), vec!["/hello".into()]);
        let route = Route { name, service, paths, endpoints, ..Route::default() };
        Config { generation, routes: vec![route], ..Config::empty() }
    }

    /// A gateway's shared part that serves these states, in order.
    fn live(states: &[EndpointState]) -> (Live, Registry) {
        let (live, mut registry) = (Live::new(), Registry::default());
        live.replace(&config(1, numbered(states)), Telling::default(), &mut registry);
        (live, registry)
    }

    fn numbered(states: &[EndpointState]) -> Vec<Endpoint> {
        states.iter().enumerate().map(|(number, state)| endpoint(number, *state)).collect()
    }

    fn admit(live: &Live) -> Result<InFlight, Turned> {
        let (mut route, _) = live.find(None, "/hello", &Random::seeded(1)).route.expect("the route");
        live.admit(&mut route, avoiding(&Random::seeded(1)))
    }

    fn avoiding(random: &Random) -> Search<'_> {
        Search { random, key: None, even_unreachable: false }
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
        live.replace(&config(2, numbered(&[Draining])), Telling::default(), &mut registry);
        check(&mut registry, &[("hello-0-g1", Draining, 1)]);
        live.replace(&config(3, vec![]), Telling::default(), &mut registry);
        check(&mut registry, &[("hello-0-g1", Draining, 1)]);
        live.replace(&config(4, numbered(&[Serving])), Telling::default(), &mut registry);
        check(&mut registry, &[("hello-0-g1", Serving, 1)]);
        live.replace(&Config { generation: 5, ..Config::empty() }, Telling::default(), &mut registry);
        check(&mut registry, &[("hello-0-g1", Draining, 1)]);
        drop(request);
        check(&mut registry, &[]);
    }

    #[test]
    fn a_request_with_an_old_route_is_admitted_by_the_new_one() {
        let (live, mut registry) = live(&[Serving, Draining]);
        let (mut route, _) = live.find(None, "/hello", &Random::seeded(1)).route.unwrap();
        live.replace(&config(2, numbered(&[Draining, Serving])), Telling::default(), &mut registry);
        let request = live.admit(&mut route, avoiding(&Random::seeded(1))).unwrap();
        assert_eq!(request.endpoint().name, "hello-1-g1");

        let (mut route, _) = live.find(None, "/hello", &Random::seeded(1)).route.unwrap();
        live.replace(&Config { generation: 3, ..Config::empty() }, Telling::default(), &mut registry);
        let turned = live.admit(&mut route, avoiding(&Random::seeded(1))).unwrap_err();
        assert_eq!(turned, Turned::RouteGone);
    }

    #[test]
    fn only_serving_ready_endpoints_that_are_not_ejected_are_admitted() {
        let (live, _registry) = live(&[Serving, Draining]);
        admit(&live).unwrap().endpoint().note_fault(Fault::Unreachable);
        assert_eq!(admit(&live).unwrap_err(), Turned::NoneReady);
        let (mut route, _) = live.find(None, "/hello", &Random::seeded(1)).route.unwrap();
        let request =
            live.admit(&mut route, Search { even_unreachable: true, ..avoiding(&Random::seeded(1)) }).unwrap();
        request.endpoint().readmit();
        admit(&live).unwrap().endpoint().set_ready(false);
        assert_eq!(
            live.admit(&mut route, Search { even_unreachable: true, ..avoiding(&Random::seeded(1)) }).unwrap_err(),
            Turned::NoneReady
        );
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
            let (mut route, _) = live.find(None, "/hello", &Random::seeded(1)).route.unwrap();
            // Now and then be held up between taking the table and choosing.
            if random.next().is_multiple_of(8) {
                std::thread::yield_now();
            }
            let request = live.admit(&mut route, avoiding(&random)).unwrap();
            let number = usize::from(request.endpoint().name == "hello-1-g1");
            assert!(!drained[number].load(Ordering::SeqCst), "a request reached a drained endpoint");
        }
    }

    fn drain_in_turn(live: &Live, registry: &mut Registry, drained: &[AtomicBool; 2]) {
        for round in 0..3_000 {
            let number = usize::try_from(round % 2).unwrap();
            let mut endpoints = numbered(&[Serving, Serving]);
            endpoints[number].state = Draining;
            live.replace(&config(2 + 2 * round, endpoints), Telling::default(), registry);
            while live.status(registry)[0].endpoints[number].in_flight > 0 {
                std::thread::yield_now();
            }
            drained[number].store(true, Ordering::SeqCst);
            std::thread::yield_now();
            drained[number].store(false, Ordering::SeqCst);
            live.replace(&config(3 + 2 * round, numbered(&[Serving, Serving])), Telling::default(), registry);
        }
    }

    struct Done<'a>(&'a AtomicBool);

    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}
