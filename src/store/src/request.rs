//! What somebody asks of an apply that is at work: objects beside its journal, addressed to one turn of the lease. Whoever
//! holds that turn takes them; nobody else does anything with them.

use crate::{Backend, Created, Epoch, StoreError, format};
use std::sync::Arc;
use wharf_model::{ServiceName, Timestamp};

const FOLDER: &str = "requests";

/// What somebody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// About which service.
    pub service: ServiceName,
    /// What, in one word; what it means is the reader's affair.
    pub wish: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A request that waits to be taken.
#[derive(Debug)]
pub struct Asked {
    backend: Arc<dyn Backend>,
    key: String,
}

/// Asks something of the holder of this turn of the lease.
///
/// # Errors
/// When it cannot be written; then it was not asked.
pub fn ask(backend: Arc<dyn Backend>, epoch: Epoch, request: &Request) -> Result<Asked, StoreError> {
    let text = format::print_request(request);
    let mut number = 0_u32;
    loop {
        let key = format!("{FOLDER}/{:07}-{number:04}.json", epoch.0);
        match backend.create(&key, text.as_bytes())? {
            Created::Now => return Ok(Asked { backend, key }),
            Created::Before => number += 1,
        }
    }
}

impl Asked {
    /// Whether nobody has taken it yet.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn is_waiting(&self) -> Result<bool, StoreError> {
        Ok(self.backend.read(&self.key)?.is_some())
    }

    /// Takes it back. Whoever has taken it already has.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn withdraw(self) -> Result<(), StoreError> {
        self.backend.delete(&self.key)
    }
}

/// The requests to the holder of one turn of the lease.
#[derive(Debug, Clone)]
pub struct Requests {
    backend: Arc<dyn Backend>,
    epoch: Epoch,
}

impl Requests {
    pub(crate) fn of(backend: Arc<dyn Backend>, epoch: Epoch) -> Self {
        Self { backend, epoch }
    }

    /// Whether taking them never waits for a disk or a network.
    pub fn is_instant(&self) -> bool {
        self.backend.is_instant()
    }

    /// Takes all that wait, in the order in which they were asked. One that makes no sense is dropped: a newer
    /// wharf may ask what this one does not understand.
    ///
    /// # Errors
    /// When they cannot be read or removed.
    pub fn take(&self) -> Result<Vec<Request>, StoreError> {
        let prefix = format!("{FOLDER}/{:07}-", self.epoch.0);
        let mut keys = self.backend.list(FOLDER)?;
        keys.retain(|key| key.starts_with(&prefix));
        let mut taken = Vec::new();
        for key in keys {
            let bytes = self.backend.read(&key)?.unwrap_or_default();
            self.backend.delete(&key)?;
            taken.extend(format::read_request(&String::from_utf8_lossy(&bytes)));
        }
        Ok(taken)
    }

    /// Removes requests to holders before this one: nobody will take them any more.
    ///
    /// # Errors
    /// When they cannot be listed or removed.
    pub(crate) fn clear_before(&self) -> Result<(), StoreError> {
        let own = format!("{FOLDER}/{:07}-", self.epoch.0);
        let old = self.backend.list(FOLDER)?;
        old.iter().filter(|key| **key < own).try_for_each(|key| self.backend.delete(key))
    }
}
