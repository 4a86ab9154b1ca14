//! Decides what is done when. A state machine without a clock and without waiting: events go in, orders come out.
//!
//! Steps whose predecessors are done are ready; their calls wait in lanes, and the one with the longest path behind it goes
//! first, as far as there is room. A call that found nobody, or came too often, is made again; one of which nobody knows
//! what became of it is asked after before it counts. A step that fails takes along the steps that need it, and nothing
//! else. A rollout is driven by looks. After a request to stop nothing new is begun; what runs is waited for.

mod lanes;
mod rolling;

use crate::{Failed, Skipped, Summary, sight::sights};
use lanes::{Lanes, Ready};
use rolling::Rolling;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    time::Duration,
};
use wharf_model::{
    Address, Effect, Ending, InstanceId, Intent, Observed, Operation, Outcome, ServiceName, Timestamp, Verb,
};
use wharf_plan::{
    Plan, Step, StepId,
    rollout::{Failure, Phase, Rollout, Seen, Settled, Tally},
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

/// How a call failed: what was said, and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) error: String,
    pub(crate) help: Option<String>,
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

/// How often a call that found nobody is made in all.
const TRIES: u32 = 4;
/// How long the first pause between two tries is; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// How long a call that comes too often is tried.
const THROTTLED_FOR: Duration = Duration::from_secs(10 * 60);

#[derive(Debug)]
enum State<'a> {
    Blocked { open: usize },
    Ready,
    Running,
    Rolling(Box<Rolling<'a>>),
    Over,
}

/// A call that is under way, or pauses before its next try.
#[derive(Debug)]
struct Open {
    operation: Operation,
    tries: u32,
    /// When the platform first said that it came too often.
    throttled: Option<Timestamp>,
    /// Whether one of the tries may have done it, whatever the later ones say.
    doubtful: bool,
    /// The last thing that was said.
    said: Option<Refusal>,
}

/// The state of one apply.
#[derive(Debug)]
pub(crate) struct Dispatcher<'a> {
    plan: &'a Plan,
    states: Vec<State<'a>>,
    lanes: Lanes,
    open: BTreeMap<Task, Open>,
    /// Calls that pause before their next try.
    pausing: BTreeSet<(Timestamp, Task)>,
    /// Rollouts that are ready, the longest remaining path first and then the lowest id.
    rollouts: BinaryHeap<(u32, Reverse<StepId>)>,
    rolling: usize,
    most_rolling: usize,
    remaining: Vec<u32>,
    /// Steps that were begun and are not over.
    running: usize,
    stopping: bool,
    summary: Summary,
}

impl<'a> Dispatcher<'a> {
    /// A dispatcher that has begun nothing. Steps that touch what `unknown` calls were about fail at once.
    pub(crate) fn new(plan: &'a Plan, remaining: Vec<u32>, width: Width, unknown: &[(Intent, String)]) -> Self {
        let mut dispatcher = Self {
            plan,
            states: Vec::new(),
            lanes: Lanes::new(width.calls, width.limits),
            open: BTreeMap::new(),
            pausing: BTreeSet::new(),
            rollouts: BinaryHeap::new(),
            rolling: 0,
            most_rolling: width.rollouts.max(1),
            remaining,
            running: 0,
            stopping: false,
            summary: Summary::default(),
        };
        let open = |id| plan.operations().before(id).count();
        dispatcher.states.extend(plan.operations().steps().map(|(id, _)| State::Blocked { open: open(id) }));
        dispatcher.hold_back(unknown);
        let free: Vec<_> = plan.operations().steps().map(|(id, _)| id).filter(|id| open(*id) == 0).collect();
        for id in free {
            if matches!(dispatcher.states[id.0 as usize], State::Blocked { .. }) {
                dispatcher.states[id.0 as usize] = State::Ready;
                dispatcher.enqueue(id);
            }
        }
        dispatcher
    }

    /// Fails what touches the objects of calls of which nobody knows what became of them.
    fn hold_back(&mut self, unknown: &[(Intent, String)]) {
        for (id, step) in self.plan.operations().steps() {
            let held = unknown.iter().find(|(intent, _)| touches(&step.address(), &intent.address));
            if let (Some((intent, why)), State::Blocked { .. }) = (held, &self.states[id.0 as usize]) {
                let failed = Failed::Unknown { operation: intent.operation.clone(), why: why.clone() };
                self.running += 1;
                self.failed(id, failed);
            }
        }
    }

    /// Whether nothing runs and nothing will.
    pub(crate) fn is_over(&self) -> bool {
        self.running == 0 && (self.stopping || (self.lanes.is_empty() && self.rollouts.is_empty()))
    }

