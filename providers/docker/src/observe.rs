//! One look at the environment: one listing of its containers, then its doors' desks, which ask the instances. What no
//! listing tells, limits and ends, takes a look at each container by itself; those who follow a rollout do without limits.
//! Nothing is changed.

use crate::{
    content,
    door::Door,
    doors::Attached,
    entrances::{self, DoorLook},
    error,
    format::{Heard, ProbeOrder},
    gpus,
    labels::{self, Labels, OfDoor, OfInstance},
    logs, names,
    provider::DockerReader,
    told,
};
use bollard::models::{ContainerState, ContainerSummary, ContainerSummaryStateEnum, EndpointSettings, Network};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use wharf_model::{
    Address, Bytes, ContentRef, Exit, InstanceId, NetworkName, ObjectId, Observed, ObservedInstance, ObservedObject,
    Phase, ProbeAnswer, Supervised, Timestamp, Told,
};
use wharf_provider::{ProviderError, Scope};

/// So many of its last log lines tell why an instance is not ready.
const LAST_LINES: usize = 20;

/// Looks at the environment.
pub(crate) async fn observe(reader: &DockerReader, scope: &Scope) -> Result<Observed, ProviderError> {
    let attempt = format!("cannot look at the engine at {}", reader.eyes.host());
    let (containers, networks) =
        tokio::join!(reader.eyes.containers(&reader.owner), reader.eyes.own_networks(&reader.owner));
    let containers = containers.map_err(error::engine(attempt.clone()))?;
    let listing = Listing::of(reader, containers, &networks.map_err(error::engine(attempt))?);
    let covered = listing.instances.into_iter().filter(|(id, _)| scope.covers(&id.service)).collect::<BTreeMap<_, _>>();
    let orders = if scope.probe { covered.values().filter_map(Look::order).collect() } else { Vec::new() };
    let (doors, mut heard) = entrances::look(reader, listing.doors, orders).await;
    // Whoever follows a rollout looks often, and wants to know what is ready and what ended.
    let whole = scope.services.is_none();
    let instances = covered.into_iter().map(|(id, look)| {
        let answer = heard.remove(&id.to_string());
        finish(reader, id, look, answer, scope.probe, whole)
    });
    let sources = scope.sources.iter().map(async |source| (source.clone(), content::look(reader, source).await));
    let (instances, sources) = tokio::join!(join_all(instances), join_all(sources));
    let mut instances: BTreeMap<_, _> = instances.into_iter().collect::<Result<_, _>>()?;
    // Whoever follows a rollout knows which there were when it was planned.
    let gpus = if whole { Some(gpus::look(reader).await?) } else { None };
    for (id, seat) in gpus.iter().flat_map(|gpus| &gpus.held) {
        if let Some(gone) = gpus.as_ref().and_then(|gpus| gpus::gone(gpus, seat))
            && let Some(seen) = instances.get_mut(id)
        {
            told::lacks_card(&mut seen.told, &gone);
        }
    }
    let mut observed = Observed {
        instances,
        gpus,
        contents: listing.contents,
        objects: listing.objects,
        sources: sources.into_iter().collect(),
        ..Observed::default()
    };
    entrances::enter(&mut observed, doors, &listing.named);
    Ok(observed)
}

/// The containers and networks of an environment, by what they are.
struct Listing {
    instances: BTreeMap<InstanceId, Look>,
    doors: BTreeMap<Door, DoorLook>,
    contents: BTreeSet<ContentRef>,
    objects: BTreeMap<ObjectId, ObservedObject>,
    /// The networks of the project, by their ids.
    named: BTreeMap<String, NetworkName>,
}

impl Listing {
    fn of(reader: &DockerReader, containers: Vec<ContainerSummary>, networks: &[Network]) -> Self {
        let mut listing = Self {
            instances: BTreeMap::new(),
            doors: BTreeMap::new(),
            contents: BTreeSet::new(),
            objects: BTreeMap::new(),
            named: BTreeMap::new(),
        };
        for network in networks {
            listing.add_network(reader, network);
        }
        for container in containers {
            listing.add(reader, &container);
        }
        listing
    }

    fn add_network(&mut self, reader: &DockerReader, network: &Network) {
        let labels = network.labels.as_ref().and_then(|labels| labels::object(labels, &reader.owner));
        let (Some((object, fingerprint)), Some(id)) = (labels, &network.id) else { return };
        if let Address::Network(name) = &object.address {
            self.named.insert(id.clone(), name.clone());
            self.objects.insert(object, ObservedObject { fingerprint });
        }
    }

    fn add(&mut self, reader: &DockerReader, container: &ContainerSummary) {
        let owner = &reader.owner;
        let empty = Labels::new();
        let labels = container.labels.as_ref().unwrap_or(&empty);
        let runs = container.state == Some(ContainerSummaryStateEnum::RUNNING);
        let is_called = |name: &str| {
            let names = container.names.iter().flatten();
            names.map(|known| known.trim_start_matches('/')).any(|known| known == name)
        };
        if let Some(labels) = OfInstance::read(labels, owner) {
            if is_called(&names::instance(owner, &labels.instance)) {
                let since = u64::try_from(container.created.unwrap_or(0)).unwrap_or(0) * 1_000;
                let networks = container.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
                let network = networks.and_then(|networks| self.networks(reader, &labels, networks));
                self.instances.insert(labels.instance.clone(), Look { labels, state: container.state, since, network });
            }
        } else if let Some(labels) = OfDoor::read(labels, owner) {
            if is_called(&labels.door.container(owner)) {
                let networks =
                    container.network_settings.iter().flat_map(|settings| settings.networks.iter().flatten());
                let nets = networks.filter_map(|(_, endpoint)| Attached::of(endpoint)).collect();
                self.doors.insert(labels.door.clone(), DoorLook { labels, runs, nets });
            }
        } else if let Some(content) = labels::content(labels, owner) {
            self.contents.insert(content);
        } else if let Some((object, fingerprint)) = labels::object(labels, owner) {
            self.objects.insert(object, ObservedObject { fingerprint });
        }
    }
}

