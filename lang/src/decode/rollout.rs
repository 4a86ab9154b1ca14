//! How instances are replaced, and how one is stopped.

use super::{Decode, found, plain, resources::flag};
use crate::{
    block::{Block, Found},
    problem::{Code, Problem},
    source::Place,
};
use std::sync::Arc;
use wharf_model::{
    Address, Batch, Canary, CanaryStep, CountOrPercent, Field, FieldPath, Gate, OnFailure, Pace, RolloutPolicy,
    Shutdown,
};

impl Decode<'_> {
    pub(super) fn rollout(&mut self, service: &Block, address: &Address, instances: u32) -> Option<RolloutPolicy> {
        let block = service.inside("rollout")?;
        self.note(address, FieldPath::of(Field::Rollout), block.at);
        let surge = block.value::<CountOrPercent>("max-surge");
        let unavailable = block.value::<CountOrPercent>("max-unavailable");
        let on_failure = match &*plain::<Arc<str>>(&block, "on-failure")? {
            "halt" => OnFailure::Halt,
            _ => OnFailure::RollBack,
        };
        let (min_ready, deadline) = (plain(&block, "min-ready"), plain(&block, "deadline"));
        let pace = self.pace(&block, address);
        let paused = flag(&block, "paused");
        self.note_each(address, &block, &[("paused", Field::Paused)]);
        let (surge, unavailable) = (surge?, unavailable?);
        self.check_room(&surge, &unavailable, instances, block.at);
        Some(RolloutPolicy {
            max_surge: surge.value,
            max_unavailable: unavailable.value,
            min_ready: min_ready?,
            deadline: deadline?,
            on_failure,
            pace,
            paused,
        })
    }

    /// In which steps the rollout goes; there is one way at most.
    fn pace(&mut self, block: &Block, address: &Address) -> Option<Pace> {
        let fields = [("batch", Field::Batch), ("partition", Field::Partition), ("canary", Field::Canary)];
        self.note_each(address, block, &fields);
        let mut ways = fields.iter().filter_map(|(name, _)| block.child(name));
        let way = ways.next()?;
        if let Some(other) = ways.next() {
            self.exclusive(way, other, "a rollout goes in one kind of steps");
        }
        let share = || way.argument::<CountOrPercent>(0).map(|share| share.value);
        Some(match way.row.name() {
            "batch" => Pace::Batch(Batch { size: self.more_than_none(way)?, interval: found(way, "interval")? }),
            "partition" => Pace::Partition(share()?),
            _ => Pace::Canary(self.canary(way, address)?),
        })
    }

    /// A step of no instances would never end.
    fn more_than_none(&mut self, node: &Block) -> Option<CountOrPercent> {
        let share = node.argument::<CountOrPercent>(0)?;
        if share.value.rounded_up(100) == 0 {
            let message = format!("`{}` of no instances would never end", node.row.name());
            self.report(Problem::error(Code::OutOfRange, message).at(share.at, "none"));
            return None;
        }
        Some(share.value)
    }

    fn canary(&mut self, block: &Block, address: &Address) -> Option<Canary> {
        let mut steps: Vec<(CanaryStep, Option<Place>)> = Vec::new();
        for node in block.every("step") {
            let (Some(share), Some(hold)) = (self.more_than_none(node), found(node, "for")) else { continue };
            if let Some((last, at)) = steps.last().filter(|(last, _)| !grows(last.share, share)) {
                let message = format!("a step of {share} follows one of {}", last.share);
                let problem = Problem::error(Code::Contradiction, message).at(node.title_at(), "not more than before");
                let problem = problem.and(*at, "the one before");
                self.report(problem.help("each step must be larger; use counts or percentages, not both".to_owned()));
            }
            let gate = node.child("gate").map(gate);
            let pause = found(node, "pause").unwrap_or_default();
            steps.push((CanaryStep { share, hold, gate, pause }, node.title_at()));
        }
        if steps.is_empty() && block.child("step").is_none() {
            let problem = Problem::error(Code::MissingNode, "`canary` has no steps").at(block.at, "incomplete");
            self.report(problem.help("add for example `step \"10%\" for=\"5m\"`".to_owned()));
            return None;
        }
        let common = block.child("gate").map(gate);
        self.note(address, FieldPath::of(Field::Gate), block.child("gate").and_then(|gate| gate.at));
        let steps = steps.into_iter().map(|(step, _)| step).collect();
        Some(Canary { steps, gate: common.unwrap_or_default(), bake: plain(block, "bake") })
    }

    /// A rollout that may neither add an instance nor take one away can never begin.
    fn check_room(
        &mut self,
        surge: &Found<CountOrPercent>,
        unavailable: &Found<CountOrPercent>,
        instances: u32,
        block: Option<Place>,
    ) {
        let instances = instances.max(1);
        if surge.value.rounded_up(instances) > 0 || unavailable.value.rounded_down(instances) > 0 {
            return;
        }
        let rounded = |share: CountOrPercent| match share {
            CountOrPercent::Percent(percent) if percent > 0 => format!("{share} of {instances} (less than one)"),
            _ => share.to_string(),
        };
        let (surge_text, unavailable_text) = (rounded(surge.value), rounded(unavailable.value));
        let message = format!(
            "a rollout could never start: `max-surge` is {surge_text} and `max-unavailable` is {unavailable_text}"
        );
        let problem = Problem::error(Code::NoRoomToRoll, message).at(surge.at.or(block), "no instance more");
        let problem = problem.and(unavailable.at, "no instance less");
        self.report(problem.help("set `max-surge` or `max-unavailable` to 1 or more".to_owned()));
    }

    pub(super) fn shutdown(&mut self, service: &Block, address: &Address) -> Option<Shutdown> {
        let block = service.inside("shutdown")?;
        self.note(address, FieldPath::of(Field::Shutdown), block.at);
        Some(Shutdown { grace: plain(&block, "grace")?, sigterm: plain(&block, "sigterm")? })
    }
}

fn gate(block: &Block) -> Gate {
    Gate {
        error_rate: found(block, "error-rate"),
        latency_p99: found(block, "latency-p99"),
        restarts: found(block, "restarts"),
        requests: found(block, "requests"),
    }
}

/// Whether the second is more than the first; of a count and a percentage nobody knows.
fn grows(one: CountOrPercent, other: CountOrPercent) -> bool {
    match (one, other) {
        (CountOrPercent::Count(one), CountOrPercent::Count(other)) => one < other,
        (CountOrPercent::Percent(one), CountOrPercent::Percent(other)) => one < other,
        _ => false,
    }
}
