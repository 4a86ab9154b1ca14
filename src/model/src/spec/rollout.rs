//! How instances are replaced, and how one is stopped.

use super::words::after;
use crate::{CountOrPercent, Field, entries::List, print_duration};
use std::{fmt, time::Duration};

/// How instances are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutPolicy {
    /// How many instances there may be beyond the count; rounds up.
    pub max_surge: CountOrPercent,
    /// How many may be missing from the count; rounds down.
    pub max_unavailable: CountOrPercent,
    /// How long an instance must have been ready before it gets requests.
    pub min_ready: Duration,
    /// How long a rollout may go on without one more ready instance.
    pub deadline: Duration,
    /// What happens to a rollout that fails.
    pub on_failure: OnFailure,
    /// In which steps it goes; as fast as the counts allow when absent.
    pub pace: Option<Pace>,
    /// Whether it waits where it is until somebody lets it go on.
    pub paused: bool,
}

impl RolloutPolicy {
    /// The gates of its steps.
    pub fn gates(&self) -> impl Iterator<Item = &Gate> {
        let canary = match &self.pace {
            Some(Pace::Canary(canary)) => Some(canary),
            _ => None,
        };
        canary
            .into_iter()
            .flat_map(|canary| canary.steps.iter().filter_map(|step| step.gate.as_ref()).chain([&canary.gate]))
    }

    pub(crate) fn list(&self, list: &mut List) {
        let Self { max_surge, max_unavailable, min_ready, deadline, on_failure, pace, paused } = self;
        let failure = match on_failure {
            OnFailure::RollBack => "rollback",
            OnFailure::Halt => "halt",
        };
        let (min_ready, deadline) = (print_duration(*min_ready), print_duration(*deadline));
        let text = format!(
            "max-surge {max_surge}, max-unavailable {max_unavailable}, min-ready {min_ready}, deadline {deadline}, \
             on-failure {failure}"
        );
        list.text(Field::Rollout, text);
        match pace {
            None => {}
            Some(Pace::Batch(batch)) => list.text(Field::Batch, batch),
            Some(Pace::Partition(kept)) => list.text(Field::Partition, format!("{kept} kept as they are")),
            Some(Pace::Canary(canary)) => canary.list(list),
        }
        list.flag(Field::Paused, *paused);
    }
}

/// In which steps a rollout goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pace {
    /// So many at a time.
    Batch(Batch),
    /// So many stay of the revision before.
    Partition(CountOrPercent),
    /// A few first, and more when they do well.
    Canary(Canary),
}

/// So many at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// How many.
    pub size: CountOrPercent,
    /// How long between two.
    pub interval: Duration,
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} every {}", self.size, print_duration(self.interval))
    }
}

/// A few first, and more when they do well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// The steps, each larger than the one before. Never empty.
    pub steps: Vec<CanaryStep>,
    /// What must hold while a step is watched, and at its end.
    pub gate: Gate,
    /// How long old instances go on beside all the new ones, behind the last step.
    pub bake: Option<Duration>,
}

impl Canary {
    fn list(&self, list: &mut List) {
        let Self { steps, gate, bake } = self;
        // A step's own gate is a gate like that of all: who cannot honour the one cannot honour the other.
        let own = steps.iter().filter_map(|step| Some(format!("{} at {}", step.gate.as_ref()?, step.share)));
        let gates: Vec<_> = Some(gate.to_string()).filter(|gate| !gate.is_empty()).into_iter().chain(own).collect();
        let steps: Vec<_> = steps.iter().map(ToString::to_string).collect();
        let bake = bake.map(|bake| format!("bake {}", print_duration(bake)));
        let steps: Vec<_> = steps.into_iter().chain(bake).collect();
        list.text(Field::Canary, steps.join(", "));
        list.some(Field::Gate, Some(gates.join("; ")).filter(|gates| !gates.is_empty()));
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryStep {
    /// How many instances are of the new revision.
    pub share: CountOrPercent,
    /// How long they are watched.
    pub hold: Duration,
    /// What must hold of it, in the stead of what holds for every step.
    pub gate: Option<Gate>,
    /// Whether the rollout then waits until somebody lets it go on.
    pub pause: bool,
}

impl fmt::Display for CanaryStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { share, hold, gate, pause } = self;
        let pause = if *pause { " then pause" } else { "" };
        write!(f, "{share} for {}{}{pause}", print_duration(*hold), after(" with ", gate))
    }
}

/// What must hold of the new instances for a canary to go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gate {
    /// At most so many of a hundred answers are errors.
    pub error_rate: Option<u32>,
    /// Of a hundred answers, 99 begin within this time.
    pub latency_p99: Option<Duration>,
    /// At most so many restarts.
    pub restarts: Option<u32>,
    /// How many requests of the new instances it takes to judge them by.
    pub requests: Option<u32>,
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { error_rate, latency_p99, restarts, requests } = self;
        let parts = [
            error_rate.map(|share| format!("error-rate {share}%")),
            latency_p99.map(|span| format!("latency-p99 {}", print_duration(span))),
            restarts.map(|count| format!("restarts {count}")),
            requests.map(|count| format!("requests {count}")),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        f.write_str(&parts.join(" and "))
    }
}

impl Default for RolloutPolicy {
    fn default() -> Self {
        Self {
            max_surge: CountOrPercent::Count(1),
            max_unavailable: CountOrPercent::Count(0),
            min_ready: Duration::from_secs(1),
            deadline: Duration::from_secs(600),
            on_failure: OnFailure::RollBack,
            pace: None,
            paused: false,
        }
    }
}

/// What happens to a rollout that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnFailure {
    /// Go back to the revision before, once.
    RollBack,
    /// Stay, with the healthiest set of instances.
    Halt,
}

/// How an instance is stopped. As on EAS, the main process gets no signal but the last one unless it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shutdown {
    /// How long open requests may go on before the process is killed.
    pub grace: Duration,
    /// Whether the process gets SIGTERM as soon as it is draining.
    pub sigterm: bool,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { grace: Duration::from_secs(30), sigterm: false }
    }
}
