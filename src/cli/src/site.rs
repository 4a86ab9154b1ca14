//! Wires a project to its record and its runtime. Commands that only look get the reading halves, and nothing else.

use crate::{
    arguments::Select,
    author,
    fault::{Ends, Fault},
    mortal, out, problems,
    project::{Bucket, Project},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use wharf_bucket::BucketDepot;
use wharf_docker::{DockerProvider, DockerReader, DockerSettings, Logins};
use wharf_encrypt::Encrypted;
use wharf_local::{Fuse, LocalProvider, LocalReader, LocalSettings, vmtouch};
use wharf_model::{
    Deployment, Observed, ProviderSpec, Record, SecretDigest, SecretKey, SecretName, ServiceName, Timestamp,
};
use wharf_plan::{Input, Plan, Selection, plan, sources};
#[cfg(debug_assertions)]
use wharf_provider::ServedMemory;
use wharf_provider::{Execute, Observe, Owner, ProviderError, Scope, SecretValues};
use wharf_store::{
    Author, Backend, FolderBackend, Holder, Judgement, Look as _, Moved, Patience, Reader, Waiting, Writer,
};

/// The time.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Where the record is kept.
pub(crate) fn store(project: &Project) -> Arc<dyn Backend> {
    match &project.bucket {
        // Boundaries are where bytes go to the bucket, those of the encryption among them.
        Some(Bucket { backend, encryption }) => {
            Arc::new(Encrypted::new(mortal::store(backend.clone()), encryption.clone()))
        }
        None => mortal::store(Arc::new(FolderBackend::new(project.state_dir()))),
    }
}

/// The reading half of the record.
pub(crate) fn record(project: &Project) -> Ends<Reader> {
    let Deployment { project: name, environment, .. } = &project.deployment;
    let here = Reader::new(project.state_dir(), name.clone(), environment.clone());
    let Some(bucket) = &project.bucket else { return Ok(here) };
    let there = Reader::over(bucket.look(), name.clone(), environment.clone());
    // One that was moved says so itself.
    if here.serials().is_ok_and(|serials| !serials.is_empty()) && there.serials()?.is_empty() {
        let attempt = format!("the record of {environment} is in {} still", project.state_dir().display());
        let help = "`wharf state migrate --from folder` brings it to the bucket that the files name";
        return Err(Fault::new(attempt).help(help));
    }
    Ok(there)
}

/// The writing half of the record, locked for `doing`. Waits for another holder as long as `wait` says.
pub(crate) fn lock(project: &Project, doing: &str, wait: Duration) -> Ends<Writer> {
    let Deployment { project: name, environment, .. } = &project.deployment;
    let holder = Holder::this(who(), doing, now());
    let reader = record(project)?;
    if let Some(bucket) = &project.bucket {
        admit(bucket, &reader)?;
    }
    let mut told = Told::default();
    let mut tell = |waiting: &Waiting| told.tell(&reader, waiting);
    let patience = Patience { wait, times: mortal::times(), told: &mut tell };
    Ok(Writer::open(store(project), name.clone(), environment.clone(), &holder, patience)?)
}

/// Brings the record from another place to where the files say, with the lock on both.
pub(crate) fn migrate(project: &Project, from: &Arc<dyn Backend>) -> Ends<Moved> {
    let Deployment { project: name, environment, .. } = &project.deployment;
    if let Some(bucket) = &project.bucket {
        admit(bucket, &Reader::over(bucket.look(), name.clone(), environment.clone()))?;
    }
    let holder = Holder::this(who(), "state migrate", now());
    let mut patience = Patience { wait: Duration::ZERO, times: mortal::times(), told: &mut |_| {} };
    Ok(wharf_store::migrate(from, &store(project), (name, environment), &holder, &mut patience)?)
}

/// Sees whether a bucket can hold a record, before anything is written there.
fn admit(bucket: &Bucket, reader: &Reader) -> Ends<()> {
    if reader.key()?.is_none() {
        bucket.backend.probe()?;
        if let Some(recipients) = bucket.encryption.recipients() {
            let place = bucket.backend.place("");
            out::note(format!("The record in {place} is encrypted, for {recipients}."));
        }
    }
    Ok(())
}

/// What was said to one who waits: a line when it begins, and whenever the holder does something else.
#[derive(Default)]
struct Told(Option<String>);

impl Told {
    fn tell(&mut self, reader: &Reader, waiting: &Waiting) {
        let Some(lease) = &waiting.lease else { return };
        // Where that cannot be read, who holds it is enough.
        let under_way = reader.read().map(|standing| standing.unresolved).unwrap_or_default();
        let doing = under_way.last().map(|intent| format!(": {}", intent.operation)).unwrap_or_default();
        let words = match waiting.judgement {
            Judgement::Quiet => format!("{} has the lock, and is not heard of yet", lease.holder),
            _ => format!("{} has the lock{doing}", lease.holder),
        };
        if self.0.as_ref() != Some(&words) {
            out::note(format!("Waiting: {words}"));
            self.0 = Some(words);
        }
    }
}

/// The user and the host.
pub(crate) fn who() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "someone".to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{user}@{}", if host.trim().is_empty() { "this host" } else { host.trim() })
}

