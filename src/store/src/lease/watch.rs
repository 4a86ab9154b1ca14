//! Judging whether a lease is still held, by what a waiter sees on its own clock.

use super::{Epoch, Sign};
use std::time::Duration;

/// What a waiter makes of what it has seen so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Nobody has it.
    Free,
    /// Its holder gave a sign of life while we watched.
    Alive,
    /// Nothing was heard of its holder yet, and not for long enough to take over.
    Quiet,
    /// Nothing was heard of its holder for a whole lease.
    Abandoned,
}

/// The memory of one waiter. Time is how long it has waited, by a clock that nobody sets.
#[derive(Debug, Clone)]
pub struct Watch {
    lease: Duration,
    seen: Option<(Epoch, u64)>,
    since: Duration,
    alive: bool,
}

impl Watch {
    /// A waiter that has seen nothing. `lease` is how long silence must last.
    pub fn new(lease: Duration) -> Self {
        Self { lease, seen: None, since: Duration::ZERO, alive: false }
    }

    /// Takes in what is seen after having waited for `now`.
    pub(crate) fn judge(&mut self, sign: Option<&Sign>, now: Duration) -> Judgement {
        let Some(sign) = sign.filter(|sign| !sign.ended) else { return Judgement::Free };
        let latest = (sign.epoch, sign.beat);
        if self.seen != Some(latest) {
            self.alive = self.seen.is_some();
            self.seen = Some(latest);
            self.since = now;
        }
        if now.saturating_sub(self.since) >= self.lease {
            return Judgement::Abandoned;
        }
        if self.alive { Judgement::Alive } else { Judgement::Quiet }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(15);

    fn check(signs: &[(u64, u64, u64, Judgement)]) {
        let mut watch = Watch::new(LEASE);
        for (second, epoch, beat, expected) in signs {
            let sign = Sign { epoch: Epoch(*epoch), beat: *beat, ended: false };
            assert_eq!(watch.judge(Some(&sign), Duration::from_secs(*second)), *expected, "at second {second}");
        }
    }

    #[test]
    fn a_holder_that_gives_signs_is_alive_and_one_that_is_silent_for_a_lease_is_not() {
        use Judgement::{Abandoned, Alive, Quiet};
        check(&[(0, 3, 7, Quiet), (4, 3, 8, Alive), (8, 3, 9, Alive), (22, 3, 9, Alive), (23, 3, 9, Abandoned)]);
        check(&[(0, 3, 7, Quiet), (14, 3, 7, Quiet), (15, 3, 7, Abandoned)]);
    }

    #[test]
    fn another_holder_gets_a_whole_lease_of_its_own() {
        use Judgement::{Abandoned, Alive, Quiet};
        check(&[(0, 3, 7, Quiet), (14, 4, 0, Alive), (28, 4, 0, Alive), (29, 4, 0, Abandoned)]);
    }

    #[test]
    fn what_was_given_back_is_free() {
        let mut watch = Watch::new(LEASE);
        assert_eq!(watch.judge(None, Duration::ZERO), Judgement::Free);
        let ended = Sign { epoch: Epoch(1), beat: 4, ended: true };
        assert_eq!(watch.judge(Some(&ended), Duration::ZERO), Judgement::Free);
    }
}
