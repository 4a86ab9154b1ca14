//! Starting an instance: each of its containers is made with its labels, its address and everything else in one call, and
//! then started. So whatever cuts a start off, what is left says whose it is and whether anything ever ran.

use crate::{
    error::{self, Said},
    gpus,
    image::Image,
    labels::{self, OfInstance},
    names,
    network::Net,
    provider::Docker,
    request::{self, Surroundings, place_of},
    unit::{self, Member},
    writable,
};
use bollard::{
    errors::Error as EngineError,
    models::{ContainerInspectResponse, ContainerStateStatusEnum},
};
use std::net::{Ipv4Addr, SocketAddr};
use wharf_model::{ContentDigest, ContentRef, InstanceId, Launch, MountSource, ObjectId, Seat};
use wharf_mounts::Writable;
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
    // Until the containers are made, nobody else may choose a seat.
    let _turn = match &template.resources.gpu {
        Some(_) => Some(docker.seats.lock().await),
        None => None,
    };
    let seats = gpus::seats(docker, launch).await?;
    let start = Start { docker, launch, image: &image, seats: &seats, within: within.as_ref(), cx };
    for _ in 0..TRIES {
        match start.once().await? {
            Run::Started(endpoint) => return Ok(endpoint),
            Run::Again => {}
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
    /// It runs, or was started before and may have ended since.
    Started(SocketAddr),
    /// Nothing is left of it.
    Again,
    NetworkGone,
}

/// An instance that is to be started.
struct Start<'a> {
    docker: &'a Docker,
    launch: &'a Launch,
    image: &'a Image,
    /// What each of its containers holds of GPUs.
    seats: &'a [Option<Seat>],
    within: Option<&'a ObjectId>,
    cx: &'a OpContext,
}

/// A container of it, with its address.
struct Part {
    member: Option<Member>,
    name: String,
    net: Net,
    ip: Ipv4Addr,
}

