//! Whether the program of an instance lives: what its checks say together, and how often it is started again.
//!
//! Plain values with the time passed in, in milliseconds of whatever clock the caller keeps. Whoever supervises instances
//! asks what is due, runs the check, and notes the answer; who that is, is for each runtime to decide.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, time::Duration};
use wharf_model::{Check, Probe, Template};

/// One of the checks of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Whether the program is up.
    Startup,
    /// Whether it gets on while it starts.
    Progress,
    /// Whether it is to get requests.
    Readiness,
    /// Whether it still lives.
    Liveness,
}

impl Kind {
    /// Those that are asked in turn. The two lanes are asked side by side, so that no check waits for one that is to find
    /// out something else.
    pub const LANES: [[Self; 2]; 2] = [[Self::Startup, Self::Readiness], [Self::Progress, Self::Liveness]];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Startup => "startup",
            Self::Progress => "progress",
            Self::Readiness => "readiness",
            Self::Liveness => "liveness",
        })
    }
}

/// How one check is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// What is asked.
    pub how: How,
    /// The port that is asked, where it is not the instance's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How long after the start it is first.
    pub after_ms: u64,
    /// The time between two.
    pub every_ms: u64,
    /// How long an answer may take.
    pub timeout_ms: u64,
    /// So many failures in a row count.
    pub failures: u32,
    /// So many passes in a row count.
    pub successes: u32,
}

impl Asking {
    /// How long an answer may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

/// What a check asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The port.
    Port(wharf_gateway::Check),
    /// A program that is run in the instance. Never empty.
    Exec(Vec<String>),
}

/// All that a supervisor is to see to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Care {
    /// The checks that it makes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<Kind, Asking>,
    /// Whether a program that ended stays down.
    #[serde(default)]
    pub stays_down: bool,
}

impl Care {
    /// What a template wants seen to. Readiness is among the checks only where no gateway can judge it by itself: where a
    /// program tells, where another port is asked, where it or another check comes first, or where it ends the start.
    #[must_use]
    pub fn of(template: &Template) -> Self {
        let probes = &template.probes;
        let readiness = template.probe();
        let asks = matches!(readiness.check, Check::Exec(_)) || readiness.port.is_some();
        let told = asks || !readiness.initial_delay.is_zero() || probes.startup.is_some() || probes.progress.is_some();
        let checks = [
            (Kind::Startup, probes.startup.as_ref()),
            (Kind::Progress, probes.progress.as_ref()),
            (Kind::Readiness, told.then_some(&readiness)),
            (Kind::Liveness, probes.liveness.as_ref()),
        ];
        let checks = checks.into_iter().filter_map(|(kind, probe)| Some((kind, asking(probe?)))).collect();
        Self { checks, stays_down: template.crash_block }
    }

    /// Whether gateways must ask the supervisor whether the instance is ready, and not the instance.
    #[must_use]
    pub fn tells_readiness(&self) -> bool {
        self.checks.contains_key(&Kind::Readiness)
    }
}

fn asking(probe: &Probe) -> Asking {
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Asking {
        how: match &probe.check {
            Check::Exec(words) => How::Exec(words.iter().map(ToString::to_string).collect()),
            check => How::Port(crate::check(check)),
        },
        port: probe.port,
        after_ms: millis(probe.initial_delay),
        every_ms: millis(probe.every).max(1),
        timeout_ms: millis(probe.timeout),
        failures: probe.failures,
        successes: probe.successes,
    }
}

/// What a check heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Whether that counts as passed.
    pub passed: bool,
    /// In words: `HTTP 500: no model`.
    pub words: String,
}

/// So much of what a program that is run as a check said is kept.
const WORDS: usize = 512;

impl Heard {
    /// What a program that was run as a check said: how it ended, and the beginning of what it printed, on one line.
    #[must_use]
    pub fn ran(passed: bool, how: String, printed: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&printed[..printed.len().min(WORDS)]);
        let said = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { passed, words: if said.is_empty() { how } else { format!("{how}: {said}") } }
    }
}

/// How the checks of one life of a program have gone.
#[derive(Debug)]
pub struct Vitals {
    care: Care,
    /// Whether the start is over, and since when.
    up: Option<u64>,
    begun: u64,
    rows: BTreeMap<Kind, Row>,
}

/// How one check has gone.
#[derive(Debug, Default)]
struct Row {
    /// When it is next; before the first, what `Care` says.
    next: Option<u64>,
    /// So many answers in a row were failures.
    against: u32,
    /// So many in a row passed.
    passes: u32,
    /// Whether it passed often enough, and did not fail often enough since.
    holds: bool,
    last: Option<Heard>,
}

