//! What an exit code means.

use std::process::ExitCode;
use wharf_apply::Ended;

/// How a command ended, for the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Something went wrong.
    Error = 1,
    /// There are changes (`plan --detailed-exitcode`).
    Changes = 2,
    /// What a plan that was reviewed rests on is not so any more.
    Stale = 3,
    /// Somebody else holds the lock.
    Locked = 4,
    /// A policy is against it.
    Refused = 5,
    /// A service went back to the revision before.
    RolledBack = 6,
    /// A rollout stopped between.
    Halted = 7,
    /// A rollout waits until somebody lets it go on.
    Paused = 8,
    /// Asked to stop.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<Ended> for Exit {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Done => Self::Done,
            Ended::Paused => Self::Paused,
            Ended::Interrupted => Self::Interrupted,
            Ended::RolledBack => Self::RolledBack,
            Ended::Failed => Self::Error,
            Ended::Halted => Self::Halted,
        }
    }
}
