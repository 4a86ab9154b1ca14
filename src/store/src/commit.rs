//! Commits: numbered objects that are created whole or not at all, and never changed.

use crate::{Author, Backend, Created, Look, StoreError, format};
use std::collections::BTreeMap;
use wharf_model::{Lineage, PlanId, Record, Timestamp};

pub(crate) const FOLDER: &str = "commits";

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its number, from 1.
    pub serial: u64,
    /// Which history it belongs to.
    pub lineage: Lineage,
    /// How it was made; unknown of the oldest.
    pub made: Option<Made>,
    /// How much of each journal behind the commit before is in its record, in bytes.
    pub absorbed: BTreeMap<String, u64>,
    /// The record.
    pub record: Record,
}

/// How a commit was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// When.
    pub at: Timestamp,
    /// By which command: `apply`.
    pub doing: String,
    /// By whom.
    pub by: Author,
    /// By which plan; none when it was no plan's doing.
    pub plan: Option<PlanId>,
}

fn key(serial: u64) -> String {
    format!("{FOLDER}/{serial:07}.json")
}

/// The numbers of all commits that are kept, in order.
pub(crate) fn serials(look: &(impl Look + ?Sized)) -> Result<Vec<u64>, StoreError> {
    let keys = look.list(FOLDER)?;
    let number = |key: &String| key.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(".json")?.parse().ok();
    let mut serials: Vec<u64> = keys.iter().filter_map(number).collect();
    serials.sort_unstable();
    Ok(serials)
}

/// Reads the newest commit; none when nothing was ever committed. A list may be out of date where objects are not, so its
/// end is looked past.
pub(crate) fn newest(look: &(impl Look + ?Sized)) -> Result<Option<Commit>, StoreError> {
    let mut serial = serials(look)?.pop().unwrap_or(0);
    let mut newest = if serial == 0 { None } else { read(look, serial)? };
    while let Some(next) = read(look, serial + 1)? {
        serial = next.serial;
        newest = Some(next);
    }
    Ok(newest)
}

/// Reads a commit; none when it is not kept.
pub(crate) fn read(look: &(impl Look + ?Sized), serial: u64) -> Result<Option<Commit>, StoreError> {
    let key = key(serial);
    let Some(bytes) = look.read(&key)? else { return Ok(None) };
    format::read_commit(&bytes, &look.place(&key), serial).map(Some)
}

/// Makes a commit. When it returns, the commit is durable.
///
/// # Errors
/// [`StoreError::Overtaken`] when a commit of its number exists.
pub(crate) fn create(backend: &dyn Backend, commit: &Commit) -> Result<(), StoreError> {
    match backend.create(&key(commit.serial), format::print_commit(commit).as_bytes())? {
        Created::Now => Ok(()),
        Created::Before => Err(StoreError::Overtaken { serial: commit.serial }),
    }
}

/// Removes a commit that nobody needs.
pub(crate) fn delete(backend: &dyn Backend, serial: u64) -> Result<(), StoreError> {
    backend.delete(&key(serial))
}
