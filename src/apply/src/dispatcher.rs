//! Decides what is done when. A state machine without a clock and without waiting: events go in, orders come out.
//!
//! Steps whose predecessors are done are ready; the one with the longest path behind it goes first, as long as there is
//! room. A step that fails takes along the steps that need it, and nothing else. A rollout holds its place from its first
//! action to its end and is driven by looks. After a request to stop nothing new is begun; what runs is waited for.

use crate::{Failed, Skipped, Summary, sight::sights};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    net::SocketAddr,
};
use wharf_model::{
    Address, Call, Effect, Ending, InstanceId, Launch, Observed, Operation, Outcome, RevisionNumber, ServiceName,
    Timestamp, Verb,
};
use wharf_plan::{
    Plan, RolloutStep, Step, StepId,
    rollout::{Action, Failure, Phase, Rollout, Seen, Settled, Tally},
};

/// One call under way: which step it belongs to and, for a rollout, which instance it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Task {
    pub(crate) step: StepId,
    pub(crate) part: Option<(InstanceId, Verb)>,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Order {
    /// Make a call.
    Call(Task, Operation),
    /// Write down an effect that is no call.
    Note(Effect),
    /// Tell that a rollout stands otherwise.
    Tell(ServiceName, Tally, u32, Vec<String>),
    /// Tell that a rollout goes back.
    TellTurn(ServiceName, Failure),
}

/// How a call failed: what was said, and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) error: String,
    pub(crate) help: Option<String>,
}

#[derive(Debug)]
enum State<'a> {
    Blocked { open: usize },
    Ready,
    Running,
    Rolling(Box<Rolling<'a>>),
    Over,
}

#[derive(Debug)]
struct Rolling<'a> {
    step: &'a RolloutStep,
    /// None only while a step is being taken.
    rollout: Option<Rollout>,
    endpoints: BTreeMap<InstanceId, SocketAddr>,
    /// Of which revision each instance is.
    revisions: BTreeMap<InstanceId, RevisionNumber>,
    told: Option<(Tally, Vec<String>)>,
    turned: bool,
}

/// The state of one apply.
#[derive(Debug)]
pub(crate) struct Dispatcher<'a> {
    plan: &'a Plan,
    states: Vec<State<'a>>,
    /// Ready steps, the longest remaining path first and then the lowest id.
    ready: BinaryHeap<(u32, Reverse<StepId>)>,
    remaining: Vec<u32>,
    running: usize,
    room: usize,
    stopping: bool,
    summary: Summary,
}

impl<'a> Dispatcher<'a> {
    /// A dispatcher that has begun nothing. At most `room` steps run at once.
    pub(crate) fn new(plan: &'a Plan, remaining: Vec<u32>, room: usize) -> Self {
        let mut dispatcher = Self {
            plan,
            states: Vec::new(),
            ready: BinaryHeap::new(),
            remaining,
            running: 0,
            room: room.max(1),
            stopping: false,
            summary: Summary::default(),
        };
        for (id, _) in plan.operations().steps() {
            let open = plan.operations().before(id).count();
            dispatcher.states.push(State::Blocked { open });
            if open == 0 {
                dispatcher.make_ready(id);
            }
        }
        dispatcher
    }

    /// Whether nothing runs and nothing will.
    pub(crate) fn is_over(&self) -> bool {
        self.running == 0 && (self.ready.is_empty() || self.stopping)
    }

    /// The services whose instances must be looked at.
    pub(crate) fn rolling(&self) -> BTreeSet<ServiceName> {
        let rolling = self.states.iter().filter_map(|state| match state {
            State::Rolling(rolling) => Some(rolling.step.order.service.clone()),
            _ => None,
        });
        rolling.collect()
    }

    /// Asks it to begin nothing new.
    pub(crate) fn stop(&mut self, now: Timestamp) -> Vec<Order> {
        self.stopping = true;
        let mut orders = Vec::new();
        for index in 0..self.states.len() {
            self.drive(index, &Seen::default(), now, &mut orders);
        }
        orders
    }

    /// Begins what can begin.
    pub(crate) fn begin(&mut self, now: Timestamp) -> Vec<Order> {
        let mut orders = Vec::new();
        while !self.stopping && self.running < self.room {
            let Some((_, Reverse(id))) = self.ready.pop() else { break };
            self.begin_step(id, now, &mut orders);
        }
        orders
    }

