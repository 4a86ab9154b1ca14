//! The planner: one pass per kind of resource, in the order in which they depend on each other.
//!
//! Each pass compares what is desired with what is recorded and observed, notes the changes for people, and adds the
//! steps with what they wait for. Work is linear in resources and edges.

mod content;
mod entry;
mod object;
mod path;
mod record_move;
mod record_only;
mod rename;
mod seats;
mod service;
mod standing;

pub use record_move::{CannotMove, rename};
pub use record_only::{CannotForget, adopt, forget};

use self::{object::Objects, rename::Rename};
use crate::{
    Change, Files, Notice, Operations, Plan, Problem, Selection, Step, StepId,
    facts::{self, pinned_source},
    fold::fold,
    problem,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use wharf_model::{
    Address, BucketMount, Call, Capabilities, ContentDigest, ContentRef, Cost, Deployment, Entry, FieldPath,
    GatewayName, Generation, InstanceId, Mount, MountPath, ObjectSpec, Observed, ObservedInstance, Operation, Origin,
    Pins, Record, SecretDigest, SecretName, ServiceName, ServiceSpec, SourceRef, SupervisorSpec, Wanted,
};

/// Everything that a plan depends on.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// What the files ask for.
    pub desired: &'a Deployment,
    /// What the runtime can honour.
    pub capabilities: &'a Capabilities,
    /// What was last written down.
    pub recorded: &'a Record,
    /// What is there now.
    pub observed: &'a Observed,
    /// The keyed digests of the secrets' values; empty while the record has no key.
    pub digests: &'a BTreeMap<SecretName, SecretDigest>,
}

impl Input<'_> {
    /// The objects that the platform is to keep: those of the files and, where the runtime needs one, who supervises their
    /// instances.
    pub(crate) fn objects(&self) -> BTreeMap<Address, ObjectSpec> {
        let mut objects = self.desired.objects();
        if let Some(socket) = self.capabilities.engine_socket().filter(|_| self.is_supervised()) {
            let spec = SupervisorSpec { socket: socket.clone() };
            objects.insert(self.supervisor(), ObjectSpec::Supervisor(spec));
        }
        objects
    }

    /// Who supervises instances, where anybody does.
    pub(crate) fn supervisor(&self) -> Address {
        Address::Supervisor(self.desired.environment.clone())
    }

    /// Whether an instance of the files needs supervision, or one that stays until its service has moved on.
    fn is_supervised(&self) -> bool {
        let stays = |name: &ServiceName| {
            let known = self.recorded.services.get(name).filter(|known| known.rollout.is_some());
            known.and_then(|known| known.current_revision()).is_some_and(|current| current.template.is_supervised())
        };
        self.desired.services.iter().any(|(name, spec)| spec.template.is_supervised() || stays(name))
    }
}

/// The sources that must be looked at before the deployment can be planned.
pub fn sources(desired: &Deployment) -> BTreeSet<SourceRef> {
    let templates = desired.services.values().map(|spec| &spec.template);
    templates
        .flat_map(|template| {
            let folders = template.mounts.values().filter_map(Mount::copied_from);
            let packages = template.libraries().map(SourceRef::Packages);
            let image = template.image.clone().map(SourceRef::Image);
            folders.chain(packages).chain(image)
        })
        .chain(desired.shared.networks.values().filter_map(|spec| spec.adopted().cloned().map(SourceRef::Network)))
        .collect()
}

/// Makes the plan.
///
/// # Errors
/// Every problem of the project on this runtime and host, at once.
pub fn plan(input: &Input) -> Result<Plan, Vec<Problem>> {
    let renames = rename::pending(input);
    if renames.values().any(|rename| rename.in_place) {
        let (recorded, observed) = rename::renamed(input, &renames);
        return make(&Input { recorded: &recorded, observed: &observed, ..*input }, input, renames, None);
    }
    make(input, input, renames, None)
}

/// Makes the plan of a deployment whose templates are fixed already: to what was recorded once, not to what the host
/// holds now. A service without pins has nothing to be fixed.
///
/// # Errors
/// Every field that this runtime cannot honour.
pub fn plan_pinned(input: &Input, pins: &BTreeMap<ServiceName, Pins>) -> Result<Plan, Vec<Problem>> {
    make(input, input, BTreeMap::new(), Some(pins))
}

