//! When an endpoint is passed over because of how its requests went, for how long, and how it comes back.
//!
//! Probes ask an instance how it is; this looks at what it does. A plain value: the time is handed in, in milliseconds,
//! counting is the caller's.

/// So many requests in a row that ended badly make an endpoint an outlier.
pub(crate) const FAULTS_IN_A_ROW: u32 = 5;

/// How long the first ejection lasts; each that follows soon lasts twice as long, up to the longest.
const SHORTEST: u64 = 1_000;
const LONGEST: u64 = 30_000;

/// An endpoint that kept out of trouble for so long starts afresh.
const FORGOTTEN: u64 = 60_000;

/// How long an endpoint takes to get its whole part again, and with how many thousandths of it it starts.
const RETURN: u64 = 10_000;
const RETURN_FROM: u64 = 100;

/// How a request ended badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No connection came about: there is nobody.
    Unreachable,
    /// The connection broke, or no answer came in time.
    NoAnswer,
    /// The answer was a status from 500 on.
    ServerError,
}

/// Whether an ejected endpoint is better than none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ejection {
    /// It is there, but does badly: when most do, it may be the requests.
    Soft,
    /// Connections to it fail.
    Hard,
}

/// What is remembered of an endpoint's troubles.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Outlier {
    ejections: u32,
    until: u64,
}

impl Outlier {
    /// Judges a fault at `now`, the `in_a_row`-th without a good answer in between. Returns until when the endpoint is
    /// passed over, if it is.
    pub(crate) fn judge(&mut self, fault: Fault, in_a_row: u32, now: u64) -> Option<(Ejection, u64)> {
        let ejection = match fault {
            Fault::Unreachable => Ejection::Hard,
            Fault::NoAnswer | Fault::ServerError if in_a_row >= FAULTS_IN_A_ROW => Ejection::Soft,
            Fault::NoAnswer | Fault::ServerError => return None,
        };
        // Requests that were under way when it was ejected say nothing new.
        if now < self.until {
            return Some((ejection, self.until));
        }
        let forgotten = now > self.until + FORGOTTEN;
        self.ejections = if forgotten { 0 } else { self.ejections };
        let lasts = SHORTEST.checked_shl(self.ejections).map_or(LONGEST, |lasts| lasts.min(LONGEST));
        self.ejections = (self.ejections + 1).min(30);
        self.until = now + lasts;
        Some((ejection, self.until))
    }
}

/// How many thousandths of its part an endpoint gets at `now` that was passed over until `until`; 0 when it never was.
pub(crate) fn part(until: u64, now: u64) -> u64 {
    if until == 0 || now >= until + RETURN {
        return 1_000;
    }
    let back = now.saturating_sub(until);
    RETURN_FROM + (1_000 - RETURN_FROM) * back / RETURN
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds faults as `unreachable 0`, `error*5 1000` (the fifth in a row, at a second) and compares until when it is
    /// passed over.
    fn check(faults: &[(&str, &str)]) {
        let mut outlier = Outlier::default();
        for (fault, expected) in faults {
            let (word, now) = fault.split_once(' ').unwrap();
            let (word, in_a_row) = word.split_once('*').unwrap_or((word, "1"));
            let fault = match word {
                "unreachable" => Fault::Unreachable,
                "silent" => Fault::NoAnswer,
                _ => Fault::ServerError,
            };
            let judged = outlier.judge(fault, in_a_row.parse().unwrap(), now.parse().unwrap());
            let words = judged.map_or("stays".to_owned(), |(ejection, until)| format!("{ejection:?} {until}"));
            assert_eq!(&words, expected, "{word}*{in_a_row} at {now}");
        }
    }

    #[test]
    fn an_unreachable_one_is_ejected_at_once() {
        check(&[("unreachable 500", "Hard 1500")]);
    }

    #[test]
    fn a_burst_of_errors_or_silence_ejects_softly() {
        check(&[("error*4 10", "stays"), ("error*5 20", "Soft 1020")]);
        check(&[("silent*5 10", "Soft 1010")]);
    }

    #[test]
    fn each_ejection_lasts_twice_as_long_until_it_was_good_for_a_while() {
        let faults = [
            ("unreachable 0", "Hard 1000"),
            ("unreachable 999", "Hard 1000"),
            ("unreachable 1000", "Hard 3000"),
            ("unreachable 3000", "Hard 7000"),
            ("error*5 7000", "Soft 15000"),
            ("error*5 15000", "Soft 31000"),
            ("error*5 31000", "Soft 61000"),
            ("error*5 61000", "Soft 91000"),
            ("error*5 151001", "Soft 152001"),
        ];
        check(&faults);
    }

    #[test]
    fn it_comes_back_little_by_little() {
        let parts = [(0, 1_000), (5_000, 100), (10_000, 550), (14_999, 999), (15_000, 1_000)];
        assert_eq!(part(0, 0), 1_000);
        for (now, expected) in &parts[1..] {
            assert_eq!(part(5_000, *now), *expected, "at {now}");
        }
    }
}
