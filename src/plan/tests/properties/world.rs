//! A platform in thought, and a strict one: it panics when something is used before it is there, or taken away while it is
//! used. Whatever order the graph of a plan leaves open must be good for it.

use std::{collections::BTreeMap, net::SocketAddr};
use wharf_model::{
    Call, Capabilities, ContentDigest, ContentRef, Cost, Deployment, Effect, Ending, EndpointState, Field, InstanceId,
    Intent, IntentId, Kind, ObjectId, Observed, ObservedGateway, ObservedInstance, ObservedObject, ObservedRoute,
    Operation, Outcome, Phase, ProbeAnswer, Record, RevisionNumber, SecretDigest, SecretKey, SecretName, SourcePin,
    Supervised, Timestamp, Told, Verb,
};
use wharf_plan::{Input, Plan, RolloutStep, Step, StepId, check, plan, rollout::preview, sources};

/// What every secret's value holds.
pub(crate) const CANARY: &str = "canary-5be1";

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct World {
    pub(crate) record: Record,
    pub(crate) observed: Observed,
}

/// What a change of each field costs here. `renames` says whether resources can be called otherwise while they go on.
pub(crate) fn capabilities(renames: bool) -> Capabilities {
    let table = Capabilities::of("thought", |field| match field {
        Field::NetworkRange | Field::NlbNetwork => Cost::Replace,
        Field::Image
        | Field::ImageContent
        | Field::Incarnation
        | Field::Program
        | Field::Port
        | Field::Packages
        | Field::Env
        | Field::Network
        | Field::Mount
        | Field::MountData
        | Field::Content => Cost::Roll,
        _ => Cost::InPlace,
    });
    let all = [Kind::Gateway, Kind::Service, Kind::Network, Kind::Nlb, Kind::Group, Kind::Mount];
    table.renaming(if renames { &all } else { &[] }).exclusive(&[Kind::Nlb, Kind::Mount]).fetching_images()
}

fn digests(desired: &Deployment) -> BTreeMap<SecretName, SecretDigest> {
    let key = SecretKey::new([7; 32]);
    desired.secrets.keys().map(|name| (name.clone(), key.digest(name.as_str(), CANARY.as_bytes()))).collect()
}

/// The graph of a plan, for whoever looks for a flaw in it.
fn graph(plan: &Plan) -> String {
    let line = |(id, step): (StepId, &Step)| {
        let before: Vec<_> = plan.operations().before(id).map(|step| step.0).collect();
        let what = match step {
            Step::Call(operation) => operation.id().to_string(),
            Step::Rollout(rollout) => format!("rollout {} to {}", step.address(), rollout.order.goal.count),
            Step::Note(address, _) => format!("record {address}"),
        };
        format!("{} {what} after {before:?}\n", id.0)
    };
    plan.operations().steps().map(line).collect()
}

impl World {
    pub(crate) fn new(desired: &Deployment) -> Self {
        let record = Record::empty(desired.project.clone(), desired.environment.clone());
        Self { record, observed: Observed::default() }
    }

    /// Plans, and hands the plan with what it was made from to `with`.
    pub(crate) fn plan_with<T>(
        &self,
        desired: &Deployment,
        capabilities: &Capabilities,
        with: impl FnOnce(Plan, &Input) -> T,
    ) -> T {
        let digests = digests(desired);
        let pin = |source: wharf_model::SourceRef| {
            let content = ContentDigest::of([source.to_string().as_bytes()]);
            (source, Ok(SourcePin { content, files: 1, bytes: 1, fetch: None }))
        };
        let observed = Observed { sources: sources(desired).into_iter().map(pin).collect(), ..self.observed.clone() };
        let recorded = &self.record;
        let input = Input { desired, capabilities, recorded, observed: &observed, digests: &digests };
        let made = plan(&input).unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert_eq!(check(&made), [], "{}", graph(&made));
        with(made, &input)
    }

    pub(crate) fn plan(&self, desired: &Deployment, capabilities: &Capabilities) -> Plan {
        self.plan_with(desired, capabilities, |plan, _| plan)
    }

