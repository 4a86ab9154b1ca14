//! Who reaches a service, and for how long.

use super::*;

pub(super) const ROWS: &[NodeSchema] = &[
    node("service.timeout", Optional, "how long a request may take until its answer begins")
        .elsewhere(&["keepalive"])
        .takes(SPAN)
        .or("5s"),
    node("service.timeout.connect", Optional, "until an instance takes the connection").takes(SPAN),
    node("service.timeout.first-byte", Optional, "until the answer begins").takes(SPAN),
    node("service.timeout.between-bytes", Optional, "between two pieces of the answer")
        .elsewhere(&["idle"])
        .takes(SPAN),
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
