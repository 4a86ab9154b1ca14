//! Checks that are repeated.

use super::words::{after, quoted};
use crate::{Field, Value, entries::List, print_duration};
use std::{fmt, sync::Arc, time::Duration};

/// A check that is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is asked.
    pub check: Check,
    /// Which port is asked; the service's own when absent.
    pub port: Option<u16>,
    /// How long after the start the first check is.
    pub initial_delay: Duration,
    /// How often; more than zero.
    pub every: Duration,
    /// How long an answer may take; more than zero.
    pub timeout: Duration,
    /// So many failures in a row make a ready instance not ready; at least 1.
    pub failures: u32,
    /// So many passes in a row make it ready again; at least 1.
    pub successes: u32,
}

impl Probe {
    /// What counts when a service names no readiness probe: a connection to its port.
    pub fn fallback() -> Self {
        Self {
            check: Check::Tcp,
            port: None,
            initial_delay: Duration::ZERO,
            every: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            failures: 3,
            successes: 1,
        }
    }
}

/// What a probe asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// `GET` of the path; a status from 200 to 399 passes.
    Http {
        /// The path, with its leading slash.
        path: Arc<str>,
    },
    /// A connection to the port.
    Tcp,
    /// The health service of gRPC; it passes when that says that it serves.
    Grpc {
        /// Which service is asked for; the server as a whole when empty.
        service: Arc<str>,
    },
    /// A program that is run in the instance; it passes when it ends with 0. Never empty.
    Exec(Vec<Arc<str>>),
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { check, port, initial_delay, every, timeout, failures, successes } = self;
        match check {
            Check::Http { path } => write!(f, "http {path}")?,
            Check::Tcp => f.write_str("tcp")?,
            Check::Grpc { service } if service.is_empty() => f.write_str("grpc")?,
            Check::Grpc { service } => write!(f, "grpc {service}")?,
            Check::Exec(words) => write!(f, "exec {},", quoted(words))?,
        }
        let port = after(" on port ", port);
        let delay = Some(*initial_delay).filter(|delay| !delay.is_zero()).map(print_duration);
        let (every, timeout, delay) = (print_duration(*every), print_duration(*timeout), after(" after ", &delay));
        write!(f, "{port}{delay} every {every}, timeout {timeout}, failures {failures}, successes {successes}")
    }
}

/// The checks beside readiness. Like it, they are part of the revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probes {
    /// Holds the others back until the program is up.
    pub startup: Option<Probe>,
    /// Restarts the program of an instance that fails it.
    pub liveness: Option<Probe>,
    /// Asks whether a start gets on: an answer that stays the same counts as a failure.
    pub progress: Option<Probe>,
}

impl Probes {
    pub(crate) fn list(&self, list: &mut List) {
        let Self { startup, liveness, progress } = self;
        list.some(Field::Startup, startup.as_ref());
        list.some(Field::Liveness, liveness.as_ref());
        list.some(Field::Progress, progress.as_ref());
        // Each by itself: not every runtime can ask there.
        for (name, probe) in [("startup", startup), ("liveness", liveness), ("progress", progress)] {
            if let Some(port) = probe.as_ref().and_then(|probe| probe.port) {
                list.at(Field::ProbePort, name, Value::Text(port.to_string()));
            }
        }
    }
}

impl Probe {
    /// The fields of a readiness probe: what not every runtime can ask is listed by itself.
    pub(crate) fn list_readiness(&self, list: &mut List) {
        list.text(Field::Readiness, self);
        if let Check::Exec(words) = &self.check {
            list.text(Field::ReadinessExec, quoted(words));
        }
        if let Check::Grpc { service } = &self.check {
            list.text(Field::ReadinessGrpc, if service.is_empty() { "the server" } else { service });
        }
        list.some(Field::ReadinessPort, self.port);
        if !self.initial_delay.is_zero() {
            list.text(Field::ReadinessDelay, print_duration(self.initial_delay));
        }
    }
}