    /// Carries the plan out in one of the orders that its graph leaves open; `seed` says in which.
    pub(crate) fn carry_out(&mut self, plan: &Plan, seed: u64) {
        let (mut seed, operations) = (seed, plan.operations());
        let mut open: BTreeMap<StepId, usize> =
            operations.steps().map(|(id, _)| (id, operations.before(id).count())).collect();
        while !open.is_empty() {
            let ready: Vec<StepId> = open.iter().filter(|(_, before)| **before == 0).map(|(id, _)| *id).collect();
            assert!(!ready.is_empty(), "steps wait for each other");
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let next = ready[usize::try_from(seed >> 33).unwrap() % ready.len()];
            open.remove(&next);
            self.step(operations.step(next).unwrap(), plan);
            for later in operations.after(next) {
                *open.get_mut(&later).unwrap() -= 1;
            }
        }
    }

    fn step(&mut self, step: &Step, plan: &Plan) {
        match step {
            Step::Note(_, effect) => self.record.absorb(effect, plan.wanted()),
            Step::Call(operation) => self.call(operation, plan),
            Step::Rollout(rollout) => self.rollout(rollout, plan),
        }
    }

    fn call(&mut self, operation: &Operation, plan: &Plan) {
        match &operation.call {
            Call::PrepareFolder { content, .. }
            | Call::PrepareBucket { content, .. }
            | Call::PrepareGit { content, .. }
            | Call::PreparePart { content, .. }
            | Call::PreparePackages { content, .. }
            | Call::PrepareImage { content, .. } => drop(self.observed.contents.insert(*content)),
            Call::DropContent { content } => self.drop_content(*content),
            Call::PutGateway { gateway, spec } => {
                let taken = |(name, other): (_, &ObservedGateway)| {
                    name != gateway && other.listen.is_some_and(|listen| listen.port() == spec.port)
                };
                assert!(!self.observed.gateways.iter().any(taken), "{gateway} listens where another does");
                if let Some(network) = &spec.network {
                    self.must_be_there(&wharf_model::Address::Network(network.clone()));
                }
                let empty = ObservedGateway {
                    running: true,
                    listen: None,
                    fingerprint: None,
                    routes: BTreeMap::new(),
                    told: Told::default(),
                    release: None,
                    lost: Default::default(),
                };
                let known = self.observed.gateways.entry(gateway.clone()).or_insert(empty);
                known.listen = Some(SocketAddr::new(spec.address, spec.port));
                known.fingerprint = Some(spec.fingerprint());
            }
            Call::DeleteGateway { gateway } => {
                let gone = self.observed.gateways.remove(gateway);
                assert!(gone.is_none_or(|gone| gone.routes.is_empty()), "{gateway} goes with its routes");
            }
            Call::PutObject { object, spec } => {
                let exclusive = matches!(object.address.kind(), Kind::Nlb | Kind::Mount);
                let other =
                    self.observed.objects.keys().any(|known| known.address == object.address && known != object);
                assert!(!(exclusive && other), "{object} comes while another incarnation is there");
                spec.lies_in().into_iter().for_each(|network| self.must_be_there(&network));
                self.observed.objects.insert(object.clone(), ObservedObject::made_from(Some(spec.fingerprint())));
            }
            Call::DeleteObject { object } => self.delete_object(object),
            Call::Move { from, to } => self.observed.rename(from, to),
            Call::PutRoute { route } => {
                let gateway = self.observed.gateways.get_mut(&route.gateway).expect("a route needs its gateway");
                let empty = ObservedRoute {
                    fingerprint: None,
                    endpoints: BTreeMap::new(),
                    figures: BTreeMap::new(),
                    told: Told::default(),
                };
                let known = gateway.routes.entry(route.service.clone()).or_insert(empty);
                known.fingerprint = Some(route.fingerprint());
            }
            Call::DeleteRoute { gateway, service } => {
                self.observed.gateways.get_mut(gateway).and_then(|gateway| gateway.routes.remove(service));
            }
            Call::RouteInstance { instance, gateways, .. } => self.serve(instance, gateways),
            Call::StartInstance(_) | Call::DrainInstance { .. } | Call::StopInstance { .. } => {
                panic!("instances come and go by rollouts alone")
            }
        }
        let effect = Intent::of(IntentId(0), operation).effect(&Outcome::Done).expect("each call has an effect");
        self.record.absorb(&effect, plan.wanted());
    }

