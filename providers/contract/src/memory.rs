//! A runtime that exists only in memory and behaves like one: objects carry labels, starting twice is once, instances
//! become ready after a while or crash, gateways drain. Tests choose its weather through the variables of a service:
//! `MEMORY_CRASH`, `MEMORY_NEVER_READY`.

mod errand;
mod served;

pub use served::{ServedMemory, serve};

use crate::{Execute, LogCursor, LogLine, Observe, OpContext, ProviderError, Resolution, Scope};
use async_trait::async_trait;
use errand::{Errand, Start, Text};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};
use wharf_model::{
    Address, Capabilities, ContentDigest, ContentRef, Cost, EndpointState, Exit, Field, Fingerprint, GatewayName,
    InstanceId, Intent, Kind, ObjectId, Observed, ObservedGateway, ObservedInstance, ObservedObject, ObservedRoute,
    Operation, OperationId, Outcome, Phase, ProbeAnswer, RevisionNumber, ServiceName, SourcePin, SourceRef, Timestamp,
    Told, Verb,
};

/// How many looks an instance takes to become ready.
const LOOKS_UNTIL_READY: u32 = 2;

/// The runtime. Clones of one are different runtimes; share it by reference.
pub struct MemoryProvider {
    capabilities: Capabilities,
    world: Mutex<World>,
}

/// Whether an instance that was changed by hand is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stays {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// Everything there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct World {
    gateways: BTreeMap<GatewayName, ObservedGateway>,
    instances: BTreeMap<InstanceId, Instance>,
    objects: BTreeMap<ObjectId, ObservedObject>,
    contents: BTreeSet<ContentRef>,
    /// What a source holds, when it is not what its name alone says.
    sources: BTreeMap<SourceRef, ContentDigest>,
    ports: u16,
    /// The most instances that each service ever had at once.
    most: BTreeMap<ServiceName, u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Instance {
    seen: ObservedInstance,
    looks: u32,
    crashes: bool,
    never_ready: bool,
}

impl Default for MemoryProvider {
    fn default() -> Self {
        Self::renaming(&[Kind::Gateway, Kind::Service, Kind::Network, Kind::Nlb, Kind::Group, Kind::Mount])
    }
}

fn cost(field: Field) -> Cost {
    match field {
        Field::NetworkRange | Field::NetworkExisting | Field::NlbNetwork | Field::NlbExisting | Field::NlbPublic => {
            Cost::Replace
        }
        Field::Image
        | Field::ImageContent
        | Field::Incarnation
        | Field::MountData
        | Field::Program
        | Field::Port
        | Field::Packages
        | Field::Interpreter
        | Field::Env
        | Field::Mount
        | Field::MountOss
        | Field::MountS3
        | Field::MountNfs
        | Field::MountDataset
        | Field::MountGit
        | Field::MountCodeSet
        | Field::MountImage
        | Field::MountEmpty
        | Field::MountMemory
        | Field::MountCache
        | Field::MountSecret
        | Field::Startup
        | Field::Liveness
        | Field::Progress
        | Field::ReadinessExec
        | Field::ReadinessPort
        | Field::ReadinessDelay
        | Field::Cpu
        | Field::Memory
        | Field::Shm
        | Field::Disk
        | Field::Gpu
        | Field::GpuMemory
        | Field::GpuCores
        | Field::GpuIsolation
        | Field::GpuDriver
        | Field::InstanceType
        | Field::SpotProtection
        | Field::Dedicated
        | Field::Quota
        | Field::Burst
        | Field::Rebalance
        | Field::CpuSharing
        | Field::Spread
        | Field::Priority
        | Field::Unit
        | Field::CrashBlock
        | Field::Args
        | Field::Processor
        | Field::Pull
        | Field::PackagesFile
        | Field::Container
        | Field::ContainerEnv
        | Field::Network
        | Field::Role
        | Field::Confidential
        | Field::Weights
        | Field::Tracing
        | Field::LogPaths
        | Field::Content
        | Field::Readiness => Cost::Roll,
        _ => Cost::InPlace,
    }
}

/// What a route of this runtime tells of.
const ROUTE: [Field; 4] = [Field::Path, Field::Token, Field::Timeout, Field::MaxBody];

