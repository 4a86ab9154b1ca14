//! Does what the dispatcher orders: makes the calls, takes the looks, keeps the journal, and feeds back what happened.
//!
//! One task owns everything; calls and looks run beside it and answer to it. Dropping the future at any moment is the
//! same as dying there: what was intended stands in the journal, and [`recover`](crate::recover) finds out the rest.

use crate::{
    ApplyError, Event, Summary,
    dispatcher::{Dispatcher, Order, Refusal, Task},
    ledger::Ledger,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::{Id, JoinError, JoinSet},
    time::{Instant, Interval, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;
use wharf_model::{Address, Intent, Observed, Operation, Outcome, Record, ServiceName, Timestamp};
use wharf_plan::{Plan, check};
use wharf_provider::{Execute, OpContext, ProviderError, Scope, SecretValues};
use wharf_store::{Begin, Writer};

/// How an apply goes about its work.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The values of the project's secrets.
    pub secrets: Arc<SecretValues>,
    /// Who runs it, for the journal.
    pub who: String,
    /// When it begins.
    pub started: Timestamp,
    /// How many steps run at once.
    pub room: usize,
    /// How often instances of a rollout are looked at.
    pub look_every: Duration,
}

/// Asks a running apply to stop: it begins nothing new, finishes what runs, and commits.
#[derive(Debug, Clone, Default)]
pub struct Cancel(CancellationToken);

impl Cancel {
    /// Asks. Asking twice is asking once.
    pub fn ask(&self) {
        self.0.cancel();
    }
}

/// How often a call that found nobody is made in all.
const TRIES: u32 = 4;
/// How long the first pause between two tries is; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// How long a call may take: installing libraries is the longest there is.
const CALL_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Carries out a plan that was made from `record`. When it returns, everything that was done is committed.
///
/// # Errors
/// When the plan is not sound, or the store fails: then nothing more is begun, and what ran is left to recovery. Failed
/// operations are not errors; they are in the summary.
pub async fn apply(
    plan: &Plan,
    record: Record,
    provider: Arc<dyn Execute>,
    writer: &mut Writer,
    settings: &Settings,
    cancel: &Cancel,
    events: UnboundedSender<Event>,
) -> Result<(Summary, Record, u64), ApplyError> {
    let flaws = check(plan);
    let remaining = plan.operations().remaining().filter(|_| flaws.is_empty());
    let Some(remaining) = remaining else { return Err(ApplyError::Unsound { flaws }) };
    let (plan_id, at, wanted) = (plan.id(), settings.started, plan.wanted().clone());
    let ledger = Ledger::begin(writer, record, Begin { plan: plan_id, who: settings.who.clone(), at, wanted })?;
    let dispatcher = Dispatcher::new(plan, remaining, settings.room);
    Runner::new(dispatcher, ledger, provider, settings, events).run(&cancel.0).await
}

struct Runner<'a> {
    dispatcher: Dispatcher<'a>,
    ledger: Ledger<'a>,
    provider: Arc<dyn Execute>,
    settings: &'a Settings,
    events: UnboundedSender<Event>,
    epoch: Instant,
    calls: JoinSet<Result<Outcome, Refusal>>,
    /// What each call is, by the task that makes it.
    under_way: BTreeMap<Id, UnderWay>,
    looks: JoinSet<Result<Observed, ProviderError>>,
    /// The services that the look under way still speaks for: none of their calls has ended since it was begun.
    covered: BTreeSet<ServiceName>,
    words: Words,
}

/// What long calls say of themselves.
type Words = (UnboundedSender<(Address, String)>, UnboundedReceiver<(Address, String)>);

struct UnderWay {
    task: Task,
    intent: Intent,
    began: Instant,
}

enum Happened {
    Cancelled,
    Call(Id, Result<Outcome, Refusal>),
    Look(Result<Observed, ProviderError>),
    Tick,
    Words(Address, String),
}

impl<'a> Runner<'a> {
    fn new(
        dispatcher: Dispatcher<'a>,
        ledger: Ledger<'a>,
        provider: Arc<dyn Execute>,
        settings: &'a Settings,
        events: UnboundedSender<Event>,
    ) -> Self {
        Self {
            dispatcher,
            ledger,
            provider,
            settings,
            events,
            epoch: Instant::now(),
            calls: JoinSet::new(),
            under_way: BTreeMap::new(),
            looks: JoinSet::new(),
            covered: BTreeSet::new(),
            words: mpsc::unbounded_channel(),
        }
    }

