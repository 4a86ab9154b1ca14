//! What wharf last wrote down about an environment.
//!
//! A record changes in one way only: it [absorbs](Record::absorb) the effect of one operation. So the record after a
//! crash is the last commit with the journal's effects absorbed in order, and absorbing is the same code in both.

use crate::{
    Address, ContentRef, Effect, Ending, EnvironmentName, Fingerprint, GatewayName, GatewaySpec, Generation,
    InstanceId, ObjectSpec, Pins, ProjectName, RevisionNumber, RouteSpec, ServiceName, ServiceSpec, Slot, Template,
    Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
    sync::Arc,
};

/// Which history a record belongs to: made once, at random, with the first commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lineage(pub Arc<str>);

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything that wharf made in one environment, as far as it knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The gateways.
    pub gateways: BTreeMap<GatewayName, RecordedGateway>,
    /// The routes.
    pub routes: BTreeMap<(GatewayName, ServiceName), RecordedRoute>,
    /// The services.
    pub services: BTreeMap<ServiceName, RecordedService>,
    /// The other objects of the platform.
    pub objects: BTreeMap<Address, RecordedObject>,
    /// Contents that were prepared: snapshots of folders and sets of libraries.
    pub contents: BTreeSet<ContentRef>,
}

/// A gateway, as it was last made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedGateway {
    /// What it was to be.
    pub spec: GatewaySpec,
}

/// An object of the platform, as it was last made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedObject {
    /// What it was to be.
    pub spec: ObjectSpec,
    /// Which incarnation it is.
    pub generation: Generation,
}

/// A route, as it was last set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRoute {
    /// What it was to be.
    pub spec: RouteSpec,
}

/// A service, as it was last left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedService {
    /// What it was last asked to be.
    pub spec: ServiceSpec,
    /// The revision that it serves; none before the first rollout has ended well.
    pub current: Option<RevisionNumber>,
    /// The revisions that are known: the current one, the one before, and any that instances still run.
    pub revisions: BTreeMap<RevisionNumber, Arc<Revision>>,
    /// The instances that were started and not yet stopped.
    pub instances: BTreeMap<InstanceId, RecordedInstance>,
    /// The highest generation that was ever used in each slot.
    pub generations: BTreeMap<Slot, Generation>,
    /// How the last rollout ended, when it did not end well.
    pub trouble: Option<(RevisionNumber, Ending)>,
    /// The rollout that was begun and has not come to its end.
    pub rollout: Option<RecordedRollout>,
}

/// A rollout that goes in steps, as it last stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedRollout {
    /// Where to.
    pub to: RevisionNumber,
    /// How many steps are behind it.
    pub passed: u32,
    /// How many there are.
    pub steps: u32,
    /// Since when it stands there.
    pub since: Timestamp,
    /// Why it does not go on by itself, if it does not.
    pub rest: Option<Rest>,
}

/// Why a rollout does not go on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rest {
    /// The file says so behind the last step that it passed.
    Pause,
    /// The file says that so many stay as they are.
    Partition,
    /// Somebody asked.
    Asked,
    /// The file says so, whatever was passed.
    File,
    /// Somebody asked for it to be taken back, and it is not back yet.
    Aborted,
}

impl Rest {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Pause, Self::Partition, Self::Asked, Self::File, Self::Aborted];

    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::Asked => "asked",
            Self::File => "file",
            Self::Aborted => "aborted",
        }
    }
}

/// An immutable, resolved description of a service's instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Its number.
    pub number: RevisionNumber,
    /// What an instance is.
    pub template: Template,
    /// What a look outside fixed about it.
    pub pins: Pins,
}

impl Revision {
    /// Stands for what it is made of, on the objects that are made from it. Says nothing of its number, nor of secrets'
    /// values.
    pub fn fingerprint(&self) -> Fingerprint {
        Self::fingerprint_of(&self.template, &self.pins)
    }

    /// The same of a revision that has no number yet.
    pub fn fingerprint_of(template: &Template, pins: &Pins) -> Fingerprint {
        let entries = template.entries(pins);
        let lines: Vec<_> = entries.iter().map(|entry| format!("{}={}", entry.path, entry.value.exact())).collect();
        Fingerprint::of(lines.iter().map(String::as_bytes))
    }

