//! Who reaches a service, and for how long.

use super::*;

pub(super) const ROWS: &[NodeSchema] = &[
    node("service.timeout", Optional, "how long a request may take until its answer begins")
        .elsewhere(&["keepalive"])
        .takes(SPAN)
        .or("5s"),
    node("service.auth", Optional, "who may call; without it, everybody who reaches the gateway"),
    node("service.auth.token", AtLeastOne, "a token that opens the service").takes(&[value("secret", Type::Secret)]),
    node("service.expose", Many, "opens the service through a gateway, under /api/predict/NAME")
        .elsewhere(&["route", "routes", "ingress", "gateway"])
        .takes(&[value("gateway", Type::Name)])
        .has(&[property("path", Type::UrlPath { query: false }, "one more path that leads to it")]),
];
