//! The supervised move of a service from what runs to what should run.
//!
//! One function, [`Rollout::step`], serves the first start, scaling, an update, a repair, a rollback and a removal: they
//! differ only in the [`Goal`]. It takes what was seen and the time, and answers what to do next; it does nothing itself
//! and asks nobody. The plan runs it against an ideal service to print its preview, `apply` runs it against the real one.
//!
//! What holds at every step (and is searched exhaustively for small services in the tests): never more than
//! `count + surge` living instances by its own doing; never does it take ready capacity below `count - unavailable`;
//! no instance gets requests that has not been ready for `min_ready`; none is stopped before it has drained or its grace
//! has run out; and it always ends.

mod failure;
mod gate;
mod pace;
mod preview;
mod rest;
mod step;
#[cfg(test)]
mod tests;
mod wait;

pub use failure::{Failure, Refusal};
pub use gate::{Breach, Evidence, Verdict, judge};
pub use pace::PaceStep;
pub use preview::{Preview, PreviewStep, preview};
pub use rest::Wish;
pub use wait::Wait;

use std::{collections::BTreeMap, time::Duration};
use wharf_model::{
    Exit, Figures, Generation, InstanceId, OnFailure, ProbeAnswer, Rest, RevisionNumber, RolloutPolicy, ServiceName,
    Slot, Timestamp, Verb,
};

/// What should run when a rollout has ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goal {
    /// Of which revision.
    pub revision: RevisionNumber,
    /// How many instances.
    pub count: u32,
}

/// What a rollout is to do: fixed for its whole life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The service.
    pub service: ServiceName,
    /// Where to.
    pub goal: Goal,
    /// Where back to, when it fails; none when nothing served before, or when that is not wanted.
    pub back: Option<Goal>,
    /// How many living instances there may be beyond the count.
    pub surge: u32,
    /// How many ready ones may be missing from it.
    pub unavailable: u32,
    /// How long an instance must have been ready before it gets requests.
    pub min_ready: Duration,
    /// How long it may go on without progress.
    pub deadline: Duration,
    /// How long an instance may drain.
    pub grace: Duration,
    /// In which steps it goes, when it replaces instances.
    pub pace: Vec<PaceStep>,
    /// How many of them an earlier apply has passed.
    pub passed: usize,
    /// Why it waits where it is, if it does: then it only mends what stands.
    pub rest: Option<Rest>,
    /// What serves until it has ended, whether or not a failure leads back there.
    pub before: Option<Goal>,
}

impl Order {
    /// The order to bring a service to `goal` under its policy, with `back` to fall back on.
    pub fn new(service: ServiceName, goal: Goal, back: Option<Goal>, policy: &RolloutPolicy, grace: Duration) -> Self {
        let unavailable = policy.max_unavailable.rounded_down(goal.count);
        let surge = policy.max_surge.rounded_up(goal.count);
        let before = back.filter(|back| back.revision != goal.revision);
        // With neither, nothing could ever be replaced; the language refuses such a file.
        let surge = if surge == 0 && unavailable == 0 { 1 } else { surge };
        Self {
            service,
            goal,
            back: before.filter(|_| policy.on_failure == OnFailure::RollBack),
            before,
            passed: 0,
            rest: None,
            pace: pace::steps(policy.pace.as_ref(), goal.count, surge),
            surge,
            unavailable,
            min_ready: policy.min_ready,
            deadline: policy.deadline,
            grace,
        }
    }
}

/// An instance that stands when a rollout begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Of which revision.
    pub revision: RevisionNumber,
    /// Whether it gets requests.
    pub traffic: Traffic,
}

/// Whether an instance gets requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// It never got any, as far as anyone knows.
    None,
    /// It gets them.
    Served,
    /// It gets no new ones.
    Draining,
}

/// What was seen of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// How it ended, if it did.
    pub ended: Option<Exit>,
    /// How it ended, where it is started again in a moment.
    pub between: Option<Exit>,
    /// How often its program was started again, where that is told.
    pub restarts: Option<u32>,
    /// Whether its last probe passed.
    pub ready: bool,
    /// What the last probe heard.
    pub answer: Option<ProbeAnswer>,
    /// Requests under way in all gateways, where they know; only counts of a gateway that already drains it are final.
    pub in_flight: Option<u64>,
    /// What gateways have counted about its requests, where they tell.
    pub figures: Option<Figures>,
    /// The last lines of its log, of one that ended or is not ready.
    pub last_lines: Vec<String>,
}

impl Sight {
    /// What is seen of an instance that a look did not find.
    fn absent() -> Self {
        Self {
            ended: Some(Exit::Unseen),
            between: None,
            restarts: None,
            ready: false,
            answer: None,
            in_flight: None,
            figures: None,
            last_lines: Vec::new(),
        }
    }
}

/// What became of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Done to which instance.
    pub instance: InstanceId,
    /// Which action.
    pub verb: Verb,
    /// The error, when it failed for good.
    pub error: Option<Refusal>,
}

/// Everything that is new since the last step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// What a look found; none when this step follows no look. An instance that is absent from it has ended.
    pub look: Option<BTreeMap<InstanceId, Sight>>,
    /// Actions that came to an end.
    pub settled: Vec<Settled>,
}

/// What to do next. Each is settled by a [`Settled`] of the same instance and verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start an instance of this revision.
    Start(InstanceId, RevisionNumber),
    /// Let it get requests.
    Route(InstanceId),
    /// Let it get no new ones.
    Drain(InstanceId),
    /// End it.
    Stop(InstanceId),
}

