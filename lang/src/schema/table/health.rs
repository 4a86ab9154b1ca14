//! How instances are checked.

use super::*;

pub(super) const ROWS: &[NodeSchema] = &[
    node("service.health", Optional, "how instances are checked")
        .elsewhere(&["healthcheck", "health-check", "probe", "probes", "readinessProbe"])
        .patched(),
    node("service.health.readiness", Optional, "decides whether an instance gets requests")
        .elsewhere(&["ready", "readinessProbe", "health_check"])
        .patched(),
    node("service.health.readiness.http", OneOf("check"), "GET of a path; a status from 200 to 399 passes")
        .takes(&[value("path", Type::UrlPath { query: true })]),
    node("service.health.readiness.tcp", OneOf("check"), "a connection to the port passes"),
    node("service.health.readiness.every", Optional, "the time between two checks")
        .elsewhere(&["period", "interval", "period-seconds"])
        .takes(SPAN)
        .or("1s"),
    node("service.health.readiness.timeout", Optional, "how long an answer may take").takes(SPAN).or("1s"),
    node("service.health.readiness.failures", Optional, "so many failures in a row end readiness")
        .elsewhere(&["failure-threshold", "retries", "threshold"])
        .takes(TIMES)
        .or("3"),
    node("service.health.readiness.successes", Optional, "so many passes in a row begin it")
        .elsewhere(&["success-threshold"])
        .takes(TIMES)
        .or("1"),
];
