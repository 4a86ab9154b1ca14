//! How much is let in: so many a second, so many at once.
//!
//! Both are counts that all workers share and that outlive a replacement of the configuration. Whether one more fits is a
//! function of values; the counting itself is one atomic step, so a limit holds exactly however many workers there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many there were in this second and the one before, in one word: 24 bits of the second's number, 20 bits for each
/// count. The largest limit that can be counted is [`Window::MOST`].
#[derive(Debug, Default)]
pub(crate) struct Window(AtomicU64);

/// A limit of so many a second has been reached; in so many whole seconds one more fits again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) u64);

const COUNT: u32 = 20;
const COUNT_MASK: u64 = (1 << COUNT) - 1;
const SECOND_MASK: u64 = (1 << 24) - 1;

impl Window {
    /// The largest limit.
    pub(crate) const MOST: u32 = COUNT_MASK as u32;

    /// Counts one in at `now`, in milliseconds, or says how long to wait. Any second, wherever it begins, sees at most
    /// `limit`, as far as the second before can be taken to have been even.
    pub(crate) fn admit(&self, now: u64, limit: u32) -> Result<(), Wait> {
        let counted = |word| Counts::at(word, now).one_more(now, limit).ok().map(|counts| counts.word());
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted) {
            Ok(_) => Ok(()),
            Err(word) => Counts::at(word, now).one_more(now, limit).map(|_| ()),
        }
    }

    /// Whether one more would fit.
    pub(crate) fn has_room(&self, now: u64, limit: u32) -> bool {
        Counts::at(self.0.load(Ordering::Relaxed), now).one_more(now, limit).is_ok()
    }
}

/// What a window's word says at some moment.
#[derive(Debug, Clone, Copy)]
struct Counts {
    second: u64,
    before: u64,
    now: u64,
}

impl Counts {
    fn at(word: u64, now: u64) -> Self {
        let second = (now / 1_000) & SECOND_MASK;
        let (known, before, count) = (word >> (2 * COUNT), (word >> COUNT) & COUNT_MASK, word & COUNT_MASK);
        match second.wrapping_sub(known) & SECOND_MASK {
            0 => Self { second, before, now: count },
            1 => Self { second, before: count, now: 0 },
            _ => Self { second, before: 0, now: 0 },
        }
    }

    fn one_more(self, now: u64, limit: u32) -> Result<Self, Wait> {
        let (limit, passed) = (u64::from(limit.min(Window::MOST)), now % 1_000);
        // In thousandths: of the second before, as much counts as a second that ends now would still see.
        if self.before * (1_000 - passed) + (self.now + 1) * 1_000 <= limit * 1_000 {
            return Ok(Self { now: self.now + 1, ..self });
        }
        Err(Wait(if self.now < limit { 1 } else { 2 }))
    }

    fn word(self) -> u64 {
        self.second << (2 * COUNT) | self.before << COUNT | self.now
    }
}

/// How many there are at once.
#[derive(Debug, Default)]
pub(crate) struct Gate(AtomicU64);

/// One that was let in through a gate; dropping it lets it out.
#[derive(Debug)]
pub(crate) struct Held(Arc<Gate>);

impl Gate {
    /// Lets one in, unless there are `limit` already.
    pub(crate) fn enter(self: &Arc<Self>, limit: u32) -> Option<Held> {
        let fits = |count| (count < u64::from(limit)).then_some(count + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(Held(self.clone()))
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks at these moments, in milliseconds, with a limit of 4 a second; `expected` has a letter for each: `y`, or the
    /// seconds to wait.
    fn check(moments: &[u64], expected: &str) {
        let window = Window::default();
        let ask = |now: &u64| match window.admit(*now, 4) {
            Ok(()) => "y".to_owned(),
            Err(Wait(seconds)) => seconds.to_string(),
        };
        assert_eq!(moments.iter().map(ask).collect::<String>(), expected, "{moments:?}");
    }

    #[test]
    fn a_burst_may_be_as_large_as_the_limit() {
        check(&[0, 0, 0, 0, 0, 999], "yyyy22");
        check(&[60_500, 60_500, 60_500, 60_500, 60_500], "yyyy2");
    }

    #[test]
    fn what_was_used_comes_back_over_the_next_second() {
        check(&[0, 0, 0, 0, 1_000, 1_249, 1_250, 1_250, 1_500, 1_750], "yyyy11y1yy");
        check(&[0, 0, 0, 0, 2_000, 2_000, 2_000, 2_000, 2_000], "yyyyyyyy2");
    }

    #[test]
    fn a_second_that_begins_anywhere_sees_the_limit() {
        check(&[900, 950, 960, 999, 1_001, 1_100], "yyyy11");
    }

    #[test]
    fn a_long_silence_does_not_matter() {
        check(&[0, 0, 0, 0, 3_600_000_000, 3_600_000_000], "yyyyyy");
    }

    #[test]
    fn the_largest_limit_can_be_counted() {
        let window = Window::default();
        (0..Window::MOST).for_each(|_| window.admit(0, u32::MAX).unwrap());
        window.admit(0, u32::MAX).unwrap_err();
    }

    #[test]
    fn threads_together_get_no_more_than_the_limit() {
        let (window, gate) = (Window::default(), Arc::new(Gate::default()));
        let admitted = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let got = (0..1_000).filter(|_| window.admit(5, 1_500).is_ok()).count();
                    admitted.fetch_add(got as u64, Ordering::Relaxed);
                    for _ in 0..1_000 {
                        let held = gate.enter(2);
                        assert!(gate.count() <= 2);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!((admitted.load(Ordering::Relaxed), gate.count()), (1_500, 0));
    }
}