impl Vitals {
    /// Of a program that has just been started.
    #[must_use]
    pub fn new(care: Care, now: u64) -> Self {
        let starts = care.checks.contains_key(&Kind::Startup) || care.checks.contains_key(&Kind::Progress);
        let up = (!starts).then_some(now);
        Self { care, up, begun: now, rows: BTreeMap::new() }
    }

    /// The same of one whose start was seen to be over before `now`, by whoever watched it then; `ready` is what they last
    /// said of it.
    #[must_use]
    pub fn resumed(care: Care, now: u64, ready: Option<Heard>) -> Self {
        let row = |heard: Heard| (Kind::Readiness, Row { holds: heard.passed, last: Some(heard), ..Row::default() });
        Self { up: Some(now), rows: ready.map(row).into_iter().collect(), ..Self::new(care, now) }
    }

    /// Whether the start is over.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.up.is_some()
    }

    /// The next check among these, and its moment; `None` where there is none before the start is over.
    #[must_use]
    pub fn due(&self, among: &[Kind]) -> Option<(Kind, u64)> {
        let checks = self.care.checks.iter().filter(|(kind, _)| among.contains(kind) && self.counts(**kind));
        let moments = checks.map(|(kind, asking)| {
            let next = self.rows.get(kind).and_then(|row| row.next);
            (*kind, next.unwrap_or(self.begun + asking.after_ms).max(self.up.unwrap_or(0)))
        });
        moments.min_by_key(|(_, at)| *at)
    }

    /// How a check is made.
    #[must_use]
    pub fn asking(&self, kind: Kind) -> Option<&Asking> {
        self.care.checks.get(&kind)
    }

    /// Whether a check is made now: some are only while the program starts, the others only afterwards.
    fn counts(&self, kind: Kind) -> bool {
        let ends_start = |kind| match kind {
            Kind::Startup => true,
            Kind::Readiness => !self.care.checks.contains_key(&Kind::Startup),
            Kind::Progress | Kind::Liveness => false,
        };
        match self.up {
            None => ends_start(kind) || kind == Kind::Progress,
            Some(_) => matches!(kind, Kind::Readiness | Kind::Liveness),
        }
    }

    /// Takes the answer of a check that was asked at `asked`. Says why where the program must end; never for a check that
    /// is not made any more, as the start was over before it was answered. `chance` is any number: checks of many instances
    /// that were started together spread by it.
    pub fn note(&mut self, kind: Kind, heard: Heard, asked: u64, chance: u64) -> Option<String> {
        if !self.counts(kind) {
            return None;
        }
        let asking = self.care.checks.get(&kind)?;
        let row = self.rows.entry(kind).or_default();
        row.next = Some(asked + jittered(asking.every_ms, chance));
        let same = row.last.as_ref().is_some_and(|last| *last == heard);
        let passed = heard.passed;
        row.last = Some(heard);
        let against = match kind {
            Kind::Progress => !passed || same,
            Kind::Startup | Kind::Readiness | Kind::Liveness => !passed,
        };
        row.against = if against { row.against.saturating_add(1) } else { 0 };
        row.passes = if passed { row.passes.saturating_add(1) } else { 0 };
        let failed = row.against >= asking.failures;
        row.holds = match kind {
            Kind::Readiness if failed => false,
            Kind::Readiness | Kind::Startup if row.passes >= asking.successes => true,
            _ => row.holds,
        };
        if self.up.is_none() && row.holds {
            self.up = Some(asked);
        }
        (failed && kind != Kind::Readiness).then(|| self.why(kind))
    }

    fn why(&self, kind: Kind) -> String {
        let row = &self.rows[&kind];
        let words = row.last.as_ref().map_or("", |last| &last.words);
        let times = if row.against == 1 { "once".to_owned() } else { format!("{} times in a row", row.against) };
        match kind {
            Kind::Progress => format!("its start did not get on: progress said {times}: {words}"),
            _ => format!("{kind} failed {times}: {words}"),
        }
    }

    /// What a gateway is to believe about readiness.
    #[must_use]
    pub fn ready(&self) -> Heard {
        let last = |kind| self.rows.get(&kind).and_then(|row| row.last.as_ref());
        if self.up.is_none()
            && let Some(startup) = last(Kind::Startup)
        {
            return Heard { passed: false, words: format!("starting: {}", startup.words) };
        }
        match (self.rows.get(&Kind::Readiness), last(Kind::Readiness)) {
            (Some(row), Some(heard)) => Heard { passed: row.holds, words: heard.words.clone() },
            _ => Heard { passed: false, words: "starting".to_owned() },
        }
    }

    /// The last answer of each check.
    pub fn last(&self) -> impl Iterator<Item = (Kind, &Heard)> {
        self.rows.iter().filter_map(|(kind, row)| Some((*kind, row.last.as_ref()?)))
    }
}

