//! What the gateway is told to do: listeners, routes, endpoints, probes.
//!
//! These are the types that are stored in `config.json` and sent over the control socket, so they carry a format number
//! and refuse fields they do not know. What is left out has its default, so that a configuration says only what it means.
//! Whether one makes sense is for `check.rs` to say.

mod limits;
mod probe;
mod range;
mod share;
mod traces;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use limits::{Limits, Timeouts};
pub use probe::{Check, Probe};
pub use range::Range;
pub use share::{Entry, Share, Sticky};
pub use traces::{Sealed, Traces};

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
    /// Where the figures are shown to Prometheus, besides on the control socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<SocketAddr>,
    /// Whether each request is written to `access.log` in the gateway's folder.
    #[serde(default, skip_serializing_if = "is_default")]
    pub access_log: bool,
    /// Where requests are told of as spans; the gateway takes no part in traces when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces: Option<Traces>,
}

impl Config {
    /// A configuration with nothing in it: generation 0, which every other may replace.
    #[must_use]
    pub fn empty() -> Self {
        let (listeners, routes) = (Vec::new(), Vec::new());
        Self { format: FORMAT, generation: 0, listeners, routes, metrics: None, access_log: false, traces: None }
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
    /// The certificates that it shows; without one it speaks plainly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
    /// From where it may be called; from everywhere when empty. Others are cut off before they have said anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Range>,
    /// What all its requests together may be.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// How long a client may take for a request's head, and keep a connection without one. Without it: 30 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_ms: Option<u64>,
    /// The route to whose endpoints connections are joined as they are, whatever they carry. Without it, they carry HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joins: Option<String>,
}

impl Listener {
    /// A listener for plain HTTP without rules of its own.
    #[must_use]
    pub fn plain(name: impl Into<String>, address: SocketAddr) -> Self {
        let (certificates, allow) = (Vec::new(), Vec::new());
        Self { name: name.into(), address, certificates, allow, limits: Limits::default(), head_ms: None, joins: None }
    }
}

/// A certificate and its key, as files that are read again whenever they change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The name that a client must ask for to be shown it, `*.` in front meaning one label. The first certificate of a
    /// listener is also shown to those who ask for no name, or an unknown one.
    pub domain: String,
    /// The chain, in PEM, the server's own first.
    pub chain: PathBuf,
    /// The key, in PEM. May be the same file.
    pub key: PathBuf,
}

/// A rule that takes requests under some paths to the endpoints of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// What the route is called: `public/hello`.
    pub name: String,
    /// The service behind it, for messages.
    pub service: String,
    /// Prefixes that match on segment boundaries; the longest wins and is stripped before the request is passed on.
    pub paths: Vec<String>,
    /// The hosts under which it is found; under every one when empty. A route for the host asked for goes before one for
    /// every host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// An entry that it has together with other routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Entry>,
    /// Who may call. Empty: everyone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<TokenDigest>,
    /// How long a caller waits, from the request's head to the first byte of the response, waiting in the gateway
    /// included. Without it: ten minutes, which is also the longest silence within a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The limits of the parts of a request.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeouts: Timeouts,
    /// The largest request body, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_body: Option<u64>,
    /// How much the service and each of its instances take on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// How long a request waits for an instance to become ready. Without it: a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_ms: Option<u64>,
    /// Whether instances are spoken to in HTTP/2, as gRPC needs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub protocol: Protocol,
    /// How requests are divided among groups of endpoints. Without it, all endpoints are alike.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<Share>,
    /// What makes requests go to the same instance each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
    /// Where calls are kept; nowhere when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<Records>,
    /// How the readiness of endpoints that name no probe of their own is judged. Without it: whether their port accepts
    /// connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// The instances behind the route.
    pub endpoints: Vec<Endpoint>,
}

/// How instances are spoken to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// In HTTP/1.1, WebSocket included.
    #[default]
    Http1,
    /// In HTTP/2 without TLS, as gRPC servers do.
    H2c,
}

