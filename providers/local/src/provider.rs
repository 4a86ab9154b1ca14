//! The two halves of the runtime: the reader, which looks and cannot change anything, and the provider, which is the
//! reader with hands.

use crate::{
    balancers::Balancers,
    capability,
    client::Fuse,
    content::{drop_content, prepare_bucket, prepare_folder, prepare_packages},
    error::{disk, off_the_loop},
    files,
    gateways::Gateways,
    healing,
    labels::OfInstance,
    layout::Layout,
    logs, objects, observe, resolve, start, stop, writable,
};
use async_trait::async_trait;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    net::SocketAddr,
    num::NonZero,
    ops::Deref,
    path::PathBuf,
    sync::Arc,
};
use wharf_content::Depot;
use wharf_gateway::Endpoint;
use wharf_model::{
    Call, Capabilities, CopyLimits, InstanceId, Intent, Observed, Operation, Outcome, Probe, ServiceName,
};
use wharf_mounts::Copies;
use wharf_provider::{
    Execute, Limits, LogCursor, LogLine, Observe, OpContext, Owner, ProviderError, Resolution, Scope,
};

/// How often a gateway asks a supervisor, in milliseconds at most: that costs nothing, and adds to what its own checks take.
const TOLD_EVERY: u64 = 250;

/// Where one environment of a project is, and what it may use. Paths are absolute.
#[derive(Debug, Clone)]
pub struct LocalSettings {
    /// The project's folder: relative mounts start here.
    pub project_dir: PathBuf,
    /// Where instances, contents and gateways are kept; made when something is first written.
    pub state_dir: PathBuf,
    /// Whose they are.
    pub owner: Owner,
    /// Whether the host may stand in for the image that a service names.
    pub host_is_image: bool,
    /// What it can do about folders of buckets that are to be file systems.
    pub fuse: Fuse,
    /// Where `vmtouch` is, which holds weights in memory; nothing where the host has none.
    pub vmtouch: Option<PathBuf>,
    /// Where copies of folders of buckets are kept, for all projects of this host; made when something is first kept.
    pub content_dir: PathBuf,
    /// What copying them may take of this host.
    pub copying: CopyLimits,
    /// Who opens folders of buckets.
    pub depot: Arc<dyn Depot>,
    /// The program that plays the roles: wharf itself. See [`play_role`](crate::play_role).
    pub program: PathBuf,
    /// The environment of the one who runs wharf. It leads to the interpreter and to pip's settings; instances see only
    /// `PATH`, `HOME`, `LANG`, `LC_ALL`, `TZ` and `TMPDIR` of it.
    pub environment: BTreeMap<OsString, OsString>,
}

/// The read half: it makes no folder and no file.
#[derive(Debug, Clone)]
pub struct LocalReader {
    pub(crate) layout: Layout,
    pub(crate) project: PathBuf,
    pub(crate) owner: Owner,
    pub(crate) environment: BTreeMap<OsString, OsString>,
    pub(crate) copies: Copies,
    pub(crate) fuse: Fuse,
    /// What holds weights in memory, where this host has it.
    pub(crate) vmtouch: Option<PathBuf>,
    capabilities: Capabilities,
}

impl LocalReader {
    /// The reader of one environment.
    pub fn new(settings: LocalSettings) -> Self {
        Self {
            layout: Layout::new(settings.state_dir),
            project: settings.project_dir,
            owner: settings.owner,
            environment: settings.environment,
            copies: Copies::new(settings.content_dir, settings.depot, &settings.copying),
            capabilities: capability::capabilities(settings.host_is_image, &settings.fuse, settings.vmtouch.is_some()),
            fuse: settings.fuse,
            vmtouch: settings.vmtouch,
        }
    }
}

/// The whole runtime.
pub struct LocalProvider {
    local: Local,
}

/// What calls need.
pub(crate) struct Local {
    reader: LocalReader,
    pub(crate) program: PathBuf,
    pub(crate) gateways: Gateways,
    pub(crate) balancers: Balancers,
    /// Held while a port is chosen.
    pub(crate) ports: tokio::sync::Mutex<()>,
}

impl Deref for Local {
    type Target = LocalReader;

    fn deref(&self) -> &LocalReader {
        &self.reader
    }
}

impl LocalProvider {
    /// The runtime of one environment.
    pub fn new(settings: LocalSettings) -> Self {
        let program = settings.program.clone();
        let reader = LocalReader::new(settings);
        let gateways =
            Gateways::new(reader.layout.clone(), reader.owner.clone(), reader.project.clone(), program.clone());
        let balancers = Balancers::new(reader.layout.clone(), program.clone());
        Self { local: Local { reader, program, gateways, balancers, ports: tokio::sync::Mutex::new(()) } }
    }

    /// Sends back what instances have written so far to folders of buckets. Answers what went, and everything that did not.
    ///
    /// # Errors
    /// When it cannot be found out who wrote.
    pub async fn write_back(&self) -> Result<(Vec<String>, Vec<ProviderError>), ProviderError> {
        writable::write_back(&self.local).await
    }

    /// Removes the state folder, if no instance, no gateway and no content is left in it; says whether it is gone. What
    /// calls that were cut off have left goes in any case. For the end of a `destroy`: no call may be under way.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub async fn clean_up(&self) -> Result<bool, ProviderError> {
        let layout = self.local.layout.clone();
        let attempt = format!("cannot clean up {}", layout.root().display());
        let clean = move || {
            if files::remove_leftovers(layout.root(), &Layout::PARTS)? {
                return Ok(true);
            }
            // What supervisors did is of interest while there is something to supervise.
            if Layout::PARTS.iter().any(|part| layout.root().join(part).exists()) {
                return Ok(false);
            }
            healing::remove_log(layout.root())?;
            files::remove_leftovers(layout.root(), &Layout::PARTS)
        };
        off_the_loop(clean).await.map_err(disk(attempt))
    }
}

