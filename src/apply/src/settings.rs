//! What an apply is given, and what it leaves.

use crate::Summary;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use wharf_model::{Record, Timestamp};
use wharf_provider::SecretValues;
use wharf_store::{Author, Written};

/// How an apply goes about its work.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The values of the project's secrets.
    pub secrets: Arc<SecretValues>,
    /// Who runs it, for the journal.
    pub by: Author,
    /// The command, for the journal.
    pub doing: String,
    /// When it begins.
    pub started: Timestamp,
    /// How many calls are under way at once, at the most.
    pub calls: usize,
    /// How many rollouts.
    pub rollouts: usize,
    /// How often instances of a rollout are looked at.
    pub look_every: Duration,
}

/// Asks a running apply to stop: it begins nothing new, finishes what runs, and commits.
#[derive(Debug, Clone, Default)]
pub struct Cancel(pub(crate) CancellationToken);

impl Cancel {
    /// Asks. Asking twice is asking once.
    pub fn ask(&self) {
        self.0.cancel();
    }
}

/// What an apply leaves.
#[derive(Debug, Clone)]
pub struct Applied {
    /// What was done, what failed, what was left.
    pub summary: Summary,
    /// The record.
    pub record: Record,
    /// The commit that holds it; none when what became of some call is not known: then the journal holds it.
    pub serial: Option<u64>,
    /// What the journal has taken.
    pub written: Written,
}
