//! A runtime that exists only in memory and behaves like one: objects carry labels, starting twice is once, instances
//! become ready after a while or crash, gateways drain. Tests choose its weather through the variables of a service:
//! `MEMORY_CRASH`, `MEMORY_NEVER_READY`.

mod errand;
mod served;
mod world;

pub use served::{ServedMemory, serve};

use crate::{Execute, LogCursor, LogLine, Observe, OpContext, ProviderError, Resolution, Scope};
use async_trait::async_trait;
use errand::Errand;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};
use wharf_model::{
    Address, Capabilities, ContentDigest, ContentRef, Cost, EndpointState, Exit, Field, GatewayName, InstanceId,
    Intent, Kind, ObjectId, Observed, ObservedGateway, ObservedInstance, Operation, Outcome, Phase, ServiceName,
    SourcePin, SourceRef, Verb,
};
use world::World;

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

impl Default for MemoryProvider {
    fn default() -> Self {
        Self::renaming(&[Kind::Gateway, Kind::Service, Kind::Network, Kind::Nlb, Kind::Group, Kind::Mount])
    }
}

fn cost(field: Field) -> Cost {
    match field {
        Field::NetworkRange
        | Field::NetworkExisting
        | Field::NetworkAdopted
        | Field::NetworkEgress
        | Field::NlbNetwork
        | Field::NlbExisting
        | Field::NlbPublic => Cost::Replace,
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
        | Field::MountWritable
        | Field::MountStream
        | Field::MountFuse
        | Field::MountFetch
        | Field::MountS3
        | Field::MountNfs
        | Field::MountResourceGroup
        | Field::MountDataset
        | Field::MountGit
        | Field::MountCodeSet
        | Field::MountImage
        | Field::MountEmpty
        | Field::MountMemory
        | Field::MountCache
        | Field::MountCacheSize
        | Field::MountCacheLive
        | Field::MountSecret
        | Field::Startup
        | Field::Liveness
        | Field::Progress
        | Field::ReadinessExec
        | Field::ReadinessGrpc
        | Field::ReadinessPort
        | Field::ProbePort
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
        | Field::UnitRdma
        | Field::UnitCheck
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
        | Field::WeightsLive
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

    /// Keeps an instance from ever being ready again, which its gateways notice.
    pub fn sicken(&self, id: &InstanceId) {
        self.silence(id);
        for gateway in self.world().gateways.values_mut() {
            let routes = gateway.routes.values_mut();
            for endpoint in routes.filter_map(|route| route.endpoints.get_mut(id)) {
                if let EndpointState::Serving { ready, .. } = endpoint {
                    *ready = false;
                }
            }
        }
    }

    /// Keeps an instance from answering whoever looks, while gateways find it ready.
    pub fn silence(&self, id: &InstanceId) {
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
            (source.clone(), Ok(SourcePin { content, files: 1, bytes: 1, fetch: None }))
        };
        Ok(Observed {
            gateways: world.gateways.clone(),
            instances,
            objects: world.objects.clone(),
            balanced: BTreeMap::new(),
            gpus: None,
            unlimited_disk: None,
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
