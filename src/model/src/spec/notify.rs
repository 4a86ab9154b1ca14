//! Whom an apply tells how it ended.

use super::words::words;
use crate::EnvValue;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

words! {
    /// How an apply ended, as far as somebody wants to be told.
    NotifyOn {
        /// All of it was done.
        Done => "done",
        /// A rollout waits for somebody.
        Paused => "paused",
        /// Somebody asked to stop.
        Interrupted => "interrupted",
        /// A service went back to the revision before.
        RolledBack => "rolled-back",
        /// A call failed.
        Failed => "failed",
        /// A rollout stopped between.
        Halted => "halted",
    }
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifySpec {
    /// Where it is, by HTTP or HTTPS.
    pub url: EnvValue,
    /// What it wants to see beside the summary.
    pub headers: BTreeMap<Arc<str>, EnvValue>,
    /// The endings that it is told.
    pub on: BTreeSet<NotifyOn>,
    /// How long all tries together may take.
    pub timeout: Duration,
    /// How often it is tried again.
    pub retries: u32,
}