/// A tenth more or less.
fn jittered(every: u64, chance: u64) -> u64 {
    let room = every / 5;
    every - room / 2 + chance % (room + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_second(failures: u32) -> Asking {
        let how = How::Port(wharf_gateway::Check::Tcp);
        Asking { how, port: None, after_ms: 0, every_ms: 1_000, timeout_ms: 1_000, failures, successes: 1 }
    }

    fn vitals(checks: &[(Kind, u32)]) -> Vitals {
        let checks = checks.iter().map(|(kind, failures)| (*kind, every_second(*failures))).collect();
        Vitals::new(Care { checks, stays_down: false }, 0)
    }

    /// Plays answers of whatever is due: `+` passes, `-` fails, any other letter passes and says itself. `told` says for
    /// each which check was asked, and at the end why the program must end.
    fn check(checks: &[(Kind, u32)], answers: &str, told: &str) {
        let mut vitals = vitals(checks);
        let mut seen = String::new();
        for answer in answers.chars() {
            let (kind, at) = vitals.due(Kind::LANES.as_flattened()).unwrap();
            seen.extend(kind.to_string().chars().next());
            let heard = Heard { passed: answer != '-', words: answer.to_string() };
            // Half of the room is the span itself.
            if let Some(why) = vitals.note(kind, heard, at, 100) {
                seen = format!("{seen} {why}");
            }
        }
        assert_eq!(seen, told);
    }

    #[test]
    fn liveness_fails_after_failures_in_a_row() {
        check(&[(Kind::Liveness, 3)], "+--+---", "lllllll liveness failed 3 times in a row: -");
    }

    #[test]
    fn startup_holds_the_others_back_and_ends_once() {
        let checks = [(Kind::Startup, 4), (Kind::Liveness, 2), (Kind::Readiness, 3)];
        check(&checks, "---+", "ssss");
        check(&checks, "---++-+-", "ssssrlrl liveness failed 2 times in a row: -");
        check(&checks, "----", "ssss startup failed 4 times in a row: -");
    }

    #[test]
    fn a_start_that_says_the_same_does_not_get_on() {
        let checks = [(Kind::Progress, 2), (Kind::Startup, 100)];
        check(&checks, "-a-b-c-d", "spspspsp");
        check(&checks, "-a-a-a", "spspsp its start did not get on: progress said 2 times in a row: a");
    }

    #[test]
    fn an_answer_that_comes_after_the_start_ends_nothing() {
        let mut vitals = vitals(&[(Kind::Progress, 1), (Kind::Startup, 9)]);
        let say = |passed| Heard { passed, words: "100%".to_owned() };
        assert_eq!(vitals.note(Kind::Progress, say(true), 0, 0), None);
        vitals.note(Kind::Startup, say(true), 1_000, 0);
        assert!(vitals.is_up());
        assert_eq!(vitals.note(Kind::Progress, say(true), 1_001, 0), None, "it was asked while the start went on");
    }

    #[test]
    fn readiness_is_told_with_its_reason() {
        let mut vitals = vitals(&[(Kind::Startup, 9), (Kind::Readiness, 2)]);
        let say = |passed, words: &str| Heard { passed, words: words.to_owned() };
        assert_eq!(vitals.ready(), say(false, "starting"));
        vitals.note(Kind::Startup, say(false, "HTTP 503"), 0, 0);
        assert_eq!(vitals.ready(), say(false, "starting: HTTP 503"));
        vitals.note(Kind::Startup, say(true, "HTTP 200"), 1, 0);
        vitals.note(Kind::Readiness, say(true, "ended with 0"), 2, 0);
        assert_eq!(vitals.ready(), say(true, "ended with 0"));
        vitals.note(Kind::Readiness, say(false, "ended with 1"), 3, 0);
        assert!(vitals.ready().passed, "one failure of two");
        vitals.note(Kind::Readiness, say(false, "ended with 1"), 4, 0);
        assert_eq!(vitals.ready(), say(false, "ended with 1"));
    }

    #[test]
    fn checks_spread_by_a_tenth() {
        let spread: Vec<u64> = [0, 100, 200].map(|chance| jittered(1_000, chance)).to_vec();
        assert_eq!(spread, [900, 1_000, 1_100]);
        assert_eq!(jittered(1, 7), 1);
    }
}
