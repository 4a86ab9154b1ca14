//! Does what the dispatcher orders: makes the calls, takes the looks, keeps the journal, and feeds back what happened.
//!
//! One task owns everything; calls, looks and waits for the disk run beside it and answer to it. What is to be written down
//! gathers while the disk is waited for, and goes with the next wait. Dropping the future at any moment is the same as
//! dying there: what was intended stands in the journal, and [`recover`](crate::recover) finds out the rest.

use crate::{
    Applied, ApplyError, Cancel, Event, Recovered, Settings, call,
    dispatcher::{Answer, Dispatcher, Ended, Order, Progress, Task, Turn, Width},
    ledger::Ledger,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::pending,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::{Id, JoinError, JoinSet},
    time::{Instant, Interval, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;
use wharf_model::{Address, Intent, Observed, Operation, ServiceName, Timestamp};
use wharf_plan::{
    Plan, check,
    rollout::{Refusal, Wish},
};
use wharf_provider::{Execute, OpContext, ProviderError, Scope};
use wharf_store::{Mark, Request, Requests, StoreError, Writer};

/// Carries out a plan that was made from `ground`. When it returns, everything that was done is committed.
///
/// # Errors
/// When the plan is not sound, or the store fails: then nothing more is begun, what runs is waited for, and its outcome is
/// left to recovery. Failed operations are not errors; they are in the summary.
pub async fn apply(
    plan: &Plan,
    ground: Recovered,
    provider: Arc<dyn Execute>,
    writer: &mut Writer,
    settings: &Settings,
    cancel: &Cancel,
    events: UnboundedSender<Event>,
) -> Result<Applied, ApplyError> {
    let flaws = check(plan);
    let remaining = plan.operations().remaining().filter(|_| flaws.is_empty());
    let Some(remaining) = remaining else { return Err(ApplyError::Unsound { flaws }) };
    let width = Width { calls: settings.calls, rollouts: settings.rollouts, limits: provider.limits() };
    let dispatcher = Dispatcher::new(plan, remaining, width, &ground.unknown);
    let requests = writer.requests();
    let ledger = Ledger::begin(writer, ground, plan, settings)?;
    Runner::new(dispatcher, ledger, provider, settings, requests, events).run(&cancel.0).await
}

/// How often others are asked what they want of rollouts.
const HEAR_EVERY: Duration = Duration::from_secs(1);

struct Runner<'a> {
    dispatcher: Dispatcher<'a>,
    ledger: Ledger<'a>,
    provider: Arc<dyn Execute>,
    settings: &'a Settings,
    events: UnboundedSender<Event>,
    epoch: Instant,
    /// What was intended and has not come to its end.
    intents: BTreeMap<Task, (Intent, Mark, Instant)>,
    calls: JoinSet<(Task, Answer)>,
    resolving: JoinSet<(Task, Ended)>,
    /// What each task of those two is about, for one that does not come back.
    tasks: BTreeMap<Id, Task>,
    writes: JoinSet<Result<Mark, StoreError>>,
    /// How far the journal is durable.
    durable: Mark,
    /// Calls whose intents are not durable yet, in their order.
    held: VecDeque<(Task, Operation)>,
    /// Why the journal can take no more.
    broken: Option<StoreError>,
    looks: JoinSet<Result<Observed, ProviderError>>,
    /// The services that the look under way still speaks for: none of their calls has ended since it was begun.
    covered: BTreeSet<ServiceName>,
    words: Words,
    /// What others ask of us.
    requests: Requests,
    hears: JoinSet<Result<Vec<Request>, StoreError>>,
    heard: Option<Instant>,
}

/// What long calls say of themselves.
type Words = (UnboundedSender<(Address, String)>, UnboundedReceiver<(Address, String)>);

enum Happened {
    Cancelled,
    Answered(Task, Answer),
    Resolved(Task, Ended),
    Written(Result<Mark, StoreError>),
    Look(Result<Observed, ProviderError>),
    Tick,
    Due,
    Words(Address, String),
    Heard(Result<Vec<Request>, StoreError>),
}

impl<'a> Runner<'a> {
    fn new(
        dispatcher: Dispatcher<'a>,
        ledger: Ledger<'a>,
        provider: Arc<dyn Execute>,
        settings: &'a Settings,
        requests: Requests,
        events: UnboundedSender<Event>,
    ) -> Self {
        Self {
            dispatcher,
            ledger,
            provider,
            settings,
            events,
            epoch: Instant::now(),
            intents: BTreeMap::new(),
            calls: JoinSet::new(),
            resolving: JoinSet::new(),
            tasks: BTreeMap::new(),
            writes: JoinSet::new(),
            durable: Mark::default(),
            held: VecDeque::new(),
            broken: None,
            looks: JoinSet::new(),
            covered: BTreeSet::new(),
            words: mpsc::unbounded_channel(),
            requests,
            hears: JoinSet::new(),
            heard: None,
        }
    }

    async fn run(mut self, cancel: &CancellationToken) -> Result<Applied, ApplyError> {
        let mut tick = tokio::time::interval(self.settings.look_every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = false;
        let orders = self.dispatcher.begin(self.now());
        self.obey(orders);
        self.write();
        while !self.dispatcher.is_over() {
            let happened = self.next(&mut tick, cancel, stopping).await;
            stopping |= matches!(happened, Happened::Cancelled);
            let orders = self.take_in(happened);
            self.obey(orders);
            self.write();
        }
        self.end().await
    }

    /// Waits for what is still being written, and commits.
    async fn end(mut self) -> Result<Applied, ApplyError> {
        while let Some(written) = self.writes.join_next().await {
            let orders = self.written(unwrap_write(written));
            self.obey(orders);
        }
        if let Some(error) = self.broken {
            return Err(ApplyError::Store(error));
        }
        let now = self.now();
        let summary = self.dispatcher.into_summary();
        let (record, serial, written) = self.ledger.commit(now)?;
        Ok(Applied { summary, record, serial, written })
    }

    fn now(&self) -> Timestamp {
        self.settings.started + self.epoch.elapsed()
    }

    fn tell(&self, event: Event) {
        // Nobody need be watching.
        drop(self.events.send(event));
    }

    async fn next(&mut self, tick: &mut Interval, cancel: &CancellationToken, stopping: bool) -> Happened {
        let due = self.dispatcher.wake(self.now()).map(|at| self.epoch + at.since(self.settings.started));
        let due = async {
            match due {
                Some(at) => tokio::time::sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            // In this order, so that a simulated run goes the same way every time.
            biased;
            () = cancel.cancelled(), if !stopping => Happened::Cancelled,
            Some(written) = self.writes.join_next() => Happened::Written(unwrap_write(written)),
            Some(answered) = self.calls.join_next_with_id() => match answered {
                Ok((id, (task, answer))) => {
                    self.tasks.remove(&id);
                    Happened::Answered(task, answer)
                }
                Err(error) => self.did_not_come_back(&error),
            },
            Some(resolved) = self.resolving.join_next_with_id() => match resolved {
                Ok((id, (task, ended))) => {
                    self.tasks.remove(&id);
                    Happened::Resolved(task, ended)
                }
                Err(error) => self.did_not_come_back(&error),
            },
            Some(look) = self.looks.join_next() => Happened::Look(look.unwrap_or_else(|error| Err(blind(&error)))),
            Some(heard) = self.hears.join_next() => Happened::Heard(heard.unwrap_or_else(|error| Err(lost_write(&error)))),
            Some((address, words)) = self.words.1.recv() => Happened::Words(address, words),
            () = due => Happened::Due,
            _ = tick.tick() => Happened::Tick,
        }
    }

    fn did_not_come_back(&mut self, error: &JoinError) -> Happened {
        match self.tasks.remove(&error.id()) {
            Some(task) => Happened::Answered(task, call::lost(error)),
            None => Happened::Due,
        }
    }

    fn take_in(&mut self, happened: Happened) -> Vec<Order> {
        match happened {
            Happened::Cancelled => {
                self.tell(Event::Stopping);
                self.dispatcher.stop(self.now())
            }
            Happened::Answered(task, answer) => self.answered(task, answer),
            Happened::Resolved(task, ended) => self.ended(&task, &ended),
            Happened::Written(written) => self.written(written),
            Happened::Look(Ok(observed)) => {
                let covered = std::mem::take(&mut self.covered);
                self.dispatcher.looked(&observed, &covered, self.now())
            }
            Happened::Look(Err(error)) => {
                self.tell(Event::Blind { error: error.to_string() });
                Vec::new()
            }
            Happened::Tick => {
                self.look();
                self.hear()
            }
            Happened::Heard(requests) => self.heed(requests),
            Happened::Due => self.dispatcher.begin(self.now()),
            Happened::Words(address, words) => {
                self.tell(Event::Says { address, words });
                Vec::new()
            }
        }
    }

    fn answered(&mut self, task: Task, answer: Answer) -> Vec<Order> {
        let now = self.now();
        match self.dispatcher.answered(&task, answer, now) {
            Turn::Over(ended) => self.ended(&task, &ended),
            Turn::Resolve => vec![Order::Resolve(task)],
            Turn::Later(at) => {
                if let Some((intent, ..)) = self.intents.get(&task) {
                    let (address, error) = (intent.address.clone(), self.dispatcher.said(&task).error);
                    self.tell(Event::Again { address, error, after: at.since(now) });
                }
                self.dispatcher.begin(now)
            }
        }
    }

    fn ended(&mut self, task: &Task, ended: &Ended) -> Vec<Order> {
        let now = self.now();
        if let Some((intent, _, began)) = self.intents.remove(task) {
            self.ledger.settle(&intent, ended, now);
            // A look that was begun before this may show what was before this.
            if let Some(service) = intent.address.service() {
                self.covered.remove(service);
            }
            self.tell(Event::Settled {
                operation: intent.operation,
                address: intent.address,
                verb: intent.verb,
                object: intent.object,
                took: began.elapsed(),
                error: call::words(ended),
            });
        }
        self.dispatcher.call_ended(task, ended, now)
    }

    fn look(&mut self) {
        let rolling = self.dispatcher.rolling();
        if rolling.is_empty() || !self.looks.is_empty() {
            return;
        }
        self.covered.clone_from(&rolling);
        let scope = Scope { services: Some(rolling), probe: true, sources: BTreeSet::new() };
        let provider = Arc::clone(&self.provider);
        self.looks.spawn(async move { provider.observe(&scope).await });
    }

    /// Asks now and then whether somebody wants something of the rollouts that are under way.
    fn hear(&mut self) -> Vec<Order> {
        let rested = self.heard.is_none_or(|at| at.elapsed() >= HEAR_EVERY);
        if !rested || !self.hears.is_empty() || self.dispatcher.rolling().is_empty() {
            return Vec::new();
        }
        self.heard = Some(Instant::now());
        if self.requests.is_instant() {
            let taken = self.requests.take();
            return self.heed(taken);
        }
        let requests = self.requests.clone();
        self.hears.spawn_blocking(move || requests.take());
        Vec::new()
    }

    fn heed(&mut self, requests: Result<Vec<Request>, StoreError>) -> Vec<Order> {
        let mut orders = Vec::new();
        // Where they cannot be read now, the next time will do.
        for Request { service, wish, by, .. } in requests.unwrap_or_default() {
            let known = Wish::ALL.into_iter().find(|known| known.as_str() == wish);
            let (more, taken) = match known {
                Some(known) => self.dispatcher.wish(&service, known, &by, self.now()),
                None => (Vec::new(), false),
            };
            orders.extend(more);
            self.tell(Event::Asked { service, wish, by, taken });
        }
        orders
    }

    fn obey(&mut self, orders: Vec<Order>) {
        let mut orders = VecDeque::from(orders);
        while let Some(order) = orders.pop_front() {
            match order {
                Order::Call(task, operation) => self.call(task, operation),
                Order::Again(task, operation) => self.again(task, operation),
                Order::Resolve(task) => self.resolve(task),
                Order::GiveUp(task, refusal) => orders.extend(self.ended(&task, &Ended::Refused(refusal))),
                Order::Note(effect) => self.ledger.note(effect, self.now()),
                Order::Tell(service, Progress { tally, count, waits }) => {
                    self.tell(Event::Rollout { service, tally, count, waits });
                }
                Order::TellTurn(service, failure) => self.tell(Event::TurnedBack { service, failure }),
            }
        }
    }

    fn call(&mut self, task: Task, operation: Operation) {
        let (intent, mark) = self.ledger.intend(&operation, self.now());
        self.tell(Event::Began {
            operation: intent.operation.clone(),
            address: intent.address.clone(),
            verb: intent.verb,
            object: intent.object.clone(),
        });
        self.intents.insert(task.clone(), (intent, mark, Instant::now()));
        self.held.push_back((task, operation));
    }

    /// Makes the calls whose intents are durable.
    fn release(&mut self) {
        while let Some((task, operation)) = self.held.pop_front() {
            if self.intents.get(&task).is_some_and(|(_, mark, _)| *mark > self.durable) {
                self.held.push_front((task, operation));
                return;
            }
            self.again(task, operation);
        }
    }

    fn again(&mut self, task: Task, operation: Operation) {
        let Some((intent, ..)) = self.intents.get(&task) else { return };
        let cx = OpContext {
            operation: intent.operation.clone(),
            secrets: Arc::clone(&self.settings.secrets),
            progress: self.progress_of(&intent.address),
        };
        let made = call::make(Arc::clone(&self.provider), operation, cx);
        let about = task.clone();
        let handle = self.calls.spawn(async move { (about, made.await) });
        self.tasks.insert(handle.id(), task);
    }

    fn resolve(&mut self, task: Task) {
        let Some((intent, ..)) = self.intents.get(&task) else { return };
        let found = call::find_out(Arc::clone(&self.provider), intent.clone(), self.dispatcher.said(&task));
        let about = task.clone();
        let handle = self.resolving.spawn(async move { (about, found.await) });
        self.tasks.insert(handle.id(), task);
    }

    /// Has what has gathered written, unless something is being written: then it goes with the next.
    fn write(&mut self) {
        if self.broken.is_some() || !self.writes.is_empty() {
            return;
        }
        while let Some(batch) = self.ledger.batch() {
            if !batch.is_instant() {
                self.writes.spawn_blocking(|| batch.write());
                return;
            }
            let orders = self.written(batch.write());
            self.obey(orders);
        }
    }

    fn written(&mut self, written: Result<Mark, StoreError>) -> Vec<Order> {
        match written {
            Ok(up_to) => {
                self.durable = up_to;
                self.release();
                Vec::new()
            }
            Err(error) => {
                self.broken.get_or_insert(error);
                let mut orders = self.dispatcher.stop(self.now());
                for (task, _) in std::mem::take(&mut self.held) {
                    let error = "not made, as its intent could not be written down".to_owned();
                    orders.push(Order::GiveUp(task, Refusal { error, help: None }));
                }
                orders
            }
        }
    }

    /// A channel whose words are told as those of `address`.
    fn progress_of(&self, address: &Address) -> UnboundedSender<String> {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let (address, words) = (address.clone(), self.words.0.clone());
        tokio::spawn(async move {
            // Ends with the call, which holds the only sender.
            while let Some(said) = receiver.recv().await {
                drop(words.send((address.clone(), said)));
            }
        });
        sender
    }
}

fn unwrap_write(written: Result<Result<Mark, StoreError>, JoinError>) -> Result<Mark, StoreError> {
    written.unwrap_or_else(|error| Err(lost_write(&error)))
}

fn lost_write(error: &JoinError) -> StoreError {
    StoreError::Write { at: "the journal".to_owned(), source: std::io::Error::other(error.to_string()) }
}

fn blind(error: &JoinError) -> ProviderError {
    ProviderError::Unreachable {
        attempt: format!("the look did not come back ({error})"),
        retry_after: None,
        source: None,
    }
}