    /// The services whose instances must be looked at.
    pub(crate) fn rolling(&self) -> BTreeSet<ServiceName> {
        let rolling = self.states.iter().filter_map(|state| match state {
            State::Rolling(rolling) => Some(rolling.step.order.service.clone()),
            _ => None,
        });
        rolling.collect()
    }

    /// When something is due that no call and no look brings about.
    pub(crate) fn wake(&self, now: Timestamp) -> Option<Timestamp> {
        let pause = self.pausing.first().map(|(at, _)| *at);
        pause.into_iter().chain(self.lanes.wake(now)).min()
    }

    /// Asks it to begin nothing new. What pauses before its next try is not tried again.
    pub(crate) fn stop(&mut self, now: Timestamp) -> Vec<Order> {
        self.stopping = true;
        let mut orders = Vec::new();
        for (_, task) in std::mem::take(&mut self.pausing) {
            self.abandon(task, &mut orders);
        }
        for ready in self.lanes.drain() {
            if ready.tries > 0 {
                self.abandon(ready.task, &mut orders);
            } else if ready.task.part.is_some() {
                let refusal = Refusal { error: "asked to stop".to_owned(), help: None };
                orders.extend(self.settle_part(&ready.task, &Ended::Refused(refusal), now));
            }
        }
        for index in 0..self.states.len() {
            self.drive(index, &Seen::default(), now, &mut orders);
        }
        orders
    }

    /// Lets go of a call that is not under way now, but was tried.
    fn abandon(&mut self, task: Task, orders: &mut Vec<Order>) {
        match self.open.get(&task) {
            Some(Open { doubtful: false, said: Some(refusal), .. }) => {
                orders.push(Order::GiveUp(task, refusal.clone()));
            }
            _ => orders.push(Order::Resolve(task)),
        }
    }

    /// Begins what can begin.
    pub(crate) fn begin(&mut self, now: Timestamp) -> Vec<Order> {
        let mut orders = Vec::new();
        if self.stopping {
            return orders;
        }
        while let Some((at, task)) = self.pausing.first().cloned().filter(|(at, _)| *at <= now) {
            self.pausing.remove(&(at, task.clone()));
            if let Some(open) = self.open.get(&task) {
                let (operation, tries) = (open.operation.clone(), open.tries);
                let remaining = self.remaining_of(task.step);
                self.lanes.push(Ready { task, operation, begun: true, remaining, tries });
            }
        }
        self.begin_rollouts(now, &mut orders);
        self.begin_calls(now, &mut orders);
        orders
    }

    fn begin_rollouts(&mut self, now: Timestamp, orders: &mut Vec<Order>) {
        while self.rolling < self.most_rolling {
            let Some((_, Reverse(id))) = self.rollouts.pop() else { break };
            match self.plan.operations().step(id) {
                Some(Step::Note(_, effect)) => {
                    self.running += 1;
                    orders.push(Order::Note(effect.clone()));
                    self.done(id);
                }
                Some(Step::Rollout(step)) => {
                    self.running += 1;
                    self.rolling += 1;
                    let standing = step.standing.iter().map(|(id, standing)| (id.clone(), *standing));
                    let rollout = Rollout::new(step.order.clone(), standing, step.generations.clone(), now);
                    self.states[id.0 as usize] = State::Rolling(Box::new(Rolling::new(step, rollout)));
                }
                Some(Step::Call(_)) | None => {}
            }
        }
    }

    fn begin_calls(&mut self, now: Timestamp, orders: &mut Vec<Order>) {
        while let Some(Ready { task, operation, tries, .. }) = self.lanes.next(now) {
            if tries > 0 {
                orders.push(Order::Again(task, operation));
                continue;
            }
            if task.part.is_none() {
                self.running += 1;
                self.states[task.step.0 as usize] = State::Running;
            }
            let open = Open { operation: operation.clone(), tries: 0, throttled: None, doubtful: false, said: None };
            self.open.insert(task.clone(), open);
            orders.push(Order::Call(task, operation));
        }
    }

