//! What must hold of any plan, whatever it was made from. The planner's own tests ask it of every plan they make, and
//! `apply` asks it once more before it touches anything.

use crate::{Plan, Step, What};
use std::{collections::BTreeSet, fmt};
use wharf_model::{Address, Call, OperationId};

/// A plan that must not be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// Steps wait for each other in a ring.
    Cycle,
    /// The same operation stands in it twice.
    Twice(OperationId),
    /// A resource changes without a reason.
    NoCause(Address),
    /// A step changes a resource that no change speaks of.
    Unannounced(Address),
    /// A rollout may start a revision that it does not hold.
    NoRevision(Address),
    /// A rollout can neither add nor take an instance.
    Stuck(Address),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cycle => f.write_str("steps wait for each other in a ring"),
            Self::Twice(operation) => write!(f, "`{operation}` is planned twice"),
            Self::NoCause(address) => write!(f, "{address} changes without a reason"),
            Self::Unannounced(address) => write!(f, "a step touches {address}, but no change says so"),
            Self::NoRevision(address) => write!(f, "the rollout of {address} lacks a revision that it may start"),
            Self::Stuck(address) => write!(f, "the rollout of {address} may neither add nor take an instance"),
        }
    }
}

/// Every flaw of a plan; none, for any plan that the planner makes.
pub fn check(plan: &Plan) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    if plan.operations().remaining().is_none() {
        flaws.push(Flaw::Cycle);
    }
    let announced: BTreeSet<&Address> = plan.changes().iter().map(|change| &change.address).collect();
    // What goes on under another name is spoken of by that change.
    let moved = plan.changes().iter().filter_map(|change| match &change.what {
        What::Move { from, .. } => Some(from),
        _ => None,
    });
    let announced: BTreeSet<&Address> = announced.into_iter().chain(moved).collect();
    let services: BTreeSet<_> = announced.iter().filter_map(|address| address.service()).collect();
    for change in plan.changes() {
        if change.what.causes().is_empty() {
            flaws.push(Flaw::NoCause(change.address.clone()));
        }
    }
    let mut seen = BTreeSet::new();
    for (_, step) in plan.operations().steps() {
        let address = step.address();
        let covered = announced.contains(&address) || address.service().is_some_and(|name| services.contains(name));
        if !covered {
            flaws.push(Flaw::Unannounced(address.clone()));
        }
        match step {
            Step::Call(operation) => {
                // One gateway after the other may be told of the same instance.
                let repeatable = matches!(operation.call, Call::RouteInstance { .. });
                if !seen.insert(operation.id()) && !repeatable {
                    flaws.push(Flaw::Twice(operation.id()));
                }
            }
            Step::Rollout(rollout) => {
                let order = &rollout.order;
                let mut goals = std::iter::once(order.goal).chain(order.back);
                if goals.any(|goal| goal.count > 0 && !rollout.revisions.contains_key(&goal.revision)) {
                    flaws.push(Flaw::NoRevision(address.clone()));
                }
                if order.surge == 0 && order.unavailable == 0 {
                    flaws.push(Flaw::Stuck(address));
                }
            }
            Step::Note(..) => {}
        }
    }
    flaws
}
