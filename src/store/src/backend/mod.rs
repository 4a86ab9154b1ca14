//! Where a store keeps its bytes: objects that are made once and never changed, and logs that only grow.
//!
//! That is all that a folder and a bucket have in common, and all that commits, journal and lease need. Calls block: who
//! must not wait calls from a thread of its own. Keys are relative paths of plain letters, `commits/0000001.json`.

mod conformance;
mod folder;
mod memory;

pub use conformance::conformance;
pub use folder::FolderBackend;
pub use memory::MemoryBackend;

use crate::StoreError;
use std::{any::Any, fmt};

/// The reading half. What holds only this cannot change a store.
pub trait Look: fmt::Debug + Send + Sync {
    /// Where a key is kept, for people: a path, an address.
    fn place(&self, key: &str) -> String;

    /// The bytes of an object, or of a log with all that was added; none when there is no such thing.
    ///
    /// # Errors
    /// When it may be there and cannot be read.
    fn read(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// The keys right below a folder such as `commits`, in their order. A folder that is not there has none. A log is
    /// named once, however it is kept.
    ///
    /// # Errors
    /// When the folder cannot be read.
    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError>;

    /// Whether somebody is at work here, as far as the platform knows without asking the lease.
    ///
    /// # Errors
    /// When that cannot be asked.
    fn presence(&self) -> Result<Presence, StoreError>;

    /// Whether its calls never wait for a disk or a network.
    fn is_instant(&self) -> bool {
        false
    }
}

/// The whole of a backend.
pub trait Backend: Look {
    /// Makes an object, unless there is one. When it answers [`Created::Now`], the object is there whole and stays;
    /// of many who try at once, one gets that answer.
    ///
    /// # Errors
    /// When it cannot be written; then there is no such object.
    fn create(&self, key: &str, bytes: &[u8]) -> Result<Created, StoreError>;

    /// Adds bytes to a log that is `at` bytes long, and makes the log when `at` is 0. When it returns, they are durable.
    /// A log has one writer.
    ///
    /// # Errors
    /// When they cannot be written. Then any number of their first bytes may have been, and the log must not be added to.
    fn append(&self, log: &str, at: u64, bytes: &[u8]) -> Result<(), StoreError>;

    /// Removes an object or a log. One that is not there is fine.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// Claims to be the one at work, as far as the platform can tell.
    ///
    /// # Errors
    /// When the platform does not let us.
    fn guard(&self) -> Result<Guard, StoreError>;
}

/// What became of an attempt to make an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Created {
    /// It was made.
    Now,
    /// There was one before.
    Before,
}

/// What a platform can tell about who is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Nobody on this machine.
    Nobody,
    /// Somebody, for certain.
    Somebody,
    /// It cannot tell: only the lease can.
    Unknown,
}

/// What a platform answers to a claim.
pub enum Guard {
    /// Nobody else on this machine is at work for as long as this is held, however its holder ends.
    Sole(Box<dyn Any + Send + Sync>),
    /// Somebody else is at work, for certain.
    Taken,
    /// The platform has no such thing: only the lease tells.
    None,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sole(_) => "Sole",
            Self::Taken => "Taken",
            Self::None => "None",
        })
    }
}