    /// Takes in what a try came to.
    pub(crate) fn answered(&mut self, task: &Task, answer: Answer, now: Timestamp) -> Turn {
        let Some(open) = self.open.get_mut(task) else { return Turn::Resolve };
        open.tries += 1;
        let verb = open.operation.call.verb();
        self.lanes.ended(verb, matches!(answer, Answer::Done(_)));
        let (refusal, until) = match answer {
            Answer::Done(outcome) => return Turn::Over(Ended::Done(outcome)),
            Answer::Refused(refusal) if !open.doubtful => return Turn::Over(Ended::Refused(refusal)),
            Answer::Refused(refusal) | Answer::Lost(refusal) => {
                open.said = Some(refusal);
                return Turn::Resolve;
            }
            Answer::Throttled(refusal, hint) => {
                let since = *open.throttled.get_or_insert(now);
                let until = self.lanes.throttle(verb, hint, now);
                // A throttled try was none, but it has been begun.
                open.tries = (open.tries - 1).max(1);
                (refusal, Some(until).filter(|until| until.since(since) < THROTTLED_FOR))
            }
            Answer::Unreachable(refusal, hint) => {
                open.throttled = None;
                open.doubtful = true;
                let pause = hint.unwrap_or(FIRST_PAUSE * 2_u32.pow(open.tries.saturating_sub(1).min(16)));
                (refusal, (open.tries < TRIES).then(|| now + pause))
            }
        };
        open.said = Some(refusal.clone());
        let doubtful = open.doubtful;
        match until.filter(|_| !self.stopping) {
            Some(until) => {
                self.pausing.insert((until, task.clone()));
                Turn::Later(until)
            }
            None if doubtful => Turn::Resolve,
            None => Turn::Over(Ended::Refused(refusal)),
        }
    }

    /// The last thing that was said of a call.
    pub(crate) fn said(&self, task: &Task) -> Refusal {
        let said = self.open.get(task).and_then(|open| open.said.clone());
        said.unwrap_or(Refusal { error: "nobody answered".to_owned(), help: None })
    }

    /// Takes in the end of a call.
    pub(crate) fn call_ended(&mut self, task: &Task, ended: &Ended, now: Timestamp) -> Vec<Order> {
        self.open.remove(task);
        if task.part.is_some() {
            let mut orders = self.settle_part(task, ended, now);
            orders.extend(self.begin(now));
            return orders;
        }
        match ended {
            Ended::Done(_) => self.done(task.step),
            Ended::Refused(Refusal { error, help }) | Ended::Unknown(Refusal { error, help }) => {
                self.failed(task.step, Failed::Call { error: error.clone(), help: help.clone() });
            }
        }
        self.begin(now)
    }

    fn settle_part(&mut self, task: &Task, ended: &Ended, now: Timestamp) -> Vec<Order> {
        let Some((instance, verb)) = &task.part else { return Vec::new() };
        let index = task.step.0 as usize;
        if let (State::Rolling(rolling), Ended::Done(Outcome::Started { endpoint })) = (&mut self.states[index], ended)
        {
            rolling.endpoints.insert(instance.clone(), *endpoint);
        }
        let error = match ended {
            Ended::Done(_) => None,
            Ended::Refused(refusal) | Ended::Unknown(refusal) => Some(refusal.error.clone()),
        };
        let settled = vec![Settled { instance: instance.clone(), verb: *verb, error }];
        let mut orders = Vec::new();
        self.drive(index, &Seen { look: None, settled }, now, &mut orders);
        orders
    }

    /// Takes in a look, which covers every service that rolled when it was begun.
    pub(crate) fn looked(
        &mut self,
        observed: &Observed,
        covered: &BTreeSet<ServiceName>,
        now: Timestamp,
    ) -> Vec<Order> {
        let mut orders = Vec::new();
        for index in 0..self.states.len() {
            if let State::Rolling(rolling) = &self.states[index] {
                let service = &rolling.step.order.service;
                if covered.contains(service) {
                    let look = Some(sights(observed, service, &rolling.step.known_by));
                    self.drive(index, &Seen { look, settled: Vec::new() }, now, &mut orders);
                }
            }
        }
        orders.extend(self.begin(now));
        orders
    }

