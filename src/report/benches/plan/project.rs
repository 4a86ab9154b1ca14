//! A project of any size: what its files ask for, and what is recorded and seen once it was applied.
//!
//! A generated service is six resources: itself, two instances, a mount, libraries and a route. All of them differ, so
//! that nothing folds.

use std::{collections::BTreeMap, net::SocketAddr};
use wharf_model::{
    Access, Capabilities, ContentDigest, Cost, Deployment, Effect, Ending, EndpointState, EnvValue, Expose, Field,
    FolderPath, GatewaySpec, Generation, InstanceId, Intent, IntentId, Mount, Observed, ObservedGateway,
    ObservedInstance, ObservedRoute, Origins, Outcome, Phase, ProbeAnswer, Program, ProviderSpec, Record, ServiceSpec,
    Shared, Slot, SourcePin, SourceRef, StateSpec, Supervised, Template, Timestamp, Told,
};
use wharf_plan::{
    Input, Plan, Step, check,
    drift::{Drift, DriftInput, Former, drift},
    plan, sources,
};

const RESOURCES_PER_SERVICE: usize = 6;
const INSTANCES: u32 = 2;

/// A project, as it is before or after its first apply.
pub(crate) struct Project {
    desired: Deployment,
    capabilities: Capabilities,
    recorded: Record,
    observed: Observed,
}

impl Project {
    /// A project of which nothing was ever applied.
    pub(crate) fn new(resources: usize) -> Self {
        let desired = deployment(resources);
        let recorded = Record::empty(desired.project.clone(), desired.environment.clone());
        let observed = look(&desired);
        Self { capabilities: capabilities(), recorded, observed, desired }
    }

    /// Looks for drift.
    #[allow(dead_code, reason = "what tests take from here only plans")]
    pub(crate) fn drift(&self) -> Drift {
        let Self { desired: files, capabilities, recorded, observed } = self;
        drift(&DriftInput { files, capabilities, recorded, observed, former: &Former::default(), now: Timestamp(0) })
    }

    /// The same with every hundredth instance gone.
    #[allow(dead_code, reason = "what tests take from here only plans")]
    pub(crate) fn without_some(&self) -> Self {
        let mut observed = self.observed.clone();
        let kept = observed.instances.into_iter().enumerate().filter(|(place, _)| place % 100 != 0);
        observed.instances = kept.map(|(_, instance)| instance).collect();
        let Self { desired, capabilities, recorded, .. } = self;
        Self { desired: desired.clone(), capabilities: capabilities.clone(), recorded: recorded.clone(), observed }
    }

    /// Plans it.
    pub(crate) fn plan(&self) -> Plan {
        let Self { desired, capabilities, recorded, observed } = self;
        plan(&Input { desired, capabilities, recorded, observed, digests: &BTreeMap::new() }).unwrap()
    }

    /// Applies it in thought.
    pub(crate) fn apply(&mut self) {
        let plan = self.plan();
        assert_eq!(check(&plan), []);
        carry_out(&plan, &mut self.recorded, &mut self.observed);
        assert!(self.plan().is_empty());
    }
}

fn service(number: usize) -> ServiceSpec {
    let env = |name: &str, value: String| (name.parse().unwrap(), EnvValue::Plain(value.into()));
    let mount = Mount::folder(FolderPath(format!("./app-{number}").into()), Access::Snapshot);
    ServiceSpec {
        instances: INSTANCES,
        exposes: BTreeMap::from([("public".parse().unwrap(), Expose { path: None })]),
        ..ServiceSpec::of(Template {
            port: Some(8000),
            packages: vec![format!("flask=={number}").into()],
            env: [env("LOG_LEVEL", "info".to_owned()), env("NUMBER", number.to_string())].into(),
            mounts: BTreeMap::from([("/mnt/data".parse().unwrap(), mount)]),
            ..Template::of(Program::Command(vec!["python".into(), "/mnt/data/app.py".into()]))
        })
    }
}

