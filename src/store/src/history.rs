//! Commits that are not the newest: what was recorded then, and who made it so.

use crate::{Entry, Reader, StoreError, commit, journal};
use wharf_model::{Lineage, PlanId, Record, Timestamp};

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its number, from 1.
    pub serial: u64,
    /// Which history it belongs to.
    pub lineage: Lineage,
    /// How it was made; unknown when no journal says so.
    pub made: Option<Made>,
    /// The record.
    pub record: Record,
}

/// How a commit was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// When that began.
    pub at: Timestamp,
    /// By whom.
    pub by: Author,
    /// By which plan.
    pub plan: Option<PlanId>,
}

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The user and host.
    pub who: String,
}

impl Reader {
    /// The numbers of the commits that are kept, in order.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn serials(&self) -> Result<Vec<u64>, StoreError> {
        let mut serials: Vec<u64> = commit::serials(self.dir())?.collect();
        serials.sort_unstable();
        Ok(serials)
    }

    /// A commit; none when it is not kept.
    ///
    /// # Errors
    /// When it cannot be read or is not what was written.
    pub fn commit(&self, serial: u64) -> Result<Option<Commit>, StoreError> {
        if !self.serials()?.contains(&serial) {
            return Ok(None);
        }
        let commit::Newest { lineage, record, .. } = commit::read(self.dir(), serial)?;
        // The journal that it was made from stands behind the commit before.
        let (entries, _) = journal::read(&journal::path(self.dir(), serial - 1))?;
        let made = entries.into_iter().find_map(|entry| match entry {
            Entry::Begin(begin) => Some(Made { at: begin.at, by: Author { who: begin.who }, plan: Some(begin.plan) }),
            _ => None,
        });
        Ok(Some(Commit { serial, lineage, made, record }))
    }
}
