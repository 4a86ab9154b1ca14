//! What can go wrong with a store, and what helps.

use crate::lease::Lease;
use std::{error::Error, fmt, io};

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// To read.
    Read,
    /// To write.
    Write,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
        })
    }
}

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
    /// What keeps the bytes did not do what was asked: a server, or whoever encrypts them.
    #[error("cannot {attempt} {at}")]
    Remote {
        /// What was tried.
        attempt: Attempt,
        /// Where.
        at: String,
        /// The way out.
        help: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
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
    /// The record was moved.
    #[error("the record is in {place} no more: it was moved to {to}")]
    Moved {
        /// Where it was.
        place: String,
        /// Where it is.
        to: String,
    },
    /// A place that a record was to be moved to holds another.
    #[error("{place} holds another record: {why}")]
    OtherHistory {
        /// The place.
        place: String,
        /// What is there.
        why: String,
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
            Self::Remote { help, .. } => help.clone(),
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
            Self::Moved { to, .. } => format!(
                "let the environment's `state` name {to}; or move it back: `wharf state migrate --from PLACE` brings it to \
                 where the files say"
            ),
            Self::OtherHistory { .. } => {
                "nothing was changed there. Move to an empty place, another `prefix=` say, or remove what is there".to_owned()
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
