//! One look at the environment: one listing of its containers, then its doors' desks, which ask the instances. What no
//! listing tells, limits and ends, takes a look at each container by itself; those who follow a rollout do without limits.
//! Nothing is changed.

use crate::{
    book::{Fate, Health, Mark},
    bucket, content,
    door::Door,
    doors::Attached,
    entrances::{self, DoorLook},
    error,
    format::{Heard, ProbeOrder},
    gpus,
    labels::{self, Labels, OfDoor, OfInstance},
    logs, names,
    network::{self, Incarnation},
    provider::DockerReader,
    told,
    ward::moment,
};
use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, ContainerSummary, ContainerSummaryStateEnum,
    EndpointSettings, Network,
};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use wharf_model::{
    Address, Bytes, ContentRef, Exit, InstanceId, Marked, NetworkName, ObjectId, Observed, ObservedInstance,
    ObservedObject, Phase, ProbeAnswer, Restarts, Supervised, Timestamp, Told,
};
use wharf_provider::{ProviderError, Scope};

/// So many of its last log lines tell why an instance is not ready.
const LAST_LINES: usize = 20;

/// Looks at the environment.
pub(crate) async fn observe(reader: &DockerReader, scope: &Scope) -> Result<Observed, ProviderError> {
    let attempt = format!("cannot look at the engine at {}", reader.eyes.host());
    let (networks, containers) = network::listed(&reader.eyes, &reader.owner, attempt).await?;
    let listing = Listing::of(reader, &containers, &networks);
    let cared_for = listing.instances.values().map(|look| &look.labels).filter(|labels| labels.care.is_some());
    let watched: Vec<_> = cared_for.map(|labels| labels.endpoint).collect();
    let covered = listing.instances.into_iter().filter(|(id, _)| scope.covers(&id.service)).collect::<BTreeMap<_, _>>();
    let orders = if scope.probe { covered.values().filter_map(Look::order).collect() } else { Vec::new() };
    let entrances::Looked { doors, mut heard, health, marks } = entrances::look(reader, listing.doors, orders).await;
    let (is_watching, mut health) = (health.is_some(), health.unwrap_or_default());
    // Whoever follows a rollout looks often, and wants to know what is ready and what ended.
    let whole = scope.services.is_none();
    let instances = covered.into_iter().map(|(id, look)| {
        let (answer, health) = (heard.remove(&id.to_string()), health.remove(&id.to_string()));
        let marked = marks.as_ref().filter(|_| look.labels.care.is_some()).map(|marks| marked(marks, &id));
        finish(reader, id, look, Known { answer, health, watched: is_watching, marked, probed: scope.probe, whole })
    });
    let sources = scope.sources.iter().map(async |source| (source.clone(), content::look(reader, source).await));
    let (instances, sources) = tokio::join!(join_all(instances), join_all(sources));
    let mut instances: BTreeMap<_, _> = instances.into_iter().collect::<Result<_, _>>()?;
    // Whoever follows a rollout knows which there were when it was planned.
    let gpus = if whole { Some(gpus::look(reader, &instances).await?) } else { None };
    // An engine that does not tell says so when an instance is started.
    let storage = if whole { reader.eyes.storage().await.ok() } else { None };
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
        unlimited_disk: storage.and_then(|(driver, backing)| unlimited(&driver, &backing)),
        contents: listing.contents,
        objects: listing.objects,
        sources: sources.into_iter().collect(),
        ..Observed::default()
    };
    entrances::enter(&mut observed, doors, &listing.named, &watched, &reader.owner.environment);
    Ok(observed)
}

