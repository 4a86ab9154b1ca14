//! Starting an instance: its container is made with its labels, its address and everything else in one call, and then
//! started. So whatever cuts a start off, what is left says whose it is and whether anything ever ran.

use crate::{
    error::{self, Said},
    gpus,
    image::Image,
    labels::{self, OfInstance},
    names,
    provider::Docker,
    request::{self, Surroundings, place_of},
};
use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum};
use std::net::{IpAddr, SocketAddr};
use wharf_model::{ContentDigest, ContentRef, InstanceId, Launch, MountSource};
use wharf_provider::{OpContext, ProviderError};

/// How often another address is tried when somebody else turns out to have one.
const TRIES: u32 = 8;

/// Starts the instance and tells where it is to listen. One that was started before, and may have ended since, is left
/// as it is.
pub(crate) async fn start(docker: &Docker, launch: &Launch, cx: &OpContext) -> Result<SocketAddr, ProviderError> {
    let name = &launch.instance;
    check_folders(docker, launch)?;
    let template = &launch.revision.template;
    let image = template.image.as_ref().ok_or_else(|| ProviderError::Rejected {
        attempt: format!("cannot start {name}: its service names no image"),
        help: "write `image \"…\"` in the service".to_owned(),
        source: None,
    })?;
    let image = match launch.revision.pins.image {
        Some(digest) => kept_image(docker, name, image, digest).await?,
        None => docker.images.ready(&docker.hands, image, template.pull, &docker.logins, cx).await?,
    };
    let within = labels::network_of(launch);
    if let Some(within) = &within {
        docker.doors.lead(&name.service, within, &cx.operation).await?;
    }
    // Until the container is made, nobody else may choose a seat.
    let _turn = match &template.resources.gpu {
        Some(_) => Some(docker.seats.lock().await),
        None => None,
    };
    let seat = gpus::seat(docker, launch).await?;
    for _ in 0..TRIES {
        let taken = docker.place.lock().await.take(&docker.hands, &docker.owner, &cx.operation, within.as_ref()).await;
        let (net, ip) = taken?;
        let labels = OfInstance::of(launch, ip, seat.clone(), &cx.operation);
        let around = Surroundings {
            owner: &docker.owner,
            project: &docker.project,
            image: &image.id,
            image_env: &image.env,
            secrets: &cx.secrets,
            net: &net,
            ip,
            seat: seat.as_ref(),
            labels: &labels.write(&docker.owner),
        };
        match run(docker, launch, &labels, &around).await? {
            Run::Started => return Ok(labels.endpoint),
            Run::StoodAt(endpoint) => {
                docker.place.lock().await.give_back(ip);
                return Ok(endpoint);
            }
            // Somebody else's: it stays taken for this process.
            Run::AddressTaken => {}
            Run::NetworkGone => docker.place.lock().await.forget(),
        }
    }
    Err(ProviderError::Unreachable {
        attempt: format!("cannot start {name}: every address that was tried is somebody else's"),
        retry_after: None,
        source: None,
    })
}

/// The image that was kept for the revision.
async fn kept_image(
    docker: &Docker,
    name: &InstanceId,
    image: &str,
    digest: ContentDigest,
) -> Result<Image, ProviderError> {
    let keeper = names::content(&docker.owner, ContentRef::Image(digest));
    let attempt = || format!("cannot start {name}: its image {image} is not there");
    let found = docker.hands.container(&keeper).await.map_err(error::engine(attempt()))?;
    let id = found.and_then(|found| found.image);
    let image = match id {
        Some(id) => docker.images.by_id(&docker.hands, &id).await?,
        None => None,
    };
    let help = "apply again: it will be fetched again".to_owned();
    image.ok_or_else(|| ProviderError::Missing { attempt: attempt(), help })
}

enum Run {
    Started,
    /// It was started before.
    StoodAt(SocketAddr),
    AddressTaken,
    NetworkGone,
}

