//! What is wrong with a configuration: everything that can be seen without touching the machine, all at once. Whether a
//! listener's port is free is for the binding to say. Plain functions.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;

use thiserror::Error;

use crate::config::{Check, Config, Endpoint, FORMAT, Listener, Probe, Route};

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
    #[error("route {route}: {field} must be more than 0")]
    Zero {
        /// The route.
        route: String,
        /// The field.
        field: &'static str,
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
            route.check(&mut problems);
        }
        self.check_clashes(&mut problems);
        self.check_endpoints(&mut problems);
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn check_listeners(&self, problems: &mut Vec<ConfigProblem>) {
        let names = self.listeners.iter().map(|listener| &listener.name);
        check_names("listener", "the configuration", names, problems);
        let mut seen: HashMap<SocketAddr, &str> = HashMap::new();
        for Listener { name, address } in self.listeners.iter().filter(|listener| listener.address.port() != 0) {
            if let Some(first) = seen.insert(*address, name) {
                let (first, second) = (first.to_owned(), name.clone());
                problems.push(ConfigProblem::SameAddress { first, second, address: *address });
            }
        }
    }

    fn check_clashes(&self, problems: &mut Vec<ConfigProblem>) {
        let mut claimed: BTreeMap<&str, &str> = BTreeMap::new();
        for route in &self.routes {
            for path in &route.paths {
                if let Some(first) = claimed.insert(path, &route.name) {
                    let (first, second) = (first.to_owned(), route.name.clone());
                    problems.push(ConfigProblem::PathClash { first, second, path: path.clone() });
                }
            }
        }
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

impl Route {
    fn check(&self, problems: &mut Vec<ConfigProblem>) {
        let place = format!("route {}", self.name);
        check_names("token", &place, self.tokens.iter().map(|token| &token.name), problems);
        check_names("endpoint", &place, self.endpoints.iter().map(|endpoint| &endpoint.name), problems);
        if self.paths.is_empty() {
            problems.push(ConfigProblem::NoPath { route: self.name.clone() });
        }
        for path in &self.paths {
            if let Some(reason) = unusable(path) {
                problems.push(ConfigProblem::Path { route: self.name.clone(), path: path.clone(), reason });
            }
        }
        for token in self.tokens.iter().filter(|token| token.digest().is_none()) {
            problems.push(ConfigProblem::Digest { route: self.name.clone(), token: token.name.clone() });
        }
        if self.timeout_ms == Some(0) {
            problems.push(ConfigProblem::Zero { route: self.name.clone(), field: "timeout_ms" });
        }
        let own = self.endpoints.iter().filter_map(|endpoint| endpoint.probe.as_ref());
        for probe in self.probe.iter().chain(own) {
            probe.check(&self.name, problems);
        }
    }
}

impl Probe {
    fn check(&self, route: &str, problems: &mut Vec<ConfigProblem>) {
        let numbers = [
            ("probe.every_ms", self.every_ms == 0),
            ("probe.timeout_ms", self.timeout_ms == 0),
            ("probe.failures", self.failures == 0),
            ("probe.successes", self.successes == 0),
        ];
        for (field, _) in numbers.into_iter().filter(|(_, zero)| *zero) {
            problems.push(ConfigProblem::Zero { route: route.to_owned(), field });
        }
        if let Check::Http { path } = &self.check
            && let Some(reason) = unusable_request_path(path)
        {
            problems.push(ConfigProblem::Path { route: route.to_owned(), path: path.clone(), reason });
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

/// Why a path can't be a route's prefix. Requests are matched byte by byte as they were sent, so a prefix has to be
/// spelled as clients send it.
fn unusable(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') {
        Some("it does not start with `/`")
    } else if path == "/" {
        None
    } else if path.ends_with('/') {
        Some("it ends with `/`")
    } else if path.contains("//") {
        Some("it has an empty segment")
    } else if path.split('/').any(|segment| segment == "." || segment == "..") {
        Some("it has a `.` or `..` segment")
    } else if path.contains(['?', '#']) {
        Some("it has a query or a fragment")
    } else if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        Some("it has characters that must be percent-encoded")
    } else {
        None
    }
}

/// Why a path can't be asked for.
fn unusable_request_path(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') {
        Some("it does not start with `/`")
    } else if !path.bytes().all(|byte| byte.is_ascii_graphic()) || path.contains('#') {
        Some("it has characters that must be percent-encoded")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{EndpointState, TokenDigest};

    fn good() -> Config {
        let endpoint = |name: &str, port| Endpoint {
            name: name.into(),
            address: ([127, 0, 0, 1], port).into(),
            state: EndpointState::Serving,
            probe: None,
        };
        let route = |name: &str, path: &str, endpoints| Route {
            name: name.into(),
            service: "hello".into(),
            paths: vec![path.into()],
            tokens: vec![TokenDigest { name: "team".into(), sha256: "0a".repeat(32) }],
            timeout_ms: Some(5_000),
            max_body: None,
            probe: Some(Probe { check: Check::Http { path: "/health?deep=1".into() }, ..Probe::default() }),
            endpoints,
        };
        Config {
            format: FORMAT,
            generation: 1,
            listeners: vec![Listener { name: "public".into(), address: ([127, 0, 0, 1], 8000).into() }],
            routes: vec![
                route("public/hello", "/api/predict/hello", vec![endpoint("hello-0-g1", 9000), endpoint("b", 9001)]),
                route("public/root", "/", vec![endpoint("hello-0-g1", 9000)]),
            ],
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
}
