//! What can go wrong with a store.

use crate::Holder;
use std::{io, path::PathBuf};

/// Why the store could not be read or written. The message names the file and the attempt; the cause is apart.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else than this build knows how to read.
    #[error("{} is damaged: {problem}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A file was written by a newer build.
    #[error("{} has the format {found}; this build reads {known}", path.display())]
    TooNew {
        /// Which.
        path: PathBuf,
        /// What it has.
        found: String,
        /// What is known.
        known: &'static str,
    },
    /// Somebody else holds the lock.
    #[error("{} is locked by {holder}", path.display())]
    Locked {
        /// The environment's folder.
        path: PathBuf,
        /// Who.
        holder: Box<Holder>,
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
