//! Wires a project to its record and its runtime. Commands that only look get the reading halves, and nothing else.

use crate::{
    fault::{Ends, Fault},
    problems,
    project::Project,
};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use wharf_docker::{DockerProvider, DockerReader, DockerSettings};
use wharf_local::{LocalProvider, LocalReader, LocalSettings};
use wharf_model::{Deployment, ProviderSpec, Record, SecretDigest, SecretKey, SecretName, Timestamp};
use wharf_plan::{Input, Plan, plan, sources};
use wharf_provider::{Execute, Observe, Owner, ProviderError, Scope, SecretValues};
use wharf_store::{Holder, Reader, Writer};

/// The time.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The reading half of the record.
pub(crate) fn record(project: &Project) -> Reader {
    let Deployment { project: name, environment, .. } = &project.deployment;
    Reader::new(project.state_dir(), name.clone(), environment.clone())
}

/// The writing half of the record, locked for `doing`.
pub(crate) fn lock(project: &Project, doing: &str) -> Ends<Writer> {
    Ok(Writer::open(record(project), &Holder::this(who(), doing, now()))?)
}

/// The user and the host.
pub(crate) fn who() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "someone".to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{user}@{}", if host.trim().is_empty() { "this host" } else { host.trim() })
}

/// The reading half of the runtime.
pub(crate) fn reader(project: &Project) -> Ends<Box<dyn Observe>> {
    Ok(match settings(project)? {
        Settings::Local(settings) => Box::new(LocalReader::new(settings)),
        Settings::Docker(settings) => Box::new(DockerReader::new(settings)?),
    })
}

/// The whole runtime.
pub(crate) fn provider(project: &Project) -> Ends<Runtime> {
    Ok(match settings(project)? {
        Settings::Local(settings) => Runtime::Local(Arc::new(LocalProvider::new(settings))),
        Settings::Docker(settings) => Runtime::Docker(Arc::new(DockerProvider::new(settings)?)),
    })
}

/// The runtime of an environment.
pub(crate) enum Runtime {
    Local(Arc<LocalProvider>),
    Docker(Arc<DockerProvider>),
}

impl Runtime {
    /// For those who make calls.
    pub(crate) fn execute(&self) -> Arc<dyn Execute> {
        match self {
            Self::Local(local) => local.clone(),
            Self::Docker(docker) => docker.clone(),
        }
    }

    /// Removes what belongs to the environment as a whole, if nothing is left in it.
    pub(crate) async fn clean_up(&self) -> Result<bool, ProviderError> {
        match self {
            Self::Local(local) => local.clean_up().await,
            Self::Docker(docker) => docker.clean_up().await,
        }
    }
}

enum Settings {
    Local(LocalSettings),
    Docker(DockerSettings),
}

fn settings(project: &Project) -> Ends<Settings> {
    let Deployment { project: name, environment, provider, shared, .. } = &project.deployment;
    let owner = Owner { project: name.clone(), environment: environment.clone() };
    let program = std::env::current_exe().map_err(|cause| Fault::new("cannot find wharf's own program").because(cause));
    match provider {
        ProviderSpec::Local { host_is_image } => Ok(Settings::Local(LocalSettings {
            project_dir: project.dir.clone(),
            state_dir: project.state_dir().join("local"),
            owner,
            host_is_image: *host_is_image,
            program: program?,
            environment: std::env::vars_os().collect(),
        })),
        ProviderSpec::Docker { host } => Ok(Settings::Docker(DockerSettings {
            host: host
                .as_ref()
                .map(ToString::to_string)
                .or_else(|| std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty())),
            project_dir: project.dir.clone(),
            owner,
            program: program?,
            registries: shared.registries.clone(),
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

/// The keyed digests of the secrets' values; none while the record has no key.
pub(crate) fn digests(key: Option<&SecretKey>, secrets: &SecretValues) -> BTreeMap<SecretName, SecretDigest> {
    let digest = |name: &SecretName| {
        let value = secrets.expose(name)?;
        Some((name.clone(), key?.digest(name.as_str(), value.as_bytes())))
    };
    secrets.names().filter_map(digest).collect()
}

/// Looks once, and plans.
pub(crate) async fn make_plan(
    project: &Project,
    desired: &Deployment,
    recorded: &Record,
    key: Option<&SecretKey>,
    runtime: &dyn Observe,
) -> Ends<Plan> {
    let scope = Scope { services: None, probe: true, sources: sources(desired) };
    let observed = runtime.observe(&scope).await?;
    let digests = digests(key, &project.secrets);
    let capabilities = runtime.capabilities();
    let input = Input { desired, capabilities, recorded, observed: &observed, digests: &digests };
    plan(&input).map_err(|found| problems::show(project, &found))
}

/// The secrets, to be shared among calls.
pub(crate) fn share(secrets: &SecretValues) -> Arc<SecretValues> {
    Arc::new(secrets.clone())
}
