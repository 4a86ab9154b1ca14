//! Services: what runs in an instance.

use super::*;

pub(super) const ROWS: &[NodeSchema] = &[
    node("service", Many, "a program that answers requests, in any number of instances")
        .elsewhere(&["deployment", "app", "workload"])
        .takes(NAME)
        .patched(),
    node("service.image", Optional, "the container image").takes(&[value("image", Type::Image)]),
    node("service.command", OneOf("program"), "what runs, without a shell")
        .elsewhere(&["cmd", "entrypoint", "args", "exec", "run"])
        .takes_many(&[value("word", Type::Text)]),
    node("service.script", OneOf("program"), "what runs, as text for /bin/sh")
        .elsewhere(&["shell"])
        .takes(&[value("text", Type::Text)]),
    node("service.port", Once, "where the program listens; 8080 and 9090 are reserved")
        .elsewhere(&["ports", "containerPort"])
        .takes(&[value("port", PORT)]),
    node("service.packages", Optional, "third-party libraries, one pip requirement each")
        .elsewhere(&["requirements", "dependencies", "pip"])
        .takes_many(&[value("requirement", Type::Requirement)]),
    node("service.env", Optional, "environment variables")
        .elsewhere(&["environment", "variables", "vars"])
        .holds_any(Type::Variable)
        .patched(),
];