/// Who runs wharf, from which commit of the project and which run of a pipeline.
pub(crate) fn author(project: &Project) -> Author {
    author::author(&project.dir, who())
}

/// The reading half of the runtime.
pub(crate) fn reader(project: &Project) -> Ends<Box<dyn Observe>> {
    Ok(match settings(project)? {
        Settings::Local(settings) => Box::new(LocalReader::new(settings)),
        Settings::Docker(settings) => Box::new(DockerReader::new(settings)?),
        #[cfg(debug_assertions)]
        Settings::Served(served) => Box::new(served),
    })
}

/// The whole runtime.
pub(crate) fn provider(project: &Project) -> Ends<Runtime> {
    Ok(match settings(project)? {
        Settings::Local(settings) => Runtime::Local(Arc::new(LocalProvider::new(settings))),
        Settings::Docker(settings) => Runtime::Docker(Arc::new(DockerProvider::new(settings)?)),
        #[cfg(debug_assertions)]
        Settings::Served(served) => Runtime::Served(Arc::new(served)),
    })
}

/// The runtime of an environment.
pub(crate) enum Runtime {
    Local(Arc<LocalProvider>),
    Docker(Arc<DockerProvider>),
    #[cfg(debug_assertions)]
    Served(Arc<ServedMemory>),
}

impl Runtime {
    /// For those who make calls.
    pub(crate) fn execute(&self) -> Arc<dyn Execute> {
        match self {
            Self::Local(local) => mortal::runtime(local.clone()),
            Self::Docker(docker) => mortal::runtime(docker.clone()),
            #[cfg(debug_assertions)]
            Self::Served(served) => mortal::runtime(served.clone()),
        }
    }

    /// Sends back what instances have written so far. Answers what went, and everything that did not.
    pub(crate) async fn write_back(&self) -> Result<(Vec<String>, Vec<ProviderError>), ProviderError> {
        match self {
            Self::Local(local) => local.write_back().await,
            Self::Docker(docker) => docker.write_back().await,
            #[cfg(debug_assertions)]
            Self::Served(_) => Ok((Vec::new(), Vec::new())),
        }
    }

    /// Removes what belongs to the environment as a whole, if nothing is left in it.
    pub(crate) async fn clean_up(&self) -> Result<bool, ProviderError> {
        match self {
            Self::Local(local) => local.clean_up().await,
            Self::Docker(docker) => docker.clean_up().await,
            // What a test serves is the test's.
            #[cfg(debug_assertions)]
            Self::Served(_) => Ok(true),
        }
    }
}

enum Settings {
    Local(LocalSettings),
    Docker(DockerSettings),
    #[cfg(debug_assertions)]
    Served(ServedMemory),
}

fn settings(project: &Project) -> Ends<Settings> {
    // Builds with debug assertions can be told to use a runtime that a test serves, whatever the environment's own is.
    #[cfg(debug_assertions)]
    if let Some(socket) = std::env::var_os("WHARF_PLATFORM") {
        return Ok(Settings::Served(ServedMemory::at(socket.into())));
    }
    let Deployment { project: name, environment, provider, shared, .. } = &project.deployment;
    let owner = Owner { project: name.clone(), environment: environment.clone() };
    let program = std::env::current_exe().map_err(|cause| Fault::new("cannot find wharf's own program").because(cause));
    match provider {
        ProviderSpec::Local { host_is_image, fuse, copying } => {
            let environment = std::env::vars_os().collect();
            Ok(Settings::Local(LocalSettings {
                project_dir: project.dir.clone(),
                state_dir: project.state_dir().join("local"),
                owner,
                host_is_image: *host_is_image,
                fuse: Fuse::here(*fuse, &environment),
                vmtouch: vmtouch(&environment),
                content_dir: content_dir(&project.dir),
                copying: *copying,
                depot: Arc::new(depot(project)),
                program: program?,
                environment,
            }))
        }
        ProviderSpec::Docker { host, certificates, fuse, copying } => Ok(Settings::Docker(DockerSettings {
            host: host
                .as_ref()
                .map(ToString::to_string)
                .or_else(|| std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty())),
            certificates: certificates.as_ref().map(|folder| project.dir.join(&**folder)).or_else(docker_certificates),
            ssh: vec!["ssh".into()],
            project_dir: project.dir.clone(),
            owner,
            content_dir: content_dir(&project.dir),
            copying: *copying,
            fuse: fuse.map(|client| client.as_str().to_owned()),
            depot: Arc::new(depot(project)),
            program: program?,
            logins: Logins::of_specs(&shared.registries, &project.secrets),
            secrets: project.secrets.clone(),
            pip: std::env::vars().filter(|(name, _)| name.starts_with("PIP_")).collect(),
        })),
        ProviderSpec::Kubernetes { .. } | ProviderSpec::Eas { .. } => {
            let fault = Fault::new(format!(
                "environment {environment} runs on {0}, and this build of wharf has no {0}",
                provider.as_str()
            ));
            Err(fault.help("choose an environment on local or docker with --env, or use a build with that provider"))
        }
    }
}

