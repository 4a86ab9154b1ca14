//! Ends at a chosen moment: before or after a write of the journal, a commit, or a call of the provider. Only builds with
//! debug assertions know this; the tests kill wharf at every such boundary and see that nothing is lost.

use std::sync::Arc;
#[cfg(debug_assertions)]
use std::time::Duration;
use wharf_provider::Execute;
use wharf_store::{Backend, Times};

/// The store, which ends this process at the boundary that the environment names.
pub(crate) fn store<B: Backend + 'static>(backend: Arc<B>) -> Arc<dyn Backend> {
    #[cfg(debug_assertions)]
    let backend = Arc::new(boundaries::Mortal(backend));
    backend
}

/// The runtime, likewise.
pub(crate) fn runtime<P: Execute + 'static>(provider: Arc<P>) -> Arc<dyn Execute> {
    #[cfg(debug_assertions)]
    let provider = Arc::new(boundaries::Mortal(provider));
    provider
}

/// The lease's times; shorter where the environment says so, as whoever kills many waits for many leases to run out.
pub(crate) fn times() -> Times {
    #[cfg(debug_assertions)]
    if let Some(lease) = std::env::var("WHARF_LEASE_MS").ok().and_then(|text| text.parse().ok()) {
        let lease = Duration::from_millis(lease);
        return Times { lease, beat: lease / 4, look: lease / 20 };
    }
    Times::default()
}

#[cfg(debug_assertions)]
mod boundaries {
    use async_trait::async_trait;
    use std::{
        collections::BTreeSet,
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
    };
    use wharf_model::{Capabilities, Intent, Observed, Operation, Outcome, ServiceName};
    use wharf_provider::{Execute, Limits, LogCursor, LogLine, Observe, OpContext, ProviderError, Resolution, Scope};
    use wharf_store::{Backend, Created, Guard, Look, Presence, StoreError};

    /// Wraps what can be called at a boundary.
    #[derive(Debug)]
    pub(super) struct Mortal<T>(pub(super) T);

    static CROSSED: AtomicU64 = AtomicU64::new(0);

    /// Crosses a boundary, if this is not the one at which it ends.
    fn cross() {
        let crossed = CROSSED.fetch_add(1, Ordering::SeqCst) + 1;
        if std::env::var("WHARF_DIES_AT").is_ok_and(|at| at == crossed.to_string()) {
            // A signal that nothing can catch; there is nobody left to tell if it cannot be sent.
            let _sent = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }

    fn between<R>(work: impl FnOnce() -> R) -> R {
        cross();
        let done = work();
        cross();
        done
    }

    impl<B: Look> Look for Mortal<Arc<B>> {
        fn place(&self, key: &str) -> String {
            self.0.place(key)
        }

        fn read(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
            self.0.read(key)
        }

        fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
            self.0.list(folder)
        }

        fn presence(&self) -> Result<Presence, StoreError> {
            self.0.presence()
        }
    }

    impl<B: Backend> Backend for Mortal<Arc<B>> {
        fn create(&self, key: &str, bytes: &[u8]) -> Result<Created, StoreError> {
            // Signs of life come as time goes by, and would make the count another each time.
            if key.starts_with("lease/") { self.0.create(key, bytes) } else { between(|| self.0.create(key, bytes)) }
        }

        fn append(&self, log: &str, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
            between(|| self.0.append(log, at, bytes))
        }

        fn delete(&self, key: &str) -> Result<(), StoreError> {
            self.0.delete(key)
        }

        fn guard(&self) -> Result<Guard, StoreError> {
            self.0.guard()
        }
    }

    #[async_trait]
    impl<P: Execute> Observe for Mortal<Arc<P>> {
        fn capabilities(&self) -> &Capabilities {
            self.0.capabilities()
        }

        async fn observe(&self, scope: &Scope) -> Result<Observed, ProviderError> {
            self.0.observe(scope).await
        }

        async fn logs(
            &self,
            services: &BTreeSet<ServiceName>,
            cursor: &mut LogCursor,
            limit: usize,
        ) -> Result<Vec<LogLine>, ProviderError> {
            self.0.logs(services, cursor, limit).await
        }
    }

    #[async_trait]
    impl<P: Execute> Execute for Mortal<Arc<P>> {
        async fn execute(&self, operation: &Operation, cx: &OpContext) -> Result<Outcome, ProviderError> {
            cross();
            let done = self.0.execute(operation, cx).await;
            cross();
            done
        }

        fn limits(&self) -> Limits {
            self.0.limits()
        }

        async fn resolve(&self, intent: &Intent) -> Result<Resolution, ProviderError> {
            self.0.resolve(intent).await
        }
    }
}
