//! The way in: gateways and routes.

use super::Planner;
use crate::{
    Cause, Change, Risk, Step, StepId, What,
    drift::{
        Aspect,
        altered::{self, Alteration},
    },
};
use wharf_model::{
    Address, Call, Difference, Effect, Entry, Field, GatewayName, GatewaySpec, Kind, ObservedGateway, Release,
    RouteSpec, ServiceName, compare,
};

impl Planner<'_> {
    pub(super) fn gateways(&mut self) {
        for (name, spec) in &self.input.desired.gateways {
            self.gateway(name, &spec.knowing(self.input.digests));
        }
    }

    fn gateway(&mut self, name: &GatewayName, spec: &GatewaySpec) {
        let address = Address::Gateway(name.clone());
        let recorded = self.input.recorded.gateways.get(name).map(|gateway| &gateway.spec);
        let seen = self.input.observed.gateways.get(name);
        let as_wanted = seen.is_some_and(|seen| seen.running && seen.fingerprint == Some(spec.fingerprint()));
        let (what, risks) = match recorded {
            None if seen.is_some() => {
                let saw = "there, and nobody wrote it down".to_owned();
                (What::Adopt { because: vec![Cause::Seen { field: "gateway", saw }] }, Vec::new())
            }
            None => {
                let because = Cause::Declared(self.declared(&address));
                (What::Create { because, entries: spec.entries(), preview: None }, Vec::new())
            }
            Some(_) if seen.is_none() => {
                let because = Cause::Seen { field: "process", saw: "missing".to_owned() };
                (What::Create { because, entries: spec.entries(), preview: None }, Vec::new())
            }
            Some(recorded) => {
                let differences = compare(recorded.entries(), spec.entries());
                let moves = differences.iter().any(|difference| difference.path.field == Field::Listen);
                let mut because = self.written(&address, differences);
                because.extend(seen.map_or_else(Vec::new, |seen| self.gateway_drift(name, seen, (recorded, spec))));
                let network = spec.network.clone().map(Address::Network);
                because.extend(network.filter(|network| self.objects.replaced.contains(network)).map(Cause::Follows));
                if because.is_empty() {
                    self.kept += 1;
                    return;
                }
                (What::Update { because, preview: None }, if moves { vec![Risk::Downtime] } else { Vec::new() })
            }
        };
        let step = if recorded.is_none() && as_wanted {
            let effect = Effect::GatewayUp { gateway: name.clone() };
            self.operations.add(Step::Note(address.clone(), effect))
        } else {
            self.call(address.clone(), Call::PutGateway { gateway: name.clone(), spec: spec.clone() })
        };
        let network = spec.network.clone().map(Address::Network);
        if let Some(network) = network.and_then(|network| self.objects.steps.get(&network).copied()) {
            self.operations.order(network, step);
        }
        self.changes.push(Change { address, what, risks });
        self.gateway_steps.insert(name.clone(), step);
        self.wanted.gateways.insert(name.clone(), spec.clone());
    }

    fn gateway_drift(
        &self,
        name: &GatewayName,
        seen: &ObservedGateway,
        (recorded, spec): (&GatewaySpec, &GatewaySpec),
    ) -> Vec<Cause> {
        if !seen.running {
            return vec![Cause::Seen { field: "process", saw: "not running".to_owned() }];
        }
        let found = altered::gateway(recorded, seen);
        if found.iter().any(|one| one.aspect == Aspect::Settings) {
            let before = self.actual.recorded.gateways.get(name).map(|known| known.spec.entries());
            return self.stale_label(&Address::Gateway(name.clone()), before, spec.entries());
        }
        first(found).into_iter().chain(self.outdated(Kind::Gateway, seen.release)).collect()
    }

    /// That what runs is of an earlier release than what would be made now, if it is.
    pub(super) fn outdated(&self, kind: Kind, runs: Option<Release>) -> Option<Cause> {
        let (runs, new) = (runs?, self.input.capabilities.release()?);
        let how = match kind {
            // It has no connections.
            Kind::Supervisor => "takes its place",
            _ => "takes over from it without refusing a connection",
        };
        (runs < new).then(|| Cause::Seen { field: "release", saw: format!("{runs} runs; {new} {how}") })
    }

    /// Why an object carries another label than the record says: something that it names was called otherwise just now,
    /// or else somebody else had a hand in it.
    pub(super) fn stale_label(&self, address: &Address, before: Option<Vec<Entry>>, now: Vec<Entry>) -> Vec<Cause> {
        let renamed = before.filter(|_| !self.rename_steps.is_empty()).map(|before| compare(before, now));
        match renamed.filter(|differences| !differences.is_empty()) {
            Some(differences) => self.written(address, differences),
            None => {
                let saw = "it was not made from the recorded settings".to_owned();
                vec![Cause::Seen { field: "label", saw }]
            }
        }
    }

    pub(super) fn written(&self, address: &Address, differences: Vec<Difference>) -> Vec<Cause> {
        let cause = |difference: Difference| {
            let origin = self.origin(address, &difference.path);
            match (difference.path.field, &difference.path.key) {
                (Field::Content | Field::Interpreter | Field::ImageContent, _) => Cause::Source { difference, origin },
                (Field::Incarnation, Some(key)) => match key.parse() {
                    Ok(object) => Cause::Follows(object),
                    Err(_) => Cause::Written { difference, origin },
                },
                _ => Cause::Written { difference, origin },
            }
        };
        // That an object is new to a resource is said by the field that names it.
        let alone = differences.len() == 1;
        let tells = |difference: &Difference| {
            let replaced = difference.before.is_some() && difference.after.is_some();
            difference.path.field != Field::Incarnation || replaced || alone
        };
        differences.into_iter().filter(tells).map(cause).collect()
    }

    /// Plans a service's routes. Answers the steps that a rollout of the service waits for, and the gateways whose routes
    /// are new to a service that already runs.
    pub(super) fn routes(&mut self, service: &ServiceName) -> (Vec<StepId>, Vec<(GatewayName, StepId)>) {
        let (mut steps, mut new) = (Vec::new(), Vec::new());
        let routes = self.input.desired.routes_of(service, self.input.digests);
        for route in &routes {
            if let Some((step, is_new)) = self.route(route) {
                steps.push(step);
                if is_new {
                    new.push((route.gateway.clone(), step));
                }
            }
        }
        let recorded = self.routed.get(service).cloned().unwrap_or_default();
        for gateway in recorded.into_iter().filter(|gateway| !routes.iter().any(|route| route.gateway == **gateway)) {
            self.delete_route(gateway, service, vec![Risk::Downtime]);
        }
        (steps, new)
    }

    fn route(&mut self, route: &RouteSpec) -> Option<(StepId, bool)> {
        let (gateway, service) = (&route.gateway, &route.service);
        let address = Address::Route(gateway.clone(), service.clone());
        let recorded = self.input.recorded.routes.get(&(gateway.clone(), service.clone())).map(|known| &known.spec);
        // A gateway that is missing as a whole comes back without its routes.
        let seen = self.input.observed.gateways.get(gateway).and_then(|gateway| gateway.routes.get(service));
        let (what, risks) = match recorded {
            None => {
                let because = Cause::Declared(self.declared(&address));
                (What::Create { because, entries: route.entries(), preview: None }, Vec::new())
            }
            Some(_) if seen.is_none() => {
                let because = Cause::Seen { field: "route", saw: "missing".to_owned() };
                (What::Create { because, entries: route.entries(), preview: None }, Vec::new())
            }
            Some(recorded) => {
                let written = Address::Service(service.clone());
                let same = recorded == route;
                let differences = if same { Vec::new() } else { compare(recorded.entries(), route.entries()) };
                let risks = differences.iter().any(is_lost_path).then_some(Risk::Downtime);
                let mut because = self.written(&written, differences);
                because.extend(seen.and_then(|seen| first(altered::route(recorded, seen))));
                if because.is_empty() {
                    self.kept += 1;
                    return None;
                }
                (What::Update { because, preview: None }, risks.into_iter().collect())
            }
        };
        let step = self.call(address.clone(), Call::PutRoute { route: route.clone() });
        if let Some(gateway) = self.gateway_steps.get(gateway) {
            self.operations.order(*gateway, step);
        }
        self.changes.push(Change { address, what, risks });
        self.route_steps.insert((gateway.clone(), service.clone()), step);
        self.wanted.routes.insert((gateway.clone(), service.clone()), route.clone());
        Some((step, recorded.is_none()))
    }

    /// Removes a route. `risks` are those of a service that runs on without it.
    pub(super) fn delete_route(&mut self, gateway: &GatewayName, service: &ServiceName, risks: Vec<Risk>) -> StepId {
        let address = Address::Route(gateway.clone(), service.clone());
        let call = Call::DeleteRoute { gateway: gateway.clone(), service: service.clone() };
        let step = self.call(address.clone(), call);
        self.changes.push(Change { address, what: What::Delete { because: Cause::NotDeclared }, risks });
        self.route_ends.entry(gateway.clone()).or_default().push(step);
        self.route_steps.insert((gateway.clone(), service.clone()), step);
        step
    }

    /// The risks of a route that goes with its service. One that is moved serves on, but perhaps not where callers find it.
    pub(super) fn risks_of_leaving(&self, gateway: &GatewayName, service: &ServiceName) -> Vec<Risk> {
        let recorded = self.input.recorded.routes.get(&(gateway.clone(), service.clone()));
        let (Some(recorded), Some(heir)) = (recorded, self.heir(service)) else { return Vec::new() };
        let mut routes = self.input.desired.routes_of(heir, self.input.digests).into_iter();
        let next = routes.find(|route| route.gateway == *gateway).map(|route| route.entries()).unwrap_or_default();
        let lost = compare(recorded.spec.entries(), next).iter().any(is_lost_path);
        (lost || self.takes_path(heir, service)).then_some(Risk::Downtime).into_iter().collect()
    }

    /// Routes that gateways have and nobody asked for or recorded.
    pub(super) fn unknown_routes(&mut self) {
        let (desired, recorded) = (&self.input.desired, &self.input.recorded.routes);
        for (gateway, seen) in &self.input.observed.gateways {
            if !desired.gateways.contains_key(gateway) {
                continue;
            }
            for service in seen.routes.keys() {
                let wanted = desired.services.get(service).is_some_and(|spec| spec.exposes.contains_key(gateway));
                if !wanted && !recorded.contains_key(&(gateway.clone(), service.clone())) {
                    self.delete_route(gateway, service, Vec::new());
                }
            }
        }
    }

    pub(super) fn removed_gateways(&mut self) {
        let (recorded, observed) = (&self.input.recorded.gateways, &self.input.observed.gateways);
        let known: std::collections::BTreeSet<_> = recorded.keys().chain(observed.keys()).collect();
        for name in known.into_iter().filter(|name| !self.input.desired.gateways.contains_key(*name)) {
            let address = Address::Gateway(name.clone());
            let step = self.call(address.clone(), Call::DeleteGateway { gateway: name.clone() });
            self.gateway_ends.insert(name.clone(), step);
            for end in self.route_ends.remove(name).unwrap_or_default() {
                self.operations.order(end, step);
            }
            if !self.is_moved_away(&address) {
                self.changes.push(Change {
                    address,
                    what: What::Delete { because: Cause::NotDeclared },
                    risks: vec![Risk::Downtime],
                });
            }
        }
        for (late, gone) in self.late_gateways() {
            if let (Some(come), Some(end)) = (self.gateway_steps.get(&late), self.gateway_ends.get(&gone)) {
                self.operations.order(*end, *come);
            }
        }
    }
}

/// Whether requests find a service no more where they find it now.
fn is_lost_path(difference: &Difference) -> bool {
    difference.path.field == Field::Path && difference.after.is_none()
}

/// What was seen of an object that is otherwise than recorded: the first thing, as all are repaired together.
pub(super) fn first(found: Vec<Alteration>) -> Option<Cause> {
    let Alteration { aspect, observed, .. } = found.into_iter().next()?;
    let field = aspect.word();
    let saw = observed.map_or_else(|| "not set".to_owned(), |value| value.to_string());
    Some(Cause::Seen { field, saw })
}
