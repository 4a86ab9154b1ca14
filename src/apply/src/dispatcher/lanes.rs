//! Which call is next, and whether there is room for it: one lane per kind of call, each with an allowance that shrinks
//! when the platform is asked too often and grows back as calls succeed.

use super::Task;
use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};
use wharf_model::{Operation, Timestamp, Verb};
use wharf_provider::Limits;

/// How long a lane rests after the platform was asked too often without saying for how long; each further time twice as
/// long.
const FIRST_REST: Duration = Duration::from_millis(500);
/// How long it rests at the most.
const LONGEST_REST: Duration = Duration::from_secs(30);
/// Calls that were under way together are told together: within this time an allowance is cut once.
const ONE_CUT: Duration = Duration::from_secs(1);

/// A call that is to be made as soon as there is room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) task: Task,
    pub(crate) operation: Operation,
    /// Whether it belongs to something that was begun: that is finished first.
    pub(crate) begun: bool,
    /// How long the longest path is that begins with it.
    pub(crate) remaining: u32,
    /// How often it was tried before.
    pub(crate) tries: u32,
}

impl Ready {
    fn rank(&self) -> (bool, u32, Reverse<&Task>) {
        (self.begun, self.remaining, Reverse(&self.task))
    }
}

impl Ord for Ready {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Debug)]
struct Lane {
    queue: BinaryHeap<Ready>,
    busy: usize,
    /// How many may be under way now, and ever.
    allowance: usize,
    most: usize,
    /// Successes since the allowance last grew.
    good: usize,
    rests_until: Timestamp,
    cut_at: Option<Timestamp>,
    /// How often in a row the platform was asked too often.
    throttled: u32,
}

/// All lanes.
#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: BTreeMap<Verb, Lane>,
    busy: usize,
    room: usize,
    limits: Limits,
}

impl Lanes {
    /// No call waits and none is under way. At most `room` are at once.
    pub(crate) fn new(room: usize, limits: Limits) -> Self {
        let room = room.min(limits.at_once).max(1);
        Self { lanes: BTreeMap::new(), busy: 0, room, limits }
    }

    fn lane(&mut self, verb: Verb) -> &mut Lane {
        let most = self.limits.of(verb, self.room);
        self.lanes.entry(verb).or_insert_with(|| Lane {
            queue: BinaryHeap::new(),
            busy: 0,
            allowance: most,
            most,
            good: 0,
            rests_until: Timestamp(0),
            cut_at: None,
            throttled: 0,
        })
    }

    /// Adds a call that is to be made.
    pub(crate) fn push(&mut self, ready: Ready) {
        self.lane(ready.operation.call.verb()).queue.push(ready);
    }

    /// The call that is made next, if there is room for one. It is under way from now on.
    pub(crate) fn next(&mut self, now: Timestamp) -> Option<Ready> {
        if self.busy >= self.room {
            return None;
        }
        let open = self.lanes.values_mut().filter(|lane| lane.busy < lane.allowance && lane.rests_until <= now);
        let lane = open.max_by(|one, two| one.queue.peek().cmp(&two.queue.peek()))?;
        let ready = lane.queue.pop()?;
        lane.busy += 1;
        self.busy += 1;
        Some(ready)
    }

    /// A call is not under way any more. One that succeeded lets the allowance grow back.
    pub(crate) fn ended(&mut self, verb: Verb, succeeded: bool) {
        self.busy -= 1;
        let lane = self.lane(verb);
        lane.busy -= 1;
        if !succeeded {
            return;
        }
        lane.throttled = 0;
        lane.good += 1;
        if lane.good >= lane.allowance && lane.allowance < lane.most {
            lane.allowance += 1;
            lane.good = 0;
        }
    }

    /// The platform was asked too often for this kind of call: fewer at once, and none for as long as it says. Answers
    /// until when.
    pub(crate) fn throttle(&mut self, verb: Verb, hint: Option<Duration>, now: Timestamp) -> Timestamp {
        let lane = self.lane(verb);
        if lane.cut_at.is_none_or(|at| now.since(at) >= ONE_CUT) {
            lane.cut_at = Some(now);
            lane.allowance = (lane.allowance / 2).max(1);
            lane.good = 0;
            lane.throttled += 1;
        }
        let doubled = FIRST_REST.saturating_mul(1 << lane.throttled.saturating_sub(1).min(10));
        let rest = hint.unwrap_or(doubled.min(LONGEST_REST));
        lane.rests_until = lane.rests_until.max(now + rest);
        lane.rests_until
    }

