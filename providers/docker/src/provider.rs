//! The two halves of the runtime: the reader, which looks and cannot change anything, and the provider, which is the
//! reader with hands.

use crate::{
    book::Mark,
    bucket, capability, content, copies,
    door::Door,
    doors::Doors,
    engine::{DEFAULT_HOST, Eyes, Hands, Removal},
    error,
    image::{Images, Logins},
    logs, names,
    network::Place,
    objects, observe, resolve, start, stop,
    window::Windows,
    writable,
};
use async_trait::async_trait;
use bollard::models::ContainerSummary;
use futures_util::future::join_all;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    ops::Deref,
    path::PathBuf,
    sync::Arc,
};
use wharf_content::Depot;
use wharf_model::{Call, Capabilities, CopyLimits, InstanceId, Intent, Observed, Operation, Outcome, ServiceName};
use wharf_mounts::Copies;
use wharf_provider::{
    Execute, LogCursor, LogLine, Observe, OpContext, Owner, ProviderError, Resolution, Scope, SecretValues,
};

/// Which engine one environment of a project uses, and how. Paths are absolute.
#[derive(Debug, Clone)]
pub struct DockerSettings {
    /// Where the engine answers: `unix://…`, `tcp://…` or `ssh://…`; its usual socket when absent.
    pub host: Option<String>,
    /// The folder of what it takes to speak TLS with an engine at `tcp://…`, as Docker's own command line keeps it; plain
    /// when absent.
    pub certificates: Option<PathBuf>,
    /// The words that ssh is called by, for an engine at `ssh://…`: the program and its first arguments; `ssh` when empty.
    pub ssh: Vec<OsString>,
    /// The project's folder: relative mounts start here.
    pub project_dir: PathBuf,
    /// Whose the objects are.
    pub owner: Owner,
    /// Where copies of folders of buckets are kept, for all projects of this machine; made when something is first kept.
    pub content_dir: PathBuf,
    /// What copying them may take of this host.
    pub copying: CopyLimits,
    /// The engine's volume driver that mounts folders of buckets as file systems, if there is one.
    pub fuse: Option<String>,
    /// Who opens folders of buckets.
    pub depot: Arc<dyn Depot>,
    /// The program that gateways are made from: wharf itself. See [`play_role`](crate::play_role).
    pub program: PathBuf,
    /// Logins for images.
    pub logins: Logins,
    /// What opens repositories.
    pub secrets: SecretValues,
    /// Variables for pip, such as `PIP_INDEX_URL`.
    pub pip: BTreeMap<String, String>,
}

/// The read half.
#[derive(Clone)]
pub struct DockerReader {
    pub(crate) eyes: Eyes,
    pub(crate) project: PathBuf,
    pub(crate) owner: Owner,
    pub(crate) windows: Windows,
    pub(crate) logins: Logins,
    pub(crate) secrets: SecretValues,
    pub(crate) copies: Copies,
    pub(crate) fuse: Option<String>,
    capabilities: Capabilities,
}

impl DockerReader {
    /// The reader of one environment. The engine is not asked yet.
    ///
    /// # Errors
    /// When there is no engine at that address, as far as can be told from here.
    pub fn new(settings: DockerSettings) -> Result<Self, ProviderError> {
        let host = settings.host.as_deref().unwrap_or(DEFAULT_HOST);
        let eyes = Eyes::of(host, settings.certificates.as_deref(), &settings.ssh)?;
        let socket = eyes.socket().to_owned();
        let capabilities = capability::capabilities(&socket, eyes.is_here(), settings.fuse.is_some());
        Ok(Self {
            windows: Windows::new(eyes.clone(), settings.owner.clone()),
            eyes,
            project: settings.project_dir,
            owner: settings.owner,
            logins: settings.logins,
            secrets: settings.secrets,
            copies: Copies::new(settings.content_dir, settings.depot, &settings.copying),
            fuse: settings.fuse,
            capabilities,
        })
    }
}

/// The whole runtime.
pub struct DockerProvider {
    docker: Docker,
}

/// What calls need.
pub(crate) struct Docker {
    reader: DockerReader,
    pub(crate) hands: Hands,
    pub(crate) images: Images,
    /// Shared with the doors.
    pub(crate) place: Arc<tokio::sync::Mutex<Place>>,
    pub(crate) doors: Doors,
    /// Held while a seat on GPUs is chosen, until the container that has it is made.
    pub(crate) seats: tokio::sync::Mutex<()>,
    pub(crate) pip: Vec<String>,
}

