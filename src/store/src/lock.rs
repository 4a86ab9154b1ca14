//! The lock on an environment's folder. The kernel holds it, so it ends with its holder, however that ends.

use crate::StoreError;
use std::{
    fmt,
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};
use wharf_model::Timestamp;

/// Who holds a lock, in their own words.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holder {
    /// The user and host.
    pub who: String,
    /// The process.
    pub pid: u32,
    /// What it does: `apply`.
    pub doing: String,
    /// Since when, in milliseconds since the epoch.
    pub since_ms: u64,
}

impl Holder {
    /// This process, doing something since `now`.
    pub fn this(who: String, doing: &str, now: Timestamp) -> Self {
        Self { who, pid: std::process::id(), doing: doing.to_owned(), since_ms: now.0 }
    }

    fn unknown() -> Self {
        Self { who: "somebody who left no name".to_owned(), pid: 0, doing: "something".to_owned(), since_ms: 0 }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {}, `wharf {}`)", self.who, self.pid, self.doing)
    }
}

/// A held lock; let go when dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Takes the lock of a folder, or says who holds it.
pub(crate) fn take(dir: &Path, holder: &Holder) -> Result<Lock, StoreError> {
    let path = dir.join("lock");
    let write = |source| StoreError::Write { path: path.clone(), source };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(write)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::Locked { path: dir.to_owned(), holder: Box::new(read(&mut file)) });
        }
        Err(TryLockError::Error(source)) => return Err(write(source)),
    }
    let text = serde_json::to_vec(holder).expect("strings and numbers become JSON");
    file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(&text)).map_err(write)?;
    Ok(Lock { _file: file })
}

fn read(file: &mut File) -> Holder {
    let mut text = String::new();
    let read = file.read_to_string(&mut text).ok();
    read.and_then(|_| serde_json::from_str(&text).ok()).unwrap_or_else(Holder::unknown)
}
