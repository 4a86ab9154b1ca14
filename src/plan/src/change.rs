//! Changes: what will be done to a resource, and every reason for it.

use crate::rollout::Preview;
use std::fmt;
use wharf_model::{Address, Difference, Entry, Generation, InstanceId, Origin, RevisionNumber};

/// What will be done to one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub address: Address,
    /// What, and why.
    pub what: What,
    /// What a reviewer should look at first.
    pub risks: Vec<Risk>,
}

/// The action, with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It does not exist and will.
    Create {
        /// Why.
        because: Cause,
        /// What it will be.
        entries: Vec<Entry>,
        /// How it comes up, for a service.
        preview: Option<Preview>,
    },
    /// It stays and becomes as it should be; nothing that runs is replaced.
    Update {
        /// Why; at least one.
        because: Vec<Cause>,
        /// How instances come and go, when their number changes.
        preview: Option<Preview>,
    },
    /// A service's instances are replaced by ones of another revision.
    Roll {
        /// Why; at least one.
        because: Vec<Cause>,
        /// The revision that serves now.
        from: RevisionNumber,
        /// The revision that will serve.
        to: RevisionNumber,
        /// The steps.
        preview: Preview,
    },
    /// An incarnation that is no longer fit gives way to the next.
    Replace {
        /// Why; at least one.
        because: Vec<Cause>,
        /// The incarnation that goes.
        from: Incarnation,
        /// Which of the two is there alone for a while.
        order: ReplaceOrder,
    },
    /// It goes on under another name.
    Move {
        /// Why; at least one: that it was renamed, then whatever else changes with it.
        because: Vec<Cause>,
        /// What it was called.
        from: Address,
        /// Whether the runtime gives the object the new name; else it is made anew, and the old one goes after it.
        in_place: bool,
        /// How instances come and go, where some do.
        preview: Option<Preview>,
    },
    /// It exists, nobody wrote it down, and from now on it is wharf's.
    Adopt {
        /// Why; at least one.
        because: Vec<Cause>,
    },
    /// It stays as it is, and is wharf's no more.
    Forget {
        /// Why.
        because: Cause,
    },
    /// It exists and will not.
    Delete {
        /// Why.
        because: Cause,
    },
}

/// One of the objects that a resource has been, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incarnation {
    /// An instance.
    Instance(InstanceId),
    /// Anything else.
    Of(Address, Generation),
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(id) => id.fmt(f),
            Self::Of(address, generation) => write!(f, "{address}@{generation}"),
        }
    }
}

/// In which order one incarnation gives way to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplaceOrder {
    /// The new one is there before the old one goes.
    CreateFirst,
    /// Only one can be there, so the old one goes first.
    DeleteFirst,
}

/// Why something changes: a place in the files, or something seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The files declare it, and it was never made.
    Declared(Option<Origin>),
    /// The files do not declare it any more.
    NotDeclared,
    /// The files say something else than was last applied.
    Written {
        /// What.
        difference: Difference,
        /// Where.
        origin: Option<Origin>,
    },
    /// What the files point at has changed.
    Source {
        /// What.
        difference: Difference,
        /// Where the files point at it.
        origin: Option<Origin>,
    },
    /// It was seen to be otherwise than recorded.
    Seen {
        /// What was looked at.
        field: &'static str,
        /// What was seen.
        saw: String,
    },
    /// An earlier apply has not finished it.
    Unfinished(String),
    /// Nothing refers to it any more.
    Unused,
    /// The files say that it is what was called otherwise.
    Renamed {
        /// What it was called.
        from: Address,
        /// Where that is written.
        origin: Option<Origin>,
    },
    /// Something that it is made of, or lies in, gives way to another incarnation.
    Follows(Address),
    /// The files ask for it to be kept when they do not declare it any more.
    KeptOnDelete,
    /// Somebody named it.
    Asked,
}

impl Cause {
    /// Where in the files it is written, if it is written there.
    pub fn origin(&self) -> Option<&Origin> {
        match self {
            Self::Declared(origin)
            | Self::Written { origin, .. }
            | Self::Source { origin, .. }
            | Self::Renamed { origin, .. } => origin.as_ref(),
            Self::NotDeclared
            | Self::Seen { .. }
            | Self::Unfinished(_)
            | Self::Unused
            | Self::Follows(_)
            | Self::Asked
            | Self::KeptOnDelete => None,
        }
    }
}

/// What can hurt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    /// Data that stands nowhere else is lost.
    DataLoss {
        /// Which data, in words.
        what: String,
    },
    /// There will be a time without any ready instance.
    Downtime,
    /// There will be fewer ready instances than asked for.
    CapacityDip {
        /// The lowest number.
        lowest: u32,
        /// The number asked for.
        wanted: u32,
    },
    /// An object gives way to another, with all that the platform knows of it.
    Replacement,
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataLoss { what } => write!(f, "data loss: {what}"),
            Self::Replacement => f.write_str("replacement"),
            Self::Downtime => f.write_str("downtime"),
            Self::CapacityDip { lowest, wanted } => write!(f, "capacity dip: {lowest} of {wanted} ready at the lowest"),
        }
    }
}

impl What {
    /// The word for the action.
    pub fn action(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Roll { .. } => "roll",
            Self::Replace { .. } => "replace",
            Self::Move { .. } => "move",
            Self::Adopt { .. } => "adopt",
            Self::Forget { .. } => "forget",
            Self::Delete { .. } => "delete",
        }
    }

    /// Every reason.
    pub fn causes(&self) -> &[Cause] {
        match self {
            Self::Create { because, .. } | Self::Delete { because } | Self::Forget { because } => {
                std::slice::from_ref(because)
            }
            Self::Update { because, .. }
            | Self::Roll { because, .. }
            | Self::Replace { because, .. }
            | Self::Move { because, .. }
            | Self::Adopt { because } => because,
        }
    }

    /// The steps, where there are some to show.
    pub fn preview(&self) -> Option<&Preview> {
        match self {
            Self::Create { preview, .. } | Self::Update { preview, .. } | Self::Move { preview, .. } => {
                preview.as_ref()
            }
            Self::Roll { preview, .. } => Some(preview),
            Self::Replace { .. } | Self::Adopt { .. } | Self::Forget { .. } | Self::Delete { .. } => None,
        }
    }
}

/// How many changes there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// To create.
    pub create: usize,
    /// To update in place.
    pub update: usize,
    /// To roll.
    pub roll: usize,
    /// To replace.
    pub replace: usize,
    /// To move.
    pub moved: usize,
    /// To adopt.
    pub adopt: usize,
    /// To forget.
    pub forget: usize,
    /// To delete.
    pub delete: usize,
}

impl Counts {
    pub(crate) fn of(changes: &[Change]) -> Self {
        let mut counts = Self::default();
        for change in changes {
            match change.what {
                What::Create { .. } => counts.create += 1,
                What::Update { .. } => counts.update += 1,
                What::Roll { .. } => counts.roll += 1,
                What::Replace { .. } => counts.replace += 1,
                What::Move { .. } => counts.moved += 1,
                What::Adopt { .. } => counts.adopt += 1,
                What::Forget { .. } => counts.forget += 1,
                What::Delete { .. } => counts.delete += 1,
            }
        }
        counts
    }
}
