//! Plans that change the record and nothing else: letting go of what wharf has, and taking over what is there.
//!
//! Both are ordinary plans, so they are reviewed, checked and carried out as any other; their steps make no call.

use super::{Input, Planner};
use crate::{Cause, Change, Notice, Plan, Problem, Step, What, facts::incarnations};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wharf_model::{
    Address, ContentRef, Effect, Ending, GatewayName, InstanceId, Kind, ObservedInstance, Phase, Pins, RecordedObject,
    Revision, RevisionNumber, ServiceName,
};

/// Why the record cannot let go of something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotForget {
    /// Nothing of that name is recorded.
    #[error("{0} is not recorded")]
    Unknown(Address),
    /// It has no place of its own in the record.
    #[error("{0} is recorded as a part of its service")]
    Part(Address),
}

/// The plan to let go of these: they stay as they are, and are wharf's no more. A service goes with its instances, routes
/// and data, a gateway with its routes.
///
/// # Errors
/// Everything that the record does not have.
pub fn forget(input: &Input, addresses: &BTreeSet<Address>) -> Result<Plan, Vec<CannotForget>> {
    let record = input.recorded;
    let mut planner = Planner::new(input, input, BTreeMap::new());
    let mut problems = Vec::new();
    let mut all = BTreeMap::new();
    for address in addresses {
        let effects = match address {
            Address::Gateway(name) if record.gateways.contains_key(name) => planner.gateway_goes(name),
            Address::Service(name) if record.services.contains_key(name) => planner.service_goes(name),
            Address::Route(gateway, service) if record.routes.contains_key(&(gateway.clone(), service.clone())) => {
                vec![route_goes(gateway, service)]
            }
            Address::Instance(service, slot) => {
                let known = record.services.get(service).into_iter().flat_map(|known| known.instances.keys());
                let gone = known.filter(|id| id.slot == *slot).cloned();
                gone.map(|instance| (address.clone(), Effect::InstanceGone { instance })).collect()
            }
            Address::Content(content) if record.contents.contains(content) => {
                vec![(address.clone(), Effect::ContentGone { content: *content })]
            }
            address if record.objects.contains_key(address) => {
                vec![(address.clone(), Effect::Forgotten { address: address.clone() })]
            }
            Address::Mount(..) | Address::Packages(_) | Address::Image(_) => {
                problems.push(CannotForget::Part(address.clone()));
                continue;
            }
            _ => Vec::new(),
        };
        if effects.is_empty() {
            problems.push(CannotForget::Unknown(address.clone()));
        }
        all.extend(effects);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    for (address, effect) in all {
        planner.operations.add(Step::Note(address.clone(), effect));
        planner.changes.push(Change { address, what: What::Forget { because: Cause::Asked }, risks: Vec::new() });
    }
    Ok(planner.finish())
}

fn route_goes(gateway: &GatewayName, service: &ServiceName) -> (Address, Effect) {
    let (gateway, service) = (gateway.clone(), service.clone());
    (Address::Route(gateway.clone(), service.clone()), Effect::RouteGone { gateway, service })
}

/// The plan to take over what is there, is not recorded, and is what the files describe.
///
/// # Errors
/// Every problem of the project on this runtime and host, at once.
pub fn adopt(input: &Input) -> Result<Plan, Vec<Problem>> {
    let mut planner = Planner::new(input, input, BTreeMap::new());
    planner.adopt_objects();
    let pins = planner.resolve();
    if !planner.problems.is_empty() {
        return Err(planner.problems);
    }
    planner.adopt_gateways();
    for (name, pins) in pins {
        planner.adopt_service(name, pins);
    }
    Ok(planner.finish())
}

impl<'a> Planner<'a> {
    fn gateway_goes(&self, name: &GatewayName) -> Vec<(Address, Effect)> {
        let routes = self.input.recorded.routes.keys().filter(|(gateway, _)| gateway == name);
        let routes = routes.map(|(gateway, service)| route_goes(gateway, service));
        let own = (Address::Gateway(name.clone()), Effect::GatewayGone { gateway: name.clone() });
        routes.chain([own]).collect()
    }

    fn service_goes(&self, name: &ServiceName) -> Vec<(Address, Effect)> {
        let routes = self.routed.get(name).into_iter().flatten().map(|gateway| route_goes(gateway, name));
        // Of a service that the apply does not want, the end of its rollout leaves nothing in the record.
        let gone = Effect::RolloutEnded { service: name.clone(), ending: Ending::Done };
        let data = self.input.recorded.objects.keys().filter(|address| address.service() == Some(name));
        let data = data.map(|address| (address.clone(), Effect::Forgotten { address: address.clone() }));
        routes.chain(data).chain([(Address::Service(name.clone()), gone)]).collect()
    }

    fn take_over(&mut self, address: Address, effects: Vec<Effect>, saw: String) {
        let mut before = None;
        for effect in effects {
            let step = self.operations.add(Step::Note(address.clone(), effect));
            if let Some(before) = before.replace(step) {
                self.operations.order(before, step);
            }
        }
        let because = vec![Cause::Seen { field: "label", saw }];
        self.changes.push(Change { address, what: What::Adopt { because }, risks: Vec::new() });
    }

    fn leave(&mut self, address: Address, why: impl Into<String>) {
        self.notices.push(Notice::NotAdopted { address, why: why.into() });
    }

    fn adopt_objects(&mut self) {
        let desired = self.input.objects();
        for (address, spec) in &desired {
            let newest = incarnations(self.input.observed, address).last();
            let recorded = self.input.recorded.objects.get(address).map(|known| known.generation);
            let Some(generation) = recorded.or(newest.map(|(id, _)| id.generation)) else { continue };
            self.objects.generations.insert(address.clone(), generation);
            let Some((id, seen)) = newest.filter(|_| recorded.is_none()) else { continue };
            if seen.fingerprint != Some(spec.fingerprint()) {
                self.leave(address.clone(), "it was made from other settings than the files have");
                continue;
            }
            self.wanted.objects.insert(address.clone(), RecordedObject { spec: spec.clone(), generation });
            let effect = Effect::ObjectUp { object: id.clone() };
            self.take_over(
                address.clone(),
                vec![effect],
                "it was made from the settings that the files have".to_owned(),
            );
        }
        // Data that no file speaks of is somebody's who let it go.
        let unknown = self.input.observed.objects.keys().filter(|id| {
            let address = &id.address;
            address.kind() != Kind::Mount
                && !desired.contains_key(address)
                && !self.input.recorded.objects.contains_key(address)
        });
        let unknown: BTreeSet<Address> = unknown.map(|id| id.address.clone()).collect();
        unknown.into_iter().for_each(|address| self.leave(address, "no file declares it"));
        self.objects.desired = desired;
    }

    fn adopt_gateways(&mut self) {
        let (record, desired) = (self.input.recorded, self.input.desired);
        for (name, seen) in &self.input.observed.gateways {
            let address = Address::Gateway(name.clone());
            if record.gateways.contains_key(name) {
                continue;
            }
            let Some(spec) = desired.gateways.get(name) else {
                self.leave(address, "no file declares it");
                continue;
            };
            let spec = spec.knowing(self.input.digests);
            if seen.fingerprint != Some(spec.fingerprint()) {
                self.leave(address, "it was made from other settings than the files have");
                continue;
            }
            self.wanted.gateways.insert(name.clone(), spec);
            let effect = Effect::GatewayUp { gateway: name.clone() };
            self.take_over(address, vec![effect], "it was made from the settings that the files have".to_owned());
        }
        for name in desired.services.keys() {
            self.adopt_routes(name);
        }
    }

    fn adopt_routes(&mut self, name: &ServiceName) {
        for route in self.input.desired.routes_of(name, self.input.digests) {
            let key = (route.gateway.clone(), name.clone());
            let gateway = self.input.observed.gateways.get(&route.gateway);
            let Some(seen) = gateway.and_then(|gateway| gateway.routes.get(name)) else { continue };
            let known = self.wanted.gateways.contains_key(&route.gateway)
                || self.input.recorded.gateways.contains_key(&route.gateway);
            if self.input.recorded.routes.contains_key(&key) || !known {
                continue;
            }
            let address = Address::Route(route.gateway.clone(), name.clone());
            if seen.fingerprint != Some(route.fingerprint()) {
                self.leave(address, "it was set from something else than the files have");
                continue;
            }
            self.wanted.routes.insert(key, route.clone());
            let effect = Effect::RouteSet { gateway: route.gateway.clone(), service: name.clone() };
            self.take_over(address, vec![effect], "it was set from what the files have".to_owned());
        }
    }

    fn adopt_service(&mut self, name: &'a ServiceName, pins: Pins) {
        let spec = &self.input.desired.services[name];
        let recorded = self.input.recorded.services.get(name);
        let seen = self.instances.get(name).cloned().unwrap_or_default();
        let unknown = |id: &InstanceId| recorded.is_none_or(|known| !known.instances.contains_key(id));
        let fingerprint = Revision::fingerprint_of(&spec.template, &pins);
        let (fit, other): (Vec<_>, Vec<_>) =
            seen.into_iter().filter(|(id, _)| unknown(id)).partition(|(_, instance)| {
                matches!(instance.phase, Phase::Running { .. }) && instance.fingerprint == Some(fingerprint)
            });
        for (id, instance) in other {
            let why = match (&instance.phase, instance.fingerprint) {
                (Phase::Ended(exit), _) => exit.to_string(),
                (_, None) => "it does not say from what it was started".to_owned(),
                _ => "it was started from something else than the files have".to_owned(),
            };
            self.leave(Address::Instance(name.clone(), id.slot), format!("{id}: {why}"));
        }
        let Some(number) = fit.iter().map(|(_, instance)| instance.revision).max() else { return };
        let (fit, older): (Vec<_>, Vec<_>) = fit.into_iter().partition(|(_, instance)| instance.revision == number);
        for (id, instance) in older {
            let why = format!("{id}: it is of {}, and others are of {number}", instance.revision);
            self.leave(Address::Instance(name.clone(), id.slot), why);
        }
        // What a record knows by that number is not ours to reinterpret.
        if recorded.is_some_and(|known| known.revisions.contains_key(&number)) {
            return self.leave(Address::Service(name.clone()), format!("the record knows another {number} of it"));
        }
        self.take_over_service(name, number, pins, &fit);
    }

    fn take_over_service(
        &mut self,
        name: &ServiceName,
        number: RevisionNumber,
        pins: Pins,
        fit: &[(&InstanceId, &ObservedInstance)],
    ) {
        let spec = &self.input.desired.services[name];
        let revision = Arc::new(Revision { number, template: spec.template.clone(), pins });
        let present = revision.contents().filter(|content| self.input.observed.contents.contains(content));
        let contents: Vec<ContentRef> = present.collect();
        for content in contents.into_iter().filter(|content| !self.input.recorded.contents.contains(content)) {
            let address = Address::Content(content);
            self.take_over(address, vec![Effect::ContentPresent { content }], "the service is made of it".to_owned());
        }
        let started = |(id, seen): &(&InstanceId, &ObservedInstance)| Effect::InstanceStarted {
            instance: (*id).clone(),
            revision: number,
            endpoint: seen.endpoint,
        };
        let ended = Effect::RolloutEnded { service: name.clone(), ending: Ending::Done };
        let effects = fit.iter().map(started).chain([ended]).collect();
        let names: Vec<_> = fit.iter().map(|(id, _)| id.to_string()).collect();
        self.wanted.services.insert(name.clone(), (spec.clone(), revision));
        let saw = format!("{} run what the files have, as {number}", names.join(", "));
        self.take_over(Address::Service(name.clone()), effects, saw);
    }
}
