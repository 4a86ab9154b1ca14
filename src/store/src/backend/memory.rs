//! A store in memory: what tests run on, and what shows that nothing here depends on files.

use super::{Backend, Created, Guard, Look, Presence};
use crate::StoreError;
use std::{
    collections::BTreeMap,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Objects and logs that go with the value. It has no kernel to ask, so only the lease tells who is at work.
#[derive(Debug, Default)]
pub struct MemoryBackend {
    kept: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl MemoryBackend {
    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Look for MemoryBackend {
    fn place(&self, key: &str) -> String {
        format!("memory:{key}")
    }

    fn read(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.kept().get(key).cloned())
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let folder = format!("{folder}/");
        let below = |key: &&String| key.strip_prefix(&folder).is_some_and(|name| !name.contains('/'));
        Ok(self.kept().keys().filter(below).cloned().collect())
    }

    fn presence(&self) -> Result<Presence, StoreError> {
        Ok(Presence::Unknown)
    }

    fn is_instant(&self) -> bool {
        true
    }
}

impl Backend for MemoryBackend {
    fn create(&self, key: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        let mut kept = self.kept();
        if kept.contains_key(key) {
            return Ok(Created::Before);
        }
        kept.insert(key.to_owned(), bytes.to_vec());
        Ok(Created::Now)
    }

    fn append(&self, log: &str, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let mut kept = self.kept();
        let held = kept.entry(log.to_owned()).or_default();
        if held.len() as u64 != at {
            let source = io::Error::other("somebody else has written to it");
            return Err(StoreError::Write { at: self.place(log), source });
        }
        held.extend_from_slice(bytes);
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.kept().remove(key);
        Ok(())
    }

    fn guard(&self) -> Result<Guard, StoreError> {
        Ok(Guard::None)
    }
}
