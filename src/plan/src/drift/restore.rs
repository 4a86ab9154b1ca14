//! What `apply` would do about drift: the plan that leads back to the record.

use super::{Class, DriftInput, Finding};
use crate::{
    Input, plan_pinned,
    recorded::{self, as_desired},
};
use std::collections::BTreeMap;
use wharf_model::Address;

/// Notes for each finding which changes of that plan bring it back.
pub(super) fn note(findings: &mut [Finding], input: &DriftInput<'_>) {
    if findings.is_empty() {
        return;
    }
    let wanted = as_desired(input.recorded, input.files);
    let planned = plan_pinned(
        &Input {
            desired: &wanted.deployment,
            capabilities: input.capabilities,
            recorded: input.recorded,
            observed: input.observed,
            digests: &wanted.digests,
        },
        &wanted.pins,
    );
    // What was recorded was honoured once; where it is not any more, nothing can be promised.
    let Ok(plan) = planned else { return };
    let actions: BTreeMap<&Address, &'static str> =
        plan.changes().iter().map(|change| (&change.address, change.what.action())).collect();
    for finding in findings {
        // An instance that nobody asked for goes with the service that nobody asked for.
        let owner = finding
            .address
            .service()
            .filter(|_| finding.class == Class::Extra)
            .map(|name| Address::Service(name.clone()));
        let exact = actions.get_key_value(&finding.address).or_else(|| actions.get_key_value(&owner?));
        finding.restore = exact.map(|(address, action)| (*action, (*address).clone())).into_iter().collect();
    }
}

/// Whether the files ask for something else than was recorded. What they point at is not looked at.
pub(super) fn files_differ(input: &DriftInput<'_>) -> bool {
    let (files, record) = (input.files, input.recorded);
    let gateways = files.gateways.len() == record.gateways.len()
        && files.gateways.iter().all(|(name, spec)| record.gateways.get(name).is_some_and(|known| known.spec == *spec));
    let services = files.services.len() == record.services.len()
        && files
            .services
            .iter()
            .all(|(name, spec)| record.services.get(name).is_some_and(|known| recorded::service(known) == *spec));
    !(gateways && services)
}