async fn run(
    docker: &Docker,
    launch: &Launch,
    labels: &OfInstance,
    around: &Surroundings<'_>,
) -> Result<Run, ProviderError> {
    let container = names::instance(&docker.owner, &launch.instance);
    let attempt = format!("cannot start {}", launch.instance);
    let body = request::container(launch, around)?;
    match docker.hands.create(&container, body).await {
        Ok(_) => {}
        Err(error) if error::is_conflict(&error) => match standing(docker, launch, &container).await? {
            Some(endpoint) => return Ok(Run::StoodAt(endpoint)),
            None => return Err(error::engine(attempt)(error)),
        },
        Err(error) if error::is_missing(&error) && error.to_string().contains(&around.net.id) => {
            return Ok(Run::NetworkGone);
        }
        Err(error) => return Err(error::engine(attempt)(error)),
    }
    let Err(error) = docker.hands.start(&container).await else { return Ok(Run::Started) };
    // The first failure is the one to tell; a leftover is found by its labels.
    drop(docker.hands.remove(&container).await);
    let words = error.to_string();
    if words.contains("Address already in use") {
        return Ok(Run::AddressTaken);
    }
    if words.contains(&around.net.id) && words.contains("not found") {
        return Ok(Run::NetworkGone);
    }
    if let IpAddr::V4(ip) = labels.endpoint.ip() {
        docker.place.lock().await.give_back(ip);
    }
    Err(error::engine(attempt)(error))
}

/// Where the instance listens if it was started already. One that was made and never ran is started now.
async fn standing(docker: &Docker, launch: &Launch, container: &str) -> Result<Option<SocketAddr>, ProviderError> {
    let name = &launch.instance;
    let attempt = || format!("cannot start {name}");
    let Some(found) = docker.hands.container(container).await.map_err(error::engine(attempt()))? else {
        return Ok(None);
    };
    let labels = labels_of(&found).and_then(|labels| OfInstance::read(labels, &docker.owner));
    match labels {
        Some(labels) if labels.instance == *name && labels.revision == launch.revision.number => {
            if never_ran(&found) {
                docker.hands.start(container).await.map_err(error::engine(attempt()))?;
            }
            Ok(Some(labels.endpoint))
        }
        _ => Err(ProviderError::Conflict {
            attempt: format!("{}: another container is called {container}", attempt()),
            help: format!("if nothing needs it, remove it: `docker rm -f {container}`"),
        }),
    }
}

/// The labels of a container that was looked at closely.
pub(crate) fn labels_of(found: &ContainerInspectResponse) -> Option<&labels::Labels> {
    found.config.as_ref()?.labels.as_ref()
}

/// Whether a container was made and never started.
pub(crate) fn never_ran(found: &ContainerInspectResponse) -> bool {
    let status = found.state.as_ref().and_then(|state| state.status);
    status == Some(ContainerStateStatusEnum::CREATED)
}

/// Folders that are mounted as they are must be on the engine's machine.
fn check_folders(docker: &Docker, launch: &Launch) -> Result<(), ProviderError> {
    let name: &InstanceId = &launch.instance;
    let pins = &launch.revision.pins.mounts;
    for (path, mount) in &launch.revision.template.mounts {
        let MountSource::Folder(folder) = &mount.source else { continue };
        if pins.contains_key(path) {
            continue;
        }
        let place = place_of(&docker.project, &folder.folder);
        if !docker.hands.is_here() {
            return Err(ProviderError::Rejected {
                attempt: format!("cannot start {name}: {} is on this machine, and the engine is not", place.display()),
                help: "mount it with `read-only=#true`, which sends a snapshot to the engine".to_owned(),
                source: Some(Box::new(Said(format!("it answers at {}", docker.hands.host())))),
            });
        }
        if !place.is_dir() {
            let attempt = format!("cannot start {name}: there is no folder {} to mount at {path}", place.display());
            return Err(ProviderError::Missing { attempt, help: "create it, or correct the mount".to_owned() });
        }
    }
    Ok(())
}
