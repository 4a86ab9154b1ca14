//! What a plan relies on: of every resource that a step touches, what was recorded and what was observed when the plan
//! was made. A plan that was saved holds for as long as these facts do, whatever else has changed.
//!
//! What comes and goes by itself (whether a probe passes, how many requests are under way) is no fact: it decides
//! nothing about which steps there are.

use crate::{Input, Step};
use std::collections::BTreeMap;
use wharf_model::{
    Address, Call, Capabilities, ContentRef, Effect, EndpointState, Entry, Generation, Marked, Mount, ObjectId,
    Observed, ObservedGateway, ObservedObject, Phase, RecordedService, Rest, ServiceName, SourceRef, Value,
};

/// Fields with their values, as a plan shows them.
pub type Fields = BTreeMap<String, String>;

/// What is known of one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// What was last written down; none when nothing was.
    pub recorded: Option<Fields>,
    /// What was seen; none when nothing was.
    pub observed: Option<Fields>,
}

/// The resources whose facts a step relies on.
pub(crate) fn relies_on(step: &Step) -> Vec<Address> {
    match step {
        Step::Note(address, Effect::Moved { from, .. }) => vec![address.clone(), from.clone()],
        Step::Note(address, _) => vec![address.clone()],
        Step::Rollout(rollout) => {
            let service = &rollout.order.service;
            let goal = rollout.revisions.get(&rollout.order.goal.revision);
            let pins = goal.map(|revision| &revision.pins);
            let mounts = pins.into_iter().flat_map(|pins| pins.mounts.keys());
            let mounts = mounts.map(|path| Address::Mount(service.clone(), path.clone()));
            let packages = pins.and_then(|pins| pins.packages).map(|_| Address::Packages(service.clone()));
            let image = pins.and_then(|pins| pins.image).map(|_| Address::Image(service.clone()));
            let objects = pins.into_iter().flat_map(|pins| pins.objects.keys().cloned());
            let prepared = mounts.chain(packages).chain(image).chain(objects);
            let routes = rollout.known_by.iter().map(|gateway| Address::Route(gateway.clone(), service.clone()));
            std::iter::once(Address::Service(service.clone())).chain(prepared).chain(routes).collect()
        }
        Step::Call(operation) => {
            let own = operation.address.clone();
            match &operation.call {
                Call::PrepareFolder { content, .. }
                | Call::PrepareBucket { content, .. }
                | Call::PrepareGit { content, .. }
                | Call::PreparePart { content, .. }
                | Call::PreparePackages { content, .. }
                | Call::PrepareImage { content, .. } => {
                    vec![own, Address::Content(*content)]
                }
                Call::PutRoute { route } => vec![own, Address::Gateway(route.gateway.clone())],
                Call::DeleteRoute { gateway, .. } => vec![own, Address::Gateway(gateway.clone())],
                Call::RouteInstance { instance, gateways, .. }
                | Call::DrainInstance { instance, gateways, .. }
                | Call::StopInstance { instance, gateways } => {
                    let route =
                        |gateway: &wharf_model::GatewayName| Address::Route(gateway.clone(), instance.service.clone());
                    let service = Address::Service(instance.service.clone());
                    std::iter::once(service).chain(gateways.iter().map(route)).collect()
                }
                Call::StartInstance(launch) => vec![Address::Service(launch.instance.service.clone())],
                Call::Move { from, .. } => vec![own, from.clone()],
                Call::PutGateway { .. }
                | Call::DeleteGateway { .. }
                | Call::PutObject { .. }
                | Call::DeleteObject { .. }
                | Call::DropContent { .. } => vec![own],
            }
        }
    }
}