impl Deref for Docker {
    type Target = DockerReader;

    fn deref(&self) -> &DockerReader {
        &self.reader
    }
}

impl DockerProvider {
    /// The runtime of one environment. The engine is not asked yet.
    ///
    /// # Errors
    /// When there is no engine at that address, as far as can be told from here.
    pub fn new(settings: DockerSettings) -> Result<Self, ProviderError> {
        let program = settings.program.clone();
        let pip = settings.pip.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let reader = DockerReader::new(settings)?;
        let hands = Hands::of(reader.eyes.clone());
        let place = Arc::<tokio::sync::Mutex<Place>>::default();
        let (owner, windows) = (reader.owner.clone(), reader.windows.clone());
        let doors = Doors::new(hands.clone(), owner, program, windows, place.clone());
        let images = Images::default();
        Ok(Self { docker: Docker { reader, hands, images, place, doors, seats: tokio::sync::Mutex::default(), pip } })
    }

    pub(crate) fn owner(&self) -> &Owner {
        &self.docker.owner
    }

    pub(crate) fn hands(&self) -> &Hands {
        &self.docker.hands
    }

    /// Sends back what instances have written so far to folders of buckets. Answers what went, and everything that did not.
    ///
    /// # Errors
    /// When it cannot be found out who wrote.
    pub async fn write_back(&self) -> Result<(Vec<String>, Vec<ProviderError>), ProviderError> {
        writable::write_back(&self.docker).await
    }

    /// Removes what belongs to the environment as a whole, its network and the images that were made for it, if no
    /// container is left in it; says whether it is gone. For the end of a `destroy`: no call may be under way.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub async fn clean_up(&self) -> Result<bool, ProviderError> {
        let Docker { hands, place, .. } = &self.docker;
        let owner = &self.docker.owner;
        let attempt = || error::engine(format!("cannot clean up {}", names::network(owner)));
        let stays = |container: &ContainerSummary| {
            container.labels.as_ref().is_some_and(|labels| crate::labels::object(labels, owner).is_some())
        };
        // Data that is to be kept outlives its project.
        if !hands.containers(owner).await.map_err(attempt())?.iter().all(stays) {
            return Ok(false);
        }
        place.lock().await.forget();
        let volumes = hands.volumes(owner).await.map_err(attempt())?;
        for volume in volumes.into_iter().filter(|name| !name.starts_with(&names::objects(owner))) {
            hands.remove_volume(&volume).await.map_err(attempt())?;
        }
        let mut miscounted = false;
        for network in hands.networks().await.map_err(attempt())? {
            let labels = network.labels.unwrap_or_default();
            if let (true, Some(id)) = (crate::labels::belongs(&labels, owner), network.id) {
                miscounted |= hands.remove_network(&id).await.map_err(attempt())? == Removal::Miscounted;
            }
        }
        bucket::forget(&self.docker)?;
        for image in hands.images(owner).await.map_err(attempt())? {
            hands.remove_image(&image).await.map_err(attempt())?;
        }
        if miscounted {
            tracing::warn!(
                network = names::network(owner),
                "it stays, as the engine counts containers in it that are gone; a destroy after a restart of the engine removes it"
            );
        }
        Ok(!miscounted)
    }
}

#[async_trait]
impl Observe for DockerReader {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn observe(&self, scope: &Scope) -> Result<Observed, ProviderError> {
        observe::observe(self, scope).await
    }

    async fn logs(
        &self,
        services: &BTreeSet<ServiceName>,
        cursor: &mut LogCursor,
        limit: usize,
    ) -> Result<Vec<LogLine>, ProviderError> {
        let attempt = || error::engine("cannot read the logs");
        let containers = self.eyes.containers(&self.owner).await.map_err(attempt())?;
        let labels = containers.iter().filter_map(|container| container.labels.as_ref());
        let known = labels.filter_map(|labels| crate::labels::OfInstance::read(labels, &self.owner));
        let wanted: BTreeSet<(InstanceId, u32)> = known
            .filter(|labels| services.is_empty() || services.contains(&labels.instance.service))
            .map(|labels| (labels.instance.clone(), labels.rank()))
            .collect();
        let reads = wanted.into_iter().map(async |writer| {
            let place = cursor.0.get(&writer).copied();
            let container = names::member(&self.owner, &writer.0, writer.1);
            let read = logs::read(&self.eyes, &container, &writer, place, limit).await;
            (writer, read)
        });
        let mut lines = Vec::new();
        for (writer, read) in join_all(reads).await {
            // One that went between the two questions has no lines.
            let Some((found, reached)) = error::absent(read).map_err(attempt())? else { continue };
            lines.extend(found);
            cursor.0.extend(reached.map(|reached| (writer, reached)));
        }
        lines.sort_by_key(|line| line.at);
        Ok(lines)
    }
}

