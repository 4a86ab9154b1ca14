//! Who reaches a service, and for how long.

use super::*;

const REQUESTS: &[Argument] = &[value("requests", Type::Integer { from: 1, to: 1_000_000 })];

pub(super) const ROWS: &[NodeSchema] = &[
    node("service.timeout", Optional, "how long a request may take, from its arrival to the end of its answer")
        .elsewhere(&["keepalive"])
        .takes(SPAN)
        .or("5s"),
    node("service.timeout.connect", Optional, "until an instance takes the connection").takes(SPAN),
    node("service.timeout.first-byte", Optional, "until the answer begins").takes(SPAN),
    node("service.timeout.between-bytes", Optional, "between two pieces of the answer")
        .elsewhere(&["idle"])
        .takes(SPAN),
    node("service.traffic", Optional, "how many requests are let through to it; more are refused")
        .elsewhere(&["rate-limits", "gateway-policy", "gateway_policy"])
        .patched(),
    node("service.traffic.rate-limit", Optional, "at most so many a second; more are answered with 429")
        .elsewhere(&["qps", "rate_limit"])
        .takes(REQUESTS),
    node("service.traffic.concurrency-limit", Optional, "at most so many at once; more are answered with 429")
        .elsewhere(&["concurrency", "concurrency_limit"])
        .takes(REQUESTS),
    node(
        "service.traffic.instance-rate-limit",
        Optional,
        "at most so many a second for each instance; more are answered with 429",
    )
    .takes(REQUESTS),
    node("service.traffic.queue-size", Optional, "so many wait in an instance; more are answered with 450")
        .elsewhere(&["max-queue-size", "max_queue_size", "backlog"])
        .takes(REQUESTS),
    node("service.group", Optional, "the group that it belongs to: one entry for several services")
        .takes(&[value("group", Type::Name)])
        .has(&[property(
            "weight",
            Type::Integer { from: 0, to: 1_000 },
            "its share of the group's requests; 0 for none",
        )]),
    node("service.auth", Optional, "who may call; without it, everybody who reaches the gateway"),
    node("service.auth.token", AtLeastOne, "a token that opens the service")
        .takes(&[value("secret", Type::Secret)])
        .has(&[property("name", Type::Name, "who is given it")]),
    node("service.expose", Many, "opens the service through a gateway, under /api/predict/NAME")
        .elsewhere(&["route", "routes", "ingress", "gateway"])
        .takes(&[value("gateway", Type::Name)])
        .has(&[property("path", Type::UrlPath { query: false }, "one more path that leads to it")]),
];