    fn drop_content(&mut self, content: ContentRef) {
        let needs = |(id, seen): (&InstanceId, &ObservedInstance)| {
            let revision = self.record.services.get(&id.service).and_then(|known| known.revisions.get(&seen.revision));
            revision.is_some_and(|revision| revision.contents().any(|needed| needed == content))
        };
        assert!(!self.observed.instances.iter().any(needs), "{content} goes while an instance needs it");
        self.observed.contents.remove(&content);
    }

    fn delete_object(&mut self, object: &ObjectId) {
        for (id, seen) in &self.observed.instances {
            let revision = self.record.services.get(&id.service).and_then(|known| known.revisions.get(&seen.revision));
            let pinned = revision.and_then(|revision| revision.pins.objects.get(&object.address));
            assert!(pinned != Some(&object.generation), "{object} goes while {id} uses it");
        }
        self.observed.objects.remove(object);
    }

    fn must_be_there(&self, address: &wharf_model::Address) {
        assert!(self.observed.objects.keys().any(|known| known.address == *address), "{address} is not there yet");
    }

    fn rollout(&mut self, step: &RolloutStep, plan: &Plan) {
        let order = &step.order;
        let all = preview(order, &step.standing, &step.generations, |_| true);
        for part in all.steps {
            for id in part.instances {
                match part.verb {
                    Verb::Start => self.start(&id, order.goal.revision, step, plan),
                    Verb::Route => self.serve(&id, &step.gateways),
                    Verb::Drain => self.of_endpoints(&id, |endpoints, id| {
                        if let Some(state) = endpoints.get_mut(id) {
                            *state = EndpointState::Draining { in_flight: 0 };
                        }
                    }),
                    _ => {
                        self.of_endpoints(&id, |endpoints, id| {
                            endpoints.remove(id);
                        });
                        self.observed.instances.remove(&id);
                        self.record.absorb(&Effect::InstanceGone { instance: id }, plan.wanted());
                    }
                }
            }
        }
        let ended = Effect::RolloutEnded { service: order.service.clone(), ending: Ending::Done };
        self.record.absorb(&ended, plan.wanted());
    }

    fn start(&mut self, id: &InstanceId, number: RevisionNumber, step: &RolloutStep, plan: &Plan) {
        let revision = &step.revisions[&number];
        for content in revision.contents() {
            assert!(self.observed.contents.contains(&content), "{id} starts before {content} is there");
        }
        for (address, generation) in &revision.pins.objects {
            let object = ObjectId { address: address.clone(), generation: *generation };
            assert!(self.observed.objects.contains_key(&object), "{id} starts before {object} is there");
        }
        // The same for the same name, whatever came before.
        let port = 20_000 + u16::try_from(id.to_string().bytes().map(u32::from).sum::<u32>() % 10_000).unwrap();
        let endpoint = SocketAddr::from(([127, 0, 0, 1], port));
        let seen = ObservedInstance {
            revision: number,
            operation: None,
            fingerprint: None,
            endpoint,
            phase: Phase::Running { since: Timestamp(0) },
            answer: Some(ProbeAnswer::once(true, "HTTP 200")),
            last_lines: Vec::new(),
            told: Told::default(),
            supervised: Supervised::default(),
        };
        self.observed.instances.insert(id.clone(), seen);
        let started = Effect::InstanceStarted { instance: id.clone(), revision: number, endpoint };
        self.record.absorb(&started, plan.wanted());
    }

    fn serve(&mut self, id: &InstanceId, gateways: &[wharf_model::GatewayName]) {
        for name in gateways {
            let gateway = self.observed.gateways.get_mut(name).expect("the gateway is there");
            let route = gateway.routes.get_mut(&id.service).expect("the route is there");
            route.endpoints.insert(id.clone(), EndpointState::Serving { ready: true, in_flight: 0 });
        }
    }

    fn of_endpoints(&mut self, id: &InstanceId, act: impl Fn(&mut BTreeMap<InstanceId, EndpointState>, &InstanceId)) {
        let routes = self.observed.gateways.values_mut().filter_map(|gateway| gateway.routes.get_mut(&id.service));
        routes.for_each(|route| act(&mut route.endpoints, id));
    }
}
