//! Projects, their inputs and secrets.

use super::*;

pub(super) const ROWS: &[NodeSchema] = &[
    node("project", Once, "the project: all files of a folder, planned as one").takes(NAME).has(&[property(
        "requires-wharf",
        Type::Versions,
        "the versions of wharf that may plan it",
    )]),
    node("input", Many, "a value that the caller may set with --input; used as ${input.name}")
        .elsewhere(&["variable", "parameter", "arg"])
        .takes(NAME)
        .has(&[property("default", Type::Literal, "the value when the caller sets none; without it, the caller must")]),
    node("input.description", Optional, "what it is for").takes(&[value("text", Type::Literal)]),
    node("registry", Many, "a login for the images of a registry, such as registry.example.com")
        .elsewhere(&["docker-auth", "dockerAuth", "imagePullSecrets"])
        .takes(&[value("host", Type::Text)])
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