/// How calls are kept: request and response as a line of JSON each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// The file. Full ones are renamed: `calls.jsonl.1` is the one before.
    pub file: PathBuf,
    /// So many of a thousand calls are kept.
    pub thousandths: u16,
    /// So much of each body is kept, in bytes.
    pub max_body: u32,
    /// Headers whose values are not kept, besides those that carry secrets by their nature.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<String>,
    /// What of JSON bodies is not kept: JSON pointers, in which `*` stands for every entry. Of a body that cannot be read as
    /// JSON, nothing is kept then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redact_fields: Vec<String>,
    /// A file this large, in bytes, is full.
    #[serde(default = "full", skip_serializing_if = "is_full")]
    pub full: u64,
    /// So many full ones are kept.
    #[serde(default = "kept", skip_serializing_if = "is_kept")]
    pub kept: u32,
}

impl Records {
    /// All calls, with so much of each body, and what is usual otherwise.
    #[must_use]
    pub fn all(file: impl Into<PathBuf>, max_body: u32) -> Self {
        let (redact, redact_fields) = (Vec::new(), Vec::new());
        Self { file: file.into(), thousandths: 1_000, max_body, redact, redact_fields, full: full(), kept: kept() }
    }
}

/// When a file is full where nothing is said of it.
pub(crate) const fn full() -> u64 {
    64 << 20
}

/// How many full files are kept where nothing is said of it.
pub(crate) const fn kept() -> u32 {
    4
}

fn is_full(size: &u64) -> bool {
    *size == full()
}

fn is_kept(count: &u32) -> bool {
    *count == kept()
}

/// A token that a route accepts, known only by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenDigest {
    /// What the user calls it.
    pub name: String,
    /// SHA-256 of the token, in lower-case hex.
    pub sha256: String,
    /// At most so many requests a second with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
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
    /// What it runs, for figures and logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Which of the route's shares it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// While it drains, its streams are ended after so long: a WebSocket with a close frame, events between two events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_ms: Option<u64>,
    /// How its readiness is judged, when not as the route says: two revisions behind one route may answer on different
    /// paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
}

impl Endpoint {
    /// An endpoint that may get requests.
    #[must_use]
    pub fn serving(name: impl Into<String>, address: SocketAddr) -> Self {
        let state = EndpointState::Serving;
        Self { name: name.into(), address, state, revision: None, share: None, drain_ms: None, probe: None }
    }
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

/// Whether a field need not be written.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
        round_trip(text);
    }

    #[test]
    fn so_does_one_that_says_everything() {
        round_trip(
            r#"{"format":1,"generation":1,
            "listeners":[{"name":"public","address":"[::1]:8443","certificates":[{"domain":"*.example.com",
                "chain":"/a.pem","key":"/a.key"}],"allow":["10.0.0.0/8","2001:db8::/32"],
                "limits":{"rate":10,"concurrency":20},"head_ms":5000},
                {"name":"edge","address":"127.0.0.1:9000","joins":"public/hello"}],
            "routes":[{"name":"public/hello","service":"hello","paths":["/"],"hosts":["chat.example.com"],
                "entry":{"path":"/api/predict/talk","weight":0},
                "tokens":[{"name":"team","sha256":"00","rate":5}],
                "timeouts":{"connect_ms":1,"first_byte_ms":2,"between_bytes_ms":3,"total_ms":4},
                "limits":{"rate":1,"concurrency":2,"instance_rate":3,"instance_concurrency":4,"queue":5},
                "hold_ms":2000,"protocol":"h2c","shares":[{"name":"old","weight":995},{"name":"new","weight":5}],
                "sticky":{"header":"x-session"},
                "records":{"file":"/calls.jsonl","thousandths":10,"max_body":1024,"redact":["x-key"],
                    "redact_fields":["/messages/*/content"],"full":1024,"kept":2},
                "endpoints":[{"name":"hello-0-g1","address":"127.0.0.1:9000","state":"draining","revision":"3",
                    "share":"old","drain_ms":30000}]}],
            "metrics":"127.0.0.1:9100","access_log":true,
            "traces":{"otlp":"http://127.0.0.1:4318","thousandths":50,"headers":{"x-key":"s3cret"},
                "resource":{"service.name":"public"}}}"#,
        );
    }

    fn round_trip(text: &str) {
        let config: Config = serde_json::from_str(text).unwrap();
        let again = serde_json::to_string(&config).unwrap();
        assert_eq!(again, text.split_whitespace().collect::<String>());
    }
}