    async fn run(mut self, cancel: &CancellationToken) -> Result<(Summary, Record, u64), ApplyError> {
        let mut tick = tokio::time::interval(self.settings.look_every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = false;
        let orders = self.dispatcher.begin(self.now());
        self.obey(orders)?;
        while !self.dispatcher.is_over() {
            let happened = self.next(&mut tick, cancel, stopping).await;
            stopping |= matches!(happened, Happened::Cancelled);
            let orders = self.take_in(happened)?;
            self.obey(orders)?;
        }
        let summary = self.dispatcher.into_summary();
        let (record, serial) = self.ledger.commit()?;
        Ok((summary, record, serial))
    }

    fn now(&self) -> Timestamp {
        self.settings.started + self.epoch.elapsed()
    }

    fn tell(&self, event: Event) {
        // Nobody need be watching.
        drop(self.events.send(event));
    }

    async fn next(&mut self, tick: &mut Interval, cancel: &CancellationToken, stopping: bool) -> Happened {
        tokio::select! {
            () = cancel.cancelled(), if !stopping => Happened::Cancelled,
            Some(ended) = self.calls.join_next_with_id() => {
                let (id, result) = unwrap_task(ended);
                Happened::Call(id, result)
            }
            Some(look) = self.looks.join_next() => Happened::Look(look.unwrap_or_else(|error| Err(lost(&error)))),
            Some((address, words)) = self.words.1.recv() => Happened::Words(address, words),
            _ = tick.tick() => Happened::Tick,
        }
    }

    fn take_in(&mut self, happened: Happened) -> Result<Vec<Order>, ApplyError> {
        Ok(match happened {
            Happened::Cancelled => {
                self.tell(Event::Stopping);
                self.dispatcher.stop(self.now())
            }
            Happened::Call(id, result) => self.call_ended(id, result)?,
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
                Vec::new()
            }
            Happened::Words(address, words) => {
                self.tell(Event::Says { address, words });
                Vec::new()
            }
        })
    }

    fn call_ended(&mut self, id: Id, result: Result<Outcome, Refusal>) -> Result<Vec<Order>, ApplyError> {
        let Some(UnderWay { task, intent, began }) = self.under_way.remove(&id) else { return Ok(Vec::new()) };
        self.ledger.settle(&intent, result.as_ref().map_err(|refusal| refusal.error.as_str()))?;
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
            error: result.as_ref().err().map(|refusal| (refusal.error.clone(), refusal.help.clone())),
        });
        Ok(self.dispatcher.call_ended(&task, result, self.now()))
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

    fn obey(&mut self, orders: Vec<Order>) -> Result<(), ApplyError> {
        for order in orders {
            match order {
                Order::Call(task, operation) => self.call(task, operation)?,
                Order::Note(effect) => self.ledger.note(effect)?,
                Order::Tell(service, tally, count, waits) => {
                    self.tell(Event::Rollout { service, tally, count, waits });
                }
                Order::TellTurn(service, failure) => self.tell(Event::TurnedBack { service, failure }),
            }
        }
        Ok(())
    }

    fn call(&mut self, task: Task, operation: Operation) -> Result<(), ApplyError> {
        let intent = self.ledger.intend(&operation)?;
        self.tell(Event::Began {
            operation: intent.operation.clone(),
            address: intent.address.clone(),
            verb: intent.verb,
            object: intent.object.clone(),
        });
        let cx = OpContext {
            operation: intent.operation.clone(),
            secrets: Arc::clone(&self.settings.secrets),
            progress: self.progress_of(&intent.address),
        };
        let handle = self.calls.spawn(make(Arc::clone(&self.provider), operation, cx));
        self.under_way.insert(handle.id(), UnderWay { task, intent, began: Instant::now() });
        Ok(())
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

/// Makes a call, again when nobody was there.
async fn make(provider: Arc<dyn Execute>, operation: Operation, cx: OpContext) -> Result<Outcome, Refusal> {
    let mut pause = FIRST_PAUSE;
    for left in (0..TRIES).rev() {
        let made = tokio::time::timeout(CALL_LIMIT, provider.execute(&operation, &cx)).await;
        let error = match made {
            Ok(Ok(outcome)) => return Ok(outcome),
            Ok(Err(error)) => error,
            Err(_) => {
                let error = format!("`{}` took longer than {} minutes", operation.id(), CALL_LIMIT.as_secs() / 60);
                return Err(Refusal { error, help: None });
            }
        };
        match &error {
            ProviderError::Unreachable { retry_after, .. } if left > 0 => {
                cx.say(format!("{}; trying again", chain(&error)));
                tokio::time::sleep(retry_after.unwrap_or(pause)).await;
                pause *= 2;
            }
            _ => return Err(Refusal { error: chain(&error), help: error.help().map(str::to_owned) }),
        }
    }
    unreachable!("the last try returns")
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn unwrap_task(ended: Result<(Id, Result<Outcome, Refusal>), JoinError>) -> (Id, Result<Outcome, Refusal>) {
    match ended {
        Ok(ended) => ended,
        Err(error) => (error.id(), Err(Refusal { error: lost(&error).to_string(), help: None })),
    }
}

fn lost(error: &JoinError) -> ProviderError {
    ProviderError::Unreachable {
        attempt: format!("the call did not come back ({error})"),
        retry_after: None,
        source: None,
    }
}
