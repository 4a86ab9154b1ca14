//! What is wrong with one route, its probes and its limits.

use hyper::header::HeaderName;

use super::{ConfigProblem, check_names};
use crate::config::{Check, Limits, Probe, Route, Sticky, Timeouts};
use crate::limit::Window;

impl Route {
    /// `joined`: connections are joined to its endpoints, so it needs no path.
    pub(super) fn check(&self, joined: bool, problems: &mut Vec<ConfigProblem>) {
        let place = format!("route {}", self.name);
        check_names("token", &place, self.tokens.iter().map(|token| &token.name), problems);
        check_names("endpoint", &place, self.endpoints.iter().map(|endpoint| &endpoint.name), problems);
        check_names("share", &place, self.shares.iter().map(|share| &share.name), problems);
        if self.paths.is_empty() && !joined {
            problems.push(ConfigProblem::NoPath { route: self.name.clone() });
        }
        for path in self.paths.iter().chain(self.entry.iter().map(|entry| &entry.path)) {
            if let Some(reason) = unusable(path) {
                problems.push(ConfigProblem::Path { route: self.name.clone(), path: path.clone(), reason });
            }
        }
        for token in self.tokens.iter().filter(|token| token.digest().is_none()) {
            problems.push(ConfigProblem::Digest { route: self.name.clone(), token: token.name.clone() });
        }
        for host in self.hosts.iter().filter(|host| !is_host(host)) {
            problems.push(ConfigProblem::Host { route: self.name.clone(), host: host.clone() });
        }
        self.limits.check(&place, problems);
        self.check_times(&place, problems);
        self.check_shares(problems);
        self.check_headers(&place, problems);
        let own = self.endpoints.iter().filter_map(|endpoint| endpoint.probe.as_ref());
        for probe in self.probe.iter().chain(own) {
            probe.check(&self.name, problems);
        }
    }

    fn check_times(&self, place: &str, problems: &mut Vec<ConfigProblem>) {
        let rates = self.tokens.iter().filter(|token| token.rate == Some(0));
        for token in rates {
            let place = format!("{place}: the rate of token {}", token.name);
            problems.push(ConfigProblem::ZeroRate { place });
        }
        let Timeouts { connect_ms, first_byte_ms, between_bytes_ms, total_ms } = self.timeouts;
        let numbers = [
            ("timeout_ms", self.timeout_ms),
            ("timeouts.connect_ms", connect_ms),
            ("timeouts.first_byte_ms", first_byte_ms),
            ("timeouts.between_bytes_ms", between_bytes_ms),
            ("timeouts.total_ms", total_ms),
        ];
        for (field, _) in numbers.into_iter().filter(|(_, number)| *number == Some(0)) {
            problems.push(ConfigProblem::Zero { place: place.to_owned(), field });
        }
    }

    /// Where a route has shares, each endpoint serves one of them.
    fn check_shares(&self, problems: &mut Vec<ConfigProblem>) {
        for endpoint in &self.endpoints {
            let says = match &endpoint.share {
                None if self.shares.is_empty() => continue,
                None => "names no share, but the route has some".to_owned(),
                Some(name) if self.shares.iter().any(|share| &share.name == name) => continue,
                Some(name) => format!("serves share {name}, which there is not"),
            };
            let (route, endpoint) = (self.name.clone(), endpoint.name.clone());
            problems.push(ConfigProblem::Share { route, endpoint, says });
        }
    }

    fn check_headers(&self, place: &str, problems: &mut Vec<ConfigProblem>) {
        let sticky = self.sticky.iter().filter_map(|sticky| match sticky {
            Sticky::Header(name) => Some(name),
            Sticky::Token => None,
        });
        let redacted = self.records.iter().flat_map(|records| &records.redact);
        for name in sticky.chain(redacted).filter(|name| name.parse::<HeaderName>().is_err()) {
            problems.push(ConfigProblem::Header { route: self.name.clone(), name: name.clone() });
        }
        if let Some(found) = self.records.as_ref().map(|records| records.thousandths.into()).filter(|n| *n > 1_000) {
            let (place, field) = (place.to_owned(), "records.thousandths");
            problems.push(ConfigProblem::TooMuch { place, field, found, most: 1_000 });
        }
    }
}

impl Limits {
    pub(super) fn check(&self, place: &str, problems: &mut Vec<ConfigProblem>) {
        let Self { rate, concurrency, instance_rate, instance_concurrency, queue: _ } = *self;
        let numbers = [
            ("limits.rate", rate),
            ("limits.concurrency", concurrency),
            ("limits.instance_rate", instance_rate),
            ("limits.instance_concurrency", instance_concurrency),
        ];
        for (field, number) in numbers {
            let place = place.to_owned();
            match number {
                Some(0) => problems.push(ConfigProblem::Zero { place, field }),
                Some(found) if found > Window::MOST => {
                    problems.push(ConfigProblem::TooMuch { place, field, found, most: Window::MOST });
                }
                _ => {}
            }
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
            problems.push(ConfigProblem::Zero { place: format!("route {route}"), field });
        }
        if let Check::Http { path } = &self.check
            && let Some(reason) = unusable_request_path(path)
        {
            problems.push(ConfigProblem::Path { route: route.to_owned(), path: path.clone(), reason });
        }
    }
}

/// Whether it is a host as a request names it, without a port.
fn is_host(host: &str) -> bool {
    let simple = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !host.is_empty() && (host.bytes().all(simple) || (host.starts_with('[') && host.ends_with(']')))
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
