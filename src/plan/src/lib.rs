//! Desired, recorded and observed in, a [`Plan`] out.
//!
//! Everything here is a function of its arguments: no clock, no file, no randomness, no environment, no provider. What a
//! runtime can honour is handed in as data. A plan has two sides: [`Change`]s for people, and [`Operations`] for `apply`,
//! which runs exactly those.

mod change;
mod check;
mod digest;
pub mod drift;
mod facts;
mod fold;
mod format;
mod graph;
pub mod history;
mod operations;
mod part;
mod planner;
mod policy;
mod problem;
mod recorded;
pub mod rollout;
mod saved;
mod select;

pub use change::{Cause, Change, Counts, Incarnation, ReplaceOrder, Risk, What};
pub use check::{Flaw, check};
pub use facts::{Facts, Fields};
pub use fold::Fold;
pub use graph::{Graph, graph};
pub use operations::{Operations, RolloutStep, Step, StepId};
pub use planner::{CannotForget, CannotMove, Input, adopt, forget, plan, plan_pinned, rename, sources};
pub use policy::{Ruling, Verdict};
pub use problem::{Notice, Problem};
pub use recorded::{AsDesired, as_desired};
pub use saved::{Became, Files, SavedPlan, SavedPlanError, Side, Stale, StaleReason};
pub use select::{LeftOut, Selection, WhyLeftOut};

use std::{collections::BTreeMap, sync::Arc};
use wharf_model::{Address, EnvironmentName, PlanId, PolicySpec, ProjectName, Wanted};

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
    /// The resources whose facts each step relies on, by its id.
    relies_on: Vec<Vec<Address>>,
    facts: BTreeMap<Address, Facts>,
    selection: Selection,
    left_out: Vec<LeftOut>,
    files: Files,
    policies: BTreeMap<Arc<str>, PolicySpec>,
    /// Whether values of secrets may differ from recorded ones.
    keyed: bool,
    /// The plan that somebody reviewed, when this one is what was found of it.
    reviewed: Option<PlanId>,
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

    /// The resources whose facts a step relies on.
    pub fn relies_on(&self, step: StepId) -> &[Address] {
        self.relies_on.get(step.0 as usize).map(Vec::as_slice).unwrap_or_default()
    }

    /// What was recorded and observed of every resource that a step relies on, in the order of their addresses.
    pub fn facts(&self) -> impl Iterator<Item = (&Address, &Facts)> {
        self.facts.iter()
    }

    /// Which services it is about.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The changes that the files ask for and that it does not make, in the order of their addresses.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// The policies that it must keep to.
    pub fn policies(&self) -> &BTreeMap<Arc<str>, PolicySpec> {
        &self.policies
    }

    /// What those say of it.
    pub fn verdicts(&self) -> Vec<Verdict> {
        policy::verdicts(self)
    }

    /// The texts that it was made from, as far as anybody said.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Says which texts it was made from. Its id stays the same: it stands for what will be done, not for how that is
    /// written.
    pub fn made_from(self, files: Files) -> Self {
        Self { files, ..self }
    }

    /// How many changes there are of each kind.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.changes)
    }

    /// The plan as JSON: versioned, without secrets, the same bytes for the same input.
    pub fn json(&self) -> String {
        format::v1::print(self)
    }

    /// The digest of [`Plan::json`] without the files; of a plan that was saved, the id that it was saved under.
    pub fn id(&self) -> PlanId {
        self.reviewed.clone().unwrap_or_else(|| format::v1::id(self))
    }
}