    /// The contents that its instances need.
    pub fn contents(&self) -> impl Iterator<Item = ContentRef> + '_ {
        let mounts = self.pins.mounts.iter().map(|(path, digest)| self.template.content_of(path, *digest));
        let packages = self.pins.packages.map(ContentRef::Packages);
        mounts.chain(packages).chain(self.pins.image.map(ContentRef::Image))
    }
}

/// An instance, as it was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedInstance {
    /// Of which revision.
    pub revision: RevisionNumber,
    /// Where it listens.
    pub endpoint: SocketAddr,
}

/// What one apply sets out to make: the specs that its effects refer to by address or number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The gateways.
    pub gateways: BTreeMap<GatewayName, GatewaySpec>,
    /// The routes.
    pub routes: BTreeMap<(GatewayName, ServiceName), RouteSpec>,
    /// The services, each with the revision that its rollout goes to.
    pub services: BTreeMap<ServiceName, (ServiceSpec, Arc<Revision>)>,
    /// The other objects, each with the incarnation that it is to be.
    pub objects: BTreeMap<Address, RecordedObject>,
}

/// How many revisions that no instance runs are kept beside the current one, for rolling back.
const KEPT_REVISIONS: usize = 3;

impl Record {
    /// The record of an environment in which nothing was made yet.
    pub fn empty(project: ProjectName, environment: EnvironmentName) -> Self {
        Self {
            project,
            environment,
            gateways: BTreeMap::new(),
            routes: BTreeMap::new(),
            services: BTreeMap::new(),
            objects: BTreeMap::new(),
            contents: BTreeSet::new(),
        }
    }

    /// Whether nothing is left in it.
    pub fn is_empty(&self) -> bool {
        let Self { project: _, environment: _, gateways, routes, services, objects, contents } = self;
        gateways.is_empty() && routes.is_empty() && services.is_empty() && objects.is_empty() && contents.is_empty()
    }

    /// Takes in what an operation did. `wanted` is what the apply that ran it set out to make. Absorbing the same
    /// effect twice changes nothing more; an effect on something unknown is taken at its word.
    pub fn absorb(&mut self, effect: &Effect, wanted: &Wanted) {
        match effect {
            Effect::GatewayUp { gateway } => {
                if let Some(spec) = wanted.gateways.get(gateway) {
                    self.gateways.insert(gateway.clone(), RecordedGateway { spec: spec.clone() });
                }
            }
            Effect::GatewayGone { gateway } => drop(self.gateways.remove(gateway)),
            Effect::RouteSet { gateway, service } => {
                let key = (gateway.clone(), service.clone());
                if let Some(spec) = wanted.routes.get(&key) {
                    self.routes.insert(key, RecordedRoute { spec: spec.clone() });
                }
            }
            Effect::RouteGone { gateway, service } => {
                self.routes.remove(&(gateway.clone(), service.clone()));
            }
            Effect::ObjectUp { object } => {
                if let Some(wanted) = wanted.objects.get(&object.address) {
                    let known = RecordedObject { generation: object.generation, ..wanted.clone() };
                    self.objects.insert(object.address.clone(), known);
                }
            }
            Effect::ObjectGone { object } => {
                // The incarnation after it may be there already.
                if self.objects.get(&object.address).is_some_and(|known| known.generation == object.generation) {
                    self.objects.remove(&object.address);
                }
            }
            Effect::Moved { from, to } => self.rename(from, to),
            Effect::Forgotten { address } => self.forget(address),
            Effect::ContentPresent { content } => drop(self.contents.insert(*content)),
            Effect::ContentGone { content } => drop(self.contents.remove(content)),
            Effect::InstanceStarted { instance, revision, endpoint } => {
                self.started(instance, *revision, *endpoint, wanted);
            }
            Effect::InstanceRouted { .. } | Effect::InstanceDraining { .. } => {}
            Effect::InstanceGone { instance } => {
                if let Some(service) = self.services.get_mut(&instance.service) {
                    service.instances.remove(instance);
                }
            }
            Effect::ServiceUpdated { service } => self.updated(service, wanted),
            Effect::RolloutStands { service, rollout } => {
                if let Some(known) = self.service(service, wanted) {
                    known.rollout = Some(*rollout);
                }
            }
            Effect::RolloutEnded { service, ending } => self.ended(service, ending, wanted),
        }
    }