/// Why the engine limits no container's disk, by how it keeps them. Whether quotas are switched on shows at a start alone.
fn unlimited(driver: &str, backing: &str) -> Option<String> {
    let limits = matches!(
        (driver, backing),
        ("btrfs" | "zfs" | "devicemapper" | "windowsfilter", _) | ("overlay2" | "vfs", "xfs")
    );
    let on = if backing.is_empty() { String::new() } else { format!(" on {backing}") };
    (!limits).then(|| format!("the engine keeps containers by `{driver}`{on}, and that limits none"))
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
    fn of(reader: &DockerReader, containers: &[ContainerSummary], networks: &[Network]) -> Self {
        let mut listing = Self {
            instances: BTreeMap::new(),
            doors: BTreeMap::new(),
            contents: BTreeSet::new(),
            objects: BTreeMap::new(),
            named: BTreeMap::new(),
        };
        for known in network::of_project(networks, containers, &reader.owner) {
            listing.add_network(known);
        }
        for container in containers {
            listing.add(reader, container);
        }
        listing
    }

    fn add_network(&mut self, known: Incarnation) {
        if let (Address::Network(name), Some(id)) = (&known.object.address, &known.network.id) {
            self.named.insert(id.clone(), name.clone());
            self.objects.insert(known.object, ObservedObject::made_from(known.fingerprint));
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
            if is_called(&names::member(owner, &labels.instance, labels.rank())) {
                let since = u64::try_from(container.created.unwrap_or(0)).unwrap_or(0) * 1_000;
                let networks = container.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
                let network = networks.and_then(|networks| self.networks(reader, &labels, networks));
                let body = Body { state: container.state, since, network };
                let look = self.instances.entry(labels.instance.clone());
                look.or_insert_with(|| Look::of(labels.clone())).add(labels, body);
            }
        } else if let Some(labels) = OfDoor::read(labels, owner) {
            if is_called(&labels.door.container(owner)) {
                let networks =
                    container.network_settings.iter().flat_map(|settings| settings.networks.iter().flatten());
                let nets = networks.filter_map(|(_, endpoint)| Attached::of(endpoint)).collect();
                self.doors.insert(labels.door.clone(), DoorLook { labels, runs, nets });
            }
        } else if let Some(content) = labels::content(labels, owner) {
            self.contents.extend(Some(content).filter(|content| bucket::is_there(reader, *content)));
        } else if let Some((object, fingerprint)) = labels::object(labels, owner)
            // Of one that stands for a network, the network tells: it may be gone.
            && labels::adopted(labels).is_none()
        {
            self.objects.insert(object, ObservedObject::made_from(fingerprint));
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
    /// Those of rank 0, if that is there.
    labels: OfInstance,
    /// Its containers, by rank.
    bodies: BTreeMap<u32, Body>,
}

/// What a listing says of a container of an instance.
struct Body {
    state: Option<ContainerSummaryStateEnum>,
    /// When it was made, in milliseconds: it was started at once.
    since: u64,
    /// The networks that it is in, where those are others than that of the environment.
    network: Option<String>,
}

impl Body {
    /// One that was paused or is being started has not ended.
    fn runs(&self) -> bool {
        use ContainerSummaryStateEnum::{PAUSED, RESTARTING, RUNNING, STOPPING};
        matches!(self.state, Some(RUNNING | PAUSED | RESTARTING | STOPPING))
    }
}

impl Look {
    fn of(labels: OfInstance) -> Self {
        Self { labels, bodies: BTreeMap::new() }
    }

    fn add(&mut self, labels: OfInstance, body: Body) {
        self.bodies.insert(labels.rank(), body);
        if labels.rank() == 0 {
            self.labels = labels;
        }
    }

    /// Whether the engine is about to start it again.
    fn comes_back(&self) -> bool {
        let is_between = |body: &Body| body.state == Some(ContainerSummaryStateEnum::RESTARTING);
        self.labels.kept_up && self.bodies.values().any(is_between)
    }

    /// The first of its containers that does not run: without it, the others are of no use.
    fn down(&self) -> Option<u32> {
        (0..self.labels.size()).find(|rank| !self.bodies.get(rank).is_some_and(Body::runs))
    }

    /// When it was made, in milliseconds.
    fn since(&self) -> u64 {
        self.bodies.values().map(|body| body.since).max().unwrap_or(0)
    }

    /// The question to ask, if the instance is to be asked.
    fn order(&self) -> Option<ProbeOrder> {
        let asked = self.labels.question.clone().filter(|question| !question.told);
        let question = asked.filter(|_| self.down().is_none())?;
        Some(ProbeOrder { name: self.labels.instance.to_string(), address: self.labels.endpoint, question })
    }

    /// How the instance ended, as one of its containers did.
    fn end(&self, rank: u32, exit: Exit) -> Exit {
        match self.labels.member {
            Some(_) => Exit::Member { rank, how: Box::new(exit) },
            None => exit,
        }
    }
}

/// What others told of an instance, and how it is looked at.
struct Known {
    answer: Option<Heard>,
    /// What its supervisor knows.
    health: Option<Health>,
    /// Whether there is a supervisor that watches.
    watched: bool,
    /// What it was told, where it sees to the instance.
    marked: Option<Marked>,
    probed: bool,
    /// Whether everything is to be told, also what does not change by itself.
    whole: bool,
}

/// Adds what only a closer look tells: its limits, how it ended, and its last lines when it does not run or is not ready.
async fn finish(
    reader: &DockerReader,
    id: InstanceId,
    look: Look,
    known: Known,
) -> Result<(InstanceId, ObservedInstance), ProviderError> {
    let inspect = async |rank: u32| {
        let found = reader.eyes.container(&names::member(&reader.owner, &id, rank)).await;
        found.map_err(error::engine(format!("cannot look at {id}")))
    };
    let mut again = None;
    let (phase, ended, told) = match look.down() {
        Some(rank) => {
            let found = inspect(rank).await?;
            let limit = found.as_ref().and_then(|found| found.host_config.as_ref()).and_then(|host| host.memory);
            let (phase, ended) = after_an_end(&look, rank, &known, found.and_then(|found| found.state), limit);
            (phase, ended, Told::default())
        }
        None => {
            let (mut each, comes_back) = (Vec::new(), look.comes_back());
            let mut ended = None;
            for (rank, body) in &look.bodies {
                let found = if known.whole || comes_back { inspect(*rank).await? } else { None };
                if look.labels.kept_up {
                    (again, ended) = found.as_ref().map(by_the_engine).unwrap_or_default();
                }
                let host = found.as_ref().and_then(|found| found.host_config.as_ref());
                each.push(told::told(host, body.network.clone()));
            }
            let since = known.health.as_ref().and_then(|health| moment(&health.life));
            let since = since.and_then(|since| u64::try_from(since.as_millis()).ok()).unwrap_or(look.since());
            (Phase::Running { since: Timestamp(since) }, ended, told::together(each))
        }
    };
    let running = matches!(phase, Phase::Running { .. });
    let answer = match &ended {
        Some(exit) => Some(ProbeAnswer::sure(false, format!("{exit}; it is started again"))),
        None if running => answer(&look, &known),
        None => None,
    };
    let speaker = names::member(&reader.owner, &id, look.down().unwrap_or(0));
    let mut seen = ObservedInstance {
        revision: look.labels.revision,
        operation: Some(look.labels.operation),
        fingerprint: look.labels.fingerprint,
        endpoint: look.labels.endpoint,
        phase,
        answer: answer.filter(|_| known.probed),
        last_lines: Vec::new(),
        told,
        supervised: Supervised { marked: known.marked, ..known.health.map(supervised).unwrap_or_default() },
    };
    seen.supervised.restarts = seen.supervised.restarts.or(again);
    seen.supervised.between = ended;
    let silent = running && seen.answer.is_none();
    if !silent && !seen.is_ready() {
        seen.last_lines = logs::last(&reader.eyes, &speaker, LAST_LINES).await.unwrap_or_default();
    }
    Ok((id, seen))
}

/// How often the engine itself started a program again, and how that ended where it is about to.
fn by_the_engine(found: &ContainerInspectResponse) -> (Option<Restarts>, Option<Exit>) {
    let state = found.state.clone().unwrap_or_default();
    let ended = state.restarting.unwrap_or(false).then(|| {
        let limit = found.host_config.as_ref().and_then(|host| host.memory);
        exit(state.clone(), limit)
    });
    let at = if ended.is_some() { state.finished_at } else { state.started_at };
    let at = at.as_deref().and_then(moment).and_then(|at| u64::try_from(at.as_millis()).ok()).unwrap_or(0);
    let count = found.restart_count.and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0);
    // Of a life that is over, the engine keeps nothing.
    let because = ended.as_ref().map_or("its program ended".to_owned(), ToString::to_string);
    (count.map(|count| Restarts { count, because, at: Timestamp(at) }), ended)
}

/// What an instance whose program has ended counts as. One that is about to be started again counts as running, and how
/// it ended is answered beside.
fn after_an_end(
    look: &Look,
    rank: u32,
    known: &Known,
    state: Option<ContainerState>,
    limit: Option<i64>,
) -> (Phase, Option<Exit>) {
    let Some(state) = state else { return (Phase::Ended(look.end(rank, Exit::Unseen)), None) };
    let health = known.health.as_ref().filter(|health| Some(&health.life) == state.started_at.as_ref());
    let ran = state.status != Some(ContainerStateStatusEnum::CREATED);
    let exit = match health.and_then(|health| health.unfit.clone()) {
        Some(why) => Exit::Unhealthy(why),
        None => exit(state, limit),
    };
    let stays = health.is_some_and(|health| health.fate == Some(Fate::Down));
    let comes_back = look.labels.care.as_ref().is_some_and(|care| !care.stays_down);
    if comes_back && known.watched && ran && !stays {
        return (Phase::Running { since: Timestamp(look.since()) }, Some(exit));
    }
    (Phase::Ended(look.end(rank, exit)), None)
}

/// Whether an instance that runs is ready: by its own answer, by its supervisor's where that is who tells, or, where it
/// has no port to ask at, because it runs.
fn answer(look: &Look, known: &Known) -> Option<ProbeAnswer> {
    let told = look.labels.question.as_ref().is_some_and(|question| question.told);
    match (&known.answer, &look.labels.question) {
        (Some(heard), _) => Some(ProbeAnswer::once(heard.passed, heard.words.clone())),
        (None, _) if told => {
            let ready = known.health.as_ref().and_then(|health| health.ready.clone());
            Some(match ready {
                _ if !known.watched => {
                    ProbeAnswer::once(false, "its supervisor does not run, which says whether it is ready")
                }
                Some(heard) => ProbeAnswer::sure(heard.passed, heard.words),
                None => ProbeAnswer::sure(false, "starting"),
            })
        }
        (None, None) => Some(ProbeAnswer::once(true, "it runs, and has no port to ask at")),
        (None, _) => None,
    }
}

fn marked(marks: &BTreeMap<String, Mark>, id: &InstanceId) -> Marked {
    match marks.get(&id.to_string()) {
        None => Marked::New,
        Some(Mark::Routed) => Marked::Routed,
        Some(Mark::Drained) => Marked::Drained,
    }
}

/// What a supervisor did and heard.
fn supervised(health: Health) -> Supervised {
    let answer = |heard: wharf_serving::Heard| ProbeAnswer::once(heard.passed, heard.words);
    Supervised {
        between: None,
        restarts: health.restarts.map(Into::into),
        checks: health.checks.into_iter().map(|(kind, heard)| (kind.to_string().into(), answer(heard))).collect(),
        marked: None,
    }
}

/// How a container ended. The engine adds 128 to the number of a signal.
pub(crate) fn exit(state: ContainerState, limit: Option<i64>) -> Exit {
    let code = state.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(0);
    if state.oom_killed == Some(true) {
        return Exit::OutOfMemory(
            limit.and_then(|limit| u64::try_from(limit).ok()).filter(|limit| *limit > 0).map(Bytes),
        );
    }
    match state.error.filter(|error| !error.is_empty()) {
        Some(error) => Exit::NotStarted(error),
        None if state.status == Some(ContainerStateStatusEnum::CREATED) => {
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
    fn a_disk_is_limited_where_the_storage_driver_can() {
        for (driver, backing) in [("overlay2", "xfs"), ("btrfs", ""), ("zfs", "")] {
            assert_eq!(unlimited(driver, backing), None, "{driver}");
        }
        let why = unlimited("overlay2", "extfs").unwrap();
        assert_eq!(why, "the engine keeps containers by `overlay2` on extfs, and that limits none");
        assert!(unlimited("overlayfs", "").is_some(), "the image store of containerd knows no quotas");
    }

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
