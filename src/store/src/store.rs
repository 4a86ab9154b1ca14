//! A store's two halves: one that only reads, and one that holds the lock and writes.

use crate::{Entry, Holder, Journal, StoreError, commit, journal, lock};
use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};
use wharf_model::{EnvironmentName, Intent, Lineage, ProjectName, Record, SecretKey, Wanted};

/// An environment's record, as it stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The number of the last commit; 0 when there is none.
    pub serial: u64,
    /// The last commit, with the journal behind it absorbed.
    pub record: Record,
    /// Calls that were about to be made, and of which nobody wrote down what came of them.
    pub unresolved: Vec<Intent>,
    /// What the apply that wrote the journal set out to make.
    pub wanted: Wanted,
    /// Whether there is anything behind the last commit.
    pub has_journal: bool,
}

/// The read half. It cannot write: it holds no lock and opens no file for writing.
#[derive(Debug, Clone)]
pub struct Reader {
    dir: PathBuf,
    project: ProjectName,
    environment: EnvironmentName,
}

impl Reader {
    /// A reader of the store in `dir`, which need not exist.
    pub fn new(dir: impl Into<PathBuf>, project: ProjectName, environment: EnvironmentName) -> Self {
        Self { dir: dir.into(), project, environment }
    }

    /// Where it is.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads the record as it stands. A store that does not exist is an empty record.
    ///
    /// # Errors
    /// When a file cannot be read or is not what was written.
    pub fn read(&self) -> Result<Standing, StoreError> {
        let newest = commit::newest(&self.dir)?;
        let (serial, record) = match newest {
            Some(newest) => (newest.serial, newest.record),
            None => (0, Record::empty(self.project.clone(), self.environment.clone())),
        };
        let (entries, _) = journal::read(&journal::path(&self.dir, serial))?;
        Ok(Standing::of(serial, record, entries))
    }

    /// The key of the secrets' digests; none before the first write.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn key(&self) -> Result<Option<SecretKey>, StoreError> {
        let path = self.dir.join("key");
        match fs::read(&path) {
            Ok(bytes) => match <[u8; 32]>::try_from(bytes) {
                Ok(bytes) => Ok(Some(SecretKey::new(bytes))),
                Err(_) => Err(StoreError::Damaged { path, problem: "a key has 32 bytes".to_owned() }),
            },
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Read { path, source }),
        }
    }
}

impl Standing {
    fn of(serial: u64, mut record: Record, entries: Vec<Entry>) -> Self {
        let has_journal = !entries.is_empty();
        let mut wanted = Wanted::default();
        let mut unresolved: Vec<Intent> = Vec::new();
        for entry in entries {
            match entry {
                Entry::Begin(begin) => wanted = begin.wanted,
                Entry::Intent(intent) => unresolved.push(intent),
                Entry::Done { intent, effect } => {
                    unresolved.retain(|open| open.id != intent);
                    record.absorb(&effect, &wanted);
                }
                Entry::Failed { intent, .. } => unresolved.retain(|open| open.id != intent),
                Entry::Note(effect) => record.absorb(&effect, &wanted),
            }
        }
        Self { serial, record, unresolved, wanted, has_journal }
    }
}

/// The write half: holds the lock for as long as it lives.
#[derive(Debug)]
pub struct Writer {
    reader: Reader,
    lineage: Lineage,
    serial: u64,
    _lock: lock::Lock,
}

impl Writer {
    /// Takes the lock and makes what a first write needs: the folders and the key.
    ///
    /// # Errors
    /// [`StoreError::Locked`] with the holder, when another process has the lock; otherwise when the disk does not do
    /// what is asked.
    pub fn open(reader: Reader, holder: &Holder) -> Result<Self, StoreError> {
        let dir = reader.dir.clone();
        for folder in [dir.clone(), dir.join("commits"), dir.join("journal")] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
            made.map_err(|source| StoreError::Write { path: folder, source })?;
        }
        let lock = lock::take(&dir, holder)?;
        if reader.key()?.is_none() {
            write_key(&dir)?;
        }
        let (lineage, serial) = match commit::newest(&dir)? {
            Some(newest) => (newest.lineage, newest.serial),
            None => (Lineage(hex::encode(random::<16>()?).into()), 0),
        };
        Ok(Self { reader, lineage, serial, _lock: lock })
    }

    /// The read half.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Opens the journal behind the last commit.
    ///
    /// # Errors
    /// When it is damaged, or cannot be written.
    pub fn journal(&self) -> Result<Journal, StoreError> {
        Journal::open(&self.reader.dir, self.serial)
    }

    /// Makes the next commit. The journal behind it is empty.
    ///
    /// # Errors
    /// [`StoreError::Overtaken`] when another writer made it, whatever the lock said.
    pub fn commit(&mut self, record: &Record) -> Result<u64, StoreError> {
        commit::create(&self.reader.dir, self.serial + 1, &self.lineage, record)?;
        self.serial += 1;
        Ok(self.serial)
    }
}

fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Random(io::Error::other(error.to_string())))?;
    Ok(bytes)
}

fn write_key(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join("key");
    let temp = dir.join(".key");
    let written = commit::write_durably(&temp, &random::<32>()?).and_then(|()| fs::rename(&temp, &path));
    written.map_err(|source| StoreError::Write { path, source })
}
