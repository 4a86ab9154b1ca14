//! Changes: what will be done to a resource, and every reason for it.

use crate::rollout::Preview;
use std::fmt;
use wharf_model::{Address, Difference, Entry, InstanceId, Origin, RevisionNumber};

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
        from: InstanceId,
    },
    /// It exists and will not.
    Delete {
        /// Why.
        because: Cause,
    },
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
}

/// What can hurt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// There will be a time without any ready instance.
    Downtime,
    /// There will be fewer ready instances than asked for.
    CapacityDip {
        /// The lowest number.
        lowest: u32,
        /// The number asked for.
        wanted: u32,
    },
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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
            Self::Delete { .. } => "delete",
        }
    }

    /// Every reason.
    pub fn causes(&self) -> &[Cause] {
        match self {
            Self::Create { because, .. } | Self::Delete { because } => std::slice::from_ref(because),
            Self::Update { because, .. } | Self::Roll { because, .. } | Self::Replace { because, .. } => because,
        }
    }

    /// The steps, where there are some to show.
    pub fn preview(&self) -> Option<&Preview> {
        match self {
            Self::Create { preview, .. } | Self::Update { preview, .. } => preview.as_ref(),
            Self::Roll { preview, .. } => Some(preview),
            Self::Replace { .. } | Self::Delete { .. } => None,
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
                What::Delete { .. } => counts.delete += 1,
            }
        }
        counts
    }
}
