//! What goes into the dispatcher and what comes out of it.

use std::time::Duration;
use wharf_model::{Effect, InstanceId, Operation, Outcome, ServiceName, Timestamp, Verb};
use wharf_plan::{
    StepId,
    rollout::{Failure, Refusal, Tally},
};
use wharf_provider::Limits;

/// One call under way: which step it belongs to and, for a rollout, which instance it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Task {
    pub(crate) step: StepId,
    pub(crate) part: Option<(InstanceId, Verb)>,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Order {
    /// Make a call for the first time.
    Call(Task, Operation),
    /// Make it again.
    Again(Task, Operation),
    /// Find out what became of a call, which is not made again.
    Resolve(Task),
    /// Give up a call that was refused every time, before anything came of it.
    GiveUp(Task, Refusal),
    /// Write down an effect that is no call.
    Note(Effect),
    /// Tell that a rollout stands otherwise.
    Tell(ServiceName, Progress),
    /// Tell that a rollout goes back.
    TellTurn(ServiceName, Failure),
}

/// How a rollout stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) tally: Tally,
    pub(crate) count: u32,
    pub(crate) waits: Vec<String>,
}

/// What a try came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was done.
    Done(Outcome),
    /// It was not done, and trying again changes nothing.
    Refused(Refusal),
    /// It was not done, as the platform is asked too often.
    Throttled(Refusal, Option<Duration>),
    /// Nobody knows whether it was done; trying again may help.
    Unreachable(Refusal, Option<Duration>),
    /// Nobody knows whether it was done, and trying again would take too long.
    Lost(Refusal),
}

/// What a call came to in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was done.
    Done(Outcome),
    /// It was not done.
    Refused(Refusal),
    /// Nobody knows.
    Unknown(Refusal),
}

/// What becomes of a call after a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It has come to its end.
    Over(Ended),
    /// It is not made again; what became of it must be found out.
    Resolve,
    /// It is made again at this time.
    Later(Timestamp),
}

/// How much at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Width {
    /// How many calls.
    pub(crate) calls: usize,
    /// How many rollouts.
    pub(crate) rollouts: usize,
    /// What the provider takes.
    pub(crate) limits: Limits,
}
