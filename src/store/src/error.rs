//! What can go wrong with a store, and what helps.

use crate::lease::Lease;
use std::io;

/// Why the store could not be read or written. The message names the place and the attempt; the cause is apart.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something could not be read.
    #[error("cannot read {at}")]
    Read {
        /// Where.
        at: String,
        /// Why.
        source: io::Error,
    },
    /// Something could not be written.
    #[error("cannot write {at}")]
    Write {
        /// Where.
        at: String,
        /// Why.
        source: io::Error,
    },
    /// The record of a commit, or a lease, is not what was written.
    #[error("{at} is damaged: {problem}")]
    Damaged {
        /// Where.
        at: String,
        /// What is wrong.
        problem: String,
    },
    /// A journal is not what was written.
    #[error("{at} is damaged: {problem}")]
    DamagedJournal {
        /// Where.
        at: String,
        /// What is wrong.
        problem: String,
    },
    /// Something was written by a newer build.
    #[error("{at} has the format {found}; this build reads {known}")]
    TooNew {
        /// Where.
        at: String,
        /// What it has.
        found: String,
        /// What is known.
        known: &'static str,
    },
    /// Somebody else holds the lease.
    #[error("{place} is locked by {}", lease.as_ref().map_or("somebody who left no name".to_owned(), |lease| lease.holder.to_string()))]
    Locked {
        /// The environment's place.
        place: String,
        /// Whose lease, where that can be read.
        lease: Option<Box<Lease>>,
    },
    /// The lease was ours, and is not any more.
    #[error("the lock on this environment was lost: {why}")]
    LeaseLost {
        /// How.
        why: String,
    },
    /// Somebody else made the commit first.
    #[error("commit {serial} exists already: another apply has been at work")]
    Overtaken {
        /// Its number.
        serial: u64,
    },
    /// The system gave no random bytes.
    #[error("cannot make a key: the system gives no random bytes")]
    Random(#[source] io::Error),
}

impl StoreError {
    /// The way out.
    pub fn help(&self) -> String {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => of_cause(source.kind()).to_owned(),
            Self::Damaged { at, .. } => format!(
                "nothing is lost: every journal is kept until long after its commit. Move {at} elsewhere and apply: the \
                 commit before it and the journal behind that tell the same"
            ),
            Self::DamagedJournal { at, .. } => format!(
                "put {at} back from a backup if there is one; else move it elsewhere and apply: what it told of is found \
                 by its labels, and whatever is not as it should be is made so"
            ),
            Self::TooNew { .. } => "use the wharf that wrote it, or a newer one".to_owned(),
            Self::Locked { .. } => {
                "wait until it has ended, then run the command again; `--wait 10m` waits, `wharf lock status` shows what it \
                 does"
                    .to_owned()
            }
            Self::LeaseLost { .. } | Self::Overtaken { .. } => {
                "what was begun stands in the journal: run the command again when the other has ended, and it is taken up"
                    .to_owned()
            }
            Self::Random(_) => "try again".to_owned(),
        }
    }
}

fn of_cause(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room and run the command again: what was done is found out and taken up"
        }
        io::ErrorKind::ReadOnlyFilesystem => "make the folder writable, or work on a copy of the project that is",
        io::ErrorKind::PermissionDenied => {
            "run wharf as the user who owns the folder, or give this one the right to it"
        }
        _ => "correct the cause and run the command again: what was done is found out and taken up",
    }
}
