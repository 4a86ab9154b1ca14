//! The lease: who is at work on an environment. A courtesy, as two who both believe that they have it cannot both commit.
//!
//! Each holder makes an object with the next epoch, then one small object after another as signs of life. A waiter judges
//! by seeing no new sign for a whole lease on its own monotonic clock; what clocks say elsewhere counts for nothing. Where
//! the kernel can tell that a holder on this machine has ended, nobody waits.

mod held;
mod sign;
mod watch;

pub(crate) use held::{Held, Pulse, acquire};
pub use held::{Patience, Waiting};
pub(crate) use sign::{Sign, read, release, try_claim};
pub use watch::{Judgement, Watch};

use std::{fmt, fs, time::Duration};
use wharf_model::Timestamp;

/// How long a lease lasts without a sign of life, and how often its holder gives one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// How long silence must last until others take over.
    pub lease: Duration,
    /// How often the holder gives a sign of life; several of them must fit into a lease.
    pub beat: Duration,
    /// How often a waiter looks.
    pub look: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { lease: Duration::from_secs(15), beat: Duration::from_secs(4), look: Duration::from_millis(250) }
    }
}

/// Which turn of holding the lease it is: counts up, and never counts the same twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Who holds a lease, in their own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The user and host.
    pub who: String,
    /// The process.
    pub pid: u32,
    /// What it does: `apply`.
    pub doing: String,
    /// Since when, by the holder's clock: to be shown, never to be judged by.
    pub since: Timestamp,
    /// Which run of which kernel it lives in; empty where that is not known.
    pub machine: String,
}

impl Holder {
    /// This process, doing something since `now`.
    pub fn this(who: String, doing: &str, now: Timestamp) -> Self {
        let machine = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
        Self { who, pid: std::process::id(), doing: doing.to_owned(), since: now, machine }
    }

    /// Whether its process would be seen by this kernel.
    pub(crate) fn is_near(&self, other: &Self) -> bool {
        !self.machine.is_empty() && self.machine == other.machine
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {}, `wharf {}`)", self.who, self.pid, self.doing)
    }
}

/// How the lease stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which turn.
    pub epoch: Epoch,
    /// Whose.
    pub holder: Holder,
    /// Whether it was given back, or taken away by `wharf lock release`.
    pub ended: bool,
}
