//! Whether new instances do as well as a gate asks, by what gateways have counted.
//!
//! The new ones are held against the limits and against the old ones at the same time: what the old ones do no better is
//! not the new revision's fault. Too few requests judge nothing, but as many errors as no further request could make good
//! are enough.

use std::{fmt, time::Duration};
use wharf_model::{Figures, Gate, print_duration};

/// How many requests it takes, when the gate does not say.
const REQUESTS: u32 = 100;

/// What is known of both revisions since the step began to be watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Of the instances of the new revision together.
    pub new: Figures,
    /// Of all others together, at the same time.
    pub old: Figures,
    /// How many new instances that served have ended by themselves.
    pub ended: u32,
}

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The new instances do as well as it asks.
    Pass,
    /// Nothing speaks against them, and too few requests for them.
    Wait {
        /// How many requests they had.
        seen: u64,
        /// How many it takes.
        needed: u64,
    },
    /// They do not.
    Fail(Breach),
}

/// Which limit new instances do not keep to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breach {
    /// Too many errors.
    Errors {
        /// Errors and requests of the new instances.
        new: (u64, u64),
        /// Errors and requests of the old ones.
        old: (u64, u64),
        /// At most so many of a hundred.
        limit: u32,
    },
    /// Answers begin too late.
    Slow {
        /// Within what 99 of 100 answers of the new instances begin, and of how many.
        new: (Duration, u64),
        /// The same of the old ones, if they had any.
        old: (Option<Duration>, u64),
        /// At most so late.
        limit: Duration,
    },
    /// Too many ended by themselves.
    Ended {
        /// How many.
        ended: u32,
        /// At most so many.
        limit: u32,
    },
}

/// Judges new instances.
pub fn judge(gate: &Gate, evidence: &Evidence) -> Verdict {
    let Gate { error_rate, latency_p99, restarts, requests } = gate;
    let Evidence { new, old, ended } = evidence;
    let needed = u64::from(requests.unwrap_or(REQUESTS));
    let errors = error_rate.and_then(|limit| too_many_errors(limit, new, old, needed));
    let slow = latency_p99.and_then(|limit| too_slow(limit, new, old, needed));
    let dead = restarts.filter(|limit| ended > limit).map(|limit| Breach::Ended { ended: *ended, limit });
    match dead.or(errors).or(slow) {
        Some(breach) => Verdict::Fail(breach),
        None if new.requests < needed && (error_rate.is_some() || latency_p99.is_some()) => {
            Verdict::Wait { seen: new.requests, needed }
        }
        None => Verdict::Pass,
    }
}

/// More errors than the limit allows, also if all requests that are still needed went well.
fn too_many_errors(limit: u32, new: &Figures, old: &Figures, needed: u64) -> Option<Breach> {
    let allowed = u128::from(limit) * u128::from(new.requests.max(needed));
    let over = u128::from(new.errors) * 100 > allowed;
    let share = |one: &Figures, of: &Figures| u128::from(one.errors) * u128::from(of.requests);
    let excused = old.requests >= needed && share(new, old) <= share(old, new);
    let breach = Breach::Errors { new: (new.errors, new.requests), old: (old.errors, old.requests), limit };
    (over && !excused).then_some(breach)
}

fn too_slow(limit: Duration, new: &Figures, old: &Figures, needed: u64) -> Option<Breach> {
    let (count, known) = (new.first_byte.count(), old.first_byte.count());
    let (late, others) = (new.first_byte.within(990).filter(|_| new.requests >= needed)?, old.first_byte.within(990));
    let excused = known >= needed && others.is_some_and(|others| late <= others);
    (late > limit && !excused).then_some(Breach::Slow { new: (late, count), old: (others, known), limit })
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errors { new, old, limit } => {
                write!(f, "{} failed, and at most {limit} % may", Rate(*new))?;
                match old {
                    (_, 0) => write!(f, "; the old ones had no requests"),
                    old => write!(f, "; of the old ones {}", Rate(*old)),
                }
            }
            Self::Slow { new: (late, count), old, limit } => {
                let limit = print_duration(*limit);
                write!(
                    f,
                    "99 of 100 answers began within {} ({count} answers), and {limit} is allowed",
                    rounded(*late)
                )?;
                match old {
                    (Some(others), count) => {
                        write!(f, "; of the old ones within {} ({count} answers)", rounded(*others))
                    }
                    (None, _) => write!(f, "; the old ones had no requests"),
                }
            }
            Self::Ended { ended, limit } => write!(f, "{ended} ended by themselves, and at most {limit} may"),
        }
    }
}

