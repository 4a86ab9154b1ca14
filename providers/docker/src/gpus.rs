//! GPUs of the engine's machine: which there are, who holds what of them, and what the next instance gets. A seat is written
//! into the labels of the container that has it, in the call that makes it, so that whoever looks next knows.

use crate::{
    engine::Eyes,
    error,
    labels::{self, OfInstance},
    names, observe,
    provider::{Docker, DockerReader},
};
use bollard::{
    errors::Error as EngineError,
    models::{ContainerSummary, ContainerSummaryStateEnum},
};
use std::collections::{BTreeMap, BTreeSet};
use wharf_gpu::{GpuError, Machine};
use wharf_model::{Gpu, Gpus, InstanceId, Launch, ObservedInstance, Part, Phase, Seat};
use wharf_provider::{Owner, ProviderError, Scope};

/// What is known of GPUs. `instances` are all of the environment, as they were seen.
pub(crate) async fn look(
    reader: &DockerReader,
    instances: &BTreeMap<InstanceId, ObservedInstance>,
) -> Result<Gpus, ProviderError> {
    let Some(machine) = ask(&reader.eyes).await else {
        let trouble = format!("the engine is at {}, and only cards of this machine can be seen", reader.eyes.host());
        return Ok(Gpus { trouble: Some(trouble), ..Gpus::default() });
    };
    let Machine { driver, cards } = match machine {
        Ok(machine) => machine,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            return Ok(Gpus { trouble: Some(format!("{error}{cause}")), ..Gpus::default() });
        }
    };
    let mut gpus = Gpus { driver, cards, ..Gpus::default() };
    for (holder, seat) in held(&seated(&reader.eyes).await?, &reader.owner, instances) {
        match holder {
            Holder::Own(id, _) => gpus.held.entry(id).or_default().0.extend(seat.0),
            Holder::Other(name) => drop(gpus.others.insert(name.into(), seat)),
        }
    }
    Ok(gpus)
}

/// The cards of a seat that the machine has no more.
pub(crate) fn gone(gpus: &Gpus, seat: &Seat) -> Option<String> {
    let is_there = |part: &&Part| gpus.cards.iter().any(|card| card.id == part.card);
    let gone: Vec<_> = seat.0.iter().filter(|part| !is_there(part)).map(|part| &*part.card).collect();
    (gpus.trouble.is_none() && !gone.is_empty()).then(|| gone.join(" and "))
}

/// The driver's answer; none where it is another machine's.
async fn ask(eyes: &Eyes) -> Option<Result<Machine, GpuError>> {
    if !eyes.is_here() {
        return None;
    }
    let asked = tokio::task::spawn_blocking(wharf_gpu::look).await;
    Some(asked.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())))
}

enum Holder {
    /// An instance, and which of its containers.
    Own(InstanceId, u32),
    Other(String),
}

async fn seated(eyes: &Eyes) -> Result<Vec<ContainerSummary>, ProviderError> {
    eyes.seated().await.map_err(error::engine("cannot look for containers that hold GPUs"))
}

fn has_ended(container: &ContainerSummary) -> bool {
    use ContainerSummaryStateEnum::{DEAD, EXITED, REMOVING};
    matches!(container.state, Some(EXITED | DEAD | REMOVING))
}

/// Who holds what, of all that the engine runs. A container that has ended holds nothing, unless its instance counts as
/// running: then it is about to be started again, where it was.
fn held(
    containers: &[ContainerSummary],
    owner: &Owner,
    instances: &BTreeMap<InstanceId, ObservedInstance>,
) -> Vec<(Holder, Seat)> {
    let holds = |container: &ContainerSummary| {
        let labels = container.labels.as_ref()?;
        let seat = labels::seat(labels)?;
        let own = OfInstance::read(labels, owner);
        let seen = own.as_ref().and_then(|own| instances.get(&own.instance));
        let comes_back = seen.is_some_and(|seen| matches!(seen.phase, Phase::Running { .. }));
        if has_ended(container) && !comes_back {
            return None;
        }
        let holder = match own {
            Some(own) => Holder::Own(own.instance.clone(), own.rank()),
            None => Holder::Other(name(container)?.to_owned()),
        };
        Some((holder, seat))
    };
    containers.iter().filter_map(holds).collect()
}

fn name(container: &ContainerSummary) -> Option<&str> {
    container.names.iter().flatten().next().map(|name| name.trim_start_matches('/'))
}

/// Who has taken the seat of a container that has ended, and which card that is about.
pub(crate) async fn rival(eyes: &Eyes, id: &str, seat: &Seat) -> Result<Option<(String, String)>, EngineError> {
    let containers = eyes.seated().await?;
    let others = containers.iter().filter(|other| !has_ended(other) && other.id.as_deref() != Some(id));
    let others: Vec<_> =
        others.filter_map(|other| Some((name(other)?, labels::seat(other.labels.as_ref()?)?))).collect();
    let found = wharf_seats::rival(seat, others.iter().map(|(name, seat)| (*name, seat)));
    Ok(found.map(|(name, card)| (name.to_owned(), card.to_owned())))
}

