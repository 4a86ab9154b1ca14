//! What became of a call that was about to be made when wharf ended: names and labels on the engine tell.
//!
//! Every call can be made again safely, so where a look leaves a doubt the answer is that it was not made.

use crate::{
    content::{is_gone, is_whole, sweep},
    door::Door,
    error,
    labels::OfInstance,
    names, objects,
    provider::Docker,
    start::{labels_of, never_ran},
    unit,
};
use wharf_model::{Address, ContentRef, InstanceId, Intent, Outcome, Verb};
use wharf_provider::{ProviderError, Resolution};

/// Finds out what became of the call.
pub(crate) async fn resolve(docker: &Docker, intent: &Intent) -> Result<Resolution, ProviderError> {
    let (instance, content) = (intent.object.parse::<InstanceId>().ok(), intent.object.parse::<ContentRef>().ok());
    let done = match (intent.verb, &intent.address, instance, content) {
        (Verb::Start, _, Some(name), _) => return started(docker, intent, &name).await,
        (Verb::Stop, _, Some(name), _) => look(docker, &name).await?.is_none(),
        (Verb::Prepare, _, _, Some(content)) => {
            let whole = is_whole(docker, content).await?;
            if !whole {
                sweep(docker, content).await?;
            }
            whole
        }
        (Verb::Drop, _, _, Some(content)) => {
            let gone = is_gone(docker, content).await?;
            // What says that it is whole goes first, and nobody looks for the rest.
            if gone {
                sweep(docker, content).await?;
            }
            gone
        }
        (Verb::Delete, Address::Gateway(name), ..) => !docker.doors.exists(&Door::Gateway(name.clone())).await?,
        (Verb::Delete, Address::Route(gateway, service), ..) => !docker.doors.has_route(gateway, service).await?,
        (Verb::Delete, ..) => match intent.object.parse() {
            Ok(object) => {
                let gone = !objects::exists(docker, &object).await?;
                if gone {
                    objects::sweep(docker, &object).await?;
                }
                gone
            }
            Err(_) => false,
        },
        // One of these that was made cannot be told from an earlier one, and making it again changes nothing.
        _ => false,
    };
    Ok(if done { Resolution::Applied(Outcome::Done) } else { Resolution::NotApplied })
}

async fn look(
    docker: &Docker,
    name: &InstanceId,
) -> Result<Option<bollard::models::ContainerInspectResponse>, ProviderError> {
    let found = docker.hands.container(&names::instance(&docker.owner, name)).await;
    found.map_err(error::engine(format!("cannot look at {name}")))
}

/// A start was made if the instance ran, whatever became of it since. One that never ran is swept away.
async fn started(docker: &Docker, intent: &Intent, name: &InstanceId) -> Result<Resolution, ProviderError> {
    let Some(found) = look(docker, name).await? else { return Ok(Resolution::NotApplied) };
    let container = names::instance(&docker.owner, name);
    let labels = labels_of(&found).and_then(|labels| OfInstance::read(labels, &docker.owner));
    let Some(labels) = labels.filter(|labels| labels.operation == intent.operation) else {
        return Ok(Resolution::CannotTell(format!("container {container} belongs to something else")));
    };
    if never_ran(&found) {
        let attempt = format!("cannot remove what the start of {name} has left");
        unit::remove(&docker.hands, &docker.owner, name).await.map_err(error::engine(attempt))?;
        return Ok(Resolution::NotApplied);
    }
    Ok(Resolution::Applied(Outcome::Started { endpoint: labels.endpoint }))
}
