//! How an endpoint's readiness is judged.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How an endpoint's readiness is judged.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// What is asked.
    pub check: Check,
    /// The time between two probes.
    pub every_ms: u64,
    /// How long one may take.
    pub timeout_ms: u64,
    /// So many failures in a row, and the endpoint is not ready.
    pub failures: u32,
    /// So many passes in a row, and it is ready again.
    pub successes: u32,
}

impl Default for Probe {
    /// The probe of a route that names none: is the port open?
    fn default() -> Self {
        Self { check: Check::Tcp, every_ms: 2_000, timeout_ms: 1_000, failures: 3, successes: 1 }
    }
}

/// What a probe asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Check {
    /// `GET path` answers with a status of 200 to 399.
    Http {
        /// The path, with its query if it has one.
        path: String,
    },
    /// A connection is accepted.
    Tcp,
    /// Whoever listens on this socket says so, in place of the instance: a line of JSON with `passed` and `words`. A file in
    /// its place has said so.
    Told {
        /// Where it is; it may lie deeper than a socket's address has room for.
        socket: PathBuf,
    },
    /// The health service of gRPC says that it serves.
    Grpc {
        /// Which service is asked for; the server as a whole when empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        service: String,
    },
}