#[async_trait]
impl Observe for DockerProvider {
    fn capabilities(&self) -> &Capabilities {
        self.docker.capabilities()
    }

    async fn observe(&self, scope: &Scope) -> Result<Observed, ProviderError> {
        self.docker.observe(scope).await
    }

    async fn logs(
        &self,
        services: &BTreeSet<ServiceName>,
        cursor: &mut LogCursor,
        limit: usize,
    ) -> Result<Vec<LogLine>, ProviderError> {
        self.docker.logs(services, cursor, limit).await
    }
}

#[async_trait]
impl Execute for DockerProvider {
    async fn execute(&self, operation: &Operation, cx: &OpContext) -> Result<Outcome, ProviderError> {
        self.docker.call(operation, cx).await
    }

    async fn resolve(&self, intent: &Intent) -> Result<Resolution, ProviderError> {
        resolve::resolve(&self.docker, intent).await
    }
}

impl Docker {
    async fn call(&self, operation: &Operation, cx: &OpContext) -> Result<Outcome, ProviderError> {
        let Operation { address, call } = operation;
        match call {
            Call::PrepareFolder { content, folder } => {
                content::prepare_folder(self, address, *content, folder, cx).await?;
            }
            Call::PreparePackages { content, libraries } => {
                content::prepare_packages(self, address, *content, libraries, cx).await?;
            }
            Call::PrepareImage { content, image } => {
                content::prepare_image(self, address, *content, image, cx).await?;
            }
            Call::PrepareGit { content, git } => {
                copies::prepare_git(self, address, *content, git, cx).await?;
            }
            Call::PreparePart { content, part } => {
                copies::prepare_part(self, address, *content, part, cx).await?;
            }
            Call::PrepareBucket { content, bucket } => {
                content::prepare_bucket(self, address, *content, bucket, cx).await?;
            }
            Call::PutObject { object, spec } => objects::put(self, object, spec, cx).await?,
            Call::DeleteObject { object } => objects::delete(self, object).await?,
            Call::Move { .. } => {
                return Err(ProviderError::Rejected {
                    attempt: format!("`{}` is nothing that this runtime can do", operation.id()),
                    help: "plan again: this runtime plans no such step".to_owned(),
                    source: None,
                });
            }
            Call::DropContent { content } => content::drop_content(self, *content).await?,
            Call::PutGateway { gateway, spec } => self.doors.put_gateway(gateway, spec, cx).await?,
            Call::DeleteGateway { gateway } => self.doors.delete(&Door::Gateway(gateway.clone())).await?,
            Call::PutRoute { route } => self.doors.put_route(route, cx).await?,
            Call::DeleteRoute { gateway, service } => self.doors.delete_route(gateway, service).await?,
            Call::StartInstance(launch) => {
                return start::start(self, launch, cx).await.map(|endpoint| Outcome::Started { endpoint });
            }
            Call::RouteInstance { instance, endpoint, gateways, probe } => {
                let probe = self.doors.asked(instance, probe).await?;
                for gateway in gateways {
                    self.doors.serve(gateway, (instance, *endpoint), &probe, cx).await?;
                }
                self.doors.join_instance((instance, *endpoint), &probe, cx).await?;
                // Last: whoever looks takes it for a sign that nothing of this is missing.
                self.doors.mark(instance, Mark::Routed).await?;
            }
            Call::DrainInstance { instance, gateways, shutdown } => {
                for gateway in gateways {
                    self.doors.drain(gateway, instance).await?;
                }
                self.doors.part_instance(instance).await?;
                // Before what may end it, as what nobody needs any more is not to be started again. Not before the others:
                // whoever looks takes it for a sign that nobody sends it requests.
                self.doors.mark(instance, Mark::Drained).await?;
                stop::tell(self, instance, shutdown, gateways.is_empty()).await?;
            }
            Call::StopInstance { instance, gateways } => {
                for gateway in gateways {
                    self.doors.forget(gateway, instance).await?;
                }
                self.doors.forget_instance(instance).await?;
                stop::end(self, instance, cx).await?;
            }
        }
        Ok(Outcome::Done)
    }
}
