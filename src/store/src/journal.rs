//! Journals: one line per entry, each with its checksum, in a log for each turn of the lease behind each commit.
//!
//! Entries are added one by one and made durable together: whoever needs one to be durable writes the batch that it is in,
//! and all that gathered meanwhile go with one wait for the disk. As a log only grows and is written in order, an entry
//! that is durable makes every earlier one so.
//!
//! What a crash has torn was never promised to anyone: it is as if it had never been written. Damage to a line that was
//! written whole is an error.

use crate::{Author, Backend, Epoch, Look, StoreError, checksum, format, lease::Pulse};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use wharf_model::GatewayName;
use wharf_model::{
    Address, Effect, GatewaySpec, Intent, IntentId, PlanId, RecordedObject, Revision, RouteSpec, ServiceName,
    ServiceSpec, Timestamp,
};

const FOLDER: &str = "journal";

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An apply begins.
    Begin(Begin),
    /// It sets out to make something. What effects refer to by address or number stands here once.
    Want(Box<Want>),
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
    pub by: Author,
}

/// One thing that an apply sets out to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// A gateway.
    Gateway(GatewayName, GatewaySpec),
    /// A route.
    Route(RouteSpec),
    /// Another object, with the incarnation that it is to be.
    Object(Address, RecordedObject),
    /// A service, with the revision that its rollout goes to.
    Service(ServiceName, Box<ServiceSpec>, Arc<Revision>),
}

/// An entry with the time at which it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When, by the writer's clock; unknown in the oldest journals.
    pub at: Option<Timestamp>,
    /// What.
    pub entry: Entry,
}

/// Which journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct JournalId {
    /// The commit that it stands behind.
    pub(crate) serial: u64,
    /// The turn of the lease in which it was written.
    pub(crate) epoch: Epoch,
}

impl JournalId {
    pub(crate) fn key(self) -> String {
        format!("{FOLDER}/{:07}.{:07}.ndjson", self.serial, self.epoch.0)
    }
}

/// Every journal that is kept, in order, with its key.
pub(crate) fn all(look: &(impl Look + ?Sized)) -> Result<Vec<(JournalId, String)>, StoreError> {
    let id = |key: String| {
        let name = key.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(".ndjson")?;
        // The oldest were written without a lease.
        let (serial, epoch) = name.split_once('.').unwrap_or((name, "0"));
        Some((JournalId { serial: serial.parse().ok()?, epoch: Epoch(epoch.parse().ok()?) }, key))
    };
    let mut found: Vec<_> = look.list(FOLDER)?.into_iter().filter_map(id).collect();
    found.sort();
    Ok(found)
}

/// How much a journal has taken, for those who count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Entries.
    pub entries: u64,
    /// Bytes.
    pub bytes: u64,
    /// Waits for the disk.
    pub waits: u64,
}

/// A journal that is open for adding. Held by the one writer of an environment.
#[derive(Debug)]
pub struct Journal {
    backend: Arc<dyn Backend>,
    key: String,
    pulse: Arc<Pulse>,
    /// Lines that are in no batch yet.
    gathered: Vec<u8>,
    /// How long the log is with every batch that was taken.
    end: u64,
    /// How long it is with every batch that was written.
    durable: Arc<AtomicU64>,
    written: Written,
}

/// A place in a journal: all that was added before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

/// Lines that go to the disk together.
#[derive(Debug)]
#[must_use]
pub struct Batch {
    backend: Arc<dyn Backend>,
    key: String,
    pulse: Arc<Pulse>,
    at: u64,
    bytes: Vec<u8>,
    durable: Arc<AtomicU64>,
}

impl Journal {
    /// Opens the log of this turn behind this commit.
    pub(crate) fn open(
        backend: Arc<dyn Backend>,
        id: JournalId,
        pulse: Arc<Pulse>,
        durable: Arc<AtomicU64>,
    ) -> Result<Self, StoreError> {
        let key = id.key();
        let end = backend.read(&key)?.map_or(0, |bytes| bytes.len() as u64);
        durable.store(end, Ordering::SeqCst);
        Ok(Self { backend, key, pulse, gathered: Vec::new(), end, durable, written: Written::default() })
    }