impl MemoryProvider {
    /// One that can give resources of these kinds another name.
    pub fn renaming(kinds: &[Kind]) -> Self {
        let capabilities = Capabilities::of("memory", cost).renaming(kinds).exclusive(&[Kind::Nlb, Kind::Mount]);
        Self { capabilities: capabilities.fetching_images(), world: Mutex::default() }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The live instances, each with its revision and the gateways that send it requests: what must be the same after an
    /// undisturbed run and after one that was cut short and repeated.
    pub fn live(&self) -> BTreeMap<String, (u32, Vec<String>)> {
        let world = self.world();
        let live = world.instances.iter().filter(|(_, instance)| matches!(instance.seen.phase, Phase::Running { .. }));
        let routed = |id: &InstanceId| {
            let serves = |gateway: &&ObservedGateway| {
                let route = gateway.routes.get(&id.service);
                route.is_some_and(|route| matches!(route.endpoints.get(id), Some(EndpointState::Serving { .. })))
            };
            world.gateways.iter().filter(|(_, gateway)| serves(gateway)).map(|(name, _)| name.to_string()).collect()
        };
        live.map(|(id, instance)| (id.to_string(), (instance.seen.revision.0, routed(id)))).collect()
    }

    /// Whether nothing at all is left.
    pub fn is_empty(&self) -> bool {
        let World { gateways, instances, objects, contents, sources: _, ports: _, most: _ } = &*self.world();
        gateways.is_empty() && instances.is_empty() && objects.is_empty() && contents.is_empty()
    }

    /// The most instances that each service ever had at once.
    pub fn most_living(&self) -> BTreeMap<ServiceName, u32> {
        self.world().most.clone()
    }

    /// Ends an instance's process, as somebody by hand would.
    pub fn kill(&self, id: &InstanceId) {
        if let Some(instance) = self.world().instances.get_mut(id) {
            instance.seen.phase = Phase::Ended(Exit::Signal(9));
        }
    }

    /// Changes what there is of the gateways, as somebody by hand would.
    pub fn change_gateways(&self, change: impl FnOnce(&mut BTreeMap<GatewayName, ObservedGateway>)) {
        change(&mut self.world().gateways);
    }

    /// Changes what there is of an instance, or takes it away, as somebody by hand would.
    pub fn change_instance(&self, id: &InstanceId, change: impl FnOnce(&mut ObservedInstance) -> Stays) {
        let world = &mut *self.world();
        if let Some(instance) = world.instances.get_mut(id)
            && change(&mut instance.seen) == Stays::No
        {
            world.instances.remove(id);
        }
    }

    /// Makes one instance like another, as somebody by hand would.
    pub fn copy_instance(&self, from: &InstanceId, to: InstanceId) {
        let world = &mut *self.world();
        if let Some(mut copy) = world.instances.get(from).cloned() {
            world.ports += 1;
            copy.seen.endpoint.set_port(20_000 + world.ports);
            world.instances.insert(to, copy);
        }
    }

    /// Changes which contents are there, as somebody by hand would.
    pub fn change_contents(&self, change: impl FnOnce(&mut BTreeSet<ContentRef>)) {
        change(&mut self.world().contents);
    }

    /// Keeps an instance from ever being ready again.
    pub fn sicken(&self, id: &InstanceId) {
        if let Some(instance) = self.world().instances.get_mut(id) {
            instance.never_ready = true;
        }
    }

    /// Removes an incarnation of an object, as somebody by hand would.
    pub fn lose(&self, object: &ObjectId) {
        self.world().objects.remove(object);
    }

    /// The incarnations of objects that are there.
    pub fn objects(&self) -> Vec<String> {
        self.world().objects.keys().map(ToString::to_string).collect()
    }

    /// Changes what a source holds.
    pub fn change_source(&self, source: SourceRef, content: ContentDigest) {
        self.world().sources.insert(source, content);
    }
}

impl World {
    /// Only one incarnation of a kind that is exclusive can be there.
    fn put(&mut self, object: &ObjectId, fingerprint: Fingerprint) -> Result<(), ProviderError> {
        let older = self.objects.keys().find(|known| known.address == object.address && *known != object);
        if let (Some(older), Kind::Nlb | Kind::Mount) = (older, object.address.kind()) {
            let attempt = format!("cannot make {object} while {older} is there");
            return Err(ProviderError::Conflict { attempt, help: format!("remove {older} first") });
        }
        self.objects.insert(object.clone(), ObservedObject { fingerprint: Some(fingerprint) });
        Ok(())
    }

    /// Whether something is called like this.
    fn knows(&self, address: &Address) -> bool {
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
        Ok(())
    }

