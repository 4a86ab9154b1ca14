//! Decides what is done when. A state machine without a clock and without waiting: events go in, orders come out.
//!
//! Steps whose predecessors are done are ready; their calls wait in lanes, and the one with the longest path behind it goes
//! first, as far as there is room. A call that found nobody, or came too often, is made again; one of which nobody knows
//! what became of it is asked after before it counts. A step that fails takes along the steps that need it, and nothing
//! else. A rollout is driven by looks. After a request to stop nothing new is begun; what runs is waited for.

mod lanes;
mod order;
mod rolling;
mod tries;

pub(crate) use order::{Answer, Ended, Order, Progress, Task, Turn, Width};

use crate::{Failed, Skipped, Summary, sight::sights};
use lanes::{Lanes, Ready};
use rolling::Rolling;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};
use tries::Open;
use wharf_model::{Address, Effect, Ending, Intent, Observed, Outcome, ServiceName, Timestamp};
use wharf_plan::{
    Plan, Step, StepId,
    rollout::{Phase, Refusal, Rollout, Seen, Settled, Wish},
};

#[derive(Debug)]
enum State<'a> {
    Blocked { open: usize },
    Ready,
    Running,
    Rolling(Box<Rolling<'a>>),
    Over,
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
            self.open.insert(task.clone(), Open::new(operation.clone()));
            orders.push(Order::Call(task, operation));
        }
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
            Ended::Refused(refusal) | Ended::Unknown(refusal) => Some(refusal.clone()),
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
                    let error = "the plan does not say where it listens, or what it runs".to_owned();
                    let error = Some(Refusal { error, help: None });
                    impossible.settled.push(Settled { instance, verb, error });
                }
            }
        }
        rolling.tell(&rollout, &service, orders);
        rolling.note(&rollout, &service, now, orders);
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
            Phase::Resting(_) => return self.comes_to_rest(id, service, orders),
            Phase::Forward | Phase::Back(_) | Phase::Done => (Ending::Done, None),
        };
        self.rolling -= 1;
        orders.push(Order::Note(Effect::RolloutEnded { service: service.clone(), ending }));
        match failed {
            None => self.done(id),
            Some(failed) => self.failed(id, failed),
        }
    }

    /// What needs a rollout that waits, waits too: for another apply.
    fn comes_to_rest(&mut self, id: StepId, service: &ServiceName, orders: &[Order]) {
        let stands = orders.iter().rev().find_map(|order| match order {
            Order::Note(Effect::RolloutStands { service: of, rollout }) if of == service => Some(*rollout),
            _ => None,
        });
        self.rolling -= 1;
        self.running -= 1;
        self.states[id.0 as usize] = State::Over;
        self.summary.resting.extend(stands.map(|rollout| (service.clone(), rollout)));
        self.skip_after(id, &Skipped::Waits(Address::Service(service.clone())));
    }

    /// Takes in what somebody asks of a rollout. The answer says whether that makes a difference.
    pub(crate) fn wish(&mut self, service: &ServiceName, wish: Wish, by: &str, now: Timestamp) -> (Vec<Order>, bool) {
        let of = |state: &State<'_>| matches!(state, State::Rolling(rolling) if rolling.step.order.service == *service);
        let mut orders = Vec::new();
        let Some(index) = self.states.iter().position(of) else { return (orders, false) };
        let State::Rolling(rolling) = &mut self.states[index] else { return (orders, false) };
        let Some(rollout) = rolling.rollout.take() else { return (orders, false) };
        let (rollout, taken) = rollout.wish(wish, by, now);
        rolling.rollout = Some(rollout);
        self.drive(index, &Seen::default(), now, &mut orders);
        orders.extend(self.begin(now));
        (orders, taken)
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
        self.skip_after(id, &Skipped::Needs(address));
    }

    /// Leaves all that comes after a step.
    fn skip_after(&mut self, id: StepId, why: &Skipped) {
        let mut front = vec![id];
        while let Some(id) = front.pop() {
            for next in self.plan.operations().after(id) {
                if matches!(self.states[next.0 as usize], State::Blocked { .. }) {
                    self.states[next.0 as usize] = State::Over;
                    self.summary.skipped.extend(self.address(next).map(|next| (next, why.clone())));
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
        // Not in the order in which it came about, which is another each time.
        summary.skipped.sort_by(|(one, _), (two, _)| one.cmp(two));
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
