//! When an endpoint stops or starts being ready: a count of probes in a row; and when it is asked, so that many are not all
//! asked at one instant. Plain values; asking the probes and telling the data plane is for `supervision.rs`.

use std::time::Duration;

use crate::config::Probe;

/// How an endpoint's probes have gone lately.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Readiness {
    ready: bool,
    /// So many probes in a row said otherwise.
    against: u32,
}

impl Readiness {
    pub(crate) fn new(ready: bool) -> Self {
        Self { ready, against: 0 }
    }

    /// Takes one probe's outcome. Returns the readiness if this changed it.
    pub(crate) fn note(&mut self, passed: bool, probe: &Probe) -> Option<bool> {
        if passed == self.ready {
            self.against = 0;
            return None;
        }
        self.against = self.against.saturating_add(1);
        let needed = if self.ready { probe.failures } else { probe.successes };
        if self.against < needed {
            return None;
        }
        *self = Self { ready: passed, against: 0 };
        Some(passed)
    }
}

/// No endpoint waits longer than this for its first probe.
const FIRST: Duration = Duration::from_secs(1);

/// How long after an endpoint was made known it is asked first; `chance` is any number.
pub(crate) fn first_wait(every: Duration, chance: u64) -> Duration {
    share(every.min(FIRST), chance % 1_000)
}

/// How long it is from one probe's begin to the next: nine tenths of `every` to eleven.
pub(crate) fn wait(every: Duration, chance: u64) -> Duration {
    share(every, 900 + chance % 201)
}

fn share(whole: Duration, thousandths: u64) -> Duration {
    let micros = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(micros / 1_000 * thousandths + micros % 1_000 * thousandths / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds probes (`+` passed, `-` failed) to an endpoint that needs three failures and two successes; `expected`
    /// says after each whether it is ready (`R`) or not (`.`).
    fn check(probes: &str, expected: &str) {
        let probe = Probe { failures: 3, successes: 2, ..Probe::default() };
        let mut readiness = Readiness::new(true);
        let mut ready = true;
        let mut seen = String::new();
        for outcome in probes.chars() {
            ready = readiness.note(outcome == '+', &probe).unwrap_or(ready);
            seen.push(if ready { 'R' } else { '.' });
        }
        assert_eq!(seen, expected, "{probes}");
    }

    #[test]
    fn it_starts_ready_and_takes_failures_in_a_row() {
        check("+--+--+", "RRRRRRR");
        check("---", "RR.");
    }

    #[test]
    fn it_comes_back_after_successes_in_a_row() {
        check("---+-+-++", "RR......R");
    }

    #[test]
    fn a_flip_starts_the_count_afresh() {
        check("---++--+---", "RR..RRRRRR.");
    }

    #[test]
    fn probes_are_spread() {
        let random = crate::choice::Random::seeded(3);
        let every = Duration::from_secs(10);
        // A thousand endpoints that are made known at once, and asked ten times each.
        let mut asked = Vec::new();
        for _ in 0..1_000 {
            let mut at = first_wait(every, random.next());
            assert!(at < FIRST);
            for _ in 0..10 {
                asked.push(at);
                let next = wait(every, random.next());
                assert!((Duration::from_secs(9)..=Duration::from_secs(11)).contains(&next), "{next:?}");
                at += next;
            }
        }
        // Each hundredth of the first second has its part, and none has much more than that.
        let mut in_first = [0; 100];
        let early = asked.iter().filter(|at| **at < FIRST);
        early.for_each(|at| in_first[usize::try_from(at.as_millis() / 10).unwrap()] += 1);
        assert!(in_first.iter().all(|count| (1..=30).contains(count)), "{in_first:?}");
        assert_eq!(wait(Duration::from_millis(1), 0), Duration::from_micros(900));
        assert_eq!(first_wait(Duration::from_millis(2), 999), Duration::from_micros(1_998));
    }
}