    /// When a lane that calls wait in, and that rests now, has rested.
    pub(crate) fn wake(&self, now: Timestamp) -> Option<Timestamp> {
        let resting = self.lanes.values().filter(|lane| !lane.queue.is_empty() && lane.rests_until > now);
        resting.map(|lane| lane.rests_until).min()
    }

    /// Takes out every call that waits.
    pub(crate) fn drain(&mut self) -> Vec<Ready> {
        self.lanes.values_mut().flat_map(|lane| std::mem::take(&mut lane.queue).into_sorted_vec()).collect()
    }

    /// Whether no call waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.values().all(|lane| lane.queue.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_model::{Address, Call};
    use wharf_plan::StepId;

    fn ready(step: u32, verb: Verb, remaining: u32) -> Ready {
        let gateway: wharf_model::GatewayName = "public".parse().unwrap();
        let call = match verb {
            Verb::Delete => Call::DeleteGateway { gateway: gateway.clone() },
            _ => Call::PutGateway {
                gateway: gateway.clone(),
                spec: wharf_model::GatewaySpec::listening([127, 0, 0, 1].into(), 80),
            },
        };
        let operation = Operation { address: Address::Gateway(gateway), call };
        Ready { task: Task { step: StepId(step), part: None }, operation, begun: false, remaining, tries: 0 }
    }

    fn lanes(room: usize, puts: usize) -> Lanes {
        Lanes::new(room, Limits { of_kind: BTreeMap::from([(Verb::Put, puts)]), ..Limits::default() })
    }

    fn next(lanes: &mut Lanes, now: u64) -> Option<u32> {
        lanes.next(Timestamp(now)).map(|ready| ready.task.step.0)
    }

    #[test]
    fn the_longest_path_goes_first_and_what_was_begun_before_it() {
        let mut lanes = lanes(9, 9);
        for (step, remaining) in [(0, 1), (1, 5), (2, 3), (3, 5)] {
            lanes.push(ready(step, Verb::Put, remaining));
        }
        lanes.push(Ready { begun: true, ..ready(4, Verb::Delete, 1) });
        let order: Vec<_> = std::iter::from_fn(|| next(&mut lanes, 0)).collect();
        assert_eq!(order, [4, 1, 3, 2, 0]);
    }

    #[test]
    fn a_full_lane_does_not_stop_the_others() {
        let mut lanes = lanes(3, 1);
        for step in 0..3 {
            lanes.push(ready(step, Verb::Put, 9));
            lanes.push(ready(10 + step, Verb::Delete, 1));
        }
        let order: Vec<_> = std::iter::from_fn(|| next(&mut lanes, 0)).collect();
        assert_eq!(order, [0, 10, 11], "one put, and three in all");
        lanes.ended(Verb::Put, true);
        assert_eq!(next(&mut lanes, 0), Some(1));
    }

    #[test]
    fn throttling_halves_the_allowance_once_and_heeds_the_hint() {
        let mut lanes = lanes(8, 8);
        (0..20).for_each(|step| lanes.push(ready(step, Verb::Put, 1)));
        while next(&mut lanes, 0).is_some() {}
        for _ in 0..8 {
            lanes.ended(Verb::Put, false);
            lanes.throttle(Verb::Put, Some(Duration::from_secs(5)), Timestamp(100));
        }
        assert_eq!(next(&mut lanes, 5_000), None);
        assert_eq!(lanes.wake(Timestamp(5_000)), Some(Timestamp(5_100)));
        let four = std::iter::from_fn(|| next(&mut lanes, 5_100)).count();
        assert_eq!(four, 4);
        (0..4).for_each(|_| lanes.ended(Verb::Put, true));
        assert_eq!(std::iter::from_fn(|| next(&mut lanes, 5_100)).count(), 5, "it grows back");
    }

    #[test]
    fn without_a_hint_it_rests_longer_each_time() {
        let mut lanes = lanes(8, 8);
        let mut now = Timestamp(0);
        let rests: Vec<_> = (0..9)
            .map(|_| {
                let until = lanes.throttle(Verb::Put, None, now);
                let rest = until.since(now);
                now = until + ONE_CUT;
                rest.as_millis()
            })
            .collect();
        assert_eq!(rests, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    }
}