/// Plans from `input`, in which renames are done; `actual` is what was recorded and observed. Templates are fixed to
/// `pins`, else to what was looked at.
fn make(
    input: &Input,
    actual: &Input,
    renames: BTreeMap<Address, Rename>,
    pins: Option<&BTreeMap<ServiceName, Pins>>,
) -> Result<Plan, Vec<Problem>> {
    let mut planner = Planner { pinned: pins.is_some(), ..Planner::new(input, actual, renames) };
    planner.renames();
    planner.objects();
    let pins = match pins {
        None => planner.resolve(),
        Some(pins) => planner.take_pins(pins),
    };
    if !planner.problems.is_empty() {
        return Err(planner.problems);
    }
    planner.gateways();
    planner.services(&pins);
    planner.seats();
    if !planner.problems.is_empty() {
        return Err(planner.problems);
    }
    planner.removed_services();
    planner.unknown_routes();
    planner.removed_gateways();
    planner.hand_over_paths();
    if !planner.problems.is_empty() {
        return Err(planner.problems);
    }
    planner.removed_objects();
    planner.order_objects();
    planner.unused_contents();
    planner.finish_renames();
    planner.note_renames();
    Ok(planner.finish())
}

struct Planner<'a> {
    input: &'a Input<'a>,
    /// The same before anything was called otherwise.
    actual: &'a Input<'a>,
    renames: BTreeMap<Address, Rename>,
    /// The steps that call resources otherwise, by their new names.
    rename_steps: BTreeMap<Address, StepId>,
    objects: Objects,
    /// Whether templates were fixed before, by a record and not by a look.
    pinned: bool,
    /// The step that brings each service to where it should be, or takes it away.
    service_steps: BTreeMap<ServiceName, StepId>,
    changes: Vec<Change>,
    kept: usize,
    notices: Vec<Notice>,
    /// The rollouts, for the seats that they take.
    moves: Vec<seats::Move>,
    problems: Vec<Problem>,
    operations: Operations,
    wanted: Wanted,
    /// The observed instances of each service.
    instances: BTreeMap<&'a ServiceName, Vec<(&'a InstanceId, &'a ObservedInstance)>>,
    /// The gateways whose routes to each service are recorded.
    routed: BTreeMap<&'a ServiceName, Vec<&'a GatewayName>>,
    /// The step that makes each gateway.
    gateway_steps: BTreeMap<GatewayName, StepId>,
    /// The step that sets or removes each route that changes.
    route_steps: BTreeMap<(GatewayName, ServiceName), StepId>,
    /// The step that takes each gateway away that goes.
    gateway_ends: BTreeMap<GatewayName, StepId>,
    /// The steps after which a gateway that goes has no routes.
    route_ends: BTreeMap<GatewayName, Vec<StepId>>,
    /// The contents that are there and recorded. Digests have no order that others share, so these are looked up by hash.
    present: HashSet<ContentRef>,
    /// The steps that prepare contents.
    prepared: HashMap<ContentRef, StepId>,
    /// The contents that stay needed.
    needed: HashSet<ContentRef>,
    /// The rollouts after which a content may be needed no more.
    users: HashMap<ContentRef, Vec<StepId>>,
}

impl<'a> Planner<'a> {
    fn new(input: &'a Input<'a>, actual: &'a Input<'a>, renames: BTreeMap<Address, Rename>) -> Self {
        let mut instances: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (id, instance) in &input.observed.instances {
            instances.entry(&id.service).or_default().push((id, instance));
        }
        let mut routed: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (gateway, service) in input.recorded.routes.keys() {
            routed.entry(service).or_default().push(gateway);
        }
        Self {
            input,
            actual,
            renames,
            rename_steps: BTreeMap::new(),
            objects: Objects::default(),
            pinned: false,
            service_steps: BTreeMap::new(),
            gateway_ends: BTreeMap::new(),
            route_steps: BTreeMap::new(),
            routed,
            changes: Vec::new(),
            kept: 0,
            notices: Vec::new(),
            moves: Vec::new(),
            problems: Vec::new(),
            operations: Operations::default(),
            wanted: Wanted::default(),
            instances,
            gateway_steps: BTreeMap::new(),
            route_ends: BTreeMap::new(),
            present: input.observed.contents.intersection(&input.recorded.contents).copied().collect(),
            prepared: HashMap::new(),
            needed: HashSet::new(),
            users: HashMap::new(),
        }
    }

