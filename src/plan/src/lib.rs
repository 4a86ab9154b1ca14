//! Desired, recorded and observed in, a [`Plan`] out.
//!
//! Everything here is a function of its arguments: no clock, no file, no randomness, no environment, no provider. What a
//! runtime can honour is handed in as data. A plan has two sides: [`Change`]s for people, and [`Operations`] for `apply`,
//! which runs exactly those.

mod change;
mod check;
mod fold;
mod format;
mod operations;
mod planner;
mod problem;
pub mod rollout;

pub use change::{Cause, Change, Counts, Incarnation, ReplaceOrder, Risk, What};
pub use check::{Flaw, check};
pub use fold::Fold;
pub use operations::{Operations, RolloutStep, Step, StepId};
pub use planner::{Input, plan, sources};
pub use problem::{Notice, Problem};

use std::sync::Arc;
use wharf_model::{EnvironmentName, Fingerprint, PlanId, ProjectName, Wanted};

/// What will be done, and why. Made by [`plan`] alone, and never changed.
#[derive(Debug, Clone)]
pub struct Plan {
    project: ProjectName,
    environment: EnvironmentName,
    provider: &'static str,
    changes: Vec<Change>,
    folds: Vec<Fold>,
    kept: usize,
    notices: Vec<Notice>,
    operations: Operations,
    wanted: Wanted,
}

impl Plan {
    /// The project.
    pub fn project(&self) -> &ProjectName {
        &self.project
    }

    /// The environment.
    pub fn environment(&self) -> &EnvironmentName {
        &self.environment
    }

    /// The runtime's name.
    pub fn provider(&self) -> &'static str {
        self.provider
    }

    /// What changes, in the order in which a person reads it: by kind, then by name.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The changes as rows: each holds those that are the same but for the names. Every change is in one row, and rows
    /// stand in the order of their first changes.
    pub fn folds(&self) -> &[Fold] {
        &self.folds
    }

    /// How many resources stay as they are.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// What is worth knowing and changes nothing.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// What `apply` runs.
    pub fn operations(&self) -> &Operations {
        &self.operations
    }

    /// The specs that the operations' effects refer to.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// How many changes there are of each kind.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.changes)
    }

    /// The plan as JSON: versioned, without secrets, the same bytes for the same input.
    pub fn json(&self) -> String {
        format::v1::print(self)
    }

    /// The digest of [`Plan::json`].
    pub fn id(&self) -> PlanId {
        let digest = Fingerprint::of([format::v1::body(self).as_bytes()]);
        PlanId(Arc::from(&digest.to_string()[..16]))
    }
}
