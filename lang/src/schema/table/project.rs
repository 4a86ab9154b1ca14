//! Projects, their inputs and secrets.

use super::{reuse::DECLARED, *};

pub(super) const HOST: &[Argument] = &[value("host", Type::Text)];

pub(super) const ROWS: &[NodeSchema] = &[
    node("project", Once, "the project: all files of a folder, planned as one").takes(NAME).has(&[property(
        "requires-wharf",
        Type::Versions,
        "the versions of wharf that may plan it",
    )]),
    node("input", Many, "a value that the caller may set with --input; used as ${input.NAME}")
        .elsewhere(&["variable", "parameter", "arg"])
        .takes(NAME)
        .has(DECLARED),
    node("input.description", Optional, "what it is for").takes(&[value("text", Type::Literal)]),
    node("input.allowed", Optional, "the values it may have").takes_many(&[value("value", Type::Literal)]),
    node("registry", Many, "a login for the images of a registry, such as registry.example.com")
        .elsewhere(&["docker-auth", "dockerAuth", "imagePullSecrets"])
        .takes(HOST)
        .has(&[
            property("username", Type::Text, "who").must(),
            property("password", Type::Secret, "the secret that holds the password").must(),
        ]),
    node("secret", Many, "a value that is never shown or stored, and where it comes from").takes(NAME),
    node("secret.env", OneOf("source"), "the environment variable that holds it")
        .takes(&[value("variable", Type::Text)]),
    node("secret.file", OneOf("source"), "the file that holds it, relative to the project's folder")
        .takes(&[value("path", Type::Text)]),
    node("secret.command", OneOf("source"), "the command that prints it, run without a shell")
        .takes_many(&[value("word", Type::Text)]),
];