/// Where Docker's own command line would find the certificates of an engine on a network, if it is told to want any.
fn docker_certificates() -> Option<PathBuf> {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    of("DOCKER_TLS_VERIFY")?;
    of("DOCKER_CERT_PATH").or_else(|| of("DOCKER_CONFIG")).or_else(|| Some(of("HOME")?.join(".docker")))
}

/// Where copies of folders of buckets are kept: one place for all projects of a user.
pub(crate) fn content_dir(project: &Path) -> PathBuf {
    let of = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let cache = of("XDG_CACHE_HOME").or_else(|| Some(of("HOME")?.join(".cache")));
    of("WHARF_CONTENT_DIR")
        .or_else(|| Some(cache?.join("wharf/content")))
        .filter(|path| path.is_absolute())
        .unwrap_or_else(|| project.join(".wharf/content"))
}

/// Who opens the folders of buckets that the project mounts.
fn depot(project: &Project) -> BucketDepot {
    let mounts = project.deployment.services.values().flat_map(|service| service.template.mounts.values());
    let copied = mounts.filter_map(|mount| mount.as_copied());
    BucketDepot::new(copied, |secret| project.secrets.expose(secret).map(str::to_owned))
}

/// The keyed digests of the secrets' values; none while the record has no key.
pub(crate) fn digests(key: Option<&SecretKey>, secrets: &SecretValues) -> BTreeMap<SecretName, SecretDigest> {
    let digest = |name: &SecretName| {
        let value = secrets.expose(name)?;
        Some((name.clone(), key?.digest(name.as_str(), value.as_bytes())))
    };
    secrets.names().filter_map(digest).collect()
}

/// What one look found, with all else that a plan depends on beside the files and the record.
pub(crate) struct Sight {
    observed: Observed,
    digests: BTreeMap<SecretName, SecretDigest>,
}

impl Sight {
    /// What is there.
    pub(crate) fn observed(&self) -> &Observed {
        &self.observed
    }

    /// The same with other digests of secrets.
    pub(crate) fn with_digests(self, digests: BTreeMap<SecretName, SecretDigest>) -> Self {
        Self { digests, ..self }
    }

    /// What a plan is made from.
    pub(crate) fn input<'a>(
        &'a self,
        desired: &'a Deployment,
        recorded: &'a Record,
        runtime: &'a dyn Observe,
    ) -> Input<'a> {
        let Self { observed, digests } = self;
        Input { desired, capabilities: runtime.capabilities(), recorded, observed, digests }
    }
}

/// Looks once, in bulk.
pub(crate) async fn look(
    project: &Project,
    desired: &Deployment,
    key: Option<&SecretKey>,
    runtime: &dyn Observe,
) -> Ends<Sight> {
    let scope = Scope { services: None, probe: true, sources: sources(desired) };
    let observed = runtime.observe(&scope).await?;
    Ok(Sight { observed, digests: digests(key, &project.secrets) })
}

/// The plan, or every reason why there is none.
pub(crate) fn plan_of(project: &Project, input: &Input) -> Ends<Plan> {
    plan(input).map_err(|found| problems::show(project, &found))
}

/// Looks once, and plans.
pub(crate) async fn make_plan(
    project: &Project,
    desired: &Deployment,
    recorded: &Record,
    key: Option<&SecretKey>,
    runtime: &dyn Observe,
) -> Ends<Plan> {
    let sight = look(project, desired, key, runtime).await?;
    plan_of(project, &sight.input(desired, recorded, runtime))
}

/// The services that were chosen, each known to the files or to the record.
pub(crate) fn selection(select: &Select, desired: &Deployment, recorded: &Record) -> Ends<Selection> {
    let known: BTreeSet<&ServiceName> = desired.services.keys().chain(recorded.services.keys()).collect();
    let find = |text: &String| {
        let found = known.iter().find(|name| name.as_str() == text);
        found.map(|name| (*name).clone()).ok_or_else(|| {
            let fault = Fault::new(format!("there is no service `{text}`, neither in the files nor in the record"));
            let names: Vec<_> = known.iter().map(|name| name.as_str()).collect();
            let listed = format!("the services are: {}", names.join(", "));
            fault.help(wharf_lang::did_you_mean(text, names.iter().copied()).unwrap_or(listed))
        })
    };
    Ok(Selection {
        only: select.only.iter().map(find).collect::<Ends<_>>()?,
        except: select.except.iter().map(find).collect::<Ends<_>>()?,
    })
}

/// The secrets, to be shared among calls.
pub(crate) fn share(secrets: &SecretValues) -> Arc<SecretValues> {
    Arc::new(secrets.clone())
}
