//! How instances are checked.

use super::*;

/// The rows of a probe: what decides, and how often it is asked.
macro_rules! probe {
    ($path:literal, $doc:literal, $words:expr, failures $failures:literal) => {
        &[
            node($path, Optional, $doc).elsewhere($words).patched(),
            node(concat!($path, ".http"), OneOf("check"), "GET of a path; a status from 200 to 399 passes")
                .elsewhere(&["http-get", "http_get", "httpGet"])
                .takes(&[value("path", Type::UrlPath { query: true })])
                .has(ASKED),
            node(concat!($path, ".tcp"), OneOf("check"), "a connection to the port passes")
                .elsewhere(&["tcp-socket", "tcp_socket", "tcpSocket"])
                .has(ASKED),
            node(
                concat!($path, ".exec"),
                OneOf("check"),
                "a program that is run in the instance and ends with 0 passes",
            )
            .elsewhere(&["command", "cmd"])
            .takes_many(&[value("word", Type::Text)]),
            node(
                concat!($path, ".grpc"),
                OneOf("check"),
                "the health service of gRPC, which says whether the server, or one service of it, serves",
            )
            .elsewhere(&["grpc-health", "grpc_health_check"])
            .has(GRPC),
            node(concat!($path, ".initial-delay"), Optional, "how long after the start the first check is")
                .elsewhere(&["initial-delay-seconds", "start-period", "delay"])
                .takes(SPAN_OR_ZERO)
                .or("0s"),
            node(concat!($path, ".every"), Optional, "the time between two checks")
                .elsewhere(&["period", "interval", "period-seconds"])
                .takes(SPAN)
                .or("1s"),
            node(concat!($path, ".timeout"), Optional, "how long an answer may take").takes(SPAN).or("1s"),
            node(concat!($path, ".failures"), Optional, "so many failures in a row count")
                .elsewhere(&["failure-threshold", "retries", "threshold"])
                .takes(TIMES)
                .or($failures),
            node(concat!($path, ".successes"), Optional, "so many passes in a row count")
                .elsewhere(&["success-threshold"])
                .takes(TIMES)
                .or("1"),
        ]
    };
}

const ASKED: &[Property] = &[ASKED_PORT];
const ASKED_PORT: Property = property("port", PORT, "the port that is asked; when not given, the service's own");

const GRPC: &[Property] = &[
    ASKED_PORT,
    property("service", Type::Text, "the service that is asked for; the server as a whole when not given"),
];

pub(super) const ROWS: &[NodeSchema] = &[node("service.health", Optional, "how instances are checked")
    .elsewhere(&["healthcheck", "health-check", "probe", "probes", "readinessProbe"])
    .patched()];

pub(super) const READINESS: &[NodeSchema] = probe!(
    "service.health.readiness",
    "decides whether an instance gets requests",
    &["ready", "readinessProbe", "health_check"],
    failures "3"
);

pub(super) const STARTUP: &[NodeSchema] = probe!(
    "service.health.startup",
    "holds the other checks back until the program is up",
    &["startupProbe", "startup_check"],
    failures "120"
);

pub(super) const LIVENESS: &[NodeSchema] = probe!(
    "service.health.liveness",
    "restarts the program of an instance that fails it",
    &["alive", "livenessProbe", "liveness_check"],
    failures "3"
);

pub(super) const PROGRESS: &[NodeSchema] = probe!(
    "service.health.progress",
    "asks whether a start gets on; an answer that stays the same counts as a failure",
    &["loading"],
    failures "120"
);