impl Action {
    /// The instance.
    pub fn instance(&self) -> &InstanceId {
        match self {
            Self::Start(instance, _) | Self::Route(instance) | Self::Drain(instance) | Self::Stop(instance) => instance,
        }
    }

    /// The verb.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Start(..) => Verb::Start,
            Self::Route(_) => Verb::Route,
            Self::Drain(_) => Verb::Drain,
            Self::Stop(_) => Verb::Stop,
        }
    }
}

/// How a rollout stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// On its way to the goal.
    Forward,
    /// On its way back.
    Back(Failure),
    /// At the goal.
    Done,
    /// Where it waits until somebody lets it go on.
    Resting(Rest),
    /// Back where it came from.
    RolledBack(Failure),
    /// Somewhere between, for good.
    Halted(Failure),
}

/// Where one instance stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// Start was ordered.
    Starting,
    /// It runs and is not ready.
    Waiting,
    /// It is ready, and gets no requests yet.
    Ready { since: Timestamp },
    /// It gets requests.
    Serving { ready: bool },
    /// It gets no new ones; `since` is when that became so, `looked` whether a look came after.
    Draining { since: Timestamp, in_flight: Option<u64> },
    /// It does not run any more.
    Ended,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Tracked {
    revision: RevisionNumber,
    stage: Stage,
    /// The action that is under way.
    pending: Option<Verb>,
    /// Whether this rollout started it.
    ours: bool,
    /// How often stopping or draining it failed.
    refusals: u8,
    /// How many looks have missed it since it was started, and before one saw it.
    missed: u8,
    sight: Option<Sight>,
}

/// A rollout under way: a value that [`Rollout::step`] takes and gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    order: Order,
    phase: Phase,
    instances: BTreeMap<InstanceId, Tracked>,
    generations: BTreeMap<Slot, Generation>,
    high_water: u32,
    progress_at: Timestamp,
    /// Whether instances of another revision stood when it began, or are to stand until it has replaced them.
    replaces: bool,
    pace: pace::Progress,
    /// Why it goes no further, and how many instances of the goal there are then.
    rest: Option<(Rest, u32)>,
    /// How many old instances it has started again in the place of others that had ended.
    revived: u32,
}

impl Rollout {
    /// A rollout that has done nothing yet. `standing` is every instance of the service that exists; `generations` the
    /// highest that was ever used in each slot.
    pub fn new(
        order: Order,
        standing: impl IntoIterator<Item = (InstanceId, Standing)>,
        generations: BTreeMap<Slot, Generation>,
        now: Timestamp,
    ) -> Self {
        let mut rollout = Self {
            phase: Phase::Forward,
            instances: BTreeMap::new(),
            generations,
            high_water: 0,
            progress_at: now,
            // Those that have ended in the meantime are no reason to go faster, or on where it is to wait.
            replaces: order.before.is_some_and(|before| before.revision != order.goal.revision && before.count > 0),
            order,
            pace: pace::Progress::default(),
            rest: None,
            revived: 0,
        };
        rollout.pace.passed = rollout.order.passed.min(rollout.order.pace.len());
        for (instance, standing) in standing {
            let highest = rollout.generations.entry(instance.slot).or_insert(instance.generation);
            *highest = (*highest).max(instance.generation);
            let stage = match standing.traffic {
                Traffic::None => Stage::Waiting,
                Traffic::Served => Stage::Serving { ready: false },
                Traffic::Draining => Stage::Draining { since: now, in_flight: None },
            };
            let revision = standing.revision;
            rollout.replaces |= revision != rollout.order.goal.revision;
            let tracked = Tracked { revision, stage, pending: None, ours: false, refusals: 0, missed: 0, sight: None };
            rollout.instances.insert(instance, tracked);
        }
        rollout.rest = rollout.order.rest.map(|why| (why, rollout.share_at_rest(why)));
        rollout
    }

    /// What it is to do.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// How it stands.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Whether it has ended and no action is under way: nothing will ever come of another step.
    pub fn is_over(&self) -> bool {
        self.has_ended() && !self.has_pending()
    }

    /// Whether it orders nothing any more.
    fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Done | Phase::Resting(_) | Phase::RolledBack(_) | Phase::Halted(_))
    }

    /// Whether an action is under way.
    pub fn has_pending(&self) -> bool {
        self.instances.values().any(|tracked| tracked.pending.is_some())
    }

    /// The goal that counts now.
    pub fn goal(&self) -> Goal {
        match (&self.phase, self.order.back) {
            (Phase::Back(_) | Phase::RolledBack(_), Some(back)) => back,
            _ => self.order.goal,
        }
    }

    /// How many instances of the goal serve and are ready, how many others live: what a progress line shows.
    pub fn tally(&self) -> Tally {
        let goal = self.goal().revision;
        let mut tally = Tally::default();
        for tracked in self.instances.values() {
            let new = tracked.revision == goal;
            match tracked.stage {
                Stage::Serving { ready: true } if new => tally.ready += 1,
                Stage::Starting | Stage::Waiting | Stage::Ready { .. } | Stage::Serving { .. } if new => {
                    tally.coming += 1
                }
                Stage::Draining { .. } => tally.draining += 1,
                Stage::Ended => {}
                _ => tally.old += 1,
            }
        }
        tally
    }
}

/// Instances by where they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Of the goal, serving and ready.
    pub ready: u32,
    /// Of the goal, not yet or not now.
    pub coming: u32,
    /// Of another revision.
    pub old: u32,
    /// On their way out.
    pub draining: u32,
}
