//! Prepared contents: each is a volume, and beside it a container that never runs and says that the volume is whole. The
//! volume is filled first; as the engine makes a container at once or not at all, a content is seen whole or not seen.

use crate::{
    adopted,
    archive::{self, pack},
    bucket,
    error::{self, Said, disk},
    git,
    image::{self, identify},
    labels, names,
    provider::Docker,
    request::{LIBRARIES, logs, place_of},
};
use bollard::{
    container::LogOutput,
    models::{
        ContainerCreateBody, HostConfig, Mount as EngineMount, MountType, MountVolumeOptions, VolumeCreateRequest,
    },
    query_parameters::LogsOptionsBuilder,
};
use futures_util::StreamExt as _;
use std::{path::PathBuf, sync::Arc};
use wharf_model::{
    Address, BucketMount, ContentDigest, ContentRef, FolderPath, ImageMount, Libraries, Pull, SourceError, SourcePin,
    SourceRef,
};
use wharf_provider::{
    OpContext, ProviderError,
    tree::{TreeError, pin},
};

/// Where a content is filled in.
pub(crate) const PLACE: &str = "/content";

/// The image without anything in it, of which a container is that never runs.
const EMPTY: &str = "wharf-empty";

/// So many of pip's last lines are told when it fails.
const LAST_LINES: usize = 12;

/// What a source holds now.
pub(crate) async fn look(docker: &crate::provider::DockerReader, source: &SourceRef) -> Result<SourcePin, SourceError> {
    match source {
        SourceRef::Folder(folder) => pin_folder(place_of(&docker.project, folder)).await,
        SourceRef::Packages(libraries) => {
            let image = libraries.image.as_ref().ok_or_else(|| SourceError {
                attempt: "cannot prepare libraries: the service names no image".to_owned(),
                help: "write `image \"…\"` in the service".to_owned(),
            })?;
            let image = identify(&docker.eyes, image, &docker.logins).await?;
            Ok(pin_libraries(&image, &libraries.requirements))
        }
        SourceRef::Image(image) => Ok(pin_image(&identify(&docker.eyes, image, &docker.logins).await?)),
        SourceRef::Part(part) => Ok(pin_part(&identify(&docker.eyes, &part.image, &docker.logins).await?, part)),
        SourceRef::Git(git) => git::look(git, &docker.secrets).await,
        SourceRef::Bucket(bucket) => docker.copies.pin(bucket).await,
        SourceRef::Network(name) => adopted::pin(&docker.eyes, &docker.owner, name).await,
    }
}

