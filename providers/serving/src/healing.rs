//! What becomes of programs that end while they are wanted, and the line that a log has of it.
//!
//! Plain values. Whoever supervises instances waits, starts, and keeps the log.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The format of the lines.
const FORMAT: u32 = 1;
/// A program that lived for so long was not ended by what ended it before.
const STEADY: Duration = Duration::from_secs(60);
/// The pause before the first time that a program is started again, and before the second; from there on it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const SECOND_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// So often a program is started again without having lived steadily in between.
const TRIES: u32 = 10;

/// What becomes of a program that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is started again.
    Again {
        /// After so long.
        after: Duration,
        /// For the how manieth time without having lived steadily in between.
        attempt: u32,
    },
    /// It stays down: it was started again often enough.
    Down,
}

/// What becomes of a program that ended after it had `lived` for so long, and was started again `attempts` times without
/// having lived steadily in between.
#[must_use]
pub fn next(attempts: u32, lived: Duration) -> Next {
    let attempts = if lived >= STEADY { 0 } else { attempts };
    if attempts >= TRIES {
        return Next::Down;
    }
    let doubled = |count: u32| SECOND_PAUSE.saturating_mul(1 << count.min(16)).min(LONGEST_PAUSE);
    Next::Again { after: attempts.checked_sub(1).map_or(FIRST_PAUSE, doubled), attempt: attempts + 1 }
}

/// The restarts of one instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// All of them.
    pub count: u32,
    /// Those without a steady life in between.
    pub attempts: u32,
}

impl Course {
    /// Says what becomes of a program that ended after it had `lived` for so long, and counts it.
    pub fn after(&mut self, lived: Duration) -> Next {
        let next = next(self.attempts, lived);
        if let Next::Again { attempt, .. } = next {
            self.attempts = attempt;
            self.count += 1;
        }
        next
    }

    /// The line that tells of it. `at` is in milliseconds since the Unix epoch.
    #[must_use]
    pub fn line(&self, instance: &str, at: u64, because: &str, lived: Duration, next: Next) -> Healed {
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let (what, after) = match next {
            Next::Again { after, .. } => ("restart", Some(after)),
            Next::Down => ("give-up", None),
        };
        Healed {
            format: FORMAT,
            at,
            instance: instance.to_owned(),
            what,
            because: because.to_owned(),
            lived_ms: millis(lived),
            after_ms: after.map(millis),
            restarts: self.count,
        }
    }
}

/// A line of `healing.jsonl`.
#[derive(Debug, Serialize)]
pub struct Healed {
    format: u32,
    /// Milliseconds since the Unix epoch.
    at: u64,
    instance: String,
    /// `restart` or `give-up`.
    what: &'static str,
    because: String,
    /// How long the program had lived.
    lived_ms: u64,
    /// How long it is waited before it is started again.
    #[serde(skip_serializing_if = "Option::is_none")]
    after_ms: Option<u64>,
    /// How often it was started again by now.
    restarts: u32,
}

/// How often an instance was started again, as it is kept for whoever looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRestarts {
    /// The version of this.
    pub format: u32,
    /// So often.
    pub count: u32,
    /// Why the last time.
    pub because: String,
    /// When; milliseconds since the Unix epoch.
    pub at: u64,
}

impl StoredRestarts {
    /// Of an instance that is started again now, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn of(course: &Course, because: String, at: u64) -> Self {
        Self { format: FORMAT, count: course.count, because, at }
    }
}

impl From<StoredRestarts> for wharf_model::Restarts {
    fn from(StoredRestarts { format: _, count, because, at }: StoredRestarts) -> Self {
        Self { count, because, at: wharf_model::Timestamp(at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_a_steady_life_ends_them() {
        let (mut attempts, mut pauses) = (0, Vec::new());
        while let Next::Again { after, attempt } = next(attempts, Duration::from_secs(1)) {
            pauses.push(after.as_millis());
            attempts = attempt;
        }
        assert_eq!(pauses, [100, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
        let first = Next::Again { after: FIRST_PAUSE, attempt: 1 };
        assert_eq!(next(attempts, STEADY), first);
    }

    #[test]
    fn a_restart_is_told_on_a_line() {
        let mut course = Course::default();
        let next = course.after(Duration::from_secs(5));
        let line = course.line("hello-0-g1", 7, "exited with code 3", Duration::from_secs(5), next);
        let text = r#"{"format":1,"at":7,"instance":"hello-0-g1","what":"restart","because":"exited with code 3","lived_ms":5000,"after_ms":100,"restarts":1}"#;
        assert_eq!(serde_json::to_string(&line).unwrap(), text);
    }
}
