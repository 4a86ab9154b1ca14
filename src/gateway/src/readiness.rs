//! When an endpoint stops or starts being ready: a count of probes in a row. A plain value; asking the probes and
//! telling the data plane is for `supervision.rs`.

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
}
