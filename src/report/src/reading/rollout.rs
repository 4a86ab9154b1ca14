//! The steps of a rollout for people. Rounds that repeat are told once.

use crate::text::{plural, span};
use std::time::Duration;
use wharf_model::{Gate, InstanceId, Rest};
use wharf_plan::rollout::{Order, PaceStep, Preview, PreviewStep};

/// Rounds are told once from this many on.
const ROUNDS: usize = 3;
/// A round has at most so many steps; start, route, drain, stop, and as many again.
const ROUND: usize = 8;
/// How many steps may stand before the first round.
const BEFORE: usize = 4;

/// How instances come and go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rollout {
    pub(crate) stages: Vec<Stage>,
    /// How many steps there are in all.
    pub(crate) steps: usize,
    /// The lowest number of ready instances on the way.
    pub(crate) lowest: u32,
    /// The highest number of living ones.
    pub(crate) most: u32,
    /// How long it takes at least.
    pub(crate) at_least: Duration,
    /// How long it waits without progress before it gives up; none when nothing is started.
    pub(crate) deadline: Option<Duration>,
    /// How long an instance may take to drain; none when none has to.
    pub(crate) grace: Option<Duration>,
    /// In which steps instances are replaced, and what must hold of them, in sentences.
    pub(crate) pace: Vec<String>,
}

/// A part of a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// One step.
    Step { number: usize, verb: &'static str, instances: Instances, ready: u32 },
    /// The round that was just told, again for the next instances.
    Again { rounds: usize, steps: usize, last: Instances },
}

/// Some instances of one service, of which the first and the last are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instances {
    first: (u32, u32),
    last: (u32, u32),
    pub(crate) count: usize,
}

impl Instances {
    /// By slot and generation; none when there are none.
    pub(super) fn of(instances: &[(u32, u32)]) -> Option<Self> {
        let (first, last) = (*instances.first()?, *instances.last()?);
        Some(Self { first, last, count: instances.len() })
    }

    fn named(ids: &[InstanceId]) -> Option<Self> {
        let pair = |id: &InstanceId| (id.slot.0, id.generation.0);
        let (first, last) = (ids.first().map(pair)?, ids.last().map(pair)?);
        Some(Self { first, last, count: ids.len() })
    }

    /// `hello-0-g2`, or `hello-0-g2 … hello-9-g2` for ten.
    pub(crate) fn name(&self, service: &str) -> String {
        let one = |(slot, generation): (u32, u32)| format!("{service}-{slot}-g{generation}");
        match self.count {
            1 => one(self.first),
            2 => format!("{}, {}", one(self.first), one(self.last)),
            _ => format!("{} … {}", one(self.first), one(self.last)),
        }
    }

    /// `hello-0-g2 … hello-9-g2 (10)`.
    pub(crate) fn counted(&self, service: &str) -> String {
        let name = self.name(service);
        if self.count > 2 { format!("{name} ({})", self.count) } else { name }
    }
}

impl Rollout {
    /// None when there are no steps to tell.
    pub(super) fn of(preview: &Preview, order: Option<&Order>) -> Option<Self> {
        let steps = &preview.steps;
        let has = |verb: &str| steps.iter().any(|step| step.verb.as_str() == verb);
        let deadline = order.filter(|_| has("start")).map(|order| order.deadline);
        let grace = order.filter(|_| has("drain")).map(|order| order.grace);
        (!steps.is_empty()).then(|| Self {
            stages: stages(steps),
            steps: steps.len(),
            lowest: preview.lowest_ready,
            most: preview.most_living,
            at_least: preview.at_least,
            deadline,
            grace,
            pace: order.map(|order| pace(&preview.pace, order.goal.count)).unwrap_or_default(),
        })
    }

    /// What it promises, in one sentence.
    pub(crate) fn bounds(&self) -> String {
        let mut told = vec![plural(self.steps, "step")];
        if self.lowest > 0 {
            told.push(format!("never fewer than {} ready", self.lowest));
        }
        told.push(format!("at most {} running", self.most));
        if !self.at_least.is_zero() {
            told.push(format!("takes {} at least", span(self.at_least)));
        }
        if let Some(deadline) = self.deadline {
            told.push(format!("gives up after {} without progress", span(deadline)));
        }
        if let Some(grace) = self.grace.filter(|grace| !grace.is_zero()) {
            told.push(format!("waits up to {} for each to drain", span(grace)));
        }
        told.join(", ")
    }

    /// The rounds that are not told one by one.
    pub(crate) fn again(rounds: usize, steps: usize, last: &str) -> String {
        format!("… the same {rounds} times more, {steps} steps, up to {last}")
    }
}