    fn begin_step(&mut self, id: StepId, now: Timestamp, orders: &mut Vec<Order>) {
        let Some(step) = self.plan.operations().step(id) else { return };
        self.running += 1;
        match step {
            Step::Call(operation) => {
                self.states[id.0 as usize] = State::Running;
                orders.push(Order::Call(Task { step: id, part: None }, operation.clone()));
            }
            Step::Note(_, effect) => {
                orders.push(Order::Note(effect.clone()));
                self.done(id);
            }
            Step::Rollout(step) => {
                let standing = step.standing.iter().map(|(id, standing)| (id.clone(), *standing));
                let rollout = Rollout::new(step.order.clone(), standing, step.generations.clone(), now);
                let rolling = Rolling {
                    step,
                    rollout: Some(rollout),
                    endpoints: step.endpoints.clone(),
                    revisions: step.standing.iter().map(|(id, standing)| (id.clone(), standing.revision)).collect(),
                    told: None,
                    turned: false,
                };
                self.states[id.0 as usize] = State::Rolling(Box::new(rolling));
            }
        }
    }

    /// Takes in the end of a call.
    pub(crate) fn call_ended(&mut self, task: &Task, result: Result<Outcome, Refusal>, now: Timestamp) -> Vec<Order> {
        let Some((instance, verb)) = &task.part else {
            match result {
                Ok(_) => self.done(task.step),
                Err(Refusal { error, help }) => self.failed(task.step, Failed::Call { error, help }),
            }
            return self.begin(now);
        };
        let index = task.step.0 as usize;
        if let (State::Rolling(rolling), Ok(Outcome::Started { endpoint })) = (&mut self.states[index], &result) {
            rolling.endpoints.insert(instance.clone(), *endpoint);
        }
        let error = result.err().map(|refusal| refusal.error);
        let settled = vec![Settled { instance: instance.clone(), verb: *verb, error }];
        let mut orders = Vec::new();
        self.drive(index, &Seen { look: None, settled }, now, &mut orders);
        orders.extend(self.begin(now));
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
                    orders.push(Order::Call(Task { step: id, part: Some((instance, verb)) }, operation));
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
        orders.push(Order::Note(Effect::RolloutEnded { service: service.clone(), ending }));
        match failed {
            None => self.done(id),
            Some(failed) => self.failed(id, failed),
        }
    }

    fn make_ready(&mut self, id: StepId) {
        self.states[id.0 as usize] = State::Ready;
        let remaining = self.remaining.get(id.0 as usize).copied().unwrap_or(1);
        self.ready.push((remaining, Reverse(id)));
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
                    self.make_ready(next);
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

impl Rolling<'_> {
    /// The provider call that an action means.
    fn operation(&mut self, action: &Action) -> Option<Operation> {
        let step = self.step;
        let instance = action.instance().clone();
        let address = Address::Instance(instance.service.clone(), instance.slot);
        let (gateways, known_by) = (step.gateways.clone(), step.known_by.clone());
        let call = match action {
            Action::Start(_, revision) => {
                self.revisions.insert(instance.clone(), *revision);
                Call::StartInstance(Launch { instance, revision: step.revisions.get(revision)?.clone() })
            }
            Action::Route(_) => {
                let endpoint = *self.endpoints.get(&instance)?;
                let revision = self.revisions.get(&instance)?;
                let probe = step.revisions.get(revision)?.template.probe();
                Call::RouteInstance { instance, endpoint, gateways, probe }
            }
            Action::Drain(_) => Call::DrainInstance { instance, gateways: known_by, shutdown: step.shutdown.clone() },
            Action::Stop(_) => Call::StopInstance { instance, gateways: known_by },
        };
        Some(Operation { address, call })
    }

    /// Tells what is new about the rollout.
    fn tell(&mut self, rollout: &Rollout, service: &ServiceName, orders: &mut Vec<Order>) {
        if let (Phase::Back(failure), false) = (rollout.phase(), self.turned) {
            self.turned = true;
            orders.push(Order::TellTurn(service.clone(), failure.clone()));
        }
        let now = (rollout.tally(), rollout.waits().iter().map(ToString::to_string).collect::<Vec<_>>());
        if self.told.as_ref() != Some(&now) {
            orders.push(Order::Tell(service.clone(), now.0, rollout.goal().count, now.1.clone()));
            self.told = Some(now);
        }
    }
}
