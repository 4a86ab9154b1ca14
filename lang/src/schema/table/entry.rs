//! Gateways.

use super::*;

pub(super) const POLICY: &[Property] =
    &[property("policy", Type::Word(&["instances", "weights"]), "by what requests are divided").or("instances")];

pub(super) const ROWS: &[NodeSchema] = &[
    node("group", Many, "one entry for several services, for gradual releases").takes(NAME).has(POLICY),
    node("group.was", Optional, WAS_DOC).takes(WAS),
    node("gateway", Many, "an entry that services share").elsewhere(&["ingress", "loadbalancer"]).takes(NAME).patched(),
    node("gateway.was", Optional, WAS_DOC).takes(WAS),
    node("gateway.listen", OneOf("entry"), "the port it listens on").takes(&[value("port", PORT)]).has(&[property(
        "address",
        Type::Address,
        "the address it listens on",
    )
    .or("127.0.0.1")]),
    node("gateway.shared", OneOf("entry"), "the platform's gateway that everybody uses, in its stead"),
    node("gateway.dedicated", OneOf("entry"), "a gateway of the platform of one's own, in its stead")
        .elsewhere(&["gateway"])
        .takes(&[value("id", Type::Text)])
        .has(
            &[property("type", Type::Word(&["managed", "alb"]), "its kind; \"alb\" knows fewer limits").or("managed")],
        ),
    node("gateway.domain", Optional, "the name under which it is known")
        .elsewhere(&["host", "hostname"])
        .takes(&[value("domain", Type::Text)])
        .has(&[property("certificate", Type::Text, "the certificate for it: a file, or the platform's name")]),
    node("gateway.allow", Count::List, "from where it may be called; when not given, from everywhere")
        .elsewhere(&["acl", "whitelist", "allow-list"])
        .takes(&[value("range", Type::Cidr)]),
    node("gateway.rate-limit", Optional, "at most so many requests a second; more are answered with 429")
        .takes(&[value("requests", Type::Integer { from: 1, to: 1_000_000 })]),
    node("gateway.concurrency-limit", Optional, "at most so many requests at once")
        .takes(&[value("requests", Type::Integer { from: 1, to: 1_000_000 })]),
    node("gateway.reach", Optional, "from where it is reached")
        .elsewhere(&["visibility", "netType", "internet"])
        .takes(&[value("from", Type::Word(&["public", "private"]))]),
    node("gateway.network", Optional, "the network that it is in").takes(&[value("network", Type::Name)]),
    node("gateway.traces", Optional, "takes part in traces (W3C), and tells a collector of requests as spans")
        .elsewhere(&["tracing", "otlp", "opentelemetry"])
        .patched(),
    node("gateway.traces.otlp", Once, "the collector, which takes OTLP over HTTP; `/v1/traces` is added")
        .elsewhere(&["endpoint", "collector", "exporter"])
        .takes(&[value("address", Type::Text)]),
    node(
        "gateway.traces.sample",
        Optional,
        "how many of the traces that begin here are kept; others as their caller says",
    )
    .elsewhere(&["sampling", "ratio", "sampler"])
    .takes(&[value("share", Type::Sample)])
    .or("100%"),
    node("gateway.traces.headers", Optional, "what else the collector wants to see, such as a token")
        .elsewhere(&["header"])
        .holds_any(Type::Variable),
    node("gateway.max-body", Optional, "the largest request body it lets through")
        .takes(&[value("size", Type::Size)])
        .or("1MiB"),
];
