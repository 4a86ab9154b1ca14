//! How instances are replaced, and how one is stopped.

use crate::CountOrPercent;
use std::time::Duration;

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
}

impl Default for RolloutPolicy {
    fn default() -> Self {
        Self {
            max_surge: CountOrPercent::Count(1),
            max_unavailable: CountOrPercent::Count(0),
            min_ready: Duration::from_secs(1),
            deadline: Duration::from_secs(600),
            on_failure: OnFailure::RollBack,
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