fn pace(steps: &[PaceStep], count: u32) -> Vec<String> {
    if steps.is_empty() {
        return Vec::new();
    }
    let step = |step: &PaceStep| {
        let beside = match step.warm {
            0 => String::new(),
            old => format!(" beside {}", plural(old as usize, "old instance")),
        };
        let hold = if step.hold.is_zero() { String::new() } else { format!(" for {}", span(step.hold)) };
        let rest = match step.rest {
            Some(Rest::Partition) => " and no more until somebody says so",
            Some(_) => " and a pause until somebody lets it go on",
            None => "",
        };
        format!("{} of {count}{hold}{beside}{rest}", step.share)
    };
    let told: Vec<_> = steps.iter().map(step).collect();
    let mut told = vec![format!("in steps: {}", told.join(", then "))];
    for alike in steps.chunk_by(|one, two| one.gate == two.gate) {
        let gate = alike[0].gate;
        if gate == Gate::default() {
            continue;
        }
        let at = if alike.len() == steps.len() { String::new() } else { format!(" from {} on", alike[0].share) };
        told.push(format!("gate{at}: {gate}, held against the old ones at the same time; else it goes back"));
    }
    told
}

fn stages(steps: &[PreviewStep]) -> Vec<Stage> {
    let told = |(at, step): (usize, &PreviewStep)| {
        let instances = Instances::named(&step.instances)?;
        Some(Stage::Step { number: at + 1, verb: step.verb.as_str(), instances, ready: step.ready })
    };
    let all = steps.iter().enumerate();
    let Some((start, length, rounds)) = longest_repetition(steps) else { return all.filter_map(told).collect() };
    let (first_end, end) = (start + length, start + length * rounds);
    let mut stages: Vec<_> = all.clone().take(first_end).filter_map(told).collect();
    let last = steps[..end].last().and_then(|step| Instances::named(&step.instances));
    stages.extend(last.map(|last| Stage::Again { rounds: rounds - 1, steps: end - first_end, last }));
    stages.extend(all.skip(end).filter_map(told));
    stages
}

/// Where rounds that are alike begin, how many steps each has, and how many rounds there are.
fn longest_repetition(steps: &[PreviewStep]) -> Option<(usize, usize, usize)> {
    let alike = |one: &PreviewStep, two: &PreviewStep| {
        one.verb == two.verb && one.ready == two.ready && one.instances.len() == two.instances.len()
    };
    let candidates = (0..=BEFORE).flat_map(|start| (1..=ROUND).map(move |length| (start, length)));
    let rounds = |(start, length): (usize, usize)| {
        let tail = steps.get(start..)?;
        let same = tail.iter().zip(tail.iter().skip(length)).take_while(|(one, two)| alike(one, two)).count();
        let rounds = same / length + 1;
        (rounds >= ROUNDS).then_some((start, length, rounds))
    };
    // The most steps told once; of those the earliest and shortest.
    candidates
        .filter_map(rounds)
        .min_by_key(|(start, length, rounds)| (std::cmp::Reverse(length * (rounds - 1)), *start, *length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_model::{Generation, Slot, Verb};

    fn step(verb: Verb, slots: &[u32], ready: u32) -> PreviewStep {
        let id =
            |slot: &u32| InstanceId { service: "a".parse().unwrap(), slot: Slot(*slot), generation: Generation(2) };
        PreviewStep { verb, instances: slots.iter().map(id).collect(), ready }
    }

    fn round(slot: u32) -> [PreviewStep; 4] {
        [
            step(Verb::Start, &[slot], 5),
            step(Verb::Route, &[slot], 6),
            step(Verb::Drain, &[slot], 5),
            step(Verb::Stop, &[slot], 5),
        ]
    }

    #[test]
    fn rounds_are_told_once_and_the_rest_stays() {
        let mut steps: Vec<_> = (0..5).flat_map(round).collect();
        steps.push(step(Verb::Stop, &[5, 6], 5));
        let told = stages(&steps);
        assert_eq!(told.len(), 6);
        assert!(matches!(&told[4], Stage::Again { rounds: 4, steps: 16, last } if last.name("a") == "a-4-g2"));
        assert!(matches!(&told[5], Stage::Step { number: 21, verb: "stop", instances, .. } if instances.count == 2));
    }

    #[test]
    fn two_rounds_are_told_in_full() {
        let steps: Vec<_> = (0..2).flat_map(round).collect();
        assert_eq!(stages(&steps).len(), 8);
    }

    #[test]
    fn instances_are_named_by_the_first_and_the_last() {
        let told = |count: u32| {
            Instances::of(&(0..count).map(|slot| (slot, 1)).collect::<Vec<_>>()).map(|some| some.counted("a"))
        };
        let expected = ["a-0-g1", "a-0-g1, a-1-g1", "a-0-g1 … a-2-g1 (3)"].map(|text| Some(text.to_owned()));
        assert_eq!([told(1), told(2), told(3)], expected);
        assert_eq!(told(0), None);
    }
}