/// What is recorded and observed of a resource now.
pub(crate) fn facts(input: &Input, address: &Address) -> Facts {
    let (record, observed) = (input.recorded, input.observed);
    match address {
        Address::Gateway(name) => Facts {
            recorded: record.gateways.get(name).map(|known| fields(known.spec.entries())),
            observed: observed.gateways.get(name).map(gateway),
        },
        Address::Route(gateway, service) => Facts {
            recorded: record.routes.get(&(gateway.clone(), service.clone())).map(|known| fields(known.spec.entries())),
            observed: observed.gateways.get(gateway).and_then(|seen| route(seen, service)),
        },
        Address::Service(name) => {
            Facts { recorded: record.services.get(name).map(service), observed: instances(input, name) }
        }
        Address::Instance(name, _) => facts(input, &Address::Service(name.clone())),
        Address::Mount(name, path) if pinned(input, name, path).is_none() => object(input, address),
        Address::Mount(name, path) => {
            let current = record.services.get(name).and_then(RecordedService::current_revision);
            let pin = current.and_then(|revision| revision.pins.mounts.get(path));
            Facts {
                recorded: pin.map(|pin| one("content", pin)),
                observed: pinned(input, name, path).and_then(|pinned| source(input, &pinned)),
            }
        }
        Address::Packages(name) => {
            let wanted = input.desired.services.get(name).and_then(|spec| spec.template.libraries());
            let current = record.services.get(name).and_then(RecordedService::current_revision);
            let pin = current.and_then(|revision| revision.pins.packages);
            Facts {
                recorded: pin.map(|pin| one("content", pin)),
                observed: wanted.and_then(|libraries| source(input, &SourceRef::Packages(libraries))),
            }
        }
        Address::Image(name) => {
            let wanted = input.desired.services.get(name).and_then(|spec| spec.template.image.clone());
            let current = record.services.get(name).and_then(RecordedService::current_revision);
            let pin = current.and_then(|revision| revision.pins.image);
            Facts {
                recorded: pin.map(|pin| one("content", pin)),
                observed: wanted.and_then(|image| source(input, &SourceRef::Image(image))),
            }
        }
        Address::Content(content) => Facts {
            recorded: record.contents.get(content).map(present),
            observed: observed.contents.get(content).map(present),
        },
        Address::Group(_) | Address::Network(_) | Address::Nlb(_) | Address::Registry(_) | Address::Supervisor(_) => {
            object(input, address)
        }
    }
}

/// What a mount points at, if a revision pins that.
fn pinned(input: &Input, service: &ServiceName, path: &wharf_model::MountPath) -> Option<SourceRef> {
    let mount = input.desired.services.get(service)?.template.mounts.get(path)?;
    pinned_source(mount, input.capabilities)
}

/// The source of a mount whose content a revision pins.
pub(crate) fn pinned_source(mount: &Mount, capabilities: &Capabilities) -> Option<SourceRef> {
    mount.copied_from().filter(|_| capabilities.copies(mount.source.field()))
}

/// An object, with each of its incarnations that was seen.
fn object(input: &Input, address: &Address) -> Facts {
    let recorded = input.recorded.objects.get(address).map(|known| {
        let mut all = fields(known.spec.entries());
        all.insert("incarnation".to_owned(), known.generation.to_string());
        all
    });
    let mut seen = Fields::new();
    for (id, object) in incarnations(input.observed, address) {
        let label = object.fingerprint.map(|print| print.to_string()).unwrap_or_default();
        seen.insert(format!("label {}", id.generation), label);
        seen.extend(object.release.map(|release| (format!("release {}", id.generation), release.to_string())));
    }
    Facts { recorded, observed: Some(seen).filter(|seen| !seen.is_empty()) }
}

/// The incarnations of an object that were seen, oldest first.
pub(crate) fn incarnations<'a>(
    observed: &'a Observed,
    address: &Address,
) -> impl Iterator<Item = (&'a ObjectId, &'a ObservedObject)> {
    let first = ObjectId { address: address.clone(), generation: Generation(0) };
    observed.objects.range(first.clone()..).take_while(move |(id, _)| id.address == first.address)
}

/// What the files ask of a resource, as far as it can be told beside its facts.
pub(crate) fn wanted(input: &Input, plan: &crate::Plan, address: &Address) -> Option<Fields> {
    match address {
        Address::Gateway(name) => input.desired.gateways.get(name).map(|spec| fields(spec.entries())),
        Address::Route(gateway, service) => {
            let routes = input.desired.routes_of(service, input.digests);
            routes.iter().find(|route| route.gateway == *gateway).map(|route| fields(route.entries()))
        }
        Address::Service(name) => {
            let asked = input.desired.services.get(name)?;
            let wanted = plan.wanted().services.get(name).map(|(_, revision)| revision);
            // What stays as it is stands in the record alone.
            let revision = wanted.or_else(|| input.recorded.services.get(name)?.current_revision())?;
            Some(fields(asked.entries(&revision.pins)))
        }
        address => input.objects().get(address).map(|spec| fields(spec.entries())),
    }
}

