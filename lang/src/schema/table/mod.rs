//! The rows, grouped by what they are about. A new field is a row here and a line in `decode`.

mod access;
mod allow;
mod drift;
mod elastic;
mod entry;
mod environment;
mod health;
mod mount;
mod network;
mod notify;
mod policy;
mod program;
mod project;
mod resources;
mod reuse;
mod rollout;
mod scale;
mod watch;

use super::{Argument, Count, NodeSchema, Overlay, Property, Reuse, Type, last};
use Count::{Many, Once, OneOf, Optional, Some as AtLeastOne};
#[cfg(test)]
pub(crate) use reuse::KINDS;

const fn node(path: &'static str, count: Count, doc: &'static str) -> NodeSchema {
    NodeSchema {
        path,
        name: last(path),
        count,
        arguments: &[],
        repeats: false,
        properties: &[],
        entries: None,
        like: None,
        reuse: None,
        elsewhere: &[],
        overlay: Overlay::Replaces,
        implied: false,
        default: None,
        doc,
        since: "0.1",
    }
}

impl NodeSchema {
    const fn takes(mut self, arguments: &'static [Argument]) -> Self {
        self.arguments = arguments;
        self
    }

    const fn takes_many(mut self, arguments: &'static [Argument]) -> Self {
        self.arguments = arguments;
        self.repeats = true;
        self
    }

    const fn has(mut self, properties: &'static [Property]) -> Self {
        self.properties = properties;
        self
    }

    const fn holds_any(mut self, entries: Type) -> Self {
        self.entries = Some(entries);
        self
    }

    const fn like(mut self, path: &'static str) -> Self {
        self.like = Some(path);
        self
    }

    const fn reuses(mut self, reuse: Reuse) -> Self {
        self.reuse = Some(reuse);
        self
    }

    const fn elsewhere(mut self, words: &'static [&'static str]) -> Self {
        self.elsewhere = words;
        self
    }

    const fn patched(mut self) -> Self {
        self.overlay = Overlay::Patches;
        self
    }

    const fn implied(mut self) -> Self {
        self.implied = true;
        self
    }

    const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }
}

const fn value(name: &'static str, ty: Type) -> Argument {
    Argument { name, ty }
}

const fn property(name: &'static str, ty: Type, doc: &'static str) -> Property {
    Property { name, ty, default: None, required: false, doc }
}

impl Property {
    const fn must(mut self) -> Self {
        self.required = true;
        self
    }

    const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }
}

const NAME: &[Argument] = &[value("name", Type::Name)];
const WAS: &[Argument] = &[value("name", Type::Name)];
const WAS_DOC: &str = "what it was called before: it goes on under its new name, instead of going and coming back";
const PORT: Type = Type::Integer { from: 1, to: 65_535 };
/// More failures or passes in a row than anybody waits for.
const TIMES: &[Argument] = &[value("times", Type::Integer { from: 1, to: 1_000 })];
const SPAN: &[Argument] = &[value("duration", Type::Duration { zero: false })];
const SPAN_OR_ZERO: &[Argument] = &[value("duration", Type::Duration { zero: true })];

/// The providers that the language knows; whether a build can run them is the command line's to say.
pub(crate) const PROVIDERS: &[&str] = &["local", "docker", "kubernetes", "eas"];

/// The groups, each after those with the nodes that its own lie in.
pub(super) const GROUPS: &[&[NodeSchema]] = &[
    project::ROWS,
    environment::ROWS,
    entry::ROWS,
    program::ROWS,
    mount::ROWS,
    scale::ROWS,
    network::ROWS,
    resources::ROWS,
    health::ROWS,
    health::READINESS,
    health::STARTUP,
    health::LIVENESS,
    health::PROGRESS,
    rollout::ROWS,
    access::ROWS,
    elastic::ROWS,
    watch::ROWS,
    drift::ROWS,
    policy::ROWS,
    notify::ROWS,
    reuse::ROWS,
    allow::ROWS,
];
