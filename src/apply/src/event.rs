//! What an apply tells while it runs, and what it says at the end.

use std::time::Duration;
use wharf_model::{Address, OperationId, RecordedRollout, ServiceName, Verb};
use wharf_plan::rollout::{Failure, Tally};

/// Something that happened. Every view of a running apply reads this one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A call was begun.
    Began {
        /// Which.
        operation: OperationId,
        /// What it is done to.
        address: Address,
        /// What is done.
        verb: Verb,
        /// To which object.
        object: String,
    },
    /// A long call says how it goes.
    Says {
        /// What it is done to.
        address: Address,
        /// Its words.
        words: String,
    },
    /// A call ended.
    Settled {
        /// Which.
        operation: OperationId,
        /// What it was done to.
        address: Address,
        /// What was done.
        verb: Verb,
        /// To which object.
        object: String,
        /// How long it took.
        took: Duration,
        /// The error and the way out, when it failed.
        error: Option<(String, Option<String>)>,
    },
    /// A call failed in a way that may pass; it is made again.
    Again {
        /// What it is done to.
        address: Address,
        /// What was said.
        error: String,
        /// After how long.
        after: Duration,
    },
    /// A rollout stands otherwise than before.
    Rollout {
        /// Of which service.
        service: ServiceName,
        /// Where its instances stand.
        tally: Tally,
        /// How many there should be.
        count: u32,
        /// What it waits for, in words.
        waits: Vec<String>,
    },
    /// A rollout failed and goes back.
    TurnedBack {
        /// Of which service.
        service: ServiceName,
        /// Why.
        failure: Failure,
    },
    /// Somebody asked something of a rollout.
    Asked {
        /// Of which service.
        service: ServiceName,
        /// What.
        wish: String,
        /// Who.
        by: String,
        /// Whether it makes a difference.
        taken: bool,
    },
    /// A look at the platform failed; it is tried again.
    Blind {
        /// What was said.
        error: String,
    },
    /// Somebody asked to stop; what runs is finished, nothing new is begun.
    Stopping,
}

/// How an apply ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// What was done.
    pub done: Vec<Address>,
    /// What failed.
    pub failed: Vec<(Address, Failed)>,
    /// Rollouts that wait until somebody lets them go on.
    pub resting: Vec<(ServiceName, RecordedRollout)>,
    /// What was not begun, and because of what.
    pub skipped: Vec<(Address, Skipped)>,
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// The platform refused the call, or could not be reached.
    Call {
        /// What was said.
        error: String,
        /// The way out.
        help: Option<String>,
    },
    /// What became of an earlier call to the same thing is not known, so it is not touched.
    Unknown {
        /// The earlier call.
        operation: OperationId,
        /// Why that is not known.
        why: String,
    },
    /// The rollout went back to the revision before.
    RolledBack(Failure),
    /// The rollout stopped between.
    Halted(Failure),
}

/// Why a step was not begun, or not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skipped {
    /// It needs what failed.
    Needs(Address),
    /// It needs a rollout that waits.
    Waits(Address),
    /// Somebody asked to stop.
    Stopped,
}

/// The worst of what happened: what an exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// Everything was done.
    Done,
    /// A rollout waits until somebody lets it go on.
    Paused,
    /// Somebody asked to stop.
    Interrupted,
    /// A service went back to the revision before.
    RolledBack,
    /// A call failed.
    Failed,
    /// A rollout stopped between.
    Halted,
}

impl Summary {
    /// The worst of what happened.
    pub fn ended(&self) -> Ended {
        let failed = self.failed.iter().map(|(_, failed)| match failed {
            Failed::Call { .. } | Failed::Unknown { .. } => Ended::Failed,
            Failed::RolledBack(_) => Ended::RolledBack,
            Failed::Halted(_) => Ended::Halted,
        });
        let skipped = self.skipped.iter().map(|(_, skipped)| match skipped {
            Skipped::Stopped => Ended::Interrupted,
            Skipped::Needs(_) | Skipped::Waits(_) => Ended::Done,
        });
        let resting = self.resting.iter().map(|_| Ended::Paused);
        failed.chain(skipped).chain(resting).max().unwrap_or(Ended::Done)
    }
}
