//! GPUs of the engine's machine: which there are, who holds what of them, and what the next instance gets. A seat is written
//! into the labels of the container that has it, in the call that makes it, so that whoever looks next knows.

use crate::{
    engine::Eyes,
    error,
    labels::{self, OfInstance},
    names,
    provider::{Docker, DockerReader},
};
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use std::collections::BTreeMap;
use wharf_gpu::{GpuError, Machine};
use wharf_model::{Gpu, Gpus, InstanceId, Launch, Part, Seat};
use wharf_provider::{Owner, ProviderError};

/// What is known of GPUs.
pub(crate) async fn look(reader: &DockerReader) -> Result<Gpus, ProviderError> {
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
    for (holder, seat) in held(&reader.eyes, &reader.owner).await? {
        match holder {
            Holder::Own(id) => drop(gpus.held.insert(id, seat)),
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
    Own(InstanceId),
    Other(String),
}

/// Who holds what, of all that the engine runs. A container that has ended holds nothing.
async fn held(eyes: &Eyes, owner: &Owner) -> Result<Vec<(Holder, Seat)>, ProviderError> {
    let containers = eyes.seated().await.map_err(error::engine("cannot look for containers that hold GPUs"))?;
    let holds = |container: &ContainerSummary| {
        use ContainerSummaryStateEnum::{DEAD, EXITED, REMOVING};
        if matches!(container.state, Some(EXITED | DEAD | REMOVING)) {
            return None;
        }
        let labels = container.labels.as_ref()?;
        let seat = labels::seat(labels)?;
        let holder = match OfInstance::read(labels, owner) {
            Some(own) => Holder::Own(own.instance),
            None => Holder::Other(container.names.iter().flatten().next()?.trim_start_matches('/').to_owned()),
        };
        Some((holder, seat))
    };
    Ok(containers.iter().filter_map(holds).collect())
}

/// The seat for an instance that is about to be started; none where it asks for none. Whoever calls this must hold the
/// turn until the container is made.
pub(crate) async fn seat(docker: &Docker, launch: &Launch) -> Result<Option<Seat>, ProviderError> {
    let Some(wish) = launch.revision.template.resources.gpu.as_ref().filter(|gpu| gpu.asks()) else { return Ok(None) };
    let attempt = format!("cannot start {}", launch.instance);
    let machine = match ask(&docker.eyes).await {
        Some(Ok(machine)) => machine,
        Some(Err(error)) => {
            let help = "see that the driver of the GPUs answers: `nvidia-smi`".to_owned();
            return Err(ProviderError::Rejected { attempt, help, source: Some(Box::new(error)) });
        }
        None => Machine::default(),
    };
    let held = held(&docker.eyes, &docker.owner).await?;
    let others = held.iter().filter_map(|(holder, seat)| match holder {
        Holder::Own(id) if *id == launch.instance => None,
        Holder::Own(id) => Some((names::instance(&docker.owner, id), seat)),
        Holder::Other(name) => Some((name.clone(), seat)),
    });
    find(wish, &machine, others.collect(), attempt).map(Some)
}

fn find(
    wish: &Gpu,
    machine: &Machine,
    others: BTreeMap<String, &Seat>,
    attempt: String,
) -> Result<Seat, ProviderError> {
    wharf_seats::find(wish, &machine.cards, others).map_err(|none| ProviderError::Conflict {
        attempt: format!("{attempt}: it finds no seat on a GPU: {none}"),
        help: "free a card, or ask for fewer instances or for less of a card; then apply again".to_owned(),
    })
}
