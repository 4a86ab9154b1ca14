//! How instances are replaced, and how one is stopped.

use super::{Decode, plain};
use crate::{
    block::{Block, Found},
    problem::{Code, Problem},
    source::Place,
};
use std::sync::Arc;
use wharf_model::{Address, CountOrPercent, Field, FieldPath, OnFailure, RolloutPolicy, Shutdown};

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
        let (surge, unavailable) = (surge?, unavailable?);
        self.check_room(&surge, &unavailable, instances, block.at);
        Some(RolloutPolicy {
            max_surge: surge.value,
            max_unavailable: unavailable.value,
            min_ready: min_ready?,
            deadline: deadline?,
            on_failure,
        })
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
