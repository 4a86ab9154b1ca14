//! Instances: whether they are there, are what was started, run, are ready, and get requests.

use super::{Aspect, Class, Finding, altered};
use std::collections::BTreeMap;
use wharf_model::{
    Address, EndpointState, GatewayName, InstanceId, Marked, Observed, ObservedInstance, Phase, Record,
    RecordedService, ServiceName, Slot, Value,
};

type Place<'a> = (&'a ServiceName, Slot);

pub(super) fn findings(recorded: &Record, observed: &Observed) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut missing: BTreeMap<Place<'_>, Vec<&InstanceId>> = BTreeMap::new();
    let mut routed: BTreeMap<&ServiceName, Vec<&GatewayName>> = BTreeMap::new();
    for (gateway, service) in recorded.routes.keys() {
        routed.entry(service).or_default().push(gateway);
    }
    for (name, service) in &recorded.services {
        let gateways = routed.get(name).map(Vec::as_slice).unwrap_or_default();
        for id in service.instances.keys() {
            match observed.instances.get(id) {
                None => missing.entry((name, id.slot)).or_default().push(id),
                Some(seen) => found.extend(of_one(id, service, seen, observed, gateways)),
            }
        }
    }
    for (id, seen) in &observed.instances {
        if !recorded.services.get(&id.service).is_some_and(|service| service.instances.contains_key(id)) {
            found.push(unknown(id, seen, &mut missing));
        }
    }
    found.extend(missing.values().flatten().map(|id| finding(id, Class::Missing, Aspect::Object)));
    found
}

fn finding(id: &InstanceId, class: Class, aspect: Aspect) -> Finding {
    Finding::new(Address::Instance(id.service.clone(), id.slot), class, aspect).of(id)
}

fn text(value: impl ToString) -> Option<Value> {
    Some(Value::Text(value.to_string()))
}

/// One that was recorded and is there. Of one that does not run, nothing else counts.
fn of_one(
    id: &InstanceId,
    service: &RecordedService,
    seen: &ObservedInstance,
    observed: &Observed,
    gateways: &[&GatewayName],
) -> Vec<Finding> {
    let Some(known) = service.instances.get(id) else { return Vec::new() };
    if let Phase::Ended(exit) = &seen.phase {
        return vec![finding(id, Class::Unhealthy, Aspect::Process).sides(None, text(exit))];
    }
    let revision = service.revisions.get(&known.revision).map(AsRef::as_ref);
    let altered = altered::instance(id, known, revision, seen);
    let mut found: Vec<_> = altered
        .into_iter()
        .map(|one| {
            // Another process took its name, if somebody else started it or it listens elsewhere.
            let class = match one.aspect {
                Aspect::Maker | Aspect::Listen => Class::Replaced,
                _ => Class::Changed,
            };
            finding(id, class, one.aspect).sides(one.recorded, one.observed)
        })
        .collect();
    if let Some(answer) = observed.unready(id) {
        found.push(finding(id, Class::Unhealthy, Aspect::Readiness).sides(None, text(answer)));
    }
    found.extend(requests(id, observed, gateways));
    found
}

/// Whether every gateway with a route to it sends it requests, and whoever starts it again knows that it is needed.
/// Gateways that are missing are told of once.
fn requests(id: &InstanceId, observed: &Observed, gateways: &[&GatewayName]) -> Option<Finding> {
    let unknown = gateways.iter().find_map(|name| {
        let route = observed.gateways.get(*name)?.routes.get(&id.service)?;
        match route.endpoints.get(id) {
            Some(EndpointState::Serving { .. }) => None,
            Some(EndpointState::Draining { .. }) => Some(format!("gateway {name} drains it")),
            None => Some(format!("gateway {name} does not know it")),
        }
    });
    let balanced = match observed.balanced.get(id) {
        Some(EndpointState::Draining { .. }) => Some("balancers drain it".to_owned()),
        Some(EndpointState::Serving { .. }) | None => None,
    };
    let marked = match observed.instances.get(id).and_then(|seen| seen.supervised.marked) {
        Some(Marked::New) => Some("its supervisor was not told that it is needed".to_owned()),
        Some(Marked::Drained) => Some("its supervisor was told that it drains".to_owned()),
        Some(Marked::Routed) | None => None,
    };
    let without = unknown.or(balanced).or(marked)?;
    Some(finding(id, Class::Changed, Aspect::Requests).sides(None, text(without)))
}

/// One that nobody recorded: in the place of one that is missing, or beyond all.
fn unknown<'a>(
    id: &'a InstanceId,
    seen: &ObservedInstance,
    missing: &mut BTreeMap<Place<'a>, Vec<&'a InstanceId>>,
) -> Finding {
    let gone = missing.get_mut(&(&id.service, id.slot)).and_then(Vec::pop);
    match gone {
        Some(gone) => finding(id, Class::Replaced, Aspect::Object).sides(text(gone), text(id)),
        None => {
            let state = match &seen.phase {
                Phase::Running { .. } => format!("{id} runs"),
                Phase::Ended(exit) => format!("{id} {exit}"),
            };
            finding(id, Class::Extra, Aspect::Object).sides(None, text(state))
        }
    }
}