    /// Takes a rollout one step further.
    fn drive(&mut self, index: usize, seen: &Seen, now: Timestamp, orders: &mut Vec<Order>) {
        let id = StepId(u32::try_from(index).expect("a plan has fewer steps than 32 bits count"));
        let remaining = self.remaining_of(id);
        let State::Rolling(rolling) = &mut self.states[index] else { return };
        let Some(rollout) = rolling.rollout.take() else { return };
        // While stopping, a rollout only takes in what settles: looking would let it choose.
        let seen = if self.stopping { &Seen { look: None, settled: seen.settled.clone() } } else { seen };
        let (rollout, actions) = if self.stopping { rollout.rest(seen, now) } else { rollout.step(seen, now) };
        let service = rolling.step.order.service.clone();
        let mut impossible = Seen::default();
        for action in actions {
            let (instance, verb) = (action.instance().clone(), action.verb());
            match rolling.operation(&action) {
                Some(operation) => {
                    let task = Task { step: id, part: Some((instance, verb)) };
                    self.lanes.push(Ready { task, operation, begun: true, remaining, tries: 0 });
                }
                None => {
                    let error = Some("the plan does not say where it listens, or what it runs".to_owned());
                    impossible.settled.push(Settled { instance, verb, error });
                }
            }
        }
        rolling.tell(&rollout, &service, orders);
        let resting = self.stopping && !rollout.has_pending();
        let over = rollout.is_over().then(|| rollout.phase().clone());
        rolling.rollout = Some(rollout);
        match over {
            Some(phase) => self.rollout_over(id, &service, phase, orders),
            None if resting => {
                self.running -= 1;
                self.rolling -= 1;
                self.summary.skipped.push((Address::Service(service), Skipped::Stopped));
                self.states[index] = State::Over;
            }
            None if !impossible.settled.is_empty() => self.drive(index, &impossible, now, orders),
            None => {}
        }
    }

    fn rollout_over(&mut self, id: StepId, service: &ServiceName, phase: Phase, orders: &mut Vec<Order>) {
        let (ending, failed) = match phase {
            Phase::RolledBack(failure) => {
                (Ending::RolledBack { because: failure.to_string() }, Some(Failed::RolledBack(failure)))
            }
            Phase::Halted(failure) => (Ending::Halted { because: failure.to_string() }, Some(Failed::Halted(failure))),
            Phase::Forward | Phase::Back(_) | Phase::Done => (Ending::Done, None),
        };
        self.rolling -= 1;
        orders.push(Order::Note(Effect::RolloutEnded { service: service.clone(), ending }));
        match failed {
            None => self.done(id),
            Some(failed) => self.failed(id, failed),
        }
    }

    /// Puts a ready step where it is taken from.
    fn enqueue(&mut self, id: StepId) {
        let remaining = self.remaining_of(id);
        match self.plan.operations().step(id) {
            Some(Step::Call(operation)) => {
                let (task, operation) = (Task { step: id, part: None }, operation.clone());
                self.lanes.push(Ready { task, operation, begun: false, remaining, tries: 0 });
            }
            Some(Step::Rollout(_) | Step::Note(..)) => self.rollouts.push((remaining, Reverse(id))),
            None => {}
        }
    }

    fn remaining_of(&self, id: StepId) -> u32 {
        self.remaining.get(id.0 as usize).copied().unwrap_or(1)
    }

    fn address(&self, id: StepId) -> Option<Address> {
        self.plan.operations().step(id).map(Step::address)
    }

    fn done(&mut self, id: StepId) {
        self.running -= 1;
        self.states[id.0 as usize] = State::Over;
        self.summary.done.extend(self.address(id));
        let plan = self.plan;
        for next in plan.operations().after(id) {
            if let State::Blocked { open } = &mut self.states[next.0 as usize] {
                *open -= 1;
                if *open == 0 {
                    self.states[next.0 as usize] = State::Ready;
                    self.enqueue(next);
                }
            }
        }
    }

    fn failed(&mut self, id: StepId, failed: Failed) {
        self.running -= 1;
        self.states[id.0 as usize] = State::Over;
        let Some(address) = self.address(id) else { return };
        self.summary.failed.push((address.clone(), failed));
        let mut front = vec![id];
        while let Some(id) = front.pop() {
            for next in self.plan.operations().after(id) {
                if matches!(self.states[next.0 as usize], State::Blocked { .. }) {
                    self.states[next.0 as usize] = State::Over;
                    let skipped = Skipped::Needs(address.clone());
                    self.summary.skipped.extend(self.address(next).map(|next| (next, skipped)));
                    front.push(next);
                }
            }
        }
    }

    /// What was done, what failed, and what was left.
    pub(crate) fn into_summary(self) -> Summary {
        let mut summary = self.summary;
        for (index, state) in self.states.iter().enumerate() {
            let id = StepId(u32::try_from(index).expect("a plan has fewer steps than 32 bits count"));
            if matches!(state, State::Blocked { .. } | State::Ready) {
                let address = self.plan.operations().step(id).map(Step::address);
                summary.skipped.extend(address.map(|address| (address, Skipped::Stopped)));
            }
        }
        summary
    }
}

/// Whether a step at one address relies on what a call at the other has done.
fn touches(step: &Address, call: &Address) -> bool {
    match (step, call) {
        (Address::Route(gateway, _), Address::Gateway(other))
        | (Address::Gateway(other), Address::Route(gateway, _)) => gateway == other,
        _ => step == call || (step.service().is_some() && step.service() == call.service()),
    }
}