impl Listing {
    /// The networks that an instance is in, in the words of the file; none where that is the environment's alone.
    fn networks(
        &self,
        reader: &DockerReader,
        labels: &OfInstance,
        networks: &HashMap<String, EndpointSettings>,
    ) -> Option<String> {
        if networks.is_empty() {
            return Some("disconnected".to_owned());
        }
        let own = names::network(&reader.owner);
        let named = networks.iter().map(|(name, endpoint)| {
            let known = endpoint.network_id.as_ref().and_then(|id| self.named.get(id));
            known.map_or_else(|| name.clone(), ToString::to_string)
        });
        let named: BTreeSet<String> = named.filter(|name| labels.network.is_some() || *name != own).collect();
        Some(named.into_iter().collect::<Vec<_>>().join(", ")).filter(|named| !named.is_empty())
    }
}

/// What a listing says of an instance.
struct Look {
    labels: OfInstance,
    state: Option<ContainerSummaryStateEnum>,
    /// When it was made, in milliseconds: it was started at once.
    since: u64,
    /// The networks that it is in, where those are others than that of the environment.
    network: Option<String>,
}

impl Look {
    /// One that was paused or is being started has not ended.
    fn runs(&self) -> bool {
        use ContainerSummaryStateEnum::{PAUSED, RESTARTING, RUNNING, STOPPING};
        matches!(self.state, Some(RUNNING | PAUSED | RESTARTING | STOPPING))
    }

    /// The question to ask, if there is one.
    fn order(&self) -> Option<ProbeOrder> {
        let question = self.labels.question.clone().filter(|_| self.runs())?;
        Some(ProbeOrder { name: self.labels.instance.to_string(), address: self.labels.endpoint, question })
    }
}

/// Adds what only a closer look tells: its limits, how it ended, and its last lines when it does not run or is not ready.
async fn finish(
    reader: &DockerReader,
    id: InstanceId,
    look: Look,
    answer: Option<Heard>,
    probed: bool,
    whole: bool,
) -> Result<(InstanceId, ObservedInstance), ProviderError> {
    let container = names::instance(&reader.owner, &id);
    let found = if whole || !look.runs() {
        let attempt = format!("cannot look at {id}");
        reader.eyes.container(&container).await.map_err(error::engine(attempt))?
    } else {
        None
    };
    let host = found.as_ref().and_then(|found| found.host_config.as_ref());
    let told = if look.runs() { told::told(host, look.network.clone()) } else { Told::default() };
    let phase = if look.runs() {
        Phase::Running { since: Timestamp(look.since) }
    } else {
        let limit = host.and_then(|host| host.memory);
        Phase::Ended(found.and_then(|found| found.state).map_or(Exit::Unseen, |state| exit(state, limit)))
    };
    let running = matches!(phase, Phase::Running { .. });
    let answer = match (answer, &look.labels.question) {
        (Some(heard), _) => Some(ProbeAnswer { passed: heard.passed, heard: heard.words, hint: None }),
        // It has no port to ask at: that it runs is all there is to say.
        (None, None) if running && probed => {
            Some(ProbeAnswer { passed: true, heard: "it runs, and has no port to ask at".to_owned(), hint: None })
        }
        (None, _) => None,
    };
    let mut seen = ObservedInstance {
        revision: look.labels.revision,
        operation: Some(look.labels.operation),
        fingerprint: look.labels.fingerprint,
        endpoint: look.labels.endpoint,
        phase,
        answer: answer.filter(|_| running),
        last_lines: Vec::new(),
        told,
        supervised: Supervised::default(),
    };
    let silent = running && seen.answer.is_none();
    if !silent && !seen.is_ready() {
        seen.last_lines = logs::last(&reader.eyes, &container, LAST_LINES).await.unwrap_or_default();
    }
    Ok((id, seen))
}

/// How a container ended. The engine adds 128 to the number of a signal.
fn exit(state: ContainerState, limit: Option<i64>) -> Exit {
    let code = state.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(0);
    if state.oom_killed == Some(true) {
        return Exit::OutOfMemory(
            limit.and_then(|limit| u64::try_from(limit).ok()).filter(|limit| *limit > 0).map(Bytes),
        );
    }
    match state.error.filter(|error| !error.is_empty()) {
        Some(error) => Exit::NotStarted(error),
        None if state.status == Some(bollard::models::ContainerStateStatusEnum::CREATED) => {
            Exit::NotStarted("it was made and never started".to_owned())
        }
        None if (129..=192).contains(&code) => Exit::Signal(code - 128),
        None => Exit::Code(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_as_it_was() {
        let check = |code: i64, oom: bool, expected: &str| {
            let state = ContainerState { exit_code: Some(code), oom_killed: Some(oom), ..ContainerState::default() };
            assert_eq!(exit(state, Some(64 << 20)).to_string(), expected);
        };
        check(3, false, "exited with code 3");
        check(137, false, "killed by SIGKILL");
        check(137, true, "killed, as it used more memory than its 64MiB");
    }
}
