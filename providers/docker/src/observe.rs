//! One look at the environment: one listing of its containers, then its gateways' desks, which ask the instances. What no
//! listing tells, limits and ends, takes a look at each container by itself; those who follow a rollout do without limits.
//! Nothing is changed.

use crate::{
    content,
    desk::probe_all,
    error,
    format::{Heard, ProbeOrder, Seen},
    gateways,
    labels::{self, Labels, OfGateway, OfInstance},
    logs, names,
    provider::DockerReader,
    told,
};
use bollard::models::{ContainerState, ContainerSummary, ContainerSummaryStateEnum};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use wharf_gateway::{Config, EndpointStatus, Status};
use wharf_model::{
    Bytes, ContentRef, Exit, GatewayName, InstanceId, ObjectId, Observed, ObservedGateway, ObservedInstance,
    ObservedObject, ObservedRoute, Phase, ProbeAnswer, ServiceName, Timestamp, Told,
};
use wharf_provider::{ProviderError, Scope};

/// So many of its last log lines tell why an instance is not ready.
const LAST_LINES: usize = 20;

/// Looks at the environment.
pub(crate) async fn observe(reader: &DockerReader, scope: &Scope) -> Result<Observed, ProviderError> {
    let attempt = format!("cannot look at the engine at {}", reader.eyes.host());
    let containers = reader.eyes.containers(&reader.owner).await.map_err(error::engine(attempt))?;
    let listing = Listing::of(reader, containers);
    let covered = listing.instances.into_iter().filter(|(id, _)| scope.covers(&id.service)).collect::<BTreeMap<_, _>>();
    let orders = if scope.probe { covered.values().filter_map(Look::order).collect() } else { Vec::new() };
    let (gateways, mut heard) = look_at_gateways(reader, listing.gateways, orders).await;
    // Whoever follows a rollout looks often, and wants to know what is ready and what ended.
    let whole = scope.services.is_none();
    let instances = covered.into_iter().map(|(id, look)| {
        let answer = heard.remove(&id.to_string());
        finish(reader, id, look, answer, scope.probe, whole)
    });
    let sources = scope.sources.iter().map(async |source| (source.clone(), content::look(reader, source).await));
    let (instances, sources) = tokio::join!(join_all(instances), join_all(sources));
    Ok(Observed {
        instances: instances.into_iter().collect::<Result<_, _>>()?,
        gateways,
        contents: listing.contents,
        objects: listing.objects,
        balanced: BTreeMap::new(),
        sources: sources.into_iter().collect(),
    })
}

/// The containers of an environment, by what they are.
struct Listing {
    instances: BTreeMap<InstanceId, Look>,
    gateways: BTreeMap<GatewayName, (OfGateway, bool)>,
    contents: BTreeSet<ContentRef>,
    objects: BTreeMap<ObjectId, ObservedObject>,
}

impl Listing {
    fn of(reader: &DockerReader, containers: Vec<ContainerSummary>) -> Self {
        let mut listing = Self {
            instances: BTreeMap::new(),
            gateways: BTreeMap::new(),
            contents: BTreeSet::new(),
            objects: BTreeMap::new(),
        };
        for container in containers {
            listing.add(reader, &container);
        }
        listing
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
                let attached = networks.is_none_or(|networks| !networks.is_empty());
                self.instances
                    .insert(labels.instance.clone(), Look { labels, state: container.state, since, attached });
            }
        } else if let Some(labels) = OfGateway::read(labels, owner) {
            if is_called(&names::gateway(owner, &labels.gateway)) {
                self.gateways.insert(labels.gateway.clone(), (labels, runs));
            }
        } else if let Some(content) = labels::content(labels, owner) {
            self.contents.insert(content);
        } else if let Some((object, fingerprint)) = labels::object(labels, owner) {
            self.objects.insert(object, ObservedObject { fingerprint });
        }
    }
}

/// What a listing says of an instance.
struct Look {
    labels: OfInstance,
    state: Option<ContainerSummaryStateEnum>,
    /// When it was made, in milliseconds: it was started at once.
    since: u64,
    /// Whether it is in a network.
    attached: bool,
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

/// Looks at all gateways. The first that answers also asks the instances; without any, they are asked from here.
async fn look_at_gateways(
    reader: &DockerReader,
    found: BTreeMap<GatewayName, (OfGateway, bool)>,
    orders: Vec<ProbeOrder>,
) -> (BTreeMap<GatewayName, ObservedGateway>, BTreeMap<String, Heard>) {
    let asks = found.iter().find(|(_, (_, runs))| *runs).map(|(name, _)| name.clone());
    let looks = found.into_iter().map(async |(name, (labels, runs))| {
        let orders = if asks.as_ref() == Some(&name) { orders.clone() } else { Vec::new() };
        let seen = look_at_gateway(reader, &name, runs, orders).await;
        (name, labels, seen)
    });
    let (mut gateways, mut heard) = (BTreeMap::new(), Vec::new());
    for (name, labels, mut seen) in join_all(looks).await {
        heard.append(&mut seen.heard);
        gateways.insert(name, observed(&labels, seen));
    }
    if heard.len() < orders.len() {
        let known: BTreeSet<_> = heard.iter().map(|heard| heard.name.clone()).collect();
        heard.extend(probe_all(orders.into_iter().filter(|order| !known.contains(&order.name)).collect()).await);
    }
    (gateways, heard.into_iter().map(|heard| (heard.name.clone(), heard)).collect())
}

async fn look_at_gateway(reader: &DockerReader, name: &GatewayName, runs: bool, orders: Vec<ProbeOrder>) -> Seen {
    if runs {
        match reader.windows.look(name, orders).await {
            Ok(seen) => return seen,
            Err(error) => tracing::warn!(%name, %error, "a gateway does not answer"),
        }
    }
    gateways::stored(&reader.eyes, &reader.owner, name).await.unwrap_or_default()
}

fn observed(labels: &OfGateway, seen: Seen) -> ObservedGateway {
    let own = seen.labels.unwrap_or_default();
    let config = seen.config.unwrap_or_else(Config::empty);
    let routes = config.routes.iter().filter_map(|route| {
        let service: ServiceName = route.service.parse().ok()?;
        let live = seen.status.as_ref().and_then(|status| endpoints(status, &route.name));
        let endpoints = route.endpoints.iter().filter_map(|endpoint| {
            let live = live.and_then(|live| live.iter().find(|live| live.name == endpoint.name));
            Some((endpoint.name.parse().ok()?, wharf_serving::endpoint_state(endpoint.state, live)))
        });
        let fingerprint = own.routes.get(service.as_str()).and_then(|label| label.fingerprint.parse().ok());
        let counted =
            live.into_iter().flatten().filter_map(|live| Some((live.name.parse().ok()?, wharf_serving::figures(live))));
        let (endpoints, figures) = (endpoints.collect(), counted.collect());
        Some((service, ObservedRoute { fingerprint, endpoints, figures, told: Told::default() }))
    });
    ObservedGateway {
        running: seen.status.is_some(),
        listen: Some(labels.listen),
        fingerprint: own.settled.then(|| own.fingerprint.parse().ok()).flatten(),
        routes: routes.collect(),
        told: Told::default(),
    }
}

fn endpoints<'a>(status: &'a Status, route: &str) -> Option<&'a Vec<EndpointStatus>> {
    status.routes.iter().find(|known| known.name == route).map(|route| &route.endpoints)
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
    let told = if look.runs() { told::told(host, look.attached) } else { Told::default() };
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