    fn drain(&mut self, instance: &InstanceId) {
        for endpoints in self.endpoints(&instance.service) {
            if let Some(state) = endpoints.get_mut(instance) {
                *state = EndpointState::Draining { in_flight: 0 };
            }
        }
    }

    fn stop(&mut self, instance: &InstanceId) {
        for endpoints in self.endpoints(&instance.service) {
            endpoints.remove(instance);
        }
        self.instances.remove(instance);
    }

    /// What a source holds.
    fn content_of(&self, source: &str) -> ContentDigest {
        let told = self.sources.iter().find(|(known, _)| known.to_string() == source);
        told.map_or_else(|| ContentDigest::of([source.as_bytes()]), |(_, content)| *content)
    }

    /// Does one thing; what it makes carries the operation's id.
    fn carry_out(&mut self, errand: &Errand, operation: &OperationId) -> Result<Outcome, ProviderError> {
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

#[async_trait]
impl Observe for MemoryProvider {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn observe(&self, scope: &Scope) -> Result<Observed, ProviderError> {
        let world = &mut *self.world();
        let covered = world.instances.iter_mut().filter(|(id, _)| scope.covers(&id.service));
        let instances = covered.map(|(id, instance)| (id.clone(), instance.look(scope.probe))).collect();
        let pin = |source: &SourceRef| {
            let content = world.content_of(&source.to_string());
            (source.clone(), Ok(SourcePin { content, files: 1, bytes: 1 }))
        };
        Ok(Observed {
            gateways: world.gateways.clone(),
            instances,
            objects: world.objects.clone(),
            balanced: BTreeMap::new(),
            contents: world.contents.clone(),
            sources: scope.sources.iter().map(pin).collect(),
        })
    }

    async fn logs(
        &self,
        _services: &BTreeSet<ServiceName>,
        _cursor: &mut LogCursor,
        _limit: usize,
    ) -> Result<Vec<LogLine>, ProviderError> {
        Ok(Vec::new())
    }
}

impl Instance {
    fn look(&mut self, probe: bool) -> ObservedInstance {
        self.looks += 1;
        if self.crashes && self.looks > 1 && matches!(self.seen.phase, Phase::Running { .. }) {
            self.seen.phase = Phase::Ended(Exit::Code(1));
            self.seen.last_lines = vec!["it went wrong".to_owned()];
        }
        let mut seen = self.seen.clone();
        if probe && matches!(seen.phase, Phase::Running { .. }) {
            let passed = !self.never_ready && self.looks > LOOKS_UNTIL_READY;
            let heard = if passed { "HTTP 200" } else { "connection refused" }.to_owned();
            seen.answer = Some(ProbeAnswer { passed, heard, hint: None });
        }
        seen
    }
}

#[async_trait]
impl Execute for MemoryProvider {
    async fn execute(&self, operation: &Operation, cx: &OpContext) -> Result<Outcome, ProviderError> {
        self.world().carry_out(&Errand::of(operation), &cx.operation)
    }

    async fn resolve(&self, intent: &Intent) -> Result<Resolution, ProviderError> {
        let world = &mut *self.world();
        let content = intent.object.parse::<ContentRef>().ok();
        let instance = intent.object.parse::<InstanceId>().ok().and_then(|id| world.instances.get(&id));
        let applied = match (intent.verb, &intent.address) {
            (Verb::Start, _) => {
                let endpoint = instance.map(|instance| instance.seen.endpoint);
                let started = |endpoint| Resolution::Applied(Outcome::Started { endpoint });
                return Ok(endpoint.map_or(Resolution::NotApplied, started));
            }
            (Verb::Stop, _) => instance.is_none(),
            (Verb::Prepare, _) => content.is_some_and(|content| world.contents.contains(&content)),
            (Verb::Drop, _) => content.is_some_and(|content| !world.contents.contains(&content)),
            (Verb::Move, to) => world.knows(to),
            (Verb::Delete, Address::Gateway(name)) => !world.gateways.contains_key(name),
            (Verb::Delete, Address::Route(gateway, service)) => {
                world.gateways.get(gateway).is_none_or(|gateway| !gateway.routes.contains_key(service))
            }
            // Doing these again is the same as having done them.
            (Verb::Put | Verb::Delete | Verb::Route | Verb::Drain, _) => false,
        };
        Ok(if applied { Resolution::Applied(Outcome::Done) } else { Resolution::NotApplied })
    }
}
