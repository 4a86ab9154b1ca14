//! The journal behind a commit: one line per entry, each with its checksum, each durable before its append returns.
//!
//! A line that was torn by a crash can only be the last one, and is as if it had never been written. A damaged line
//! before the last is an error: something else than a crash has been at the file.

use crate::{StoreError, format};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use wharf_model::{Effect, Intent, IntentId, PlanId, Timestamp, Wanted};

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An apply begins. What its effects refer to stands here once.
    Begin(Box<Begin>),
    /// A call is about to be made.
    Intent(Intent),
    /// A call was made.
    Done {
        /// Which.
        intent: IntentId,
        /// What it means for the record.
        effect: Effect,
    },
    /// A call failed, or was found not to have been made.
    Failed {
        /// Which.
        intent: IntentId,
        /// Why.
        error: String,
    },
    /// Something that is no call changed the record.
    Note(Effect),
}

/// The beginning of an apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// Its plan.
    pub plan: PlanId,
    /// Who runs it.
    pub who: String,
    /// When it began.
    pub at: Timestamp,
    /// What it sets out to make.
    pub wanted: Wanted,
}

/// A journal that is open for appending. Held by the one writer of an environment.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

pub(crate) fn path(dir: &Path, serial: u64) -> PathBuf {
    dir.join("journal").join(format!("{serial:07}.ndjson"))
}

impl Journal {
    /// Opens the journal behind commit `serial`, cutting off a torn last line.
    pub(crate) fn open(dir: &Path, serial: u64) -> Result<Self, StoreError> {
        let path = path(dir, serial);
        let whole = read(&path)?.1;
        let write = |source| StoreError::Write { path: path.clone(), source };
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(write)?;
        file.set_len(whole).map_err(write)?;
        file.sync_all().map_err(write)?;
        if let Some(folder) = path.parent() {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(write)?;
        }
        Ok(Self { path, file })
    }

    /// Appends an entry. When it returns, the entry is on disk.
    ///
    /// # Errors
    /// When the disk does not take it; then it may or may not be there.
    pub fn append(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let json = format::print_entry(entry);
        let line = format!("{} {json}\n", checksum(json.as_bytes()));
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|source| StoreError::Write { path: self.path.clone(), source })
    }
}

/// The entries of a journal, and how many bytes of it are whole. One that does not exist is empty.
pub(crate) fn read(path: &Path) -> Result<(Vec<Entry>, u64), StoreError> {
    let text = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(source) => return Err(StoreError::Read { path: path.to_owned(), source }),
    };
    let (mut entries, mut whole) = (Vec::new(), 0);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let Some(json) = intact(line) else {
            if whole + line.len() < text.len() {
                let problem = format!("line {} does not match its checksum", entries.len() + 1);
                return Err(StoreError::Damaged { path: path.to_owned(), problem });
            }
            break;
        };
        entries.push(format::read_entry(json, path)?);
        whole += line.len();
    }
    Ok((entries, whole as u64))
}

/// The JSON of a line that is whole.
fn intact(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (sum, json) = line.split_once(' ')?;
    (checksum(json.as_bytes()) == sum).then_some(json)
}

fn checksum(bytes: &[u8]) -> String {
    hex::encode(&blake3::hash(bytes).as_bytes()[..8])
}
