//! One look at the environment: folders, the kernel, the gateways and the sources are asked; nothing is written.

use crate::{
    balancers, clock, content,
    doors::{self, config},
    error::{disk, off_the_loop},
    files,
    format::StoredHealth,
    gateways::{gateway_labels, route_labels},
    healing,
    instance::{self, Life},
    labels::{self, OfInstance, Question},
    launch::place_of,
    layout::{InstanceFolder, Layout},
    listen, logs, objects, packages,
    provider::LocalReader,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    time::Duration,
};
use tokio::task::JoinSet;
use wharf_gateway::{Answer, Config, Status};
use wharf_model::{
    Exit, GatewayName, InstanceId, Kind, ListenHint, ObjectId, Observed, ObservedGateway, ObservedInstance,
    ObservedObject, ObservedRoute, Phase, ProbeAnswer, ServiceName, SourceError, SourcePin, SourceRef, Supervised,
    Told,
};
use wharf_provider::{
    Owner, ProviderError, Scope,
    tree::{TreeError, pin},
};
use wharf_serving::{Heard, StoredRestarts};

/// So many of its last log lines tell why an instance is not ready.
const LAST_LINES: usize = 20;

/// A program may take so long to listen before it is looked up where it does.
const YOUNG: Duration = Duration::from_secs(1);

/// Looks at the environment.
pub(crate) async fn observe(reader: &LocalReader, scope: &Scope) -> Result<Observed, ProviderError> {
    let (layout, owner, copies) = (reader.layout.clone(), reader.owner.clone(), reader.copies.clone());
    let attempt = format!("cannot look at {}", layout.root().display());
    let found = off_the_loop(move || {
        Ok((instances(&layout, &owner)?, content::list(&layout, &copies)?, objects::list(&layout, &owner)?))
    });
    let (instances, contents, objects) = found.await.map_err(disk(attempt.clone()))?;
    let mut instances: BTreeMap<_, _> = instances.into_iter().filter(|(name, _)| scope.covers(&name.service)).collect();
    if scope.probe {
        probe_all(&reader.layout, &mut instances).await;
    }
    Ok(Observed {
        instances: instances.into_iter().map(|(name, look)| finish(&reader.layout, name, look)).collect(),
        gateways: look_at_gateways(&reader.layout, &reader.owner).await.map_err(disk(attempt.clone()))?,
        contents,
        objects: objects_that_run(&reader.layout, objects).await,
        gpus: None,
        unlimited_disk: None,
        balanced: balancers::look(&reader.layout).await.map_err(disk(attempt))?,
        sources: look_at_sources(reader, &scope.sources).await,
    })
}

/// A balancer that does not run is not as it was made.
async fn objects_that_run(
    layout: &Layout,
    mut objects: BTreeMap<ObjectId, ObservedObject>,
) -> BTreeMap<ObjectId, ObservedObject> {
    for (object, seen) in &mut objects {
        if object.address.kind() == Kind::Nlb {
            match balancers::status(layout, object).await {
                Some(status) => seen.release = wharf_serving::release(&status),
                None => seen.fingerprint = None,
            }
        }
    }
    objects
}

/// Every instance that carries our labels.
fn instances(layout: &Layout, owner: &Owner) -> io::Result<BTreeMap<InstanceId, Look>> {
    let mut found = BTreeMap::new();
    for name in files::names(&layout.instances())? {
        let Ok(instance) = name.parse::<InstanceId>() else {
            tracing::warn!(name, "among the instances stands something else");
            continue;
        };
        let folder = layout.instance(&instance);
        match OfInstance::read(&folder.labels(), &instance, owner) {
            Some(labels) => drop(found.insert(instance, seen(&folder, labels)?)),
            None => tracing::warn!(name, "an instance without labels"),
        }
    }
    Ok(found)
}

/// What is seen of an instance, and how to ask it.
struct Look {
    seen: ObservedInstance,
    question: Question,
}

fn seen(folder: &InstanceFolder, labels: OfInstance) -> io::Result<Look> {
    let phase = match instance::life(folder)? {
        Life::Running { since } => Phase::Running { since },
        Life::Starting => Phase::Running { since: labels.made },
        Life::Ended(exit) => Phase::Ended(exit),
        Life::NeverStarted => Phase::Ended(Exit::Unseen),
    };
    let seen = ObservedInstance {
        revision: labels.revision,
        operation: Some(labels.operation),
        fingerprint: labels.fingerprint,
        endpoint: labels.endpoint,
        phase,
        answer: None,
        last_lines: Vec::new(),
        told: Told::default(),
        supervised: supervised(folder),
    };
    Ok(Look { seen, question: labels.question })
}

/// What the supervisor of an instance wrote down.
fn supervised(folder: &InstanceFolder) -> Supervised {
    let restarts = labels::read::<StoredRestarts>(&folder.restarts());
    let health = labels::read::<StoredHealth>(&folder.health());
    let answer = |heard: Heard| ProbeAnswer::once(heard.passed, heard.words);
    let checks = health.into_iter().flat_map(|health| health.checks);
    Supervised {
        between: None,
        restarts: restarts.map(Into::into),
        checks: checks.map(|(kind, heard)| (kind.to_string().into(), answer(heard))).collect(),
        marked: Some(healing::marked(folder)),
    }
}

