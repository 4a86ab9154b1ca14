//! The boundary between wharf and a runtime: two traits, their errors, and what a call carries along.
//!
//! The halves are split on purpose. [`Observe`] cannot change anything, and the commands that only look hold nothing
//! else; [`Execute`] is held by `apply` alone. A provider knows neither plans nor KDL: it answers what is there, and does
//! one [`Operation`] at a time. The in-memory provider here behaves like a runtime whose weather a test can choose, and
//! the conformance suite is what every provider must pass.
//!
//! Who holds the writing half can make a call:
//!
//! ```
//! # use wharf_provider::{Execute, OpContext};
//! # use wharf_model::Operation;
//! async fn write(half: &dyn Execute, operation: &Operation, cx: &OpContext) {
//!     let _ = half.execute(operation, cx).await;
//! }
//! ```
//!
//! and the same with the reading half is no program:
//!
//! ```compile_fail,E0599
//! # use wharf_provider::{Execute, Observe, OpContext};
//! # use wharf_model::Operation;
//! async fn write(half: &dyn Observe, operation: &Operation, cx: &OpContext) {
//!     let _ = half.execute(operation, cx).await;
//! }
//! ```

mod conformance;
mod error;
mod faults;
mod limits;
mod memory;
mod secrets;
pub mod tree;

pub use conformance::{Platform, conformance};
pub use error::ProviderError;
pub use faults::{Fault, Faulty, Script};
pub use limits::Limits;
pub use memory::{MemoryProvider, ServedMemory, Stays, serve};
pub use secrets::SecretValues;

use async_trait::async_trait;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use wharf_model::{
    Capabilities, EnvironmentName, InstanceId, Intent, Observed, Operation, OperationId, Outcome, ProjectName,
    ServiceName, SourceRef, Timestamp,
};

/// What a look should cover. Every object of the environment that carries wharf's labels is always listed; a scope says
/// what is looked at more closely.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Look at the instances of these services only; at all of them when none.
    pub services: Option<BTreeSet<ServiceName>>,
    /// Whether each running instance is asked once, by its own readiness probe, whether it is ready.
    pub probe: bool,
    /// The sources whose content is wanted.
    pub sources: BTreeSet<SourceRef>,
}

impl Scope {
    /// Whether the service's instances are looked at.
    pub fn covers(&self, service: &ServiceName) -> bool {
        self.services.as_ref().is_none_or(|services| services.contains(service))
    }
}

/// One line that an instance wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Who wrote it.
    pub instance: InstanceId,
    /// Which of its containers, where it is several; the only one is zero.
    pub rank: u32,
    /// When.
    pub at: Timestamp,
    /// Where to.
    pub stream: LogStream,
    /// What, without the newline.
    pub text: String,
}

/// Where a line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogStream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// How far a reader has read what each container of an instance wrote, by its rank. What it counts is the provider's own
/// affair.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogCursor(pub BTreeMap<(InstanceId, u32), (u64, u64)>);

/// The read half of a provider. `plan`, `drift`, `status` and `logs` hold only this.
#[async_trait]
pub trait Observe: Send + Sync {
    /// What a change of each field costs here.
    fn capabilities(&self) -> &Capabilities;

    /// Looks at the environment once, in bulk. Changes nothing. What is not there is absent from the answer, never an
    /// error; a source that cannot be read is an error inside the answer.
    ///
    /// # Errors
    /// When the platform as a whole cannot be asked.
    async fn observe(&self, scope: &Scope) -> Result<Observed, ProviderError>;

    /// The lines that the instances of `services` (of all, when empty) wrote after `cursor`, oldest first, at most
    /// `limit` of the newest per instance; moves the cursor behind them.
    ///
    /// # Errors
    /// When logs cannot be read. An instance without a log has no lines.
    async fn logs(
        &self,
        services: &BTreeSet<ServiceName>,
        cursor: &mut LogCursor,
        limit: usize,
    ) -> Result<Vec<LogLine>, ProviderError>;
}

/// Who an object belongs to: every object that a provider makes carries this, with its own address and operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvironmentName,
}

/// What a call carries beside the operation.
#[derive(Clone)]
pub struct OpContext {
    /// The id that the object carries.
    pub operation: OperationId,
    /// The values of the secrets that the project names.
    pub secrets: Arc<SecretValues>,
    /// Takes words on how a long call goes (`installing flask==2.3.3`). A lost receiver is no error.
    pub progress: tokio::sync::mpsc::UnboundedSender<String>,
}

impl OpContext {
    /// Says how a long call goes.
    pub fn say(&self, words: impl Into<String>) {
        // A receiver that is gone has nobody left to tell.
        drop(self.progress.send(words.into()));
    }
}

/// What became of a call whose outcome nobody wrote down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// It was not made, or left nothing behind; making it again is safe.
    NotApplied,
    /// It was made, with this outcome.
    Applied(Outcome),
    /// The platform does not say. Only what depends on it is held back.
    CannotTell(String),
}

/// The write half of a provider. Only `apply` and `destroy` hold it.
#[async_trait]
pub trait Execute: Observe {
    /// Makes one call. When it returns `Ok`, the call's promise holds on the platform. Doing it again succeeds and changes
    /// nothing more. It may be dropped at any await: what it has begun is then found by [`Execute::resolve`] or finished by
    /// doing it again.
    ///
    /// # Errors
    /// Says whether trying again can help; see [`ProviderError`].
    async fn execute(&self, operation: &Operation, cx: &OpContext) -> Result<Outcome, ProviderError>;

    /// How many calls it takes at once.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// Finds out what became of a call that was about to be made when wharf ended, by the object's name and labels.
    ///
    /// # Errors
    /// When the platform cannot be asked.
    async fn resolve(&self, intent: &Intent) -> Result<Resolution, ProviderError>;
}
