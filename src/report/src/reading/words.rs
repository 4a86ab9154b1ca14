//! The plan's closed lists in plain words: actions, risks, causes, values.

use crate::text::tame;
use wharf_model::{Address, ContentRef, Field, Value};
use wharf_plan::{Cause, Change, Counts, ReplaceOrder, Risk, Ruling, What, WhyLeftOut};

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Action {
    Create,
    Update,
    Roll,
    Replace,
    Move,
    Adopt,
    Forget,
    Delete,
}

impl Action {
    pub(crate) fn of(what: &What) -> Self {
        match what {
            What::Create { .. } => Self::Create,
            What::Update { .. } => Self::Update,
            What::Roll { .. } => Self::Roll,
            What::Replace { .. } => Self::Replace,
            What::Move { .. } => Self::Move,
            What::Adopt { .. } => Self::Adopt,
            What::Forget { .. } => Self::Forget,
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
            (Self::Move, counts.moved),
            (Self::Adopt, counts.adopt),
            (Self::Forget, counts.forget),
            (Self::Delete, counts.delete),
        ]
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Roll => "roll",
            Self::Replace => "replace",
            Self::Move => "move",
            Self::Adopt => "adopt",
            Self::Forget => "forget",
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
            Self::Move => "→",
            Self::Adopt => "⊕",
            Self::Forget => "⊖",
            Self::Delete => "-",
        }
    }
}

/// How much a change can hurt; the worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Level {
    Loss,
    Downtime,
    Dip,
    Replacement,
    Calm,
}

impl Level {
    /// The name of the risk.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Loss => "data loss",
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
        (Risk::DataLoss { what }, it) => (Level::Loss, format!("will lose {}", tame(what).replace(&address(it), "it"))),
        (Risk::Downtime, Address::Service(_)) => (Level::Downtime, "will have no ready instance".to_owned()),
        (Risk::Downtime, _) => (Level::Downtime, format!("will be out of reach {}", lost(&change.what))),
        (Risk::CapacityDip { lowest, wanted }, _) => {
            (Level::Dip, format!("will have {lowest} of {wanted} instances ready at the lowest"))
        }
        (Risk::Replacement, _) => (Level::Replacement, replaced(&change.what).to_owned()),
    };
    change.risks.iter().map(told).collect()
}

/// Where callers find nothing any more.
fn lost(what: &What) -> String {
    let path = |cause: &Cause| match cause {
        Cause::Written { difference, .. } if difference.path.field == Field::Path && difference.after.is_none() => {
            difference.path.key.as_deref().map(tame)
        }
        _ => None,
    };
    let paths: Vec<String> = what.causes().iter().filter_map(path).collect();
    if paths.is_empty() { "where it is now".to_owned() } else { format!("at {}", paths.join(", ")) }
}

fn replaced(what: &What) -> &'static str {
    match what {
        What::Replace { order: ReplaceOrder::DeleteFirst, .. } => "goes before the next one is there",
        _ => "is made anew, and the old one goes with all that the platform knows of it",
    }
}

/// What a change comes from: revisions, an incarnation, an earlier name.
pub(super) fn from(what: &What) -> Option<String> {
    match what {
        What::Roll { from, to, .. } => Some(format!("{from} → {to}")),
        What::Replace { from, .. } => Some(tame(&from.to_string())),
        What::Move { from, .. } => Some(format!("from {}", address(from))),
        What::Create { .. } | What::Update { .. } | What::Adopt { .. } | What::Forget { .. } | What::Delete { .. } => {
            None
        }
    }
}

/// An address for people: digests are cut to what tells them apart.
pub(super) fn address(address: &Address) -> String {
    match address {
        Address::Content(ContentRef::Folder(digest)) => format!("content.folder-{}", digest.short()),
        Address::Content(ContentRef::Packages(digest)) => format!("content.packages-{}", digest.short()),
        Address::Content(ContentRef::Image(digest)) => format!("content.image-{}", digest.short()),
        address => tame(&address.to_string()),
    }
}

/// Where the cause of a risk is written: of a capacity dip how the service is to roll, else the first cause. A cause that
/// is written nowhere is told in words.
pub(super) fn place(change: &Change, level: Level) -> Option<String> {
    let causes = change.what.causes();
    let rolls = |cause: &&Cause| match cause {
        Cause::Written { difference, .. } => matches!(difference.path.field, Field::Rollout | Field::Instances),
        _ => false,
    };
    let dip = causes.iter().find(rolls).filter(|_| matches!(level, Level::Dip | Level::Downtime));
    let origin = dip.and_then(Cause::origin).or_else(|| causes.iter().find_map(Cause::origin));
    origin.map(|origin| tame(&origin.to_string())).or_else(|| causes.first().map(because))
}

/// A cause as the end of a sentence that begins with "because".
pub(super) fn because(cause: &Cause) -> String {
    let words = match cause {
        Cause::Declared(_) => "it is declared".to_owned(),
        Cause::NotDeclared => "it is not declared any more".to_owned(),
        Cause::Written { .. } => "it is written otherwise".to_owned(),
        Cause::Source { .. } => "the content changed".to_owned(),
        Cause::Seen { field, saw } => seen(field, saw),
        Cause::Unfinished(why) => why.clone(),
        Cause::Unused => "no revision that is kept needs it".to_owned(),
        Cause::Renamed { from, .. } => format!("it was {}", address(from)),
        Cause::Follows(other) => format!("{} gives way to another", address(other)),
        Cause::KeptOnDelete => "it is not declared any more, and was to be kept".to_owned(),
        Cause::Asked => "you asked for it".to_owned(),
    };
    tame(&words)
}

/// What a look found, as a sentence.
fn seen(field: &str, saw: &str) -> String {
    match (field, saw) {
        (_, "missing") => "it is missing".to_owned(),
        (_, "not running") => "it does not run".to_owned(),
        (_, "not set") => format!("its {field} is not set any more"),
        ("made-by", operation) => format!("somebody else started it: its label says `{operation}`"),
        ("listen", place) => format!("it listens on {place}"),
        ("revision", number) => format!("its label says that it is of {number}"),
        ("process", instance) if instance.contains(" runs, ") => instance.to_owned(),
        ("process", end) => format!("its process ended: {end}"),
        ("object", state) => format!("it is {state}"),
        ("label" | "settings", sentence) => sentence.to_owned(),
        (field, value) => format!("its {field} is {value}"),
    }
}

/// Why a change is left out.
pub(super) fn left_out(why: &WhyLeftOut) -> String {
    match why {
        WhyLeftOut::NotSelected => "it belongs to no service that you named".to_owned(),
        WhyLeftOut::Excepted => "you left it out".to_owned(),
        WhyLeftOut::Needs(other) => format!("it comes after {}, which is left out", address(other)),
    }
}

/// What a policy has ruled.
pub(super) fn ruling(ruling: Ruling) -> &'static str {
    match ruling {
        Ruling::Refused => "refused",
        Ruling::NeedsApproval => "needs approval",
        Ruling::Warned => "warning",
    }
}

/// A value in one line.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Lines(text) => tame(&text.trim_end_matches('\n').replace('\n', " ⏎ ")),
        Value::Secret(name, _) => format!("(secret){name}"),
        Value::Content(digest) => digest.short(),
    }
}