    fn forget(&mut self, address: &Address) {
        match address {
            Address::Gateway(gateway) => drop(self.gateways.remove(gateway)),
            Address::Route(gateway, service) => drop(self.routes.remove(&(gateway.clone(), service.clone()))),
            Address::Service(service) => drop(self.services.remove(service)),
            Address::Content(content) => drop(self.contents.remove(content)),
            address => drop(self.objects.remove(address)),
        }
    }

    fn service(&mut self, name: &ServiceName, wanted: &Wanted) -> Option<&mut RecordedService> {
        if let Some((spec, revision)) = wanted.services.get(name) {
            let known = self.services.entry(name.clone()).or_insert_with(|| RecordedService::new(spec.clone()));
            known.revisions.entry(revision.number).or_insert_with(|| revision.clone());
        }
        self.services.get_mut(name)
    }

    fn started(&mut self, instance: &InstanceId, revision: RevisionNumber, endpoint: SocketAddr, wanted: &Wanted) {
        let Some(service) = self.service(&instance.service, wanted) else { return };
        let highest = service.generations.entry(instance.slot).or_insert(instance.generation);
        *highest = (*highest).max(instance.generation);
        service.instances.insert(instance.clone(), RecordedInstance { revision, endpoint });
    }

    fn updated(&mut self, name: &ServiceName, wanted: &Wanted) {
        if let (Some((spec, _)), Some(service)) = (wanted.services.get(name), self.service(name, wanted)) {
            service.spec = spec.clone();
        }
    }

    fn ended(&mut self, name: &ServiceName, ending: &Ending, wanted: &Wanted) {
        let Some((spec, revision)) = wanted.services.get(name) else {
            if *ending == Ending::Done {
                self.services.remove(name);
            }
            return;
        };
        let Some(service) = self.service(name, wanted) else { return };
        service.rollout = None;
        match ending {
            Ending::Done => {
                service.spec = spec.clone();
                service.current = Some(revision.number);
                service.trouble = None;
            }
            Ending::RolledBack { .. } | Ending::Halted { .. } => {
                service.trouble = Some((revision.number, ending.clone()));
            }
        }
        service.forget_old_revisions();
    }

    /// The contents that some known revision needs.
    pub fn needed_contents(&self) -> BTreeSet<ContentRef> {
        let revisions = self.services.values().flat_map(|service| service.revisions.values());
        revisions.flat_map(|revision| revision.contents()).collect()
    }

    /// The addresses of everything in the record.
    pub fn addresses(&self) -> impl Iterator<Item = Address> + '_ {
        let gateways = self.gateways.keys().cloned().map(Address::Gateway);
        let routes = self.routes.keys().map(|(gateway, service)| Address::Route(gateway.clone(), service.clone()));
        let services = self.services.keys().cloned().map(Address::Service);
        gateways.chain(routes).chain(services).chain(self.objects.keys().cloned())
    }
}

impl RecordedService {
    fn new(spec: ServiceSpec) -> Self {
        Self {
            spec,
            current: None,
            revisions: BTreeMap::new(),
            instances: BTreeMap::new(),
            generations: BTreeMap::new(),
            trouble: None,
            rollout: None,
        }
    }

    /// The revision that the service serves.
    pub fn current_revision(&self) -> Option<&Arc<Revision>> {
        self.revisions.get(&self.current?)
    }

    /// The number for the next new revision.
    pub fn next_revision(&self) -> RevisionNumber {
        RevisionNumber(self.revisions.keys().next_back().map_or(1, |last| last.0.saturating_add(1)))
    }

    /// Drops revisions that nothing runs, but the current one and the newest few.
    fn forget_old_revisions(&mut self) {
        let mut needed: BTreeSet<_> = self.instances.values().map(|instance| instance.revision).collect();
        needed.extend(self.current);
        needed.extend(self.revisions.keys().rev().take(KEPT_REVISIONS));
        self.revisions.retain(|number, _| needed.contains(number));
    }
}
