//! Gateways.

use super::*;

pub(super) const ROWS: &[NodeSchema] = &[
    node("group", Many, "one entry for several services, for gradual releases").takes(NAME).has(&[property(
        "policy",
        Type::Word(&["instances", "weights"]),
        "by what requests are divided",
    )
    .or("instances")]),
    node("gateway", Many, "an entry that services share").elsewhere(&["ingress", "loadbalancer"]).takes(NAME).patched(),
    node("gateway.listen", Once, "the port it listens on").takes(&[value("port", PORT)]).has(&[property(
        "address",
        Type::Address,
        "the address it listens on",
    )
    .or("127.0.0.1")]),
    node("gateway.max-body", Optional, "the largest request body it lets through")
        .takes(&[value("size", Type::Size)])
        .or("1MiB"),
];