#[async_trait]
impl Observe for LocalReader {
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
        let (layout, services, places) = (self.layout.clone(), services.clone(), cursor.0.clone());
        let read = off_the_loop(move || {
            let (mut lines, mut places) = (Vec::new(), places);
            for name in files::names(&layout.instances())? {
                let Ok(instance) = name.parse::<InstanceId>() else { continue };
                if services.is_empty() || services.contains(&instance.service) {
                    let writer = (instance, 0);
                    let (instance, place) = (&writer.0, places.get(&writer).copied());
                    let (found, reached) = logs::read(&layout.instance(instance), instance, place, limit)?;
                    lines.extend(found);
                    places.extend(reached.map(|reached| (writer, reached)));
                }
            }
            lines.sort_by_key(|line| line.at);
            Ok((lines, places))
        });
        let (lines, places) = read.await.map_err(disk("cannot read the logs"))?;
        cursor.0 = places;
        Ok(lines)
    }
}

#[async_trait]
impl Observe for LocalProvider {
    fn capabilities(&self) -> &Capabilities {
        self.local.capabilities()
    }

    async fn observe(&self, scope: &Scope) -> Result<Observed, ProviderError> {
        self.local.observe(scope).await
    }

    async fn logs(
        &self,
        services: &BTreeSet<ServiceName>,
        cursor: &mut LogCursor,
        limit: usize,
    ) -> Result<Vec<LogLine>, ProviderError> {
        self.local.logs(services, cursor, limit).await
    }
}

#[async_trait]
impl Execute for LocalProvider {
    async fn execute(&self, operation: &Operation, cx: &OpContext) -> Result<Outcome, ProviderError> {
        self.local.call(operation, cx).await
    }

    fn limits(&self) -> Limits {
        // Where the host does not say, it is taken for a small one.
        capability::limits(std::thread::available_parallelism().map_or(1, NonZero::get))
    }

    async fn resolve(&self, intent: &Intent) -> Result<Resolution, ProviderError> {
        resolve::resolve(&self.local, intent).await
    }
}

impl Local {
    /// How gateways are to know an instance. What they cannot judge by themselves its supervisor tells them, who counts.
    fn endpoint(&self, instance: &InstanceId, address: SocketAddr, probe: &Probe) -> Endpoint {
        let folder = self.layout.instance(instance);
        let told = OfInstance::read(&folder.labels(), instance, &self.owner).is_some_and(|labels| labels.question.told);
        let asked = wharf_serving::probe(probe);
        let probe = match told {
            true => {
                let check = wharf_gateway::Check::Told { socket: folder.told() };
                let every_ms = asked.every_ms.min(TOLD_EVERY);
                wharf_gateway::Probe { check, every_ms, failures: 1, successes: 1, ..asked }
            }
            false => asked,
        };
        wharf_serving::endpoint(instance, address, probe)
    }

    async fn call(&self, operation: &Operation, cx: &OpContext) -> Result<Outcome, ProviderError> {
        let Operation { address, call } = operation;
        match call {
            Call::PrepareFolder { content, folder } => {
                prepare_folder(self, address, *content, folder, cx).await?;
            }
            Call::PrepareBucket { content, bucket } => {
                prepare_bucket(self, address, *content, bucket, cx).await?;
            }
            Call::PreparePackages { content, libraries } => {
                prepare_packages(self, address, *content, &libraries.requirements, cx).await?;
            }
            Call::DropContent { content } => {
                let (layout, content) = (self.layout.clone(), *content);
                off_the_loop(move || drop_content(&layout, content)).await?;
            }
            Call::PutGateway { gateway, spec } => self.gateways.put(gateway, spec, cx).await?,
            Call::DeleteGateway { gateway } => self.gateways.delete(gateway).await?,
            Call::PutRoute { route } => self.gateways.put_route(route, cx).await?,
            Call::DeleteRoute { gateway, service } => self.gateways.delete_route(gateway, service).await?,
            Call::PutObject { object, spec } => objects::put(self, object, spec, cx).await?,
            Call::DeleteObject { object } => objects::delete(self, object).await?,
            Call::PrepareImage { .. } | Call::PrepareGit { .. } | Call::PreparePart { .. } | Call::Move { .. } => {
                return Err(ProviderError::Rejected {
                    attempt: format!("`{}` is nothing that this runtime can do", operation.id()),
                    help: "plan again: this runtime plans no such step".to_owned(),
                    source: None,
                });
            }
            Call::StartInstance(launch) => {
                return start::start(self, launch, cx).await.map(|endpoint| Outcome::Started { endpoint });
            }
            Call::RouteInstance { instance, endpoint, gateways, probe } => {
                let endpoint = self.endpoint(instance, *endpoint, probe);
                for gateway in gateways {
                    self.gateways.serve(gateway, instance, &endpoint).await?;
                }
                self.balancers.serve(instance, &endpoint).await?;
            }
            Call::DrainInstance { instance, gateways, shutdown } => {
                for gateway in gateways {
                    self.gateways.drain(gateway, instance).await?;
                }
                self.balancers.drain(instance).await?;
                stop::tell(&self.layout.instance(instance), instance, shutdown)?;
            }
            Call::StopInstance { instance, gateways } => {
                for gateway in gateways {
                    self.gateways.forget(gateway, instance).await?;
                }
                self.balancers.forget(instance).await?;
                stop::end(&self.layout.instance(instance), instance, &self.copies, cx).await?;
            }
        }
        Ok(Outcome::Done)
    }
}
