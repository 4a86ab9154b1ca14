//! What became of a call that was about to be made when wharf ended: the object's folder tells.
//!
//! Every call can be made again safely, so where a look leaves a doubt the answer is that it was not made.

use crate::{doors::config, error::disk, files, instance::Life, labels::OfInstance, provider::Local, start::settled};
use wharf_gateway::Config;
use wharf_model::{Address, ContentRef, InstanceId, Intent, Outcome, Verb};
use wharf_provider::{ProviderError, Resolution};

/// Finds out what became of the call.
pub(crate) async fn resolve(local: &Local, intent: &Intent) -> Result<Resolution, ProviderError> {
    let layout = &local.layout;
    let (instance, content) = (intent.object.parse::<InstanceId>().ok(), intent.object.parse::<ContentRef>().ok());
    let done = match (intent.verb, &intent.address) {
        (Verb::Start, _) => return started(local, intent).await,
        (Verb::Stop, _) => instance.is_some_and(|name| !layout.instance(&name).path().exists()),
        (Verb::Prepare, _) => content.is_some_and(|content| layout.content(content).exists()),
        (Verb::Drop, _) => content.is_some_and(|content| !layout.content(content).exists()),
        (Verb::Delete, Address::Gateway(name)) => !layout.gateway(name).exists(),
        (Verb::Delete, Address::Route(gateway, service)) => {
            let stands = |config: Config| config.routes.iter().any(|route| route.service == service.as_str());
            match config(&layout.gateway(gateway)) {
                Ok(found) => !found.is_some_and(stands),
                Err(error) => return Ok(Resolution::CannotTell(error.to_string())),
            }
        }
        (Verb::Delete, _) => intent.object.parse().is_ok_and(|object| !layout.object(&object).exists()),
        // One of these that was made cannot be told from an earlier one, and making it again changes nothing.
        (Verb::Put | Verb::Route | Verb::Drain | Verb::Move, _) => false,
    };
    Ok(if done { Resolution::Applied(Outcome::Done) } else { Resolution::NotApplied })
}

/// A start was made if the instance ran, whatever became of it since. One that never ran is swept away.
async fn started(local: &Local, intent: &Intent) -> Result<Resolution, ProviderError> {
    let Ok(name) = intent.object.parse::<InstanceId>() else { return Ok(Resolution::NotApplied) };
    let folder = local.layout.instance(&name);
    let life = settled(&folder, &name).await?;
    if life == Life::NeverStarted {
        let attempt = format!("cannot remove what the start of {name} has left");
        files::unmake(folder.path()).map_err(disk(attempt))?;
        return Ok(Resolution::NotApplied);
    }
    Ok(match OfInstance::read(&folder.labels(), &name, &local.owner) {
        Some(labels) if labels.operation == intent.operation => {
            Resolution::Applied(Outcome::Started { endpoint: labels.endpoint })
        }
        _ => Resolution::CannotTell(format!("{} belongs to something else", folder.path().display())),
    })
}