/// `12 of 80 requests (15 %)`.
struct Rate((u64, u64));

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (errors, requests) = self.0;
        let tenths = (u128::from(errors) * 1_000).checked_div(u128::from(requests)).unwrap_or(0);
        let share = if tenths.is_multiple_of(10) {
            (tenths / 10).to_string()
        } else {
            format!("{}.{}", tenths / 10, tenths % 10)
        };
        write!(f, "{errors} of {requests} requests ({share} %)")
    }
}

/// To a millisecond: the classes of a histogram tell no more.
fn rounded(span: Duration) -> String {
    print_duration(Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_model::Times;

    /// So many requests, so many errors, all answers within so many milliseconds.
    fn figures(requests: u64, errors: u64, millis: u64) -> Figures {
        let end = Duration::from_millis(millis);
        Figures { requests, errors, first_byte: Times { classes: vec![(Duration::ZERO, 0), (end, requests)] } }
    }

    fn check(gate: Gate, new: Figures, old: Figures, expected: &str) {
        let found = match judge(&gate, &Evidence { new, old, ended: 1 }) {
            Verdict::Pass => "pass".to_owned(),
            Verdict::Wait { seen, needed } => format!("{seen} of {needed}"),
            Verdict::Fail(breach) => breach.to_string(),
        };
        assert_eq!(found, expected);
    }

    const ERRORS: Gate = Gate { error_rate: Some(1), latency_p99: None, restarts: None, requests: None };
    const SLOW: Gate =
        Gate { error_rate: None, latency_p99: Some(Duration::from_millis(800)), restarts: None, requests: Some(20) };

    #[test]
    fn errors_are_held_against_the_limit_and_the_old_ones() {
        let quiet = Figures::default;
        check(ERRORS, figures(99, 1, 1), quiet(), "99 of 100");
        check(ERRORS, figures(100, 1, 1), quiet(), "pass");
        check(ERRORS, figures(200, 3, 1), figures(300, 9, 1), "pass");
        check(
            ERRORS,
            figures(200, 3, 1),
            figures(300, 1, 1),
            "3 of 200 requests (1.5 %) failed, and at most 1 % may; of the old ones 1 of 300 requests (0.3 %)",
        );
    }

    #[test]
    fn errors_that_nothing_can_make_good_need_no_more_requests() {
        check(
            ERRORS,
            figures(2, 2, 1),
            Figures::default(),
            "2 of 2 requests (100 %) failed, and at most 1 % may; the old ones had no requests",
        );
        // A few requests of the old ones excuse nothing.
        check(
            ERRORS,
            figures(2, 2, 1),
            figures(1, 1, 1),
            "2 of 2 requests (100 %) failed, and at most 1 % may; of the old ones 1 of 1 requests (100 %)",
        );
    }

    #[test]
    fn late_answers_are_held_against_the_limit_and_the_old_ones() {
        check(SLOW, figures(19, 0, 900), Figures::default(), "19 of 20");
        check(SLOW, figures(20, 0, 700), Figures::default(), "pass");
        check(SLOW, figures(20, 0, 900), figures(20, 0, 900), "pass");
        check(
            SLOW,
            figures(20, 0, 1_000),
            figures(90, 0, 500),
            "99 of 100 answers began within 1s (20 answers), and 800ms is allowed; of the old ones within 500ms (90 answers)",
        );
    }

    #[test]
    fn ends_are_counted_without_any_request() {
        let gate = |limit| Gate { restarts: Some(limit), ..Gate::default() };
        check(gate(1), Figures::default(), Figures::default(), "pass");
        check(gate(0), Figures::default(), Figures::default(), "1 ended by themselves, and at most 0 may");
    }

    #[test]
    fn no_gate_asks_for_no_requests() {
        check(Gate::default(), Figures::default(), Figures::default(), "pass");
    }
}
