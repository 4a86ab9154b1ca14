//! The two ends of the connection to an engine: eyes, which can change nothing, and hands. Each call is one request of
//! the engine's API; what is asked is decided by others.

use crate::{
    error, labels,
    line::{self, Way},
    ssh::{self, Ssh},
    tls::Tls,
};
use bollard::{
    Docker,
    auth::DockerCredentials,
    body_full, body_try_stream,
    container::LogOutput,
    errors::Error as EngineError,
    exec::{CreateExecOptions, StartExecOptions, StartExecResults},
    models::{
        ContainerCreateBody, ContainerInspectResponse, ContainerSummary, CreateImageInfo, DistributionInspect,
        EndpointSettings, EventMessage, ExecInspectResponse, ImageInspect, Network, NetworkConnectRequest,
        NetworkCreateRequest, NetworkDisconnectRequest, NetworkInspect, VolumeCreateRequest,
    },
    query_parameters::{
        ContainerArchiveInfoOptionsBuilder, CreateContainerOptionsBuilder, CreateImageOptionsBuilder,
        DownloadFromContainerOptionsBuilder, EventsOptionsBuilder, InspectContainerOptions, InspectNetworkOptions,
        KillContainerOptionsBuilder, ListContainersOptionsBuilder, ListNetworksOptionsBuilder,
        ListVolumesOptionsBuilder, LogsOptions, RemoveContainerOptionsBuilder, RemoveImageOptions, RemoveVolumeOptions,
        StartContainerOptions, StopContainerOptionsBuilder, UploadToContainerOptionsBuilder, WaitContainerOptions,
    },
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use std::{
    collections::HashMap,
    ffi::OsString,
    io,
    ops::Deref,
    path::Path,
    time::{Duration, Instant},
};
use wharf_model::InstanceId;
use wharf_provider::{Owner, ProviderError};

type Answer<T> = Result<T, EngineError>;

/// What only looks.
#[derive(Clone)]
pub(crate) struct Eyes {
    docker: Docker,
    host: String,
}

/// What changes things, and looks.
#[derive(Clone)]
pub(crate) struct Hands {
    eyes: Eyes,
}

impl Deref for Hands {
    type Target = Eyes;

    fn deref(&self) -> &Eyes {
        &self.eyes
    }
}

/// The bit of a file's mode by which the engine says that it is a folder.
const FOLDER: u32 = 1 << 31;

/// How long an engine that removed many containers may take to let go of them.
const LETTING_GO: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What became of a network that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// It is not there any more.
    Gone,
    /// It stays: nobody is in it, and the engine counts somebody.
    Miscounted,
}

/// Whether a network is not removed because containers are in it.
pub(crate) fn is_in_use(error: &EngineError) -> bool {
    error.to_string().contains("active endpoints")
}

/// Where an engine answers when nobody says.
pub(crate) const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

impl Eyes {
    /// The engine at this address: over TLS where there is a folder of certificates for one on a network, and through an
    /// `ssh` that is called by these words where it is behind that. Nothing is sent yet.
    pub(crate) fn of(host: &str, certificates: Option<&Path>, ssh: &[OsString]) -> Result<Self, ProviderError> {
        let attempt = format!("cannot use the engine at {host}");
        let networked = host.strip_prefix("tcp://").or_else(|| host.strip_prefix("http://"));
        let way = match (host.strip_prefix("ssh://"), networked, certificates) {
            (Some(address), ..) => Some(Ssh::of(address, ssh).map(Way::Ssh)),
            (None, Some(address), Some(folder)) => Some(Tls::of(address, folder).map(Way::Tls)),
            _ => None,
        };
        let docker = match way {
            Some(way) => line::connect(way.map_err(|trouble| trouble.of(&attempt))?),
            None => Docker::connect_with_host(host),
        };
        let docker = docker.map_err(error::engine(attempt))?;
        Ok(Self { docker, host: host.to_owned() })
    }

    /// Where it answers, for messages.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Whether it runs on this machine, with the same folders.
    pub(crate) fn is_here(&self) -> bool {
        self.host.starts_with("unix://")
    }

    /// Its socket, as its own machine has it: that of an engine elsewhere is where it usually is, if its address does not
    /// say it.
    pub(crate) fn socket(&self) -> &str {
        let own = |host: &'static str| host.trim_start_matches("unix://");
        self.host.strip_prefix("unix://").or_else(|| ssh::socket(&self.host)).unwrap_or_else(|| own(DEFAULT_HOST))
    }

