//! Environments: where a project runs, and what is different there.

use super::{entry::POLICY, network::RANGE, project::HOST, *};

pub(super) const ROWS: &[NodeSchema] = &[
    node("environment", Many, "a place where the project runs; when none is given, `default` on this host").takes(NAME),
    node("environment.provider", Once, "the runtime").takes(&[value("provider", Type::Word(PROVIDERS))]).has(&[
        property("host", Type::Text, "docker: where the engine answers: `unix://`, `tcp://` or `ssh://`"),
        property(
            "certificates",
            Type::Text,
            "docker: the folder of `ca.pem`, `cert.pem` and `key.pem` for an engine that speaks TLS, relative to the project's",
        ),
        property("context", Type::Text, "kubernetes: which cluster"),
        property("namespace", Type::Text, "kubernetes: which namespace"),
        property("region", Type::Text, "eas: the region"),
        property("workspace", Type::Text, "eas: the workspace"),
    ]),
    node("environment.provider.image", Optional, "\"host\" lets the host stand in for the image that a service names")
        .takes(&[value("image", Type::Word(&["host"]))]),
    node(
        "environment.provider.fuse",
        Optional,
        "who mounts folders of buckets with `mode=\"fuse\"`: on local, this program of the host; on docker, the engine's volume \
         driver of this name",
    )
    .takes(&[value("client", Type::Word(&["rclone"]))]),
    node(
        "environment.provider.copies",
        Optional,
        "local and docker: what copying folders of buckets to this host may take of it",
    ),
    node(
        "environment.provider.copies.connections",
        Optional,
        "how many requests one run of wharf has at once; else 8 for each folder",
    )
    .takes(&[value("count", Type::Integer { from: 1, to: 1_000 })]),
    node(
        "environment.provider.copies.bandwidth",
        Optional,
        "how much comes to one run of wharf in a second; else as much as does",
    )
    .elsewhere(&["bwlimit"])
    .takes(&[value("size", Type::Size)]),
    node("environment.provider.copies.free", Optional, "room is made on the disk when less would be free")
        .takes(&[value("share", Type::Percent)])
        .has(&[property("up-to", Type::Percent, "until so much is free; twice as much if it is not said")])
        .or("10%"),
    node(
        "environment.state",
        Optional,
        "where the record is kept; when it is not there, in the project's folder `.wharf`",
    )
    .elsewhere(&["backend"])
    .takes(&[value("kind", Type::Word(&["s3"]))])
    .has(&[
        property("bucket", Type::Text, "the bucket").must(),
        property("prefix", Type::Text, "the folder in it; when not given, the bucket holds nothing else"),
        property("region", Type::Text, "its region; when not given, that of the endpoint or of the user's settings"),
        property("endpoint", Type::Text, "the server; when not given, Amazon's"),
        property("style", Type::Word(&["path", "host"]), "where the bucket's name stands in addresses; known of most"),
    ]),
    node(
        "environment.state.encrypt",
        Count::List,
        "encrypts the record for a recipient: only who has the identity of one of them can read it",
    )
    .takes(&[value("with", Type::Word(&["age"]))])
    .has(&[property("recipient", Type::Text, "the recipient, as `age-keygen` prints it: `age1…`").must()]),
    node("environment.registry", Many, "changes the login of a registry in this environment")
        .takes(HOST)
        .has(&[
            property("username", Type::Text, "who"),
            property("password", Type::Secret, "the secret that holds the password"),
        ])
        .like("registry")
        .patched(),
    node("environment.group", Many, "changes a group in this environment")
        .takes(NAME)
        .has(POLICY)
        .like("group")
        .patched(),
    node("environment.network", Many, "changes a network in this environment")
        .takes(NAME)
        .has(RANGE)
        .like("network")
        .patched(),
    node("environment.nlb", Many, "changes a balancer in this environment").takes(NAME).like("nlb").patched(),
    node("environment.gateway", Many, "changes a gateway in this environment").takes(NAME).like("gateway").patched(),
    node("environment.service", Many, "changes a service in this environment").takes(NAME).like("service").patched(),
];
