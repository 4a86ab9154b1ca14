//! What a step comes to, as one digest: two steps with the same digest do the same.

use crate::{RolloutStep, Step, facts::shown, rollout::Order};
use wharf_model::{Address, Call, Entry, Fingerprint, Revision, Value, Wanted};

/// The parts of a digest while they are gathered.
struct Parts {
    gathered: Vec<String>,
    /// Whether another value of a secret makes another digest.
    keyed: bool,
}

impl Parts {
    fn add(&mut self, part: impl std::fmt::Display) -> &mut Self {
        self.gathered.push(part.to_string());
        self
    }

    fn entries(&mut self, entries: Vec<Entry>) -> &mut Self {
        let keyed = self.keyed;
        let value = |value: &Value| match value {
            Value::Secret(name, _) if !keyed => format!("(secret){name}"),
            value => shown(value),
        };
        self.gathered.extend(entries.iter().map(|entry| format!("{}={}", entry.path, value(&entry.value))));
        self
    }

    fn revision(&mut self, revision: &Revision) -> &mut Self {
        self.add(revision.number).entries(revision.template.entries(&revision.pins))
    }

    fn all<T: std::fmt::Display>(&mut self, list: impl IntoIterator<Item = T>) -> &mut Self {
        self.add("[");
        for one in list {
            self.add(one);
        }
        self.add("]")
    }
}

impl Step {
    /// Stands for all that the step does. Secrets' values are in it as keyed digests alone, and not at all unless `keyed`:
    /// where nothing was ever recorded, the key may be made between two plans, and there is nothing that a value could
    /// differ from.
    ///
    /// `wanted` is what the record takes over when it is done.
    pub(crate) fn digest(&self, wanted: &Wanted, keyed: bool) -> Fingerprint {
        let mut parts = Parts { gathered: Vec::new(), keyed };
        if let Address::Service(name) = self.address()
            && let Some((spec, revision)) = wanted.services.get(&name)
        {
            parts.entries(spec.entries(&revision.pins));
        }
        match self {
            Self::Call(operation) => {
                parts.add(operation.id());
                call(&mut parts, &operation.call);
            }
            Self::Rollout(step) => rollout(&mut parts, step),
            // An effect is small, and says by names alone what the record takes over from the plan.
            Self::Note(address, effect) => drop(parts.add(address).add(format_args!("{effect:?}"))),
        }
        Fingerprint::of(parts.gathered.iter().map(String::as_bytes))
    }
}

fn call(parts: &mut Parts, call: &Call) {
    match call {
        Call::PrepareFolder { content, folder } => drop(parts.add(content).add(folder)),
        Call::PrepareBucket { content, bucket } => drop(parts.add(content).add(bucket)),
        Call::PrepareGit { content, git } => drop(parts.add(content).add(git).all(&git.password)),
        Call::PreparePart { content, part } => drop(parts.add(content).add(part)),
        Call::PreparePackages { content, libraries } => {
            parts.add(content).all(&libraries.image).all(&libraries.requirements);
        }
        Call::PrepareImage { content, image } => drop(parts.add(content).add(image)),
        Call::PutObject { object, spec } => drop(parts.add(object).entries(spec.entries())),
        Call::DeleteObject { object } => drop(parts.add(object)),
        Call::Move { from, to } => drop(parts.add(from).add(to)),
        Call::DropContent { content } => drop(parts.add(content)),
        Call::PutGateway { gateway, spec } => drop(parts.add(gateway).entries(spec.entries())),
        Call::DeleteGateway { gateway } => drop(parts.add(gateway)),
        Call::PutRoute { route } => drop(parts.entries(route.entries())),
        Call::DeleteRoute { gateway, service } => drop(parts.add(gateway).add(service)),
        Call::StartInstance(launch) => drop(parts.add(&launch.instance).revision(&launch.revision)),
        Call::RouteInstance { instance, endpoint, gateways, probe } => {
            parts.add(instance).add(endpoint).all(gateways).add(format_args!("{probe:?}"));
        }
        Call::DrainInstance { instance, gateways, shutdown } => {
            parts.add(instance).all(gateways).add(format_args!("{shutdown:?}"));
        }
        Call::StopInstance { instance, gateways } => drop(parts.add(instance).all(gateways)),
    }
}

fn rollout(parts: &mut Parts, step: &RolloutStep) {
    let RolloutStep { order, revisions, standing, endpoints, generations, gateways, known_by, shutdown } = step;
    let Order { service, goal, back, surge, unavailable, min_ready, deadline, grace, pace, passed, rest, before } =
        order;
    parts.add(service).add(goal.revision).add(goal.count);
    parts.all(back.iter().flat_map(|back| [back.revision.0, back.count]));
    parts.add(surge).add(unavailable).add(format_args!("{min_ready:?} {deadline:?} {grace:?}"));
    if !pace.is_empty() {
        parts.all(pace.iter().map(|step| format!("{step:?}")));
    }
    if *passed > 0 || rest.is_some() {
        parts.add(passed).add(format_args!("{rest:?}"));
    }
    if before != back {
        parts.add(format_args!("{before:?}"));
    }
    for revision in revisions.values() {
        parts.revision(revision);
    }
    parts.all(standing.iter().map(|(id, standing)| format!("{id} {} {:?}", standing.revision, standing.traffic)));
    parts.all(endpoints.iter().map(|(id, endpoint)| format!("{id} {endpoint}")));
    parts.all(generations.iter().map(|(slot, generation)| format!("{slot} {generation}")));
    parts.all(gateways).all(known_by).add(format_args!("{shutdown:?}"));
}
