//! In which steps a rollout goes: so many of the new revision, watched for so long, then more.

use super::{Phase, Rollout};
use std::time::Duration;
use wharf_model::{Pace, Timestamp};

/// One step: no more of the new revision than this, until so many have been ready for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaceStep {
    /// How many.
    pub share: u32,
    /// For how long.
    pub hold: Duration,
}

/// The steps on the way to `count` instances. Behind the last, the rest follows without a limit.
pub(super) fn steps(pace: Option<&Pace>, count: u32) -> Vec<PaceStep> {
    let steps = match pace {
        Some(Pace::Batch(batch)) => {
            let size = batch.size.rounded_up(count).max(1);
            let shares = (1..).map(|number: u32| size.saturating_mul(number));
            shares.take_while(|share| *share < count).map(|share| PaceStep { share, hold: batch.interval }).collect()
        }
        Some(Pace::Canary(canary)) => {
            let step = |step: &wharf_model::CanaryStep| {
                let share = step.share.rounded_up(count).clamp(1, count.max(1));
                PaceStep { share, hold: step.bake }
            };
            canary.steps.iter().map(step).collect()
        }
        // A runtime that keeps some of the revision before has to say so itself.
        Some(Pace::Partition(_)) | None => Vec::new(),
    };
    if count == 0 { Vec::new() } else { steps }
}

/// Where a rollout is among its steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// How many steps are behind it.
    passed: usize,
    /// Since when as many are ready as the step asks for.
    held_since: Option<Timestamp>,
}

impl Rollout {
    /// The step that it is in. On the way back there is none: going back does not wait.
    pub(super) fn pace_step(&self) -> Option<PaceStep> {
        let forward = matches!(self.phase, Phase::Forward) && self.replaces;
        self.order.pace.get(self.pace.passed).copied().filter(|_| forward)
    }

    /// How many instances of the goal there may be now.
    pub(super) fn ceiling(&self) -> u32 {
        let count = self.goal().count;
        self.pace_step().map_or(count, |step| step.share.min(count))
    }

    /// Until when the step is watched, if as many are ready as it asks for.
    pub(super) fn held_until(&self) -> Option<Timestamp> {
        Some(self.pace.held_since? + self.pace_step()?.hold)
    }

    /// Goes on to the next step when this one was held for long enough. Holding is progress; what does not stay ready
    /// begins anew, and the deadline is its bound.
    pub(super) fn pace(&mut self, now: Timestamp) {
        while let Some(step) = self.pace_step() {
            if self.ready_of_goal() < step.share.min(self.goal().count) {
                self.pace.held_since = None;
                return;
            }
            let since = *self.pace.held_since.get_or_insert(now);
            if now.since(since) < step.hold {
                return;
            }
            self.pace = Progress { passed: self.pace.passed + 1, held_since: None };
            self.progress_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_model::{Batch, Canary, CanaryStep, CountOrPercent, Gate};

    fn check(pace: &Pace, count: u32, expected: &[u32]) {
        let found: Vec<_> = steps(Some(pace), count).iter().map(|step| step.share).collect();
        assert_eq!(found, expected, "{pace:?} of {count}");
    }

    #[test]
    fn batches_are_of_one_size_and_the_last_is_the_rest() {
        let batch = |size| Pace::Batch(Batch { size, interval: Duration::ZERO });
        check(&batch(CountOrPercent::Count(2)), 5, &[2, 4]);
        check(&batch(CountOrPercent::Count(2)), 4, &[2]);
        check(&batch(CountOrPercent::Count(9)), 4, &[]);
        check(&batch(CountOrPercent::Percent(30)), 10, &[3, 6, 9]);
        check(&batch(CountOrPercent::Percent(1)), 2, &[1]);
        check(&batch(CountOrPercent::Count(1)), 0, &[]);
    }

    #[test]
    fn a_canary_is_at_least_one_and_a_step_that_is_all_is_still_watched() {
        let step = |share| CanaryStep { share: CountOrPercent::Percent(share), bake: Duration::ZERO, gate: None };
        let canary = Pace::Canary(Canary { steps: vec![step(10), step(50), step(100)], gate: Gate::default() });
        check(&canary, 10, &[1, 5, 10]);
        check(&canary, 1, &[1, 1, 1]);
    }
}