impl Start<'_> {
    /// Makes its containers, then starts them, rank 0 last. Where one cannot be, none is left.
    async fn once(&self) -> Result<Run, ProviderError> {
        let parts = self.places().await?;
        let mut made = 0;
        for part in &parts {
            match self.make(part, parts[0].ip).await? {
                Ok(()) => made += 1,
                Err(error) if made == 0 && error::is_conflict(&error) => {
                    self.give_back(&parts).await;
                    return self.standing(error).await;
                }
                Err(error) => return self.undo(&parts, made, None, error).await,
            }
        }
        for (at, part) in parts.iter().enumerate().rev() {
            if let Err(error) = self.begin(&part.name).await {
                return self.undo(&parts, made, Some(at), error).await;
            }
        }
        Ok(Run::Started(SocketAddr::new(parts[0].ip.into(), self.launch.revision.template.port.unwrap_or(0))))
    }

    /// Takes an address for each container.
    async fn places(&self) -> Result<Vec<Part>, ProviderError> {
        let Self { docker, launch, cx, within, .. } = self;
        let members: Vec<_> = match unit::members(launch) {
            Some(members) => members.map(Some).collect(),
            None => vec![None],
        };
        let mut parts = Vec::new();
        for member in members {
            let taken = docker.place.lock().await.take(&docker.hands, &docker.owner, &cx.operation, *within).await;
            match taken {
                Ok((net, ip)) => {
                    let rank = member.map_or(0, |member| member.rank);
                    parts.push(Part { member, name: names::member(&docker.owner, &launch.instance, rank), net, ip });
                }
                Err(error) => {
                    self.give_back(&parts).await;
                    return Err(error);
                }
            }
        }
        Ok(parts)
    }

    async fn give_back(&self, parts: &[Part]) {
        let mut place = self.docker.place.lock().await;
        parts.iter().for_each(|part| place.give_back(part.ip));
    }

    async fn make(&self, part: &Part, master: Ipv4Addr) -> Result<Result<(), EngineError>, ProviderError> {
        let Self { docker, launch, image, cx, .. } = self;
        let seat = self.seats.get(part.member.map_or(0, |member| member.rank as usize)).and_then(Option::as_ref);
        let labels = OfInstance::of((launch, part.member), part.ip, seat.cloned(), &cx.operation);
        let around = Surroundings {
            owner: &docker.owner,
            project: &docker.project,
            copies: &docker.copies,
            image: &image.id,
            image_env: &image.env,
            secrets: &cx.secrets,
            fuse: docker.fuse.as_deref(),
            net: &part.net,
            ip: part.ip,
            member: part.member.map(|member| (member, master)),
            seat,
            labels: &labels.write(&docker.owner),
        };
        Ok(docker.hands.create(&part.name, request::container(launch, &around)?).await.map(drop))
    }

    /// Starts a container, with all that it is to find in its volumes.
    async fn begin(&self, container: &str) -> Result<(), EngineError> {
        writable::fill(self.docker, container, &Writable::of(self.launch)).await?;
        self.docker.hands.start(container).await
    }

    /// Takes away what was made, and says whether it is worth another try. The first failure is the one to tell; a leftover
    /// is found by its labels.
    async fn undo(
        &self,
        parts: &[Part],
        made: usize,
        failed: Option<usize>,
        error: EngineError,
    ) -> Result<Run, ProviderError> {
        for part in parts.iter().take(made).rev() {
            drop(self.docker.hands.remove(&part.name).await);
        }
        let words = error.to_string();
        let taken = failed.filter(|_| words.contains("Address already in use"));
        // An address that is somebody else's stays taken for this process.
        let ours = parts.iter().enumerate().filter(|(at, _)| taken != Some(*at));
        {
            let mut place = self.docker.place.lock().await;
            ours.for_each(|(_, part)| place.give_back(part.ip));
        }
        let of_network = words.contains(&parts[0].net.id);
        match failed {
            _ if taken.is_some() => Ok(Run::Again),
            Some(_) if of_network && words.contains("not found") => Ok(Run::NetworkGone),
            None if of_network && error::is_missing(&error) => Ok(Run::NetworkGone),
            _ => Err(error::engine(format!("cannot start {}", self.launch.instance))(error)),
        }
    }

    /// Where the instance listens if it was started already. One that was made and never ran is started now.
    async fn standing(&self, conflict: EngineError) -> Result<Run, ProviderError> {
        let Self { docker, launch, .. } = self;
        let name = &launch.instance;
        let container = names::instance(&docker.owner, name);
        let attempt = || error::engine(format!("cannot start {name}"));
        let Some(found) = docker.hands.container(&container).await.map_err(attempt())? else {
            return Err(attempt()(conflict));
        };
        let labels = labels_of(&found).and_then(|labels| OfInstance::read(labels, &docker.owner));
        match labels {
            Some(labels) if labels.instance == *name && labels.revision == launch.revision.number => {
                if !never_ran(&found) {
                    return Ok(Run::Started(labels.endpoint));
                }
                if labels.size() > 1 {
                    unit::remove(&docker.hands, &docker.owner, name).await.map_err(attempt())?;
                    return Ok(Run::Again);
                }
                self.begin(&container).await.map_err(attempt())?;
                Ok(Run::Started(labels.endpoint))
            }
            _ => Err(ProviderError::Conflict {
                attempt: format!("cannot start {name}: another container is called {container}"),
                help: format!("if nothing needs it, remove it: `docker rm -f {container}`"),
            }),
        }
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
        let folder = match (&mount.source, pins.get(path)) {
            (MountSource::Bucket(_), Some(digest)) if !docker.copies.place(*digest).is_dir() => {
                let attempt = format!("cannot start {name}: the copy of {} is not there", mount.source);
                return Err(ProviderError::Missing {
                    attempt,
                    help: "apply again: it will be fetched again".to_owned(),
                });
            }
            (MountSource::Folder(folder), None) => folder,
            _ => continue,
        };
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
