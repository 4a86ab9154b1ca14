//! What the gateway is told to do: listeners, routes, endpoints, probes.
//!
//! These are the types that are stored in `config.json` and sent over the control socket, so they carry a format number
//! and refuse fields they do not know. Whether one makes sense is for `check.rs` to say.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The format that this build writes and reads.
pub const FORMAT: u32 = 1;

/// Everything a gateway needs to know; always replaced as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The format of this value: [`FORMAT`].
    pub format: u32,
    /// Counts up with every change; a gateway refuses to go back.
    pub generation: u64,
    /// Where requests come in.
    pub listeners: Vec<Listener>,
    /// Where they go; every route is reachable through every listener.
    pub routes: Vec<Route>,
}

impl Config {
    /// A configuration with nothing in it: generation 0, which every other may replace.
    #[must_use]
    pub fn empty() -> Self {
        Self { format: FORMAT, generation: 0, listeners: Vec::new(), routes: Vec::new() }
    }
}

/// An address on which requests are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// What the user calls it.
    pub name: String,
    /// Where it listens. Port 0 lets the kernel choose; `status` tells which port it chose.
    pub address: SocketAddr,
}

/// A rule that takes requests under some paths to the endpoints of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// What the route is called: `public/hello`.
    pub name: String,
    /// The service behind it, for messages.
    pub service: String,
    /// Prefixes that match on segment boundaries; the longest wins and is stripped before the request is passed on.
    pub paths: Vec<String>,
    /// Who may call. Empty: everyone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<TokenDigest>,
    /// How long a caller waits, from the request's head to the first byte of the response. Without it: ten minutes, which
    /// is also the longest silence within a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The largest request body, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_body: Option<u64>,
    /// How the readiness of endpoints that name no probe of their own is judged. Without it: whether their port accepts
    /// connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// The instances behind the route.
    pub endpoints: Vec<Endpoint>,
}

/// A token that a route accepts, known only by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenDigest {
    /// What the user calls it.
    pub name: String,
    /// SHA-256 of the token, in lower-case hex.
    pub sha256: String,
}

/// One instance's address. An endpoint may stand in several routes; its requests in flight are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// The instance's unique name: `hello-0-g1`.
    pub name: String,
    /// Where the instance listens.
    pub address: SocketAddr,
    /// Whether it may get new requests.
    pub state: EndpointState,
    /// How its readiness is judged, when not as the route says: two revisions behind one route may answer on different
    /// paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
}

impl Route {
    /// How an endpoint of this route is probed; none when only its port counts.
    pub(crate) fn probe_of<'a>(&'a self, endpoint: &'a Endpoint) -> Option<&'a Probe> {
        endpoint.probe.as_ref().or(self.probe.as_ref())
    }
}

/// Whether an endpoint may get new requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointState {
    /// It may.
    Serving,
    /// It may not; its open ones go on.
    Draining,
}

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
}

impl TokenDigest {
    /// The digest's bytes, if it is one.
    pub(crate) fn digest(&self) -> Option<[u8; 32]> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(&self.sha256, &mut bytes).ok()?;
        // One spelling only, so that equal configurations are equal texts.
        let lower = !self.sha256.bytes().any(|digit| digit.is_ascii_uppercase());
        lower.then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_are_refused() {
        let text = r#"{"format":1,"generation":1,"listeners":[],"routes":[],"extra":1}"#;
        let error = serde_json::from_str::<Config>(text).unwrap_err();
        assert!(error.to_string().contains("unknown field `extra`"), "{error}");
    }

    #[test]
    fn a_configuration_survives_a_round_trip() {
        let text = r#"{"format":1,"generation":1,"listeners":[{"name":"public","address":"127.0.0.1:8000"}],"routes":[{
            "name":"public/hello","service":"hello","paths":["/api/predict/hello"],
            "tokens":[{"name":"team","sha256":"00"}],"timeout_ms":5000,"max_body":1048576,
            "probe":{"check":{"http":{"path":"/health"}},"every_ms":1,"timeout_ms":1,"failures":1,"successes":1},
            "endpoints":[{"name":"hello-0-g1","address":"127.0.0.1:9000","state":"serving"}]},
            {"name":"public/b","service":"b","paths":["/b"],"endpoints":[]}]}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        let again = serde_json::to_string(&config).unwrap();
        assert_eq!(again, text.split_whitespace().collect::<String>());
    }
}
