//! Warnings that a project allows.

use super::*;

const CODE: &[Argument] = &[value("code", Type::Warning)];
const REASON: &[Property] = &[property("reason", Type::Text, "why it is meant to be so").must()];
const ELSEWHERE: &[&str] = &["allow", "lint", "suppress", "silence", "disable-warning"];

const fn allow(path: &'static str, doc: &'static str) -> NodeSchema {
    node(path, Many, doc).elsewhere(ELSEWHERE).takes(CODE).has(REASON)
}

pub(super) const ROWS: &[NodeSchema] = &[
    allow("allow-warning", "lets a warning pass, wherever in the project it comes up"),
    allow("environment.allow-warning", "lets a warning pass in this environment"),
    allow("gateway.allow-warning", "lets a warning about this gateway pass"),
    allow("service.allow-warning", "lets a warning about this service pass"),
];
