//! Draining and ending an instance.

use crate::{
    archive::{Member, pack},
    error::{self, disk},
    labels, names,
    provider::Docker,
    start::labels_of,
};
use std::net::IpAddr;
use wharf_model::{InstanceId, Shutdown};
use wharf_provider::ProviderError;

/// There once the instance was told to drain. A program that is told twice may think that it is to hurry.
const TOLD: &str = ".wharf-drained";

/// Tells the instance that it is draining, if it wants to be told; once, however often this is called.
pub(crate) async fn tell(docker: &Docker, name: &InstanceId, shutdown: &Shutdown) -> Result<(), ProviderError> {
    if !shutdown.sigterm {
        return Ok(());
    }
    let container = names::instance(&docker.owner, name);
    let attempt = || format!("cannot tell {name} that it is draining");
    let told = docker.hands.download(&container, &format!("/{TOLD}")).await.map_err(error::engine(attempt()))?;
    if told.is_some() {
        return Ok(());
    }
    docker.hands.signal(&container, "SIGTERM").await.map_err(error::engine(attempt()))?;
    let mark = pack(&[Member { path: TOLD, mode: 0o444, bytes: b"" }]).map_err(disk(attempt()))?;
    error::absent(docker.hands.upload(&container, "/", mark).await).map_err(error::engine(attempt())).map(drop)
}

/// Ends the instance, with every process that it ever started, and removes its container. One that is gone is fine.
pub(crate) async fn end(docker: &Docker, name: &InstanceId) -> Result<(), ProviderError> {
    let container = names::instance(&docker.owner, name);
    let attempt = || format!("cannot end {name}");
    let found = docker.hands.container(&container).await.map_err(error::engine(attempt()))?;
    let Some(found) = found else { return Ok(()) };
    let labels = labels_of(&found).filter(|labels| labels::belongs(labels, &docker.owner));
    let Some(labels) = labels else {
        return Err(ProviderError::Conflict {
            attempt: format!("{}: container {container} is somebody else's", attempt()),
            help: "rename it, then apply again".to_owned(),
        });
    };
    docker.hands.remove(&container).await.map_err(error::engine(attempt()))?;
    if let Some(IpAddr::V4(ip)) = labels::endpoint(labels).map(|endpoint| endpoint.ip()) {
        docker.place.lock().await.give_back(ip);
    }
    Ok(())
}
