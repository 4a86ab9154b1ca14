//! Everything there is in memory, and what each errand makes of it.

use super::errand::{Errand, Start, Text};
use crate::ProviderError;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};
use wharf_model::{
    Address, ContentDigest, ContentRef, EndpointState, Exit, Fingerprint, GatewayName, InstanceId, Kind, Lost, Marked,
    ObjectId, Observed, ObservedGateway, ObservedInstance, ObservedObject, ObservedRoute, OperationId, Outcome, Phase,
    ProbeAnswer, RevisionNumber, ServiceName, SourceRef, Supervised, Timestamp, Told,
};

/// How many looks an instance takes to become ready.
const LOOKS_UNTIL_READY: u32 = 2;

/// Everything there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct World {
    pub(super) gateways: BTreeMap<GatewayName, ObservedGateway>,
    pub(super) instances: BTreeMap<InstanceId, Instance>,
    pub(super) objects: BTreeMap<ObjectId, ObservedObject>,
    pub(super) contents: BTreeSet<ContentRef>,
    /// What a source holds, when it is not what its name alone says.
    pub(super) sources: BTreeMap<SourceRef, ContentDigest>,
    pub(super) ports: u16,
    /// The most instances that each service ever had at once.
    pub(super) most: BTreeMap<ServiceName, u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instance {
    pub(super) seen: ObservedInstance,
    pub(super) looks: u32,
    pub(super) crashes: bool,
    pub(super) never_ready: bool,
}

impl World {
    /// Only one incarnation of a kind that is exclusive can be there.
    fn put(&mut self, object: &ObjectId, fingerprint: Fingerprint) -> Result<(), ProviderError> {
        let older = self.objects.keys().find(|known| known.address == object.address && *known != object);
        if let (Some(older), Kind::Nlb | Kind::Mount) = (older, object.address.kind()) {
            let attempt = format!("cannot make {object} while {older} is there");
            return Err(ProviderError::Conflict { attempt, help: format!("remove {older} first") });
        }
        self.objects.insert(object.clone(), ObservedObject::made_from(Some(fingerprint)));
        Ok(())
    }

    /// Whether something is called like this.
    pub(super) fn knows(&self, address: &Address) -> bool {
        match address {
            Address::Gateway(name) => self.gateways.contains_key(name),
            Address::Service(name) => self.instances.keys().any(|id| id.service == *name),
            address => self.objects.keys().any(|id| id.address == *address),
        }
    }

    fn rename(&mut self, from: &Address, to: &Address) {
        let mut seen = Observed {
            gateways: std::mem::take(&mut self.gateways),
            objects: std::mem::take(&mut self.objects),
            ..Observed::default()
        };
        seen.rename(from, to);
        (self.gateways, self.objects) = (seen.gateways, seen.objects);
        let one = |(id, known): (InstanceId, Instance)| {
            let instances = BTreeMap::from([(id, known.seen.clone())]);
            let mut seen = Observed { instances, ..Observed::default() };
            seen.rename(from, to);
            seen.instances.into_iter().map(move |(id, seen)| (id, Instance { seen, ..known.clone() }))
        };
        self.instances = std::mem::take(&mut self.instances).into_iter().flat_map(one).collect();
    }

    fn start(&mut self, start: &Start, operation: &OperationId) -> SocketAddr {
        let Start { instance: Text(id), revision, fingerprint, crashes, never_ready, told } = start;
        if let Some(known) = self.instances.get(id) {
            return known.seen.endpoint;
        }
        self.ports += 1;
        let endpoint = ([127, 0, 0, 1], 20_000 + self.ports).into();
        let seen = ObservedInstance {
            revision: RevisionNumber(*revision),
            operation: Some(operation.clone()),
            fingerprint: Some(fingerprint.0),
            endpoint,
            phase: Phase::Running { since: Timestamp(0) },
            answer: None,
            last_lines: Vec::new(),
            told: told.clone(),
            supervised: Supervised { marked: Some(Marked::New), ..Supervised::default() },
        };
        let (crashes, never_ready) = (*crashes, *never_ready);
        self.instances.insert(id.clone(), Instance { seen, looks: 0, crashes, never_ready });
        let own = |(id, one): &(&InstanceId, &Instance)| {
            id.service == start.instance.0.service && matches!(one.seen.phase, Phase::Running { .. })
        };
        let living = u32::try_from(self.instances.iter().filter(own).count()).unwrap_or(u32::MAX);
        let most = self.most.entry(start.instance.0.service.clone()).or_default();
        *most = (*most).max(living);
        endpoint
    }

    fn endpoints(&mut self, service: &ServiceName) -> impl Iterator<Item = &mut BTreeMap<InstanceId, EndpointState>> {
        let routes = self.gateways.values_mut().filter_map(move |gateway| gateway.routes.get_mut(service));
        routes.map(|route| &mut route.endpoints)
    }

