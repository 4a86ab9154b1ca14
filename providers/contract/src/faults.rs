//! A provider with something wrong: wraps another and follows a script. It counts calls; it does not pretend.

use crate::{Execute, LogCursor, LogLine, Observe, OpContext, ProviderError, Resolution, Scope};
use async_trait::async_trait;
use std::{
    collections::BTreeSet,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;
use wharf_model::{Capabilities, Intent, Observed, Operation, Outcome, ServiceName};

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
}

/// A provider whose `at`-th call (counted from 0) suffers a [`Fault`].
pub struct Faulty<P> {
    inner: Arc<P>,
    at: usize,
    fault: Fault,
    calls: AtomicUsize,
    /// Told when the caller is to die.
    death: Arc<Notify>,
}

impl<P> Faulty<P> {
    /// Wraps a provider. A test that waits for `death` and then drops the apply has killed it at that instant.
    pub fn new(inner: Arc<P>, at: usize, fault: Fault, death: Arc<Notify>) -> Self {
        Self { inner, at, fault, calls: AtomicUsize::new(0), death }
    }

    /// How many calls were made.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    async fn die<T>(&self) -> T {
        self.death.notify_one();
        pending().await
    }
}

#[async_trait]
impl<P: Execute> Observe for Faulty<P> {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn observe(&self, scope: &Scope) -> Result<Observed, ProviderError> {
        self.inner.observe(scope).await
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
        let fault = (self.calls.fetch_add(1, Ordering::SeqCst) == self.at).then_some(self.fault);
        match fault {
            None => self.inner.execute(operation, cx).await,
            Some(Fault::DiesBefore) => self.die().await,
            Some(Fault::DiesAfter) => {
                self.inner.execute(operation, cx).await?;
                self.die().await
            }
            Some(Fault::Unreachable) => {
                let attempt = format!("cannot {}: nobody answers", operation.id());
                Err(ProviderError::Unreachable { attempt, retry_after: None, source: None })
            }
            Some(Fault::Rejected) => {
                let attempt = format!("cannot {}: no", operation.id());
                Err(ProviderError::Rejected { attempt, help: "ask nicely".to_owned(), source: None })
            }
        }
    }

    async fn resolve(&self, intent: &Intent) -> Result<Resolution, ProviderError> {
        self.inner.resolve(intent).await
    }
}