    /// Adds an entry. It is durable once everything before the mark is.
    pub fn add(&mut self, entry: &Entry, at: Timestamp) -> Mark {
        let json = format::print_line(entry, at);
        let line = format!("{} {json}\n", checksum(json.as_bytes()));
        self.gathered.extend_from_slice(line.as_bytes());
        self.written.entries += 1;
        Mark(self.end + self.gathered.len() as u64)
    }

    /// Takes what has gathered, to be written; none when nothing has. Batches must be written in the order in which they
    /// were taken.
    pub fn batch(&mut self) -> Option<Batch> {
        if self.gathered.is_empty() {
            return None;
        }
        let bytes = std::mem::take(&mut self.gathered);
        let at = self.end;
        self.end += bytes.len() as u64;
        self.written.bytes += bytes.len() as u64;
        self.written.waits += 1;
        let (backend, pulse, durable) = (self.backend.clone(), self.pulse.clone(), self.durable.clone());
        Some(Batch { backend, key: self.key.clone(), pulse, at, bytes, durable })
    }

    /// Adds an entry and waits until it is durable.
    ///
    /// # Errors
    /// When the disk does not take it, or the lease is lost.
    pub fn append(&mut self, entry: &Entry, at: Timestamp) -> Result<(), StoreError> {
        self.add(entry, at);
        self.batch().map_or(Ok(()), |batch| batch.write().map(drop))
    }

    /// How much was added and taken since it was opened.
    pub fn written(&self) -> Written {
        self.written
    }
}

impl Batch {
    /// Whether writing it takes no time, so that nobody need be spared the wait.
    pub fn is_instant(&self) -> bool {
        self.backend.is_instant()
    }

    /// Writes it and waits until it is durable. Blocks.
    ///
    /// # Errors
    /// When the lease is lost, or the disk does not take it: then it may or may not be there, and nothing more may be
    /// added to this journal.
    pub fn write(self) -> Result<Mark, StoreError> {
        self.pulse.check()?;
        self.backend.append(&self.key, self.at, &self.bytes)?;
        let end = self.at + self.bytes.len() as u64;
        self.durable.store(end, Ordering::SeqCst);
        Ok(Mark(end))
    }
}

/// What a journal holds.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) lines: Vec<Line>,
    /// Where each line ends, in bytes.
    pub(crate) ends: Vec<u64>,
}

impl Lines {
    /// How many bytes are whole.
    pub(crate) fn whole(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }
}

/// Reads a journal. One that does not exist is empty.
pub(crate) fn read(look: &(impl Look + ?Sized), key: &str) -> Result<Lines, StoreError> {
    let bytes = look.read(key)?.unwrap_or_default();
    let mut read = Lines::default();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(json) = intact(line) else {
            if is_torn(line) {
                break;
            }
            let problem = format!("line {} does not match its checksum", read.lines.len() + 1);
            return Err(StoreError::DamagedJournal { at: look.place(key), problem });
        };
        let damaged = |problem| StoreError::DamagedJournal { at: look.place(key), problem };
        read.lines.push(format::read_line(json).map_err(damaged)?);
        read.ends.push(read.whole() + line.len() as u64);
    }
    Ok(read)
}

/// Whether a line without a sound checksum is what a crash leaves: cut off, or with pages that were never written. What a
/// flipped bit leaves is told apart: a line that is whole but for its last byte was written whole, and what was never
/// written is more than a single zero, or begins the line.
fn is_torn(line: &[u8]) -> bool {
    match line.split_last() {
        Some((b'\n', text)) => text.starts_with(&[0]) || text.windows(2).any(|two| two == [0, 0]),
        Some((0, _)) | None => true,
        Some((_, text)) => text_of(text).is_none(),
    }
}

/// The JSON of a line that is whole.
fn intact(line: &[u8]) -> Option<&str> {
    text_of(line.strip_suffix(b"\n")?)
}

fn text_of(line: &[u8]) -> Option<&str> {
    let (sum, json) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    (checksum(json.as_bytes()) == sum).then_some(json)
}