fn fields(entries: Vec<Entry>) -> Fields {
    entries.into_iter().map(|entry| (entry.path.to_string(), shown(&entry.value))).collect()
}

/// A value as a plan shows it to programs: of a secret its name, and what tells one value from another.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Secret(name, Some(digest)) => format!("(secret){name} {}", digest.short()),
        other => other.to_string(),
    }
}

fn one(field: &str, value: impl std::fmt::Display) -> Fields {
    Fields::from([(field.to_owned(), value.to_string())])
}

fn present(_: &ContentRef) -> Fields {
    one("content", "present")
}

fn source(input: &Input, source: &SourceRef) -> Option<Fields> {
    let pin = input.observed.sources.get(source)?.as_ref().ok()?;
    Some(one("content", pin.content))
}

fn service(known: &RecordedService) -> Fields {
    let RecordedService { spec, current, revisions: _, instances, generations: _, trouble, rollout } = known;
    let mut all = match known.current_revision() {
        Some(revision) => {
            let spec = wharf_model::ServiceSpec { template: revision.template.clone(), ..spec.clone() };
            fields(spec.entries(&revision.pins))
        }
        None => fields(spec.entries(&wharf_model::Pins::default())),
    };
    all.extend(current.map(|number| ("revision".to_owned(), number.to_string())));
    all.extend(
        trouble.as_ref().map(|(number, _)| ("last rollout".to_owned(), format!("to {number} did not end well"))),
    );
    all.extend(rollout.as_ref().map(|rollout| {
        let rest = match rollout.rest {
            Some(Rest::Aborted) => " and goes back",
            Some(_) => " and waits",
            None => "",
        };
        (
            "rollout".to_owned(),
            format!("to {} has passed {} of {} steps{rest}", rollout.to, rollout.passed, rollout.steps),
        )
    }));
    let instance = |(id, known): (&wharf_model::InstanceId, &wharf_model::RecordedInstance)| {
        (id.to_string(), format!("{} at {}", known.revision, known.endpoint))
    };
    all.extend(instances.iter().map(instance));
    all
}

fn instances(input: &Input, service: &ServiceName) -> Option<Fields> {
    let first =
        wharf_model::InstanceId { service: service.clone(), slot: wharf_model::Slot(0), generation: Generation(0) };
    let seen = input.observed.instances.range(first..).take_while(|(id, _)| id.service == *service);
    let mut all = Fields::new();
    for (id, instance) in seen {
        let phase = match &instance.phase {
            Phase::Running { .. } => "runs".to_owned(),
            Phase::Ended(exit) => exit.to_string(),
        };
        let marked = match instance.supervised.marked {
            Some(Marked::New) => ", not let in",
            Some(Marked::Drained) => ", drained",
            Some(Marked::Routed) | None => "",
        };
        all.insert(id.to_string(), format!("{phase}, {} at {}{marked}", instance.revision, instance.endpoint));
    }
    Some(all).filter(|all| !all.is_empty())
}

fn gateway(seen: &ObservedGateway) -> Fields {
    let ObservedGateway { running, listen, fingerprint, routes: _, told, release, lost: _ } = seen;
    let mut all = fields(told.entries.clone());
    all.extend(one("process", if *running { "runs" } else { "does not run" }));
    all.extend(release.map(|release| ("release".to_owned(), release.to_string())));
    all.extend(listen.map(|listen| ("listen".to_owned(), listen.to_string())));
    all.extend(fingerprint.map(|print| ("label".to_owned(), print.to_string())));
    all
}

fn route(seen: &ObservedGateway, service: &ServiceName) -> Option<Fields> {
    let route = seen.routes.get(service)?;
    let mut all = fields(route.told.entries.clone());
    all.extend(route.fingerprint.map(|print| ("label".to_owned(), print.to_string())));
    for (id, state) in &route.endpoints {
        let state = match state {
            EndpointState::Serving { .. } => "gets requests",
            EndpointState::Draining { .. } => "gets no new requests",
        };
        all.insert(id.to_string(), state.to_owned());
    }
    Some(all)
}
