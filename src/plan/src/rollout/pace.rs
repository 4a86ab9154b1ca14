//! In which steps a rollout goes: so many of the new revision, watched for so long and held against a gate, then more.

use super::{Evidence, Failure, Phase, Rollout, Sight, Verdict, judge};
use std::{collections::BTreeMap, time::Duration};
use wharf_model::{Canary, Figures, Gate, InstanceId, Pace, Rest, Timestamp};

/// One step: no more of the new revision than this, until so many have been ready for so long and keep to the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaceStep {
    /// How many.
    pub share: u32,
    /// For how long.
    pub hold: Duration,
    /// What must hold of them meanwhile; of a gate without limits everything does.
    pub gate: Gate,
    /// How many old ones serve on beside them, beyond the count.
    pub warm: u32,
    /// Why it then waits until somebody lets it go on, if it does.
    pub rest: Option<Rest>,
}

impl PaceStep {
    /// A step that only waits.
    pub fn watched(share: u32, hold: Duration) -> Self {
        Self { share, hold, gate: Gate::default(), warm: 0, rest: None }
    }
}

/// The steps on the way to `count` instances. Behind the last, the rest follows without a limit.
pub(super) fn steps(pace: Option<&Pace>, count: u32, surge: u32) -> Vec<PaceStep> {
    let steps = match pace {
        Some(Pace::Batch(batch)) => {
            let size = batch.size.rounded_up(count).max(1);
            let shares = (1..).map(|number: u32| size.saturating_mul(number));
            let shares = shares.take_while(|share| *share < count);
            shares.map(|share| PaceStep::watched(share, batch.interval)).collect()
        }
        Some(Pace::Canary(canary)) => of_canary(canary, count, surge),
        Some(Pace::Partition(kept)) => {
            let share = count.saturating_sub(kept.rounded_up(count));
            let step = PaceStep { rest: Some(Rest::Partition), ..PaceStep::watched(share, Duration::ZERO) };
            if share < count { vec![step] } else { Vec::new() }
        }
        None => Vec::new(),
    };
    if count == 0 { Vec::new() } else { steps }
}

/// Baking is a step too: all instances are new, and as many old ones serve on as there is room for.
fn of_canary(canary: &Canary, count: u32, surge: u32) -> Vec<PaceStep> {
    let Canary { steps, gate, bake } = canary;
    let warm = if bake.is_some() { surge } else { 0 };
    let step = |step: &wharf_model::CanaryStep| {
        let share = step.share.rounded_up(count).clamp(1, count.max(1));
        let warm = if share == count { warm } else { 0 };
        let rest = step.pause.then_some(Rest::Pause);
        PaceStep { share, hold: step.hold, gate: step.gate.unwrap_or(*gate), warm, rest }
    };
    let baking = bake.map(|hold| PaceStep { share: count, hold, gate: *gate, warm, rest: None });
    steps.iter().map(step).chain(baking).collect()
}

/// Where a rollout is among its steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// How many steps are behind it.
    pub(super) passed: usize,
    /// Since when as many are ready as the step asks for.
    held_since: Option<Timestamp>,
    /// What was counted since that was so for the first time.
    window: Option<Window>,
}

impl Progress {
    /// At the beginning of a step.
    pub(super) fn at(passed: usize) -> Self {
        Self { passed, held_since: None, window: None }
    }
}

