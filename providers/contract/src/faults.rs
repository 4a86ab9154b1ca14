//! A provider with something wrong: wraps another and follows a script. It counts calls; it does not pretend.

use crate::{Execute, Limits, LogCursor, LogLine, Observe, OpContext, ProviderError, Resolution, Scope};
use async_trait::async_trait;
use std::{
    collections::BTreeSet,
    future::pending,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::sleep};
use wharf_model::{Call, Capabilities, GatewayName, Intent, Observed, Operation, Outcome, ServiceName};

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The caller dies before the platform hears of the call.
    DiesBefore,
    /// The caller dies after the platform has done it, before the answer is heard.
    DiesAfter,
    /// The platform cannot be reached; the next try can.
    Unreachable,
    /// The platform refuses.
    Rejected,
    /// The platform never answers, and does nothing.
    Hangs,
    /// The platform does it, and the answer is lost.
    ReplyLost,
    /// The platform does it twice.
    Twice,
    /// The platform does a part of it, where it has parts, and is gone.
    Partial,
    /// The platform is asked too often.
    Throttled {
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// The platform takes its time.
    Slow(Duration),
    /// The next look answers what the one before did.
    Stale,
}

/// What goes wrong, by the number of the call (from 0) and the operation.
pub type Script = Box<dyn Fn(usize, &Operation) -> Option<Fault> + Send + Sync>;

/// A provider whose calls suffer what a script says.
pub struct Faulty<P> {
    inner: Arc<P>,
    script: Script,
    calls: AtomicUsize,
    /// Told when the caller is to die.
    death: Arc<Notify>,
    looks: Mutex<Looks>,
}

/// What was seen last, and how many looks are to see it again.
#[derive(Default)]
struct Looks {
    last: Option<(Scope, Observed)>,
    stale: usize,
}

impl<P> Faulty<P> {
    /// Wraps a provider whose `at`-th call (from 0) suffers a fault. A test that waits for `death` and then drops the apply
    /// has killed it at that instant.
    pub fn new(inner: Arc<P>, at: usize, fault: Fault, death: Arc<Notify>) -> Self {
        Self::scripted(inner, Box::new(move |number, _| (number == at).then_some(fault))).telling(death)
    }

    /// Wraps a provider that follows a script.
    pub fn scripted(inner: Arc<P>, script: Script) -> Self {
        Self { inner, script, calls: AtomicUsize::new(0), death: Arc::default(), looks: Mutex::default() }
    }

    /// The same, telling `death` when the caller is to die.
    #[must_use]
    pub fn telling(self, death: Arc<Notify>) -> Self {
        Self { death, ..self }
    }

    /// How many calls were made.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    async fn die<T>(&self) -> T {
        self.death.notify_one();
        pending().await
    }

    fn looks(&self) -> std::sync::MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an earlier look answered, if this one is to answer the same.
    fn stale(&self, scope: &Scope) -> Option<Observed> {
        let mut looks = self.looks();
        let (_, seen) = looks.last.clone().filter(|(known, _)| known == scope)?;
        looks.stale = looks.stale.checked_sub(1)?;
        Some(seen)
    }
}

#[async_trait]
impl<P: Execute> Observe for Faulty<P> {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn observe(&self, scope: &Scope) -> Result<Observed, ProviderError> {
        if let Some(seen) = self.stale(scope) {
            return Ok(seen);
        }
        let seen = self.inner.observe(scope).await?;
        self.looks().last = Some((scope.clone(), seen.clone()));
        Ok(seen)
    }

    async fn logs(
        &self,
        services: &BTreeSet<ServiceName>,
        cursor: &mut LogCursor,
        limit: usize,
    ) -> Result<Vec<LogLine>, ProviderError> {
        self.inner.logs(services, cursor, limit).await
    }
}

#[async_trait]
impl<P: Execute> Execute for Faulty<P> {
    async fn execute(&self, operation: &Operation, cx: &OpContext) -> Result<Outcome, ProviderError> {
        let fault = (self.script)(self.calls.fetch_add(1, Ordering::SeqCst), operation);
        match fault {
            None => self.inner.execute(operation, cx).await,
            Some(Fault::DiesBefore) => self.die().await,
            Some(Fault::DiesAfter) => {
                self.inner.execute(operation, cx).await?;
                self.die().await
            }
            Some(Fault::Unreachable) => Err(nobody(operation)),
            Some(Fault::Rejected) => {
                let attempt = format!("cannot {}: no", operation.id());
                Err(ProviderError::Rejected { attempt, help: "ask nicely".to_owned(), source: None })
            }
            Some(Fault::Hangs) => pending().await,
            Some(Fault::ReplyLost) => {
                self.inner.execute(operation, cx).await?;
                Err(nobody(operation))
            }
            Some(Fault::Twice) => {
                self.inner.execute(operation, cx).await?;
                self.inner.execute(operation, cx).await
            }
            Some(Fault::Partial) => {
                if let Some(part) = part_of(operation) {
                    self.inner.execute(&part, cx).await?;
                }
                Err(nobody(operation))
            }
            Some(Fault::Throttled { retry_after }) => {
                let attempt = format!("cannot {}: too many calls", operation.id());
                Err(ProviderError::Throttled { attempt, retry_after })
            }
            Some(Fault::Slow(time)) => {
                sleep(time).await;
                self.inner.execute(operation, cx).await
            }
            Some(Fault::Stale) => {
                let done = self.inner.execute(operation, cx).await;
                self.looks().stale += 1;
                done
            }
        }
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    async fn resolve(&self, intent: &Intent) -> Result<Resolution, ProviderError> {
        self.inner.resolve(intent).await
    }
}

fn nobody(operation: &Operation) -> ProviderError {
    let attempt = format!("cannot {}: nobody answers", operation.id());
    ProviderError::Unreachable { attempt, retry_after: None, source: None }
}

/// The first part of a call that is done gateway by gateway.
fn part_of(operation: &Operation) -> Option<Operation> {
    let mut part = operation.clone();
    match &mut part.call {
        Call::RouteInstance { gateways, .. }
        | Call::DrainInstance { gateways, .. }
        | Call::StopInstance { gateways, .. } => shorten(gateways),
        _ => None,
    }?;
    Some(part)
}

fn shorten(gateways: &mut Vec<GatewayName>) -> Option<()> {
    let kept = gateways.len().checked_sub(1).filter(|kept| *kept > 0)?;
    gateways.truncate(kept);
    Some(())
}