/// The instances of the environment that have ended with a seat that may still be theirs, as a closer look sees them.
async fn look_at_ended(
    docker: &Docker,
    containers: &[ContainerSummary],
) -> Result<BTreeMap<InstanceId, ObservedInstance>, ProviderError> {
    let ended = containers.iter().filter(|container| has_ended(container));
    let own = ended.filter_map(|container| OfInstance::read(container.labels.as_ref()?, &docker.owner));
    let services: BTreeSet<_> = own.filter(|own| own.care.is_some()).map(|own| own.instance.service).collect();
    if services.is_empty() {
        return Ok(BTreeMap::new());
    }
    let scope = Scope { services: Some(services), ..Scope::default() };
    Ok(observe::observe(docker, &scope).await?.instances)
}

/// The seat of each container of an instance that is about to be started; none where it asks for none. Whoever calls this
/// must hold the turn until the containers are made.
pub(crate) async fn seats(docker: &Docker, launch: &Launch) -> Result<Vec<Option<Seat>>, ProviderError> {
    let wish = launch.revision.template.resources.gpu.as_ref().filter(|gpu| gpu.asks());
    let Some(wish) = wish else { return Ok(Vec::new()) };
    let attempt = format!("cannot start {}", launch.instance);
    let machine = match ask(&docker.eyes).await {
        Some(Ok(machine)) => machine,
        Some(Err(error)) => {
            let help = "see that the driver of the GPUs answers: `nvidia-smi`".to_owned();
            return Err(ProviderError::Rejected { attempt, help, source: Some(Box::new(error)) });
        }
        None => Machine::default(),
    };
    let containers = seated(&docker.eyes).await?;
    let held = held(&containers, &docker.owner, &look_at_ended(docker, &containers).await?);
    let others = held.into_iter().filter_map(|(holder, seat)| match holder {
        Holder::Own(id, _) if id == launch.instance => None,
        Holder::Own(id, rank) => Some((names::member(&docker.owner, &id, rank), seat)),
        Holder::Other(name) => Some((name, seat)),
    });
    let mut others: BTreeMap<String, Seat> = others.collect();
    let mut found = Vec::new();
    for rank in 0..launch.revision.template.unit.as_ref().map_or(1, |unit| unit.size) {
        let seat = find(wish, &machine, &others, attempt.clone())?;
        others.insert(names::member(&docker.owner, &launch.instance, rank), seat.clone());
        found.push(Some(seat));
    }
    Ok(found)
}

fn find(
    wish: &Gpu,
    machine: &Machine,
    others: &BTreeMap<String, Seat>,
    attempt: String,
) -> Result<Seat, ProviderError> {
    wharf_seats::find(wish, &machine.cards, others).map_err(|none| ProviderError::Conflict {
        attempt: format!("{attempt}: it finds no seat on a GPU: {none}"),
        help: "free a card, or ask for fewer instances or for less of a card; then apply again".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use wharf_model::{Exit, Generation, RevisionNumber, Slot, Supervised, Timestamp, Told};

    #[test]
    fn one_that_has_ended_holds_its_seat_while_it_is_to_come_back() {
        let owner = Owner { project: "chat".parse().unwrap(), environment: "box".parse().unwrap() };
        let id = InstanceId { service: "hello".parse().unwrap(), slot: Slot(0), generation: Generation(1) };
        let own = OfInstance {
            instance: id.clone(),
            member: None,
            revision: RevisionNumber(1),
            operation: wharf_model::OperationId("start".into()),
            fingerprint: None,
            endpoint: ([10, 255, 0, 2], 8000).into(),
            network: None,
            seat: Some(Seat(vec![Part { card: "GPU-1".into(), share: None }])),
            question: None,
            care: None,
            kept_up: false,
            writables: Vec::new(),
        };
        let labels: HashMap<_, _> = own.write(&owner).into_iter().collect();
        let container = |state| ContainerSummary { labels: Some(labels.clone()), state, ..ContainerSummary::default() };
        let seen = |phase| ObservedInstance {
            revision: RevisionNumber(1),
            operation: None,
            fingerprint: None,
            endpoint: own.endpoint,
            phase,
            answer: None,
            last_lines: Vec::new(),
            told: Told::default(),
            supervised: Supervised::default(),
        };
        let holds = |state, phase| {
            let instances = BTreeMap::from([(id.clone(), seen(phase))]);
            !held(&[container(Some(state))], &owner, &instances).is_empty()
        };
        let running = Phase::Running { since: Timestamp(0) };
        assert!(holds(ContainerSummaryStateEnum::RUNNING, running.clone()));
        assert!(holds(ContainerSummaryStateEnum::EXITED, running));
        assert!(!holds(ContainerSummaryStateEnum::EXITED, Phase::Ended(Exit::Code(1))));
    }
}