    /// What happens to containers of the environment, as it happens.
    pub(crate) fn events(&self, owner: &Owner) -> impl Stream<Item = Answer<EventMessage>> + Send + use<> {
        let mut filters = labels::filter(owner);
        filters.insert("type".to_owned(), vec!["container".to_owned()]);
        filters.insert("event".to_owned(), ["create", "start", "die", "destroy"].map(str::to_owned).to_vec());
        let docker = self.docker.clone();
        docker.events(Some(EventsOptionsBuilder::default().filters(&filters).build())).boxed()
    }

    /// Every container of the environment, running or not.
    pub(crate) async fn containers(&self, owner: &Owner) -> Answer<Vec<ContainerSummary>> {
        let options = ListContainersOptionsBuilder::default().all(true).filters(&labels::filter(owner)).build();
        self.docker.list_containers(Some(options)).await
    }

    /// Every container of the environment that says it is of this instance.
    pub(crate) async fn containers_of(&self, owner: &Owner, instance: &InstanceId) -> Answer<Vec<ContainerSummary>> {
        let filters = labels::filter_of(owner, instance);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        self.docker.list_containers(Some(options)).await
    }

    /// Every container that holds a seat on GPUs, whosever it is.
    pub(crate) async fn seated(&self) -> Answer<Vec<ContainerSummary>> {
        let filters = HashMap::from([("label".to_owned(), vec![labels::SEAT.to_owned()])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        self.docker.list_containers(Some(options)).await
    }

    /// A container, by its name or id.
    pub(crate) async fn container(&self, name: &str) -> Answer<Option<ContainerInspectResponse>> {
        error::absent(self.docker.inspect_container(name, None::<InspectContainerOptions>).await)
    }

    /// An image that the engine has.
    pub(crate) async fn image(&self, name: &str) -> Answer<Option<ImageInspect>> {
        error::absent(self.docker.inspect_image(name).await)
    }

    /// An image, as its registry describes it.
    pub(crate) async fn registry_image(
        &self,
        name: &str,
        login: Option<DockerCredentials>,
    ) -> Answer<DistributionInspect> {
        self.docker.inspect_registry_image(name, login).await
    }

    /// Every network of the engine.
    pub(crate) async fn networks(&self) -> Answer<Vec<Network>> {
        self.docker.list_networks(Some(ListNetworksOptionsBuilder::default().build())).await
    }

    /// A network with what is in it.
    pub(crate) async fn network(&self, id: &str) -> Answer<Option<NetworkInspect>> {
        error::absent(self.docker.inspect_network(id, None::<InspectNetworkOptions>).await)
    }

    /// What a container wrote.
    pub(crate) async fn logs(&self, name: &str, options: LogsOptions) -> Answer<Vec<LogOutput>> {
        self.docker.logs(name, Some(options)).try_collect().await
    }

    /// What a container writes, as it comes.
    pub(crate) fn follow(&self, name: &str, options: LogsOptions) -> impl Stream<Item = Answer<LogOutput>> + use<> {
        let docker = self.docker.clone();
        let name = name.to_owned();
        docker.logs(&name, Some(options)).boxed()
    }

    /// A file or folder of a container, as an archive; also of one that does not run.
    pub(crate) async fn download(&self, name: &str, path: &str) -> Answer<Option<Vec<u8>>> {
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let pieces = self.docker.download_from_container(name, Some(options)).try_collect::<Vec<Bytes>>().await;
        Ok(error::absent(pieces)?.map(|pieces| pieces.concat()))
    }

    /// The same while it arrives.
    pub(crate) fn download_stream(&self, name: &str, path: &str) -> impl Stream<Item = Answer<Bytes>> + use<> {
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        self.docker.download_from_container(name, Some(options))
    }

    /// With which storage driver the engine keeps containers, and on which file system, as far as it tells.
    pub(crate) async fn storage(&self) -> Answer<(String, String)> {
        let info = self.docker.info().await?;
        let mut status = info.driver_status.unwrap_or_default().into_iter();
        let backing = status.find(|pair| pair.first().is_some_and(|name| name == "Backing Filesystem"));
        let backing = backing.and_then(|pair| pair.into_iter().nth(1)).unwrap_or_default();
        Ok((info.driver.unwrap_or_default(), backing))
    }

    /// Whether a path of a container is a folder; none when nothing is there.
    pub(crate) async fn is_folder(&self, name: &str, path: &str) -> Answer<Option<bool>> {
        let options = ContainerArchiveInfoOptionsBuilder::default().path(path).build();
        let found = error::absent(self.docker.get_container_archive_info(name, Some(options)).await)?;
        Ok(found.map(|found| found.file_mode & FOLDER != 0))
    }

    /// Begins a conversation with a program in a container.
    pub(crate) async fn converse(&self, name: &str, words: &[&str]) -> Answer<StartExecResults> {
        self.begin(name, words, true).await.map(|(_, begun)| begun)
    }

    async fn begin<T: Into<String> + Clone>(
        &self,
        name: &str,
        words: &[T],
        listens: bool,
    ) -> Answer<(String, StartExecResults)> {
        let options = CreateExecOptions {
            attach_stdin: Some(listens),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(words.iter().cloned().map(Into::into).collect::<Vec<String>>()),
            ..CreateExecOptions::default()
        };
        let exec = self.docker.create_exec(name, options).await?;
        let begun = self.docker.start_exec(&exec.id, None).await?;
        Ok((exec.id, begun))
    }

    /// The machine's system and its kind of processor, as the engine calls them.
    pub(crate) async fn machine(&self) -> Answer<(String, String)> {
        let version = self.docker.version().await?;
        Ok((version.os.unwrap_or_default(), version.arch.unwrap_or_default()))
    }
}

impl Hands {
    pub(crate) fn of(eyes: Eyes) -> Self {
        Self { eyes }
    }

    pub(crate) async fn create(&self, name: &str, body: ContainerCreateBody) -> Answer<String> {
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        self.docker.create_container(Some(options), body).await.map(|made| made.id)
    }

    /// Starts a container; one that runs is fine.
    pub(crate) async fn start(&self, name: &str) -> Answer<()> {
        self.docker.start_container(name, None::<StartContainerOptions>).await
    }

    /// Asks a container to end, and ends it after so many seconds. One that has ended or is gone is fine.
    pub(crate) async fn stop(&self, name: &str, seconds: i32) -> Answer<()> {
        let options = StopContainerOptionsBuilder::default().t(seconds).build();
        error::absent(self.docker.stop_container(name, Some(options)).await).map(drop)
    }

    /// Sends a signal; a container that does not run or is gone is fine.
    pub(crate) async fn signal(&self, name: &str, signal: &str) -> Answer<()> {
        let options = KillContainerOptionsBuilder::default().signal(signal).build();
        match self.docker.kill_container(name, Some(options)).await {
            Err(error) if error::is_missing(&error) || error::is_conflict(&error) => Ok(()),
            sent => sent,
        }
    }

    /// Ends a container and removes it with the volumes that are its alone. One that is gone is fine.
    pub(crate) async fn remove(&self, name: &str) -> Answer<()> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        error::absent(self.docker.remove_container(name, Some(options)).await).map(drop)
    }

    /// Runs a program in a container.
    pub(crate) async fn run(&self, name: &str, words: &[String]) -> Answer<(String, StartExecResults)> {
        self.eyes.begin(name, words, true).await
    }

    /// Runs a program in a container, which hears nothing.
    pub(crate) async fn check(&self, name: &str, words: &[String]) -> Answer<(String, StartExecResults)> {
        self.eyes.begin(name, words, false).await
    }

    /// Has a program run in a container, whoever asked for it.
    pub(crate) async fn set_going(&self, name: &str, words: &[&str]) -> Answer<()> {
        let cmd = Some(words.iter().map(ToString::to_string).collect());
        let options = CreateExecOptions { cmd, ..CreateExecOptions::default() };
        let exec = self.docker.create_exec(name, options).await?;
        let alone = StartExecOptions { detach: true, ..StartExecOptions::default() };
        self.docker.start_exec(&exec.id, Some(alone)).await.map(drop)
    }

    /// How such a program stands.
    pub(crate) async fn program(&self, id: &str) -> Answer<ExecInspectResponse> {
        self.docker.inspect_exec(id).await
    }

    /// The code that such a program ended with.
    pub(crate) async fn ended_with(&self, id: &str) -> Answer<i64> {
        Ok(self.program(id).await?.exit_code.unwrap_or(0))
    }

    /// Waits for the end of a container, and answers how it ended.
    pub(crate) async fn wait(&self, name: &str) -> Answer<i64> {
        let mut answers = self.docker.wait_container(name, None::<WaitContainerOptions>);
        match answers.next().await {
            Some(Ok(ended)) => Ok(ended.status_code),
            Some(Err(EngineError::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(error),
            None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
    }

    /// Unpacks an archive in a container.
    pub(crate) async fn upload(&self, name: &str, path: &str, archive: Bytes) -> Answer<()> {
        let options = UploadToContainerOptionsBuilder::default().path(path).build();
        self.docker.upload_to_container(name, Some(options), body_full(archive)).await
    }

    /// Unpacks an archive in a container while it is put together.
    pub(crate) async fn upload_stream(
        &self,
        name: &str,
        path: &str,
        archive: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Answer<()> {
        let options = UploadToContainerOptionsBuilder::default().path(path).build();
        self.docker.upload_to_container(name, Some(options), body_try_stream(archive)).await
    }

    /// Fetches an image; the stream tells how it goes, and ends with the image or with an error.
    pub(crate) fn pull(
        &self,
        image: &str,
        tag: &str,
        login: Option<DockerCredentials>,
    ) -> impl Stream<Item = Answer<CreateImageInfo>> {
        let options = CreateImageOptionsBuilder::default().from_image(image).tag(tag).build();
        self.docker.create_image(Some(options), None, login)
    }

    /// Makes an image of this name and tag, `name:tag`, from the files of an archive.
    pub(crate) async fn import(&self, name: &str, changes: Vec<String>, archive: Bytes) -> Answer<()> {
        // Podman heeds a tag only here.
        let options = CreateImageOptionsBuilder::default().from_src("-").repo(name).changes(changes).build();
        self.docker.create_image(Some(options), Some(body_full(archive)), None).try_collect::<Vec<_>>().await.map(drop)
    }

    /// Removes an image; one that is gone or used is fine.
    pub(crate) async fn remove_image(&self, name: &str) -> Answer<()> {
        match self.docker.remove_image(name, None::<RemoveImageOptions>, None).await {
            Err(error) if !error::is_missing(&error) && !error::is_conflict(&error) => Err(error),
            _ => Ok(()),
        }
    }

    pub(crate) async fn create_network(&self, network: NetworkCreateRequest) -> Answer<String> {
        self.docker.create_network(network).await.map(|made| made.id)
    }

    /// Puts a container into a network, too.
    pub(crate) async fn connect(&self, network: &str, container: &str, endpoint: EndpointSettings) -> Answer<()> {
        let request = NetworkConnectRequest { container: container.to_owned(), endpoint_config: Some(endpoint) };
        self.docker.connect_network(network, request).await
    }

    /// Takes a container out of a network; one that is gone is fine.
    pub(crate) async fn disconnect(&self, network: &str, container: &str) -> Answer<()> {
        let request = NetworkDisconnectRequest { container: container.to_owned(), force: Some(true) };
        error::absent(self.docker.disconnect_network(network, request).await).map(drop)
    }

    /// Removes a network; one that is gone is fine. Containers that were removed, the engine may still have places for in it:
    /// they are taken out. Where many came and went at once, it may also have lost count of them; then the network stays until
    /// the engine counts anew, which it does when it starts.
    pub(crate) async fn remove_network(&self, id: &str) -> Answer<Removal> {
        let begin = Instant::now();
        loop {
            match error::absent(self.docker.remove_network(id).await) {
                Ok(_) => return Ok(Removal::Gone),
                Err(error) if !is_in_use(&error) || !self.holds_nobody(id).await? => return Err(error),
                Err(_) if begin.elapsed() > LETTING_GO => return Ok(Removal::Miscounted),
                Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Whether nobody is in a network, once those are out of it who are gone.
    async fn holds_nobody(&self, network: &str) -> Answer<bool> {
        let found = self.network(network).await?.and_then(|found| found.containers).unwrap_or_default();
        for (id, place) in found {
            let name = place.name.unwrap_or_default();
            // Places without a container have names of their own here.
            if !id.starts_with("ep-") || self.container(&name).await?.is_some() {
                return Ok(false);
            }
            self.disconnect(network, &name).await?;
        }
        Ok(true)
    }

    /// Makes a volume; one that is there is fine.
    pub(crate) async fn create_volume(&self, volume: VolumeCreateRequest) -> Answer<()> {
        self.docker.create_volume(volume).await.map(drop)
    }

    /// Removes a volume; one that is gone is fine.
    pub(crate) async fn remove_volume(&self, name: &str) -> Answer<()> {
        error::absent(self.docker.remove_volume(name, None::<RemoveVolumeOptions>).await).map(drop)
    }

    /// The names of the environment's volumes.
    pub(crate) async fn volumes(&self, owner: &Owner) -> Answer<Vec<String>> {
        let options = ListVolumesOptionsBuilder::default().filters(&labels::filter(owner)).build();
        let found = self.docker.list_volumes(Some(options)).await?.volumes.unwrap_or_default();
        // Podman lists what has one of the labels; who removes what is listed must not meet what is another's.
        let own = found.into_iter().filter(|volume| labels::is_of(owner, &volume.labels));
        Ok(own.map(|volume| volume.name).collect())
    }

    /// The environment's images.
    pub(crate) async fn images(&self, owner: &Owner) -> Answer<Vec<String>> {
        let options =
            bollard::query_parameters::ListImagesOptionsBuilder::default().filters(&labels::filter(owner)).build();
        let found = self.docker.list_images(Some(options)).await?;
        let own = found.into_iter().filter(|image| labels::is_of(owner, &image.labels));
        Ok(own.map(|image| image.id).collect())
    }
}