    fn route(&mut self, instance: &InstanceId, gateways: &[Text<GatewayName>]) -> Result<(), ProviderError> {
        for Text(name) in gateways {
            let route = self.gateways.get_mut(name).and_then(|gateway| gateway.routes.get_mut(&instance.service));
            let Some(route) = route else {
                let attempt = format!("cannot route {instance}: {name} has no route to {}", instance.service);
                return Err(ProviderError::Missing { attempt, help: "set the route first".to_owned() });
            };
            route.endpoints.insert(instance.clone(), EndpointState::Serving { ready: true, in_flight: 0 });
        }
        self.mark(instance, Marked::Routed);
        Ok(())
    }

    fn mark(&mut self, instance: &InstanceId, marked: Marked) {
        if let Some(known) = self.instances.get_mut(instance) {
            known.seen.supervised.marked = Some(marked);
        }
    }

    fn drain(&mut self, instance: &InstanceId) {
        for endpoints in self.endpoints(&instance.service) {
            if let Some(state) = endpoints.get_mut(instance) {
                *state = EndpointState::Draining { in_flight: 0 };
            }
        }
        self.mark(instance, Marked::Drained);
    }

    fn stop(&mut self, instance: &InstanceId) {
        for endpoints in self.endpoints(&instance.service) {
            endpoints.remove(instance);
        }
        self.instances.remove(instance);
    }

    /// What a source holds.
    pub(super) fn content_of(&self, source: &str) -> ContentDigest {
        let told = self.sources.iter().find(|(known, _)| known.to_string() == source);
        told.map_or_else(|| ContentDigest::of([source.as_bytes()]), |(_, content)| *content)
    }

    /// Does one thing; what it makes carries the operation's id.
    pub(super) fn carry_out(&mut self, errand: &Errand, operation: &OperationId) -> Result<Outcome, ProviderError> {
        match errand {
            Errand::Prepare { content } => drop(self.contents.insert(content.0)),
            Errand::Drop { content } => drop(self.contents.remove(&content.0)),
            Errand::PutGateway { gateway, listen, fingerprint, told } => {
                let known = self.gateways.entry(gateway.0.clone()).or_insert_with(|| ObservedGateway {
                    running: true,
                    listen: None,
                    fingerprint: None,
                    routes: BTreeMap::new(),
                    told: Told::default(),
                    release: None,
                    lost: Lost::default(),
                });
                known.running = true;
                known.listen = Some(*listen);
                known.fingerprint = Some(fingerprint.0);
                known.told = told.clone();
            }
            Errand::DeleteGateway { gateway } => drop(self.gateways.remove(&gateway.0)),
            Errand::PutObject { object, fingerprint } => self.put(&object.0, fingerprint.0)?,
            Errand::DeleteObject { object } => drop(self.objects.remove(&object.0)),
            Errand::Move { from, to } => self.rename(&from.0, &to.0),
            Errand::PutRoute { gateway, service, fingerprint, told } => {
                if let Some(gateway) = self.gateways.get_mut(&gateway.0) {
                    let empty = || ObservedRoute {
                        fingerprint: None,
                        endpoints: BTreeMap::new(),
                        figures: BTreeMap::new(),
                        told: Told::default(),
                    };
                    let known = gateway.routes.entry(service.0.clone()).or_insert_with(empty);
                    known.fingerprint = Some(fingerprint.0);
                    known.told = told.clone();
                }
            }
            Errand::DeleteRoute { gateway, service } => {
                self.gateways.get_mut(&gateway.0).and_then(|gateway| gateway.routes.remove(&service.0));
            }
            Errand::Start(start) => return Ok(Outcome::Started { endpoint: self.start(start, operation) }),
            Errand::Route { instance, gateways } => self.route(&instance.0, gateways)?,
            Errand::Drain { instance } => self.drain(&instance.0),
            Errand::Stop { instance } => self.stop(&instance.0),
        }
        Ok(Outcome::Done)
    }
}

impl Instance {
    pub(super) fn look(&mut self, probe: bool) -> ObservedInstance {
        self.looks += 1;
        if self.crashes && self.looks > 1 && matches!(self.seen.phase, Phase::Running { .. }) {
            self.seen.phase = Phase::Ended(Exit::Code(1));
            self.seen.last_lines = vec!["it went wrong".to_owned()];
        }
        let mut seen = self.seen.clone();
        if probe && matches!(seen.phase, Phase::Running { .. }) {
            let passed = !self.never_ready && self.looks > LOOKS_UNTIL_READY;
            let heard = if passed { "HTTP 200" } else { "connection refused" }.to_owned();
            seen.answer = Some(ProbeAnswer::once(passed, heard));
        }
        seen
    }
}
