//! The plan's closed lists in plain words: actions, risks, causes, values.

use crate::text::tame;
use wharf_model::{Address, ContentRef, Value};
use wharf_plan::{Cause, Change, Counts, Risk, What};

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Action {
    Create,
    Update,
    Roll,
    Replace,
    Delete,
}

impl Action {
    pub(crate) fn of(what: &What) -> Self {
        match what {
            What::Create { .. } => Self::Create,
            What::Update { .. } => Self::Update,
            What::Roll { .. } => Self::Roll,
            What::Replace { .. } => Self::Replace,
            What::Delete { .. } => Self::Delete,
        }
    }

    /// Each action with its number.
    pub(super) fn counted(counts: &Counts) -> Vec<(Self, usize)> {
        vec![
            (Self::Create, counts.create),
            (Self::Update, counts.update),
            (Self::Roll, counts.roll),
            (Self::Replace, counts.replace),
            (Self::Delete, counts.delete),
        ]
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Roll => "roll",
            Self::Replace => "replace",
            Self::Delete => "delete",
        }
    }

    /// One character that stands for it where there is little room.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Update => "~",
            Self::Roll => "↻",
            Self::Replace => "±",
            Self::Delete => "-",
        }
    }
}

/// How much a change can hurt; the worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Level {
    Downtime,
    Dip,
    Replacement,
    Calm,
}

impl Level {
    /// The name of the risk.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Downtime => "downtime",
            Self::Dip => "capacity dip",
            Self::Replacement => "replacement",
            Self::Calm => "no risk",
        }
    }
}

/// The risks of a change, in sentences that begin with what changes.
pub(super) fn risks(change: &Change) -> Vec<(Level, String)> {
    let told = |risk: &Risk| match (risk, &change.address) {
        (Risk::Downtime, Address::Service(_)) => (Level::Downtime, "will have no ready instance".to_owned()),
        (Risk::Downtime, _) => (Level::Downtime, "will be out of reach where it is now".to_owned()),
        (Risk::CapacityDip { lowest, wanted }, _) => {
            (Level::Dip, format!("will have {lowest} of {wanted} instances ready at the lowest"))
        }
    };
    change.risks.iter().map(told).collect()
}

/// The worst that a change can do.
pub(super) fn level(change: &Change) -> Level {
    let base = match change.what {
        What::Replace { .. } => Level::Replacement,
        _ => Level::Calm,
    };
    risks(change).iter().map(|(level, _)| *level).fold(base, Level::min)
}

/// An address for people: digests are cut to what tells them apart.
pub(super) fn address(address: &Address) -> String {
    match address {
        Address::Content(ContentRef::Folder(digest)) => format!("content.folder-{}", digest.short()),
        Address::Content(ContentRef::Packages(digest)) => format!("content.packages-{}", digest.short()),
        address => tame(&address.to_string()),
    }
}

/// Where the cause of a change is written.
pub(super) fn place(change: &Change) -> Option<String> {
    let origin = |cause: &Cause| match cause {
        Cause::Declared(origin) | Cause::Written { origin, .. } | Cause::Source { origin, .. } => origin.clone(),
        Cause::NotDeclared | Cause::Seen { .. } | Cause::Unfinished(_) | Cause::Unused => None,
    };
    change.what.causes().iter().find_map(origin).map(|origin| tame(&origin.to_string()))
}

/// A value in one line.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Lines(text) => tame(&text.trim_end_matches('\n').replace('\n', " ⏎ ")),
        Value::Secret(name, _) => format!("(secret){name}"),
        Value::Content(digest) => digest.short(),
    }
}
