//! A plan that does only some of the steps of another.

use crate::{Change, Operations, Plan, StepId, fold};
use std::collections::{BTreeMap, BTreeSet};
use wharf_model::{Address, Wanted};

impl Plan {
    /// Parts the plan: what is left does the steps `kept` and says the changes that they carry out; the other changes
    /// are handed back. No step that is kept may wait for one that is not.
    pub(crate) fn part(mut self, kept: &BTreeSet<StepId>) -> (Self, Vec<Change>) {
        let touched: BTreeSet<Address> =
            kept.iter().filter_map(|id| self.operations.step(*id)).map(|step| step.address()).collect();
        let carried_out =
            |change: &Change| touched.contains(&change.address) || touched.contains(&step_of(&change.address));
        let (changes, left): (Vec<_>, Vec<_>) = std::mem::take(&mut self.changes).into_iter().partition(carried_out);
        let mut operations = Operations::default();
        let mut new_ids = BTreeMap::new();
        let mut relies_on = Vec::with_capacity(kept.len());
        for id in kept {
            let Some(step) = self.operations.step(*id) else { continue };
            let new = operations.add(step.clone());
            new_ids.insert(*id, new);
            relies_on.push(std::mem::take(&mut self.relies_on[id.0 as usize]));
        }
        for (old, new) in &new_ids {
            for earlier in self.operations.before(*old).filter_map(|earlier| new_ids.get(&earlier)) {
                operations.order(*earlier, *new);
            }
        }
        let used: BTreeSet<&Address> = relies_on.iter().flatten().collect();
        self.facts.retain(|address, _| used.contains(address));
        let Wanted { gateways, routes, services, objects } = &mut self.wanted;
        gateways.retain(|name, _| touched.contains(&Address::Gateway(name.clone())));
        routes.retain(|(gateway, service), _| touched.contains(&Address::Route(gateway.clone(), service.clone())));
        objects.retain(|address, _| touched.contains(address));
        services.retain(|name, _| touched.contains(&Address::Service(name.clone())));
        let folds = fold::fold(&changes);
        (Self { changes, folds, operations, relies_on, ..self }, left)
    }
}

/// The address of the step that carries a change out: what happens to instances is part of their service's rollout.
pub(crate) fn step_of(change: &Address) -> Address {
    match change {
        Address::Instance(service, _) => Address::Service(service.clone()),
        address => address.clone(),
    }
}
