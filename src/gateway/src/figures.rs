//! What is counted about requests, where all workers count together: statuses, times, bytes. Adding is a few relaxed
//! atomic steps; reading sees each count by itself, not all at one moment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The upper ends of the classes of times, in microseconds; what is longer falls into one more. Dense enough that a
/// percentile read from them is off by a quarter at most.
pub const TIMES: [u64; 30] = [
    100,
    160,
    250,
    400,
    640,
    1_000,
    1_600,
    2_500,
    4_000,
    6_400,
    10_000,
    16_000,
    25_000,
    40_000,
    64_000,
    100_000,
    160_000,
    250_000,
    400_000,
    640_000,
    1_000_000,
    1_600_000,
    2_500_000,
    4_000_000,
    6_400_000,
    10_000_000,
    16_000_000,
    25_000_000,
    60_000_000,
    600_000_000,
];

/// How often times fell into which class.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    classes: [AtomicU64; TIMES.len() + 1],
    micros: AtomicU64,
}

impl Histogram {
    pub(crate) fn note(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let class = TIMES.partition_point(|end| *end < micros);
        self.classes[class].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(crate) fn times(&self) -> Times {
        let classes = self.classes.iter().map(|class| class.load(Ordering::Relaxed)).collect();
        Times { classes, micros: self.micros.load(Ordering::Relaxed) }
    }
}

/// How often times fell into which class of [`TIMES`], counted from the gateway's start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// One for each of [`TIMES`], and one for what is longer.
    pub classes: Vec<u64>,
    /// All times together, in microseconds.
    pub micros: u64,
}

impl Times {
    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// What came since `before`, which was read earlier from the same gateway. After a restart of it: everything.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        if before.classes.len() != self.classes.len() || before.count() > self.count() {
            return self.clone();
        }
        let classes = self.classes.iter().zip(&before.classes).map(|(now, then)| now.saturating_sub(*then));
        Self { classes: classes.collect(), micros: self.micros.saturating_sub(before.micros) }
    }

    /// These and others together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let at = |times: &Self, class| times.classes.get(class).copied().unwrap_or(0);
        let most = self.classes.len().max(other.classes.len());
        let classes = (0..most).map(|class| at(self, class) + at(other, class)).collect();
        Self { classes, micros: self.micros + other.micros }
    }

    /// The upper end of each class with how many fell into it; that of the last is [`Duration::MAX`].
    pub fn by_end(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let ends = TIMES.into_iter().map(Duration::from_micros).chain(std::iter::once(Duration::MAX));
        ends.zip(self.classes.iter().copied())
    }

    /// The upper end of the class in which so many thousandths of all times end; none if there were no times.
    #[must_use]
    pub fn percentile(&self, thousandths: u64) -> Option<Duration> {
        let count = self.count();
        let rank = (count * thousandths).div_ceil(1_000).max(1);
        let mut seen = 0;
        let class = self.classes.iter().position(|class| {
            seen += class;
            seen >= rank
        })?;
        Some(Duration::from_micros(TIMES.get(class).copied().unwrap_or(TIMES[TIMES.len() - 1])))
    }
}

/// What is counted about an endpoint's requests.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Until the answer began.
    pub(crate) first_byte: Histogram,
    /// Until it had ended.
    pub(crate) whole: Histogram,
    /// By the hundreds of the status: 1xx first.
    statuses: [AtomicU64; 5],
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
}

impl Figures {
    pub(crate) fn note_status(&self, status: u16) {
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        self.statuses[class].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn statuses(&self) -> [u64; 5] {
        self.statuses.each_ref().map(|count| count.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(millis: &[u64]) -> Times {
        let histogram = Histogram::default();
        millis.iter().for_each(|time| histogram.note(Duration::from_millis(*time)));
        histogram.times()
    }

    #[test]
    fn a_percentile_is_the_end_of_its_class() {
        let hundred: Vec<u64> = std::iter::repeat_n(1, 98).chain([30, 5_000]).collect();
        let times = times(&hundred);
        let at = |thousandths| times.percentile(thousandths).unwrap().as_millis();
        assert_eq!((at(500), at(980), at(990), at(1_000)), (1, 1, 40, 6_400));
        assert_eq!((times.count(), times.micros), (100, 5_128_000));
    }

    #[test]
    fn nothing_has_no_percentile_and_what_is_endless_has_the_last() {
        assert_eq!(Times::default().percentile(500), None);
        assert_eq!(times(&[]).percentile(500), None);
        assert_eq!(times(&[700_000]).percentile(500), Some(Duration::from_secs(600)));
    }

    #[test]
    fn a_difference_shows_what_came_in_between() {
        let (before, after) = (times(&[1]), times(&[1, 9, 9]));
        assert_eq!(after.since(&before), Times { classes: times(&[9, 9]).classes, micros: 18_000 });
        assert_eq!(before.since(&after), before, "the gateway was restarted");
        assert_eq!(before.and(&times(&[9, 9])), after);
    }
}
