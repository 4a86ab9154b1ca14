//! Checks that are repeated.

use std::{sync::Arc, time::Duration};

/// A check that is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is asked.
    pub check: Check,
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
}
