//! Environments: where a project runs, and what is different there.

use super::*;

pub(super) const ROWS: &[NodeSchema] = &[
    node("environment", Many, "a place where the project runs; when none is given, `default` on this host").takes(NAME),
    node("environment.provider", Once, "the runtime").takes(&[value("provider", Type::Word(PROVIDERS))]).has(&[
        property("host", Type::Text, "docker: where the engine answers"),
        property("context", Type::Text, "kubernetes: which cluster"),
        property("namespace", Type::Text, "kubernetes: which namespace"),
        property("region", Type::Text, "eas: the region"),
        property("workspace", Type::Text, "eas: the workspace"),
    ]),
    node("environment.provider.image", Optional, "\"host\" lets the host stand in for the image that a service names")
        .takes(&[value("image", Type::Word(&["host"]))]),
    node("environment.gateway", Many, "changes a gateway in this environment").takes(NAME).like("gateway").patched(),
    node("environment.service", Many, "changes a service in this environment").takes(NAME).like("service").patched(),
];