/// Asks those that run, all at once.
async fn probe_all(layout: &Layout, instances: &mut BTreeMap<InstanceId, Look>) {
    let mut probes = JoinSet::new();
    for (name, Look { seen, question }) in instances.iter() {
        if let Phase::Running { .. } = &seen.phase {
            let (name, seen, question, folder) = (name.clone(), seen.clone(), question.clone(), layout.instance(name));
            probes.spawn(async move { (name, ask(&folder, &seen, &question).await) });
        }
    }
    while let Some(asked) = probes.join_next().await {
        if let Ok((name, answer)) = asked
            && let Some(look) = instances.get_mut(&name)
        {
            look.seen.answer = Some(answer);
        }
    }
}

/// Adds what the log says, for one that does not run or is not ready.
fn finish(layout: &Layout, name: InstanceId, Look { mut seen, .. }: Look) -> (InstanceId, ObservedInstance) {
    let silent = matches!(seen.phase, Phase::Running { .. }) && seen.answer.is_none();
    if !silent && !seen.is_ready() {
        seen.last_lines = logs::last(&layout.instance(&name), &name, LAST_LINES).unwrap_or_default();
    }
    (name, seen)
}

async fn ask(folder: &InstanceFolder, seen: &ObservedInstance, question: &Question) -> ProbeAnswer {
    let heard = wharf_gateway::probe(&question.check(folder), seen.endpoint, question.timeout).await;
    let old_enough = seen.age(clock::now()) > YOUNG;
    let hint = match heard {
        Answer::Refused(_) if old_enough => hint(folder, seen.endpoint.port()).await,
        _ => None,
    };
    // Only what the supervisor itself has answered: one that is silent has said nothing.
    let sure = matches!(heard, Answer::Told { .. });
    ProbeAnswer { sure, hint, ..ProbeAnswer::once(heard.passed(), heard.to_string()) }
}

async fn hint(folder: &InstanceFolder, expected: u16) -> Option<ListenHint> {
    let folder = folder.clone();
    let found = off_the_loop(move || Some(listen::addresses(&instance::namespace(&folder)?))).await?;
    // It may have begun to listen in the meantime.
    let late = found.iter().any(|at| at.port() == expected && (at.ip().is_unspecified() || at.is_ipv4()));
    (!late).then_some(ListenHint { expected, found })
}

async fn look_at_gateways(layout: &Layout, owner: &Owner) -> io::Result<BTreeMap<GatewayName, ObservedGateway>> {
    let mut found = BTreeMap::new();
    for name in files::names(&layout.gateways())? {
        let Ok(gateway) = name.parse::<GatewayName>() else { continue };
        let folder = layout.gateway(&gateway);
        let Some(labels) = gateway_labels(&folder, &gateway, owner) else { continue };
        let status = doors::status(&folder).await;
        let config = config(&folder)?.unwrap_or_else(Config::empty);
        let listening = status.as_ref().and_then(|status| status.listeners.first()).map(|listener| listener.address);
        let observed = ObservedGateway {
            running: status.is_some(),
            listen: listening.or_else(|| config.listeners.first().map(|listener| listener.address)),
            fingerprint: labels.settled.then_some(labels.fingerprint),
            routes: routes(&folder, &config, status.as_ref()),
            told: Told::default(),
            release: status.as_ref().and_then(wharf_serving::release),
            lost: wharf_serving::lost(status.as_ref()),
        };
        found.insert(gateway, observed);
    }
    Ok(found)
}

fn routes(folder: &Path, config: &Config, status: Option<&Status>) -> BTreeMap<ServiceName, ObservedRoute> {
    let labels = route_labels(folder);
    let mut found = BTreeMap::new();
    for route in &config.routes {
        let Ok(service) = route.service.parse::<ServiceName>() else { continue };
        let fingerprint = labels.get(service.as_str()).and_then(|label| label.fingerprint.parse().ok());
        let live = status.and_then(|status| status.routes.iter().find(|live| live.name == route.name));
        let endpoints = route.endpoints.iter().filter_map(|endpoint| {
            let live = live.and_then(|route| route.endpoints.iter().find(|live| live.name == endpoint.name));
            Some((endpoint.name.parse().ok()?, wharf_serving::endpoint_state(endpoint.state, live)))
        });
        let counted = live.into_iter().flat_map(|route| &route.endpoints);
        let counted =
            counted.filter_map(|live| Some((live.name.parse().ok()?, wharf_serving::figures(live)))).collect();
        let endpoints = endpoints.collect();
        found.insert(
            service,
            ObservedRoute { fingerprint, endpoints, figures: counted, told: wharf_serving::told(route) },
        );
    }
    found
}

async fn look_at_sources(
    reader: &LocalReader,
    sources: &BTreeSet<SourceRef>,
) -> BTreeMap<SourceRef, Result<SourcePin, SourceError>> {
    let wants_packages = sources.iter().any(|source| matches!(source, SourceRef::Packages(_)));
    let interpreter = if wants_packages { Some(packages::interpreter(&reader.environment).await) } else { None };
    let mut found = BTreeMap::new();
    for source in sources {
        let pin = match (source, &interpreter) {
            (SourceRef::Folder(path), _) => {
                let place = place_of(&reader.project, path);
                off_the_loop(move || pin(&place)).await.map_err(TreeError::into_answer)
            }
            (SourceRef::Packages(libraries), Some(Ok(interpreter))) => {
                Ok(packages::pin(interpreter, &libraries.requirements))
            }
            (SourceRef::Packages(_), Some(Err(error))) => Err(error.clone()),
            (SourceRef::Bucket(bucket), _) => reader.copies.pin(bucket).await,
            (SourceRef::Packages(_), None)
            | (SourceRef::Image(_) | SourceRef::Git(_) | SourceRef::Part(_) | SourceRef::Network(_), _) => {
                continue;
            }
        };
        found.insert(source.clone(), pin);
    }
    found
}