/// Counts from one moment on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Window {
    /// What each instance's counts were, when they were last read.
    read: BTreeMap<InstanceId, Figures>,
    evidence: Evidence,
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
        let paced = self.pace_step().map_or(count, |step| step.share.min(count));
        self.resting().map_or(paced, |share| share.min(count))
    }

    /// How many others serve on, whatever might be missing.
    pub(super) fn kept(&self) -> u32 {
        self.goal().count - self.ceiling() + self.pace_step().map_or(0, |step| step.warm.min(self.order.surge))
    }

    /// Until when the step is watched, if as many are ready as it asks for.
    pub(super) fn held_until(&self) -> Option<Timestamp> {
        Some(self.pace.held_since? + self.pace_step()?.hold)
    }

    /// What the gate of the step says of what was counted so far; none before the step is watched.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        Some(judge(&self.pace_step()?.gate, &self.pace.window.as_ref()?.evidence))
    }

    /// Takes in what a look has counted. `ended` is how many new instances it found ended that had served before.
    pub(super) fn count(&mut self, look: &BTreeMap<InstanceId, Sight>, ended: u32) {
        let goal = self.goal().revision;
        let Some(Window { read, evidence }) = &mut self.pace.window else { return };
        evidence.ended += ended;
        for (instance, tracked) in &self.instances {
            let Some(figures) = look.get(instance).and_then(|sight| sight.figures.as_ref()) else { continue };
            let before = read.insert(instance.clone(), figures.clone()).unwrap_or_default();
            let side = if tracked.revision == goal { &mut evidence.new } else { &mut evidence.old };
            side.add(&figures.since(&before));
        }
    }

    /// Goes on to the next step when this one was held for long enough and its gate is passed. Holding is progress; what
    /// does not stay ready begins anew, and the deadline is its bound. It is the bound too for requests to judge by.
    pub(super) fn pace(&mut self, now: Timestamp) -> Option<Failure> {
        while let Some(step) = self.pace_step() {
            let count = self.goal().count;
            let share = step.share.min(count);
            let verdict = self.verdict();
            if let Some(Verdict::Fail(breach)) = verdict {
                return Some(Failure::Gate { share, count, breach });
            }
            if self.ready_of_goal() < share {
                self.pace.held_since = None;
                return None;
            }
            let since = *self.pace.held_since.get_or_insert(now);
            let verdict = verdict.unwrap_or_else(|| {
                let read = |(instance, tracked): (&InstanceId, &super::Tracked)| {
                    Some((instance.clone(), tracked.sight.as_ref()?.figures.clone()?))
                };
                let read = self.instances.iter().filter_map(read).collect();
                self.pace.window = Some(Window { read, evidence: Evidence::default() });
                judge(&step.gate, &Evidence::default())
            });
            let held = now.since(since);
            match verdict {
                _ if held < step.hold || self.rest.is_some() => return None,
                Verdict::Wait { seen, needed } if held >= step.hold + self.order.deadline => {
                    return Some(Failure::Unjudged { share, count, seen, needed, after: held });
                }
                Verdict::Wait { .. } | Verdict::Fail(_) => return None,
                Verdict::Pass => {}
            }
            self.pace = Progress::at(self.pace.passed + 1);
            self.progress_at = now;
            self.rest = step.rest.map(|why| (why, share));
            if self.rest.is_some() {
                return None;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_model::{Batch, Canary, CanaryStep, CountOrPercent, Gate};

    fn check(pace: &Pace, count: u32, expected: &[u32]) {
        let found: Vec<_> = steps(Some(pace), count, 1).iter().map(|step| step.share).collect();
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
        let step = |share| CanaryStep {
            share: CountOrPercent::Percent(share),
            hold: Duration::ZERO,
            gate: None,
            pause: false,
        };
        let canary =
            Pace::Canary(Canary { steps: vec![step(10), step(50), step(100)], gate: Gate::default(), bake: None });
        check(&canary, 10, &[1, 5, 10]);
        check(&canary, 1, &[1, 1, 1]);
    }

    #[test]
    fn baking_keeps_as_many_old_ones_as_there_is_room_for() {
        let step = CanaryStep { share: CountOrPercent::Percent(50), hold: Duration::ZERO, gate: None, pause: false };
        let gate = Gate { restarts: Some(0), ..Gate::default() };
        let bake = Some(Duration::from_secs(60));
        let found = steps(Some(&Pace::Canary(Canary { steps: vec![step], gate, bake })), 4, 2);
        let half = PaceStep { share: 2, hold: Duration::ZERO, gate, warm: 0, rest: None };
        assert_eq!(found, [half, PaceStep { share: 4, hold: Duration::from_secs(60), gate, warm: 2, rest: None }]);
    }
}
