//! What `apply` would do about drift: the plan that leads back to the record.
//!
//! It is made of the services alone that findings lie in, so that little drift of a large project costs little. Services
//! depend on each other only through what they share.

use super::{Class, DriftInput, Finding};
use crate::{
    Input, plan_pinned,
    recorded::{self, as_desired},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};
use wharf_model::{
    Address, ContentRef, GatewayName, GatewaySpec, Observed, ObservedGateway, Record, RecordedService, ServiceName,
    ServiceSpec,
};

/// Notes for each finding which changes of that plan bring it back.
pub(super) fn note(findings: &mut [Finding], input: &DriftInput<'_>) {
    if findings.is_empty() {
        return;
    }
    let (recorded, observed) = match concerned(findings, input) {
        Some((recorded, observed)) => (Cow::Owned(recorded), Cow::Owned(observed)),
        None => (Cow::Borrowed(input.recorded), Cow::Borrowed(input.observed)),
    };
    let wanted = as_desired(&recorded, input.files);
    let planned = plan_pinned(
        &Input {
            desired: &wanted.deployment,
            capabilities: input.capabilities,
            recorded: &recorded,
            observed: &observed,
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

/// The part of the record and of the look that the findings lie in, with all that it stands on; none when that is all
/// there is, or something is concerned that services share.
fn concerned(findings: &[Finding], input: &DriftInput<'_>) -> Option<(Record, Observed)> {
    let (recorded, observed) = (input.recorded, input.observed);
    let addresses = recorded.objects.keys().chain(observed.objects.keys().map(|id| &id.address));
    let shared = addresses.chain(findings.iter().map(|finding| &finding.address));
    if shared.clone().any(|address| address.service().is_none()) {
        return None;
    }
    let names: BTreeSet<&ServiceName> = findings.iter().filter_map(|finding| finding.address.service()).collect();
    if names.len() * 2 > recorded.services.len() {
        return None;
    }
    let of = |address: &Address| address.service().is_some_and(|name| names.contains(name));
    let services = || names.iter().filter_map(|name| recorded.services.get_key_value(*name));
    let contents: BTreeSet<ContentRef> =
        services().flat_map(|(_, known)| known.revisions.values()).flat_map(|revision| revision.contents()).collect();
    let gateways = observed.gateways.iter().map(|(name, gateway)| {
        let routes = names.iter().filter_map(|name| gateway.routes.get_key_value(*name)).map(owned).collect();
        let ObservedGateway { running, listen, fingerprint, told, release, lost, routes: _ } = gateway;
        let (running, listen, fingerprint, told) = (*running, *listen, *fingerprint, told.clone());
        let (release, lost) = (*release, *lost);
        (name.clone(), ObservedGateway { running, listen, fingerprint, routes, told, release, lost })
    });
    let record = Record {
        project: recorded.project.clone(),
        environment: recorded.environment.clone(),
        gateways: recorded.gateways.clone(),
        routes: recorded.routes.iter().filter(|((_, service), _)| names.contains(service)).map(owned).collect(),
        services: services().map(owned).collect(),
        objects: recorded.objects.iter().filter(|(address, _)| of(address)).map(owned).collect(),
        contents: recorded.contents.intersection(&contents).copied().collect(),
    };
    let look = Observed {
        gateways: gateways.collect(),
        instances: observed.instances.iter().filter(|(id, _)| names.contains(&id.service)).map(owned).collect(),
        objects: observed.objects.iter().filter(|(id, _)| of(&id.address)).map(owned).collect(),
        balanced: observed.balanced.iter().filter(|(id, _)| names.contains(&id.service)).map(owned).collect(),
        gpus: observed.gpus.clone(),
        unlimited_disk: observed.unlimited_disk.clone(),
        contents: observed.contents.intersection(&contents).copied().collect(),
        sources: BTreeMap::new(),
    };
    Some((record, look))
}

fn owned<K: Clone, V: Clone>((key, value): (&K, &V)) -> (K, V) {
    (key.clone(), value.clone())
}

/// Whether the files ask for something else than was recorded. What they point at is not looked at.
pub(super) fn files_differ(input: &DriftInput<'_>) -> bool {
    let (files, record) = (input.files, input.recorded);
    // What the values of secrets are is not looked at either.
    let asks = |known: &GatewaySpec| known.knowing(&BTreeMap::new());
    let same = |(name, spec): (&GatewayName, &GatewaySpec)| {
        record.gateways.get(name).is_some_and(|known| asks(&known.spec) == *spec)
    };
    let gateways = files.gateways.len() == record.gateways.len() && files.gateways.iter().all(same);
    let services = files.services.len() == record.services.len()
        && files
            .services
            .iter()
            .all(|(name, spec)| record.services.get(name).is_some_and(|known| asks_for_the_same(known, spec)));
    !(gateways && services)
}

fn asks_for_the_same(known: &RecordedService, spec: &ServiceSpec) -> bool {
    match known.current_revision() {
        Some(current) if current.template != known.spec.template => recorded::service(known) == *spec,
        _ => known.spec == *spec,
    }
}