    /// Checks every field against the runtime.
    fn honour_all(&mut self) {
        let input = self.input;
        for (name, spec) in &input.desired.gateways {
            self.honour(&Address::Gateway(name.clone()), &spec.entries());
        }
        let objects: Vec<_> =
            self.objects.desired.iter().map(|(address, spec)| (address.clone(), spec.entries())).collect();
        for (address, entries) in objects {
            self.honour(&address, &entries);
        }
        for (name, spec) in &input.desired.services {
            let address = Address::Service(name.clone());
            self.honour(&address, &spec.entries(&Pins::default()));
            self.judge(&address, spec);
        }
    }

    /// Checks every field, and fixes what the templates refer to.
    fn resolve(&mut self) -> BTreeMap<&'a ServiceName, Pins> {
        self.honour_all();
        self.adopted_networks();
        let input = self.input;
        let mut resolved = BTreeMap::new();
        for (name, spec) in &input.desired.services {
            let address = Address::Service(name.clone());
            let mut pins = Deployment::secret_pins(spec, input.digests);
            for (path, mount) in &spec.template.mounts {
                if let Some(source) = pinned_source(mount, input.capabilities) {
                    let at = FieldPath::at(mount.source.field(), path.as_str());
                    let content = self.source(&source, &address, at);
                    pins.mounts.extend(content.map(|content| (path.clone(), content)));
                }
            }
            if let (Some(image), true) = (&spec.template.image, input.capabilities.fetches_images()) {
                let source = SourceRef::Image(image.clone());
                pins.image = self.source(&source, &address, FieldPath::of(wharf_model::Field::Image));
            }
            pins.objects = self.incarnations_of(name, spec);
            if let Some(libraries) = spec.template.libraries() {
                let source = SourceRef::Packages(libraries);
                pins.packages = self.source(&source, &address, FieldPath::of(wharf_model::Field::Packages));
            }
            self.keep_live(name, spec, &mut pins);
            resolved.insert(name, pins);
        }
        resolved
    }

    /// Later contents of live mounts are no change: where nothing else is new, they stay as a revision has them, as long as
    /// that is here.
    fn keep_live(&self, name: &ServiceName, spec: &ServiceSpec, pins: &mut Pins) {
        let Some(known) = self.input.recorded.services.get(name) else { return };
        let stays = |path: &MountPath, content: ContentDigest| {
            let mount = spec.template.mounts.get(path).and_then(Mount::as_copied);
            let is_here = || self.input.observed.contents.contains(&ContentRef::Bucket(content));
            mount.is_some_and(BucketMount::is_live) && is_here()
        };
        let newest = known.revisions.values().next_back();
        for revision in newest.into_iter().chain(known.current_revision()) {
            let mut kept = pins.clone();
            for (path, content) in &revision.pins.mounts {
                if stays(path, *content) {
                    kept.mounts.entry(path.clone()).and_modify(|pin| *pin = *content);
                }
            }
            if revision.template == spec.template && revision.pins == kept {
                *pins = kept;
                return;
            }
        }
    }

    /// A network that somebody else made must be there: nobody here makes it.
    fn adopted_networks(&mut self) {
        let field = wharf_model::Field::NetworkAdopted;
        if matches!(self.input.capabilities.cost(field), Cost::Unsupported { .. }) {
            return;
        }
        for (name, spec) in &self.input.desired.shared.networks {
            if let Some(id) = spec.adopted() {
                let address = Address::Network(name.clone());
                self.source(&SourceRef::Network(id.clone()), &address, FieldPath::of(field));
            }
        }
    }

    /// Checks every field, and fixes what the templates refer to, to what it was fixed to before.
    fn take_pins(&mut self, pins: &BTreeMap<ServiceName, Pins>) -> BTreeMap<&'a ServiceName, Pins> {
        self.honour_all();
        let services = self.input.desired.services.iter();
        let fixed = |(name, spec): (&'a ServiceName, &ServiceSpec)| {
            let known = pins.get(name).cloned().unwrap_or_default();
            (name, Pins { objects: self.incarnations_of(name, spec), ..known })
        };
        services.map(fixed).collect()
    }

    /// The incarnations of the objects that a service's instances lie in, or mount.
    fn incarnations_of(&self, name: &ServiceName, spec: &ServiceSpec) -> BTreeMap<Address, Generation> {
        let network = spec.template.network.clone().map(Address::Network);
        let data = spec.template.data().map(|(path, _)| Address::Mount(name.clone(), path.clone()));
        let known = |address: Address| Some((address.clone(), *self.objects.generations.get(&address)?));
        network.into_iter().chain(data).filter_map(known).collect()
    }

    fn honour(&mut self, address: &Address, entries: &[Entry]) {
        let unsupported = |entry: &Entry| match self.input.capabilities.cost(entry.path.field) {
            Cost::Unsupported { why, help } => Some(Problem::Unsupported {
                address: address.clone(),
                path: entry.path.clone(),
                provider: self.input.capabilities.provider(),
                why: why.to_string(),
                help: help.to_string(),
                origin: self.origin(address, &entry.path),
            }),
            Cost::InPlace | Cost::Roll | Cost::Replace => None,
        };
        let found: Vec<_> = entries.iter().filter_map(unsupported).collect();
        self.problems.extend(found);
    }

    /// A limit on the disk takes a machine that keeps it, and a gate on requests a gateway that counts them.
    fn judge(&mut self, address: &Address, spec: &ServiceSpec) {
        if let (Some(why), Some(_)) = (&self.input.observed.unlimited_disk, &spec.template.resources.disk) {
            let path = FieldPath::of(wharf_model::Field::Disk);
            self.problems.push(Problem::Unsupported {
                address: address.clone(),
                provider: self.input.capabilities.provider(),
                why: why.clone(),
                help: "leave it out in this environment, and watch the disk of the machine".to_owned(),
                origin: self.origin(address, &path),
                path,
            });
        }
        let path = FieldPath::of(wharf_model::Field::Gate);
        let known = !matches!(self.input.capabilities.cost(path.field), Cost::Unsupported { .. });
        let asks = spec.rollout.gates().any(|gate| gate.error_rate.is_some() || gate.latency_p99.is_some());
        if known && asks && spec.exposes.is_empty() {
            self.problems.push(Problem::Unsupported {
                address: address.clone(),
                path: path.clone(),
                provider: self.input.capabilities.provider(),
                why: "requests are counted by gateways, and none leads to this service".to_owned(),
                help: "open it with `expose`, or leave the gate out: instances must stay ready while they are watched"
                    .to_owned(),
                origin: self.origin(address, &path),
            });
        }
    }

    fn source(&mut self, source: &SourceRef, address: &Address, path: FieldPath) -> Option<ContentDigest> {
        let error = match self.input.observed.sources.get(source) {
            Some(Ok(pin)) => return Some(pin.content),
            Some(Err(error)) => error.clone(),
            None => problem::not_looked_at(source),
        };
        let origin = self.origin(address, &path);
        self.problems.push(Problem::Source { address: address.clone(), path, error, origin });
        None
    }

    fn origin(&self, address: &Address, path: &FieldPath) -> Option<Origin> {
        self.input.desired.origins.of(address, path).cloned()
    }

    fn declared(&self, address: &Address) -> Option<Origin> {
        self.input.desired.origins.declared(address).cloned()
    }

    fn call(&mut self, address: Address, call: Call) -> StepId {
        self.operations.add(Step::Call(Operation { address, call }))
    }

    fn finish(mut self) -> Plan {
        self.changes.sort_by(|one, two| one.address.cmp(&two.address));
        let Input { desired, capabilities, .. } = self.input;
        let relies_on: Vec<_> = self.operations.steps().map(|(_, step)| facts::relies_on(step)).collect();
        let mut known = BTreeMap::new();
        for address in relies_on.iter().flatten() {
            if !known.contains_key(address) {
                known.insert(address.clone(), facts::facts(self.actual, address));
            }
        }
        Plan {
            project: desired.project.clone(),
            environment: desired.environment.clone(),
            provider: capabilities.provider(),
            folds: fold(&self.changes),
            changes: self.changes,
            kept: self.kept,
            notices: self.notices,
            operations: self.operations,
            wanted: self.wanted,
            relies_on,
            facts: known,
            selection: Selection::default(),
            left_out: Vec::new(),
            files: Files::default(),
            policies: desired.policies.clone(),
            keyed: !self.actual.recorded.is_empty(),
            reviewed: None,
        }
    }
}