fn deployment(resources: usize) -> Deployment {
    let services = resources / RESOURCES_PER_SERVICE;
    let gateway = GatewaySpec::listening([127, 0, 0, 1].into(), 8600);
    Deployment {
        project: "bench".parse().unwrap(),
        environment: "bench".parse().unwrap(),
        provider: ProviderSpec::Local { host_is_image: false, fuse: None, copying: Default::default() },
        state: StateSpec::default(),
        secrets: BTreeMap::new(),
        gateways: BTreeMap::from([("public".parse().unwrap(), gateway)]),
        services: (0..services).map(|number| (format!("service-{number}").parse().unwrap(), service(number))).collect(),
        shared: Shared::default(),
        ignores: Vec::new(),
        renamed: BTreeMap::new(),
        policies: BTreeMap::new(),
        notifies: BTreeMap::new(),
        origins: Origins::default(),
    }
}

fn capabilities() -> Capabilities {
    Capabilities::of("bench", |field| match field {
        Field::Env | Field::Program | Field::Content | Field::Interpreter | Field::Packages => Cost::Roll,
        _ => Cost::InPlace,
    })
}

fn look(desired: &Deployment) -> Observed {
    let pin = |source: SourceRef| {
        let content = ContentDigest::of([source.to_string().as_bytes()]);
        (source, Ok(SourcePin { content, files: 1, bytes: 1, fetch: None }))
    };
    Observed { sources: sources(desired).into_iter().map(pin).collect(), ..Observed::default() }
}

/// Carries a plan out in thought: the record and the look that follow from it.
fn carry_out(plan: &Plan, record: &mut Record, observed: &mut Observed) {
    for (_, step) in plan.operations().steps() {
        match step {
            Step::Call(operation) => {
                let effect = Intent::of(IntentId(0), operation).effect(&Outcome::Done).unwrap();
                record.absorb(&effect, plan.wanted());
            }
            Step::Rollout(rollout) => {
                let (name, goal) = (&rollout.order.service, rollout.order.goal);
                for slot in (0..goal.count).map(Slot) {
                    let instance = InstanceId { service: name.clone(), slot, generation: Generation(1) };
                    let endpoint = SocketAddr::from(([127, 0, 0, 1], 20_000));
                    let started = Effect::InstanceStarted { instance, revision: goal.revision, endpoint };
                    record.absorb(&started, plan.wanted());
                }
                let ended = Effect::RolloutEnded { service: name.clone(), ending: Ending::Done };
                record.absorb(&ended, plan.wanted());
            }
            Step::Note(_, effect) => record.absorb(effect, plan.wanted()),
        }
    }
    see(record, observed);
}

fn see(record: &Record, observed: &mut Observed) {
    observed.contents.clone_from(&record.contents);
    for (name, gateway) in &record.gateways {
        let listen = Some(SocketAddr::new(gateway.spec.address, gateway.spec.port));
        let fingerprint = Some(gateway.spec.fingerprint());
        let (routes, told, lost) = (BTreeMap::new(), Told::default(), wharf_model::Lost::default());
        let seen = ObservedGateway { running: true, listen, fingerprint, routes, told, release: None, lost };
        observed.gateways.insert(name.clone(), seen);
    }
    for ((gateway, service), route) in &record.routes {
        let instances = record.services[service].instances.keys();
        let serving = EndpointState::Serving { ready: true, in_flight: 0 };
        let endpoints = instances.map(|id| (id.clone(), serving.clone())).collect();
        let seen = ObservedRoute {
            fingerprint: Some(route.spec.fingerprint()),
            endpoints,
            figures: BTreeMap::new(),
            told: Told::default(),
        };
        observed.gateways.get_mut(gateway).unwrap().routes.insert(service.clone(), seen);
    }
    for (id, known) in record.services.values().flat_map(|service| &service.instances) {
        let answer = Some(ProbeAnswer::once(true, "HTTP 200"));
        let phase = Phase::Running { since: Timestamp(0) };
        let (revision, endpoint) = (known.revision, known.endpoint);
        let seen = ObservedInstance {
            revision,
            operation: None,
            fingerprint: None,
            endpoint,
            phase,
            answer,
            last_lines: Vec::new(),
            told: Told::default(),
            supervised: Supervised::default(),
        };
        observed.instances.insert(id.clone(), seen);
    }
}
