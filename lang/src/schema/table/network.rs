//! Networks and balancers, and what of a service is about them.

use super::*;

pub(super) const RANGE: &[Property] =
    &[property("cidr", Type::Cidr, "its addresses; when not given, the runtime chooses")];
const ALLOWED: &[Argument] = &[value("range", Type::Cidr)];
const RULE: &[Property] = &[property("port", PORT, "on this port; when not given, on each")];

pub(super) const ROWS: &[NodeSchema] = &[
    node("network", Many, "a network that services and entries share: made with `cidr`, or one that exists")
        .elsewhere(&["networks", "vpc-network"])
        .takes(NAME)
        .has(RANGE)
        .patched(),
    node("network.was", Optional, WAS_DOC).takes(WAS),
    node("network.vpc", Optional, "the platform's name for one that exists").takes(&[value("id", Type::Text)]),
    node("network.vswitches", Optional, "its parts")
        .elsewhere(&["vswitch", "vswitch-id", "subnets"])
        .takes_many(&[value("id", Type::Text)]),
    node("network.security-group", Optional, "the platform's name for the rules that hold for instances")
        .takes(&[value("id", Type::Text)]),
    node(
        "network.id",
        Optional,
        "the engine's name for one that exists: it is used as it is, and never changed or removed",
    )
    .elsewhere(&["external", "existing", "name"])
    .takes(&[value("id", Type::Text)]),
    node("network.allow-in", Count::List, "connections to instances that are allowed").takes(ALLOWED).has(RULE),
    node("network.allow-out", Count::List, "connections from instances that are allowed").takes(ALLOWED).has(RULE),
    node("network.egress", Optional, "whether instances reach beyond it")
        .elsewhere(&["internal", "internet-access"])
        .takes(&[value("way", Type::Word(&["on", "off"]))])
        .or("on"),
    node("nlb", Many, "a balancer of connections, whatever they carry")
        .elsewhere(&["tcp-balancer"])
        .takes(NAME)
        .patched(),
    node("nlb.was", Optional, WAS_DOC).takes(WAS),
    node("nlb.listener", AtLeastOne, "a port that leads to a service; 8080 is reserved")
        .elsewhere(&["listen", "listener-port"])
        .takes(&[value("port", PORT)])
        .has(&[property("target", Type::Name, "the service").must()]),
    node("nlb.id", Optional, "the platform's name for one that exists").takes(&[value("id", Type::Text)]),
    node("nlb.public", Optional, "it is reached from everywhere")
        .elsewhere(&["net-type", "internet"])
        .takes(&[value("flag", Type::Flag)]),
    node("nlb.network", Optional, "the network that it is in").takes(&[value("network", Type::Name)]),
    node("service.network", Optional, "the network that instances are in")
        .elsewhere(&["vpc", "subnet", "networking"])
        .takes(&[value("network", Type::Name)]),
    node("service.nacos", Many, "a registry in which instances are entered, by the platform's name")
        .takes(&[value("id", Type::Text)])
        .has(&[
            property("namespace", Type::Text, "the namespace there"),
            property("group", Type::Text, "the group there"),
        ]),
    node("service.grpc", Optional, "gateways speak gRPC to it")
        .elsewhere(&["enable-grpc", "enable_grpc"])
        .takes(&[value("flag", Type::Flag)]),
    node("service.role", Optional, "in whose name it calls the platform: \"default\", or the role's own name")
        .elsewhere(&["ram-role", "enable-ram-role", "service-account"])
        .takes(&[value("role", Type::Text)]),
    node(
        "service.confidential",
        Optional,
        "its mounts are encrypted, and an instance proves what it is before it gets the key",
    )
    .has(&[
        property("trustee", Type::HttpsUrl, "who is convinced, and hands out the key").must(),
        property("key", Type::Text, "which key, such as \"kbs:///default/key/a\"").must(),
    ]),
];
