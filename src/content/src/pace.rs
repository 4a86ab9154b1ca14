//! How a download goes, in words: how much is there, how fast more comes, how long the rest takes.

use std::time::Duration;
use wharf_model::{Bytes, print_duration};

/// The rate is that of about so long.
const MEMORY: Duration = Duration::from_secs(8);

/// What is known of a download at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    /// How much is there.
    done: u64,
    /// When that was, since the beginning.
    at: Duration,
    /// Bytes a second.
    rate: Option<f64>,
}

impl Pace {
    /// At the beginning, with what was there before.
    pub(crate) fn begin(done: u64) -> Self {
        Self { done, at: Duration::ZERO, rate: None }
    }

    /// A while later.
    pub(crate) fn next(self, done: u64, at: Duration) -> Self {
        let span = at.saturating_sub(self.at).as_secs_f64().max(0.001);
        let now = done.saturating_sub(self.done) as f64 / span;
        let weight = (span / MEMORY.as_secs_f64()).min(1.0);
        let rate = self.rate.map_or(now, |rate| rate + (now - rate) * weight);
        Self { done, at, rate: Some(rate) }
    }

    /// For people.
    pub(crate) fn words(self, whole: u64) -> String {
        let so_far = format!("{} of {}", Bytes(self.done).about(), Bytes(whole).about());
        let Some(rate) = self.rate.filter(|rate| *rate >= 1.0) else { return so_far };
        let left = Duration::from_secs_f64((whole.saturating_sub(self.done) as f64 / rate).min(1e9));
        let left = print_duration(Duration::from_secs(left.as_secs_f64().ceil() as u64));
        format!("{so_far}, {}/s, {left} left", Bytes(rate as u64).about())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_tells_what_is_left() {
        let pace = Pace::begin(0);
        assert_eq!(pace.words(4 << 20), "0B of 4MiB");
        let pace = pace.next(1 << 20, Duration::from_secs(1));
        assert_eq!(pace.words(4 << 20), "1MiB of 4MiB, 1MiB/s, 3s left");
        let stalled = pace.next(1 << 20, Duration::from_secs(9));
        assert_eq!(stalled.words(4 << 20), "1MiB of 4MiB");
    }
}
