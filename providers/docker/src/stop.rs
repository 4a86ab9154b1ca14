//! Draining and ending an instance.

use crate::{
    archive::{Member, pack},
    engine::Eyes,
    error::{self, disk},
    labels::OfInstance,
    names,
    provider::Docker,
    unit, writable,
};
use futures_util::future::join_all;
use std::{net::IpAddr, time::Duration};
use wharf_model::{InstanceId, Shutdown};
use wharf_provider::{OpContext, Owner, ProviderError};

/// There once the instance was told to drain. A program that is told twice may think that it is to hurry, and no balancer that
/// comes later leads to it.
const TOLD: &str = ".wharf-drained";

/// How long the members of a unit may take to end when they are told to, once nobody needs them.
const PARTING: Duration = Duration::from_secs(3);

/// Tells the instance that it is draining, if it wants to be told; once, however often this is called. Of a unit, rank 0
/// alone is told: what it has open may need the others until it is done. Of one that no gateway leads to it is noted also
/// where it is not told.
pub(crate) async fn tell(
    docker: &Docker,
    name: &InstanceId,
    shutdown: &Shutdown,
    no_gateway: bool,
) -> Result<(), ProviderError> {
    if !(shutdown.sigterm || no_gateway) || was_told(&docker.hands, &docker.owner, name).await? {
        return Ok(());
    }
    let container = names::instance(&docker.owner, name);
    let attempt = || format!("cannot tell {name} that it is draining");
    if shutdown.sigterm {
        docker.hands.signal(&container, "SIGTERM").await.map_err(error::engine(attempt()))?;
    }
    let mark = pack(&[Member { path: TOLD, mode: 0o444, bytes: b"" }]).map_err(disk(attempt()))?;
    error::absent(docker.hands.upload(&container, "/", mark).await).map_err(error::engine(attempt())).map(drop)
}

/// Whether an instance was told to drain.
pub(crate) async fn was_told(eyes: &Eyes, owner: &Owner, name: &InstanceId) -> Result<bool, ProviderError> {
    let told = eyes.download(&names::instance(owner, name), &format!("/{TOLD}")).await;
    Ok(told.map_err(error::engine(format!("cannot see what {name} was told")))?.is_some())
}

/// Ends the instance, with every process that it ever started, sends back what it wrote, and removes its containers, rank 0
/// last. One that is gone is fine.
pub(crate) async fn end(docker: &Docker, name: &InstanceId, cx: &OpContext) -> Result<(), ProviderError> {
    let attempt = || format!("cannot end {name}");
    let members = unit::containers(&docker.hands, &docker.owner, name).await.map_err(error::engine(attempt()))?;
    if !members.contains_key(&0) {
        must_be_gone(docker, name).await?;
    } else if members.len() > 1 && was_told(&docker.hands, &docker.owner, name).await? {
        let others = members.keys().filter(|rank| **rank > 0);
        join_all(others.map(async |rank| part(docker, &names::member(&docker.owner, name, *rank)).await)).await;
    }
    for labels in members.values().rev() {
        writable::finish(docker, name, labels, cx).await?;
        remove(docker, name, labels).await?;
    }
    Ok(())
}

/// Tells a member to end, and waits a little for that. One that does not is removed as it is.
async fn part(docker: &Docker, container: &str) {
    let parted = async {
        docker.hands.signal(container, "SIGTERM").await?;
        docker.hands.wait(container).await
    };
    if let Ok(Err(error)) = tokio::time::timeout(PARTING, parted).await {
        tracing::warn!(container, %error, "cannot wait for its end");
    }
}

/// The name of an instance that is gone must not be somebody else's: whoever has it is not ended.
async fn must_be_gone(docker: &Docker, name: &InstanceId) -> Result<(), ProviderError> {
    let container = names::instance(&docker.owner, name);
    let attempt = || format!("cannot end {name}");
    match docker.hands.container(&container).await.map_err(error::engine(attempt()))? {
        None => Ok(()),
        Some(_) => Err(ProviderError::Conflict {
            attempt: format!("{}: container {container} is somebody else's", attempt()),
            help: "rename it, then apply again".to_owned(),
        }),
    }
}

async fn remove(docker: &Docker, name: &InstanceId, labels: &OfInstance) -> Result<(), ProviderError> {
    let container = names::member(&docker.owner, name, labels.rank());
    docker.hands.remove(&container).await.map_err(error::engine(format!("cannot end {name}")))?;
    if let IpAddr::V4(ip) = labels.endpoint.ip() {
        docker.place.lock().await.give_back(ip);
    }
    Ok(())
}