async fn pin_folder(place: PathBuf) -> Result<SourcePin, SourceError> {
    let pinned = tokio::task::spawn_blocking(move || pin(&place).map_err(TreeError::into_answer)).await;
    pinned.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// The pin of an image.
fn pin_image(identity: &str) -> SourcePin {
    SourcePin { content: ContentDigest::of([identity.as_bytes()]), files: 0, bytes: 0, fetch: None }
}

/// The pin of a folder of an image.
pub(crate) fn pin_part(identity: &str, part: &ImageMount) -> SourcePin {
    let content = ContentDigest::of([identity.as_bytes(), part.path.as_bytes()]);
    SourcePin { content, files: 0, bytes: 0, fetch: None }
}

/// The pin of these libraries for the interpreter of an image.
fn pin_libraries(image: &str, requirements: &[Arc<str>]) -> SourcePin {
    let list = requirements.iter().map(|requirement| requirement.as_bytes());
    SourcePin {
        content: ContentDigest::of([image.as_bytes()].into_iter().chain(list)),
        files: 0,
        bytes: 0,
        fetch: None,
    }
}

/// Makes a snapshot of a folder, if the folder still holds that content.
pub(crate) async fn prepare_folder(
    docker: &Docker,
    address: &Address,
    content: ContentRef,
    folder: &FolderPath,
    cx: &OpContext,
) -> Result<(), ProviderError> {
    let place = place_of(&docker.project, folder);
    let making = Making { docker, address, content, cx, attempt: format!("cannot take a snapshot of {folder}") };
    if making.is_whole().await? {
        return Ok(());
    }
    let still = async || {
        let found = pin_folder(place.clone()).await.map_err(|error| ProviderError::Rejected {
            attempt: format!("{}: {}", making.attempt, error.attempt),
            help: error.help,
            source: None,
        })?;
        if ContentRef::Folder(found.content) == content {
            return Ok(());
        }
        let attempt = format!("the folder {folder} was changed after the plan was made");
        Err(ProviderError::Rejected { attempt, help: "plan again, and apply that".to_owned(), source: None })
    };
    still().await?;
    let empty = empty(docker, cx).await?;
    let maker = making.begin(&empty, Maker::idle()).await?;
    let sent = docker.hands.upload_stream(&maker, PLACE, archive::folder(&place)).await;
    sent.map_err(error::engine(making.attempt.clone()))?;
    // What changed while it was read is not what was planned.
    still().await?;
    making.finish(&empty).await
}

/// Installs libraries with the interpreter of an image, if that is still the one that the plan was made for.
pub(crate) async fn prepare_packages(
    docker: &Docker,
    address: &Address,
    content: ContentRef,
    libraries: &Libraries,
    cx: &OpContext,
) -> Result<(), ProviderError> {
    let attempt = format!("cannot install {}", libraries.requirements.join(", "));
    let making = Making { docker, address, content, cx, attempt };
    if making.is_whole().await? {
        return Ok(());
    }
    let image = libraries.image.as_ref().ok_or_else(|| ProviderError::Rejected {
        attempt: format!("{}: the service names no image", making.attempt),
        help: "write `image \"…\"` in the service".to_owned(),
        source: None,
    })?;
    let ready = docker.images.ready(&docker.hands, image, None, &docker.logins, cx).await?;
    let found = identify(&docker.hands, image, &docker.logins).await.map_err(|error| ProviderError::Rejected {
        attempt: error.attempt,
        help: error.help,
        source: None,
    })?;
    if ContentRef::Packages(pin_libraries(&found, &libraries.requirements).content) != content {
        let attempt = format!("image {image} was changed after the plan was made");
        return Err(ProviderError::Rejected { attempt, help: "plan again, and apply that".to_owned(), source: None });
    }
    let mut entrypoint: Vec<_> =
        ["python3", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
            .into();
    let site = format!("{LIBRARIES}/site");
    entrypoint.extend(["--target", &site, "--"]);
    entrypoint.extend(libraries.requirements.iter().map(|one| &**one));
    let entrypoint = entrypoint.into_iter().map(str::to_owned).collect();
    // Whatever user the image has, the volume is nobody's yet.
    let maker = Maker { entrypoint, env: docker.pip.clone(), user: Some("0:0".to_owned()), fill: None };
    let maker = making.begin(&ready.id, maker).await?;
    install(&making, &maker, image).await?;
    let empty = empty(docker, cx).await?;
    making.finish(&empty).await
}

/// Makes sure that the engine has an image, if its name still stands for the one that the plan was made for, and keeps it
/// there.
pub(crate) async fn prepare_image(
    docker: &Docker,
    address: &Address,
    content: ContentRef,
    image: &Arc<str>,
    cx: &OpContext,
) -> Result<(), ProviderError> {
    let making = Making { docker, address, content, cx, attempt: format!("cannot keep image {image}") };
    if making.is_whole().await? {
        return Ok(());
    }
    let id = making.fetched(image, |identity| ContentRef::Image(pin_image(identity).content) == content).await?;
    making.mark(&id, None).await
}

/// Brings a copy of a folder of a bucket to this machine, which is the engine's, if it is still listed as that content.
pub(crate) async fn prepare_bucket(
    docker: &Docker,
    address: &Address,
    content: ContentRef,
    mount: &BucketMount,
    cx: &OpContext,
) -> Result<(), ProviderError> {
    let ContentRef::Bucket(digest) = content else { unreachable!("the planner pairs them") };
    let making = Making { docker, address, content, cx, attempt: format!("cannot keep a copy of {}", mount.path) };
    // What stands on the engine may lead to nothing, when somebody has emptied the host's store.
    docker.copies.bring(digest, mount, &bucket::name(docker, content), cx).await?;
    if making.is_whole().await? {
        return Ok(());
    }
    let empty = empty(docker, cx).await?;
    making.mark(&empty, None).await
}

async fn install(making: &Making<'_>, maker: &str, image: &str) -> Result<(), ProviderError> {
    let hands = &making.docker.hands;
    if let Err(error) = hands.start(maker).await {
        let lacks = error.to_string().contains("executable file not found");
        let attempt = format!("{}: image {image} has no python3", making.attempt);
        if lacks {
            let help = "use an image with Python and pip, or put the libraries into the image".to_owned();
            return Err(ProviderError::Rejected { attempt, help, source: None });
        }
        return Err(error::engine(making.attempt.clone())(error));
    }
    let options = LogsOptionsBuilder::default().follow(true).stdout(true).stderr(true).build();
    let mut output = std::pin::pin!(hands.follow(maker, options));
    let mut last = Vec::new();
    while let Some(Ok(LogOutput::StdOut { message } | LogOutput::StdErr { message })) = output.next().await {
        for line in String::from_utf8_lossy(&message).lines().map(str::trim_end).filter(|line| !line.is_empty()) {
            let steps = ["Collecting ", "Downloading ", "Building ", "Installing ", "Processing "];
            if steps.iter().any(|word| line.trim().starts_with(word)) {
                making.cx.say(line.trim());
            }
            last.push(line.to_owned());
        }
        last.drain(..last.len().saturating_sub(LAST_LINES));
    }
    match hands.wait(maker).await.map_err(error::engine(making.attempt.clone()))? {
        0 => Ok(()),
        _ if last.iter().any(|line| line.ends_with("No module named pip")) => Err(ProviderError::Rejected {
            attempt: format!("{}: image {image} has no pip", making.attempt),
            help: "use an image with Python and pip, or put the libraries into the image".to_owned(),
            source: None,
        }),
        _ => Err(ProviderError::Rejected {
            attempt: making.attempt.clone(),
            help: "correct the requirement, or see that containers of the engine reach the package index (your own \
                   PIP_INDEX_URL and other PIP_ variables count)"
                .to_owned(),
            source: Some(Box::new(Said(format!("pip says:\n{}", last.join("\n"))))),
        }),
    }
}

/// What fills a volume.
pub(crate) struct Maker {
    entrypoint: Vec<String>,
    env: Vec<String>,
    user: Option<String>,
    /// The folder of its image with which the engine fills the volume when the container is made.
    fill: Option<String>,
}

impl Maker {
    /// One that never runs: the volume is filled through it.
    pub(crate) fn idle() -> Self {
        Self { entrypoint: vec!["-".to_owned()], env: Vec::new(), user: None, fill: None }
    }

    /// One that never runs: the engine itself fills the volume from this folder of its image.
    pub(crate) fn filled_from(folder: &str) -> Self {
        Self { fill: Some(folder.to_owned()), ..Self::idle() }
    }
}

/// A content that is being made.
pub(crate) struct Making<'a> {
    pub(crate) docker: &'a Docker,
    pub(crate) address: &'a Address,
    pub(crate) content: ContentRef,
    pub(crate) cx: &'a OpContext,
    pub(crate) attempt: String,
}

impl Making<'_> {
    pub(crate) async fn is_whole(&self) -> Result<bool, ProviderError> {
        is_whole(self.docker, self.content).await
    }

    pub(crate) fn labels(&self) -> labels::Labels {
        labels::of_content(&self.docker.owner, self.address, self.content, &self.cx.operation)
    }

    /// Makes sure that the engine has an image, if its name still stands for one that is wanted; answers its id.
    pub(crate) async fn fetched(
        &self,
        image: &Arc<str>,
        wanted: impl Fn(&str) -> bool + Sync,
    ) -> Result<String, ProviderError> {
        let Docker { hands, images, .. } = self.docker;
        let look = async || hands.image(image).await.map_err(error::engine(self.attempt.clone()));
        let is_wanted = |found: &bollard::models::ImageInspect| image::is(image, found, &wanted);
        if !look().await?.as_ref().is_some_and(is_wanted) {
            images.ready(hands, image, Some(Pull::Always), &self.docker.logins, self.cx).await?;
        }
        let found = look().await?.filter(is_wanted).and_then(|found| found.id);
        found.ok_or_else(|| ProviderError::Rejected {
            attempt: format!("image {image} was changed after the plan was made"),
            help: "plan again, and apply that".to_owned(),
            source: None,
        })
    }

    /// Makes the volume and the container that fills it. What an earlier, cut-off call has left goes first.
    pub(crate) async fn begin(&self, image: &str, maker: Maker) -> Result<String, ProviderError> {
        let (hands, owner) = (&self.docker.hands, &self.docker.owner);
        let (volume, name) = (names::content(owner, self.content), names::maker(owner, self.content));
        sweep(self.docker, self.content).await?;
        let request = VolumeCreateRequest {
            name: Some(volume.clone()),
            labels: Some(self.labels()),
            ..VolumeCreateRequest::default()
        };
        hands.create_volume(request).await.map_err(error::engine(self.attempt.clone()))?;
        let place = if matches!(self.content, ContentRef::Packages(_)) { LIBRARIES } else { PLACE };
        let mounted = match &maker.fill {
            Some(folder) => EngineMount { volume_options: None, ..mount(volume, folder) },
            None => mount(volume, place),
        };
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(maker.entrypoint),
            env: Some(maker.env),
            user: maker.user,
            labels: Some(labels::of_maker(self.labels())),
            host_config: Some(HostConfig {
                mounts: Some(vec![mounted]),
                log_config: Some(logs()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        hands.create(&name, body).await.map_err(error::engine(self.attempt.clone()))?;
        Ok(name)
    }

    /// Says that the volume is whole, and removes what filled it.
    pub(crate) async fn finish(&self, empty: &str) -> Result<(), ProviderError> {
        let (hands, owner) = (&self.docker.hands, &self.docker.owner);
        hands.remove(&names::maker(owner, self.content)).await.map_err(error::engine(self.attempt.clone()))?;
        self.mark(empty, Some(names::content(owner, self.content))).await
    }

    /// Makes the container that says so.
    async fn mark(&self, image: &str, volume: Option<String>) -> Result<(), ProviderError> {
        let body = resting(image, self.labels(), volume);
        let name = names::content(&self.docker.owner, self.content);
        self.docker.hands.create(&name, body).await.map(drop).map_err(error::engine(self.attempt.clone()))
    }
}

/// A container that never runs: it stands for something by its labels, and keeps an image and a volume from those who
/// remove what nothing uses.
pub(crate) fn resting(image: &str, labels: labels::Labels, volume: Option<String>) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(vec!["-".to_owned()]),
        labels: Some(labels),
        network_disabled: Some(true),
        host_config: Some(HostConfig {
            mounts: volume.map(|volume| vec![mount(volume, PLACE)]),
            network_mode: Some("none".to_owned()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

fn mount(volume: String, target: &str) -> EngineMount {
    EngineMount {
        target: Some(target.to_owned()),
        source: Some(volume),
        typ: Some(MountType::VOLUME),
        volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..MountVolumeOptions::default() }),
        ..EngineMount::default()
    }
}

/// Whether a content is there, whole.
pub(crate) async fn is_whole(docker: &Docker, content: ContentRef) -> Result<bool, ProviderError> {
    let name = names::content(&docker.owner, content);
    let found = docker.hands.container(&name).await.map_err(error::engine(format!("cannot look at {content}")))?;
    Ok(found.is_some() && bucket::is_there(docker, content))
}

/// Whether nothing of a content is left.
pub(crate) async fn is_gone(docker: &Docker, content: ContentRef) -> Result<bool, ProviderError> {
    let name = names::content(&docker.owner, content);
    let found = docker.hands.container(&name).await.map_err(error::engine(format!("cannot look at {content}")))?;
    Ok(found.is_none() && !bucket::is_lent(docker, content))
}

/// Removes what the making of a content that is not whole has left.
pub(crate) async fn sweep(docker: &Docker, content: ContentRef) -> Result<(), ProviderError> {
    let attempt = || format!("cannot remove what an earlier making of {content} has left");
    let (hands, owner) = (&docker.hands, &docker.owner);
    hands.remove(&names::maker(owner, content)).await.map_err(error::engine(attempt()))?;
    hands.remove_volume(&names::content(owner, content)).await.map_err(error::engine(attempt()))
}

/// Removes a content. One that is gone is fine.
pub(crate) async fn drop_content(docker: &Docker, content: ContentRef) -> Result<(), ProviderError> {
    let name = names::content(&docker.owner, content);
    docker.hands.remove(&name).await.map_err(error::engine(format!("cannot remove {content}")))?;
    bucket::give_back(docker, content)?;
    sweep(docker, content).await
}

/// Makes sure that there is an image without anything in it.
pub(crate) async fn empty(docker: &Docker, cx: &OpContext) -> Result<String, ProviderError> {
    let hands = &docker.hands;
    let attempt = "cannot make an empty image";
    let tag = names::network(&docker.owner);
    let tag = blake3::hash(tag.as_bytes()).to_hex()[..32].to_owned();
    let name = format!("{EMPTY}:{tag}");
    if hands.image(&name).await.map_err(error::engine(attempt))?.is_none() {
        let changes = labels::changes(&labels::shared(&docker.owner, &cx.operation));
        let nothing = pack(&[]).map_err(disk(attempt))?;
        hands.import(&name, changes, nothing).await.map_err(error::engine(attempt))?;
    }
    Ok(name)
}
