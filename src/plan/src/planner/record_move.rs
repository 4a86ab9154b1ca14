//! A plan that gives one resource another name and changes nothing else about it, whatever the files call it.
//!
//! Where the runtime can call the resource otherwise, one step has it do so. Where it cannot, the record alone takes the
//! new name, and only if nothing is there under the old one: else that would belong to nobody from then on.

use super::{Input, Planner, rename::is_recorded};
use crate::{Cause, Change, Plan, Step, What, facts::incarnations};
use std::collections::BTreeMap;
use wharf_model::{Address, Call, Effect, Kind, Observed};

/// Why a resource cannot be given another name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotMove {
    /// Nothing of that name is recorded.
    #[error("{0} is not recorded")]
    Unknown(Address),
    /// The new name belongs to another.
    #[error("{0} is there already, and would be overwritten")]
    Taken(Address),
    /// One kind of thing does not become another.
    #[error("{from} cannot become {to}, which is something else")]
    Kind {
        /// What it is.
        from: Address,
        /// What it was to be.
        to: Address,
    },
    /// It is called after what it belongs to.
    #[error("{0} has no name of its own")]
    Part(Address),
    /// It is there under its old name, and would have to be made anew.
    #[error("{from} is there under that name, and {provider} cannot call it otherwise")]
    Lives {
        /// What it is called.
        from: Address,
        /// What it was to be called.
        to: Address,
        /// The runtime.
        provider: &'static str,
    },
}

/// The plan to call a resource otherwise, with all that belongs to it.
///
/// # Errors
/// Why it cannot be called so.
pub fn rename(input: &Input, from: &Address, to: &Address) -> Result<Plan, CannotMove> {
    let moves = matches!(from.kind(), Kind::Service | Kind::Gateway | Kind::Network | Kind::Nlb | Kind::Group);
    if !moves {
        return Err(CannotMove::Part(from.clone()));
    }
    if from.kind() != to.kind() {
        return Err(CannotMove::Kind { from: from.clone(), to: to.clone() });
    }
    if !is_recorded(input.recorded, from) {
        return Err(CannotMove::Unknown(from.clone()));
    }
    if is_recorded(input.recorded, to) {
        return Err(CannotMove::Taken(to.clone()));
    }
    let (there, in_place) = (is_there(input.observed, from), input.capabilities.renames(from.kind()));
    if there && !in_place {
        let provider = input.capabilities.provider();
        return Err(CannotMove::Lives { from: from.clone(), to: to.clone(), provider });
    }
    if there && is_there(input.observed, to) {
        return Err(CannotMove::Taken(to.clone()));
    }
    let mut planner = Planner::new(input, input, BTreeMap::new());
    let (from, to) = (from.clone(), to.clone());
    if there {
        planner.call(to.clone(), Call::Move { from: from.clone(), to: to.clone() });
    } else {
        planner.operations.add(Step::Note(to.clone(), Effect::Moved { from: from.clone(), to: to.clone() }));
    }
    let what = What::Move { because: vec![Cause::Asked], from, in_place: true, preview: None };
    planner.changes.push(Change { address: to, what, risks: Vec::new() });
    Ok(planner.finish())
}

/// Whether anything on the platform carries the name of a resource.
fn is_there(observed: &Observed, address: &Address) -> bool {
    match address {
        Address::Gateway(name) => observed.gateways.contains_key(name),
        Address::Service(name) => {
            observed.instances.keys().any(|id| id.service == *name)
                || observed.gateways.values().any(|gateway| gateway.routes.contains_key(name))
                || observed.objects.keys().any(|id| id.address.service() == Some(name))
        }
        address => incarnations(observed, address).next().is_some(),
    }
}
