//! What is wrong with a configuration: everything that can be seen without touching the machine, all at once. Whether a
//! listener's port is free is for the binding to say. Plain functions.

mod route;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;

use thiserror::Error;

use crate::config::{Config, Endpoint, FORMAT, Listener, Route};
use crate::tracer;

/// Something that keeps a configuration from being taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigProblem {
    /// Written by a newer build, or not a configuration at all.
    #[error("the configuration has format {found}; this build knows {FORMAT}")]
    Format {
        /// The number found.
        found: u32,
    },
    /// Something has no name.
    #[error("a {kind} in {place} has no name")]
    Unnamed {
        /// What it is.
        kind: &'static str,
        /// Where it stands.
        place: String,
    },
    /// Two things of a kind are called the same.
    #[error("two {kind}s in {place} are called {name}")]
    SameName {
        /// What they are.
        kind: &'static str,
        /// Where they stand.
        place: String,
        /// What both are called.
        name: String,
    },
    /// Two listeners want one address.
    #[error("listeners {first} and {second} both want {address}")]
    SameAddress {
        /// The earlier listener.
        first: String,
        /// The later one.
        second: String,
        /// What both want.
        address: SocketAddr,
    },
    /// A route can't be reached.
    #[error("route {route} has no path")]
    NoPath {
        /// The route.
        route: String,
    },
    /// A path that no request could match as it is meant.
    #[error("route {route}: `{path}` is not a usable path: {reason}")]
    Path {
        /// The route.
        route: String,
        /// The path.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two routes claim one path.
    #[error("routes {first} and {second} both claim {path}")]
    PathClash {
        /// The earlier route.
        first: String,
        /// The later one, or the same again.
        second: String,
        /// What both claim.
        path: String,
    },
    /// A digest that no token has.
    #[error("route {route}: the digest of token {token} is not 64 digits of lower-case hex")]
    Digest {
        /// The route.
        route: String,
        /// The token's name.
        token: String,
    },
    /// A number that must not be zero is.
    #[error("{place}: {field} must be more than 0")]
    Zero {
        /// What has it.
        place: String,
        /// The field.
        field: &'static str,
    },
    /// A token that lets nobody in.
    #[error("{place} must be more than 0")]
    ZeroRate {
        /// Which token of which route.
        place: String,
    },
    /// A number is larger than can be counted.
    #[error("{place}: {field} is {found}, but the most is {most}")]
    TooMuch {
        /// What has it.
        place: String,
        /// The field.
        field: &'static str,
        /// The number.
        found: u32,
        /// The largest one.
        most: u32,
    },
    /// A name that no header has.
    #[error("route {route}: `{name}` is not the name of a header")]
    Header {
        /// The route.
        route: String,
        /// The name.
        name: String,
    },
    /// A host that no request could ask for.
    #[error("route {route}: `{host}` is not a host without a port")]
    Host {
        /// The route.
        route: String,
        /// The host.
        host: String,
    },
    /// An endpoint serves a share that there is not.
    #[error("route {route}: endpoint {endpoint} {says}")]
    Share {
        /// The route.
        route: String,
        /// The endpoint.
        endpoint: String,
        /// What it says of its share.
        says: String,
    },
    /// A listener joins connections to a route that there is not.
    #[error("listener {listener} joins connections to route {route}, which there is not")]
    NoSuchRoute {
        /// The listener.
        listener: String,
        /// The route.
        route: String,
    },
    /// A collector of traces that nothing can be sent to.
    #[error("traces cannot go to `{otlp}`: {reason}")]
    Collector {
        /// Where they are to go.
        otlp: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The same endpoint is described in two ways.
    #[error("endpoint {endpoint} has one {field} in route {first} and another in route {second}")]
    Disagree {
        /// The endpoint.
        endpoint: String,
        /// What differs.
        field: &'static str,
        /// The earlier route.
        first: String,
        /// The later one.
        second: String,
    },
}

impl Config {
    /// Finds everything that is wrong with the configuration itself.
    ///
    /// # Errors
    ///
    /// All problems at once, in the order of the file.
    pub fn check(&self) -> Result<(), Vec<ConfigProblem>> {
        let mut problems = Vec::new();
        if self.format != FORMAT {
            problems.push(ConfigProblem::Format { found: self.format });
        }
        self.check_listeners(&mut problems);
        check_names("route", "the configuration", self.routes.iter().map(|route| &route.name), &mut problems);
        for route in &self.routes {
            route.check(self.is_joined(route), &mut problems);
        }
        self.check_clashes(&mut problems);
        self.check_endpoints(&mut problems);
        self.check_traces(&mut problems);
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn check_listeners(&self, problems: &mut Vec<ConfigProblem>) {
        let names = self.listeners.iter().map(|listener| &listener.name);
        check_names("listener", "the configuration", names, problems);
        let mut seen: HashMap<SocketAddr, &str> = HashMap::new();
        for listener in &self.listeners {
            self.check_listener(listener, problems);
        }
        let chosen = self.listeners.iter().filter(|listener| listener.address.port() != 0);
        for Listener { name, address, .. } in chosen {
            if let Some(first) = seen.insert(*address, name) {
                let (first, second) = (first.to_owned(), name.clone());
                problems.push(ConfigProblem::SameAddress { first, second, address: *address });
            }
        }
    }

    fn check_listener(&self, listener: &Listener, problems: &mut Vec<ConfigProblem>) {
        let Listener { name, certificates, limits, joins, .. } = listener;
        let place = format!("listener {name}");
        check_names("certificate", &place, certificates.iter().map(|shown| &shown.domain), problems);
        limits.check(&place, problems);
        if let Some(route) = joins.as_ref().filter(|wanted| !self.routes.iter().any(|route| &route.name == *wanted)) {
            problems.push(ConfigProblem::NoSuchRoute { listener: name.clone(), route: route.clone() });
        }
    }

    /// Two routes may have the same path under different hosts.
    fn check_clashes(&self, problems: &mut Vec<ConfigProblem>) {
        let mut claimed: BTreeMap<(String, &str), &str> = BTreeMap::new();
        for route in &self.routes {
            let everywhere = route.hosts.is_empty().then(String::new);
            for host in route.hosts.iter().map(|host| host.to_ascii_lowercase()).chain(everywhere) {
                for path in &route.paths {
                    if let Some(first) = claimed.insert((host.clone(), path), &route.name) {
                        let (first, second) = (first.to_owned(), route.name.clone());
                        problems.push(ConfigProblem::PathClash { first, second, path: format!("{host}{path}") });
                    }
                }
            }
        }
    }

    fn check_traces(&self, problems: &mut Vec<ConfigProblem>) {
        let Some(traces) = &self.traces else { return };
        if let Err(reason) = tracer::check(traces) {
            problems.push(ConfigProblem::Collector { otlp: traces.otlp.clone(), reason });
        }
        if traces.thousandths > 1_000 {
            let (place, found) = ("traces".to_owned(), traces.thousandths.into());
            problems.push(ConfigProblem::TooMuch { place, field: "thousandths", found, most: 1_000 });
        }
    }

    /// Whether connections are joined to a route's endpoints.
    fn is_joined(&self, route: &Route) -> bool {
        self.listeners.iter().any(|listener| listener.joins.as_ref() == Some(&route.name))
    }

    /// An endpoint's counters and readiness exist once, so all routes must agree on where it is and how it is probed.
    fn check_endpoints(&self, problems: &mut Vec<ConfigProblem>) {
        let mut seen: HashMap<&str, (&Route, &Endpoint)> = HashMap::new();
        for route in &self.routes {
            for endpoint in &route.endpoints {
                let Endpoint { name, address, .. } = endpoint;
                let (first, known) = *seen.entry(name).or_insert((route, endpoint));
                let mut disagree = |field| {
                    let (endpoint, first, second) = (name.clone(), first.name.clone(), route.name.clone());
                    problems.push(ConfigProblem::Disagree { endpoint, field, first, second });
                };
                if known.address != *address {
                    disagree("address");
                }
                if first.probe_of(known) != route.probe_of(endpoint) {
                    disagree("probe");
                }
            }
        }
    }
}

fn check_names<'a>(
    kind: &'static str,
    place: &str,
    names: impl Iterator<Item = &'a String>,
    problems: &mut Vec<ConfigProblem>,
) {
    let mut seen = HashSet::new();
    for name in names {
        if name.is_empty() {
            problems.push(ConfigProblem::Unnamed { kind, place: place.to_owned() });
        } else if !seen.insert(name) {
            problems.push(ConfigProblem::SameName { kind, place: place.to_owned(), name: name.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Certificate, Check, Limits, Probe, Records, Share, Sticky, TokenDigest};

    fn good() -> Config {
        let endpoint = |name: &str, port| Endpoint::serving(name, ([127, 0, 0, 1], port).into());
        let route = |name: &str, path: &str, endpoints| Route {
            name: name.into(),
            service: "hello".into(),
            paths: vec![path.into()],
            tokens: vec![TokenDigest { name: "team".into(), sha256: "0a".repeat(32), rate: None }],
            timeout_ms: Some(5_000),
            probe: Some(Probe { check: Check::Http { path: "/health?deep=1".into() }, ..Probe::default() }),
            endpoints,
            ..Route::default()
        };
        Config {
            generation: 1,
            listeners: vec![Listener::plain("public", ([127, 0, 0, 1], 8000).into())],
            routes: vec![
                route("public/hello", "/api/predict/hello", vec![endpoint("hello-0-g1", 9000), endpoint("b", 9001)]),
                route("public/root", "/", vec![endpoint("hello-0-g1", 9000)]),
            ],
            ..Config::empty()
        }
    }

    /// Changes a good configuration and compares the problems found with `expected`, one line each.
    fn check(change: impl FnOnce(&mut Config), expected: &[&str]) {
        let mut config = good();
        change(&mut config);
        let found = config.check().err().unwrap_or_default();
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_good_configuration_has_no_problem() {
        check(|_| {}, &[]);
        check(|config| config.routes.clear(), &[]);
        check(|config| *config = Config::empty(), &[]);
    }

    #[test]
    fn all_problems_are_found_at_once() {
        let change = |config: &mut Config| {
            config.format = 2;
            config.listeners.push(Listener { name: "public".into(), ..config.listeners[0].clone() });
            config.routes[0].paths = vec!["chat".into(), "/a//b".into()];
            config.routes[0].tokens[0].sha256 = "secret".into();
            config.routes[1].timeout_ms = Some(0);
        };
        let expected = [
            "the configuration has format 2; this build knows 1",
            "two listeners in the configuration are called public",
            "listeners public and public both want 127.0.0.1:8000",
            "route public/hello: `chat` is not a usable path: it does not start with `/`",
            "route public/hello: `/a//b` is not a usable path: it has an empty segment",
            "route public/hello: the digest of token team is not 64 digits of lower-case hex",
            "route public/root: timeout_ms must be more than 0",
        ];
        check(change, &expected);
    }

    #[test]
    fn names_are_needed_and_unique() {
        check(|config| config.routes[0].name.clear(), &["a route in the configuration has no name"]);
        check(
            |config| config.routes[0].endpoints[1].name = "hello-0-g1".into(),
            &[
                "two endpoints in route public/hello are called hello-0-g1",
                "endpoint hello-0-g1 has one address in route public/hello and another in route public/hello",
            ],
        );
    }

    #[test]
    fn a_path_belongs_to_one_route() {
        check(
            |config| config.routes[1].paths = vec!["/x".into(), "/api/predict/hello".into()],
            &["routes public/hello and public/root both claim /api/predict/hello"],
        );
        check(|config| config.routes[0].paths.clear(), &["route public/hello has no path"]);
    }

    #[test]
    fn a_path_is_spelled_as_requests_are() {
        let check = |path: &str, reason: &str| {
            let line = format!("route public/hello: `{path}` is not a usable path: {reason}");
            check(|config| config.routes[0].paths = vec![path.into()], &[&line]);
        };
        check("/a/", "it ends with `/`");
        check("/a/../b", "it has a `.` or `..` segment");
        check("/a?b", "it has a query or a fragment");
        check("/a b", "it has characters that must be percent-encoded");
    }

    #[test]
    fn a_probe_has_no_zeros_and_a_path_that_can_be_asked_for() {
        let change = |config: &mut Config| {
            let check = Check::Http { path: "health".into() };
            let probe = Probe { check, every_ms: 0, timeout_ms: 0, failures: 0, successes: 0 };
            config.routes.truncate(1);
            config.routes[0].probe = Some(probe);
        };
        let expected = [
            "route public/hello: probe.every_ms must be more than 0",
            "route public/hello: probe.timeout_ms must be more than 0",
            "route public/hello: probe.failures must be more than 0",
            "route public/hello: probe.successes must be more than 0",
            "route public/hello: `health` is not a usable path: it does not start with `/`",
        ];
        check(change, &expected);
    }

    #[test]
    fn routes_agree_on_an_endpoint_they_share() {
        check(
            |config| config.routes[1].probe = None,
            &["endpoint hello-0-g1 has one probe in route public/hello and another in route public/root"],
        );
    }

    #[test]
    fn a_route_is_found_under_its_hosts() {
        let hosts = |hosts: &[&str]| hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>();
        let both = |config: &mut Config| config.routes[1].paths = vec!["/api/predict/hello".into()];
        check(
            |config| {
                both(config);
                config.routes[1].hosts = hosts(&["chat.example.com"]);
            },
            &[],
        );
        check(
            |config| {
                both(config);
                config.routes[0].hosts = hosts(&["a.example.com", "b.example.com"]);
                config.routes[1].hosts = hosts(&["B.example.com", "c.example.com:80"]);
            },
            &[
                "route public/root: `c.example.com:80` is not a host without a port",
                "routes public/hello and public/root both claim b.example.com/api/predict/hello",
            ],
        );
    }

    #[test]
    fn connections_are_joined_to_a_route_that_there_is() {
        check(
            |config| {
                config.routes[0].paths.clear();
                config.listeners[0].joins = Some("public/hello".into());
            },
            &[],
        );
        check(
            |config| config.listeners[0].joins = Some("x".into()),
            &["listener public joins connections to route x, which there is not"],
        );
    }

    #[test]
    fn limits_are_numbers_that_can_be_kept() {
        let change = |config: &mut Config| {
            config.routes.truncate(1);
            config.listeners[0].limits = Limits { rate: Some(0), instance_rate: Some(1), ..Limits::default() };
            config.routes[0].limits = Limits { concurrency: Some(0), rate: Some(2_000_000), ..Limits::default() };
            config.routes[0].tokens[0].rate = Some(0);
            config.routes[0].hold_ms = Some(0);
            config.routes[0].timeouts.total_ms = Some(0);
        };
        let expected = [
            "listener public: limits.rate must be more than 0",
            "route public/hello: limits.rate is 2000000, but the most is 1048575",
            "route public/hello: limits.concurrency must be more than 0",
            "route public/hello: the rate of token team must be more than 0",
            "route public/hello: timeouts.total_ms must be more than 0",
        ];
        check(change, &expected);
    }

    #[test]
    fn shares_are_served_by_those_who_say_so() {
        let change = |config: &mut Config| {
            config.routes.truncate(1);
            config.routes[0].shares = vec![Share { name: "old".into(), weight: 1 }];
            config.routes[0].endpoints[1].share = Some("new".into());
        };
        let expected = [
            "route public/hello: endpoint hello-0-g1 names no share, but the route has some",
            "route public/hello: endpoint b serves share new, which there is not",
        ];
        check(change, &expected);
    }

    #[test]
    fn spans_go_to_a_collector_that_there_can_be() {
        let traces = |otlp: &str, thousandths, header: &str| {
            let (headers, resource) = ([(header.into(), crate::Sealed("x".into()))].into(), [].into());
            Some(crate::Traces { otlp: otlp.into(), thousandths, headers, resource })
        };
        check(|config| config.traces = traces("http://collector:4318", 1_000, "x-key"), &[]);
        check(
            |config| config.traces = traces("collector:4318", 1_001, "x-key"),
            &[
                "traces cannot go to `collector:4318`: it begins with neither http:// nor https://",
                "traces: thousandths is 1001, but the most is 1000",
            ],
        );
        check(
            |config| config.traces = traces("http://collector", 1, "a b"),
            &["traces cannot go to `http://collector`: a header's name is none"],
        );
    }

    #[test]
    fn headers_have_names_and_certificates_domains() {
        let change = |config: &mut Config| {
            config.routes.truncate(1);
            config.routes[0].sticky = Some(Sticky::Header("a b".into()));
            let redact = vec!["é".into()];
            config.routes[0].records = Some(Records { thousandths: 1_001, redact, ..Records::all("/x", 1) });
            let certificate =
                |domain: &str| Certificate { domain: domain.into(), chain: "/c".into(), key: "/k".into() };
            config.listeners[0].certificates = vec![certificate("a"), certificate("a")];
        };
        let expected = [
            "two certificates in listener public are called a",
            "route public/hello: `a b` is not the name of a header",
            "route public/hello: `é` is not the name of a header",
            "route public/hello: records.thousandths is 1001, but the most is 1000",
        ];
        check(change, &expected);
    }
}
