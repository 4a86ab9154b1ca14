//! What a route or a listener has taken on: counts that outlive a replacement of the configuration, so that nobody gets
//! a limit twice by changing something else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::config::Limits;
use crate::limit::{Gate, Held, Wait, Window};
use crate::refusal::Refusal;

/// So many requests wait for each instance where nobody said how many, as on EAS.
const QUEUE: u32 = 64;

/// The counts of one route or listener.
#[derive(Debug, Default)]
pub(crate) struct Load {
    lately: Window,
    at_once: Arc<Gate>,
    /// Requests that wait because all instances have as much as they take.
    waiting: Arc<Gate>,
    /// Told, one waiting request each time, when an instance has room again.
    pub(crate) freed: Notify,
    /// Warnings about what was refused.
    told: Window,
    refused: [AtomicU64; Refusal::REASONS.len()],
}

impl Load {
    /// Lets a request in; `now` is asked for the time, in milliseconds, if it matters. What is held counts until it is
    /// dropped.
    pub(crate) fn admit(&self, limits: &Limits, now: impl FnOnce() -> u64) -> Result<Option<Held>, Refusal> {
        let at_once = limits.concurrency.map(|limit| self.at_once.enter(limit).ok_or(Refusal::TooManyAtOnce));
        let at_once = at_once.transpose()?;
        if let Some(limit) = limits.rate {
            self.lately.admit(now(), limit).map_err(|Wait(seconds)| Refusal::TooManyRequests { seconds })?;
        }
        Ok(at_once)
    }

    /// Whether a request that comes now has others before it.
    pub(crate) fn has_queue(&self, limits: &Limits) -> bool {
        limits.instance_concurrency.is_some() && self.waiting.count() > 0
    }

    /// Takes a place in the queue for `instances`, if there is one.
    pub(crate) fn queue(&self, limits: &Limits, instances: usize) -> Option<Held> {
        let instances = u32::try_from(instances).unwrap_or(u32::MAX).max(1);
        self.waiting.enter(limits.queue.unwrap_or(QUEUE).saturating_mul(instances))
    }

    /// How many requests wait.
    pub(crate) fn queued(&self) -> u64 {
        self.waiting.count()
    }

    pub(crate) fn note_refused(&self, refusal: Refusal) {
        self.refused[refusal.number()].fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it is time for another warning: a service that is down is refused everything.
    pub(crate) fn may_tell(&self, now: u64) -> bool {
        self.told.admit(now, 1).is_ok()
    }

    /// How often each reason to refuse a request occurred, those that never did left out.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = Refusal::REASONS.iter().zip(&self.refused);
        counts.map(|(reason, count)| (*reason, count.load(Ordering::Relaxed))).filter(|(_, count)| *count > 0)
    }
}
