//! A project on this host for a test, with everything that it started ended at the end of the test, however that ends.

#![allow(dead_code, reason = "each suite uses a part of it")]

pub(crate) mod copied;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use wharf_local::{Fuse, LocalProvider, LocalSettings};
use wharf_model::{
    Address, Call, ContentDigest, ContentRef, EnvValue, FuseClient, GatewayName, Generation, InstanceId, Launch, Mount,
    MountPath, Observed, ObservedInstance, Operation, Outcome, Phase, Pins, Program, Revision, RevisionNumber, Slot,
    Template,
};
use wharf_provider::{Execute as _, LogCursor, Observe as _, OpContext, Owner, ProviderError, Scope, SecretValues};

/// Long enough for anything that should happen at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Place {
    pub(crate) root: tempfile::TempDir,
    pub(crate) secrets: SecretValues,
}

impl Place {
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new().prefix("wharf-local-").tempdir().unwrap();
        fs::create_dir(root.path().join("project")).unwrap();
        Self { root, secrets: SecretValues::default() }
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.root.path().join("project")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    pub(crate) fn instance(&self, name: &str) -> PathBuf {
        self.state().join("instances").join(name)
    }

    pub(crate) fn settings(&self) -> LocalSettings {
        settings(self.root.path())
    }

    pub(crate) fn provider(&self) -> LocalProvider {
        LocalProvider::new(self.settings())
    }

    pub(crate) async fn run(&self, operation: &Operation) -> Result<Outcome, ProviderError> {
        let (progress, _) = tokio::sync::mpsc::unbounded_channel();
        let secrets = Arc::new(self.secrets.clone());
        self.provider().execute(operation, &OpContext { operation: operation.id(), secrets, progress }).await
    }

    pub(crate) async fn start(&self, launch: &Launch) -> SocketAddr {
        match self.run(&start(launch)).await {
            Ok(Outcome::Started { endpoint }) => endpoint,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn stop(&self, name: &InstanceId) {
        self.run(&stop(name, &[])).await.unwrap();
    }

    pub(crate) async fn look(&self) -> Observed {
        self.provider().observe(&Scope { probe: true, ..Scope::default() }).await.unwrap()
    }

    pub(crate) async fn see(&self, name: &InstanceId) -> ObservedInstance {
        self.look().await.instances.remove(name).unwrap()
    }

    pub(crate) async fn runs(&self, name: &InstanceId) -> bool {
        let observed = self.provider().observe(&Scope::default()).await.unwrap();
        matches!(observed.instances[name].phase, Phase::Running { .. })
    }

    /// Waits for the end of an instance.
    pub(crate) async fn end(&self, name: &InstanceId) -> wharf_model::Exit {
        let begin = Instant::now();
        loop {
            match self.see(name).await.phase {
                Phase::Ended(exit) => return exit,
                Phase::Running { .. } => assert!(begin.elapsed() < PATIENCE, "{name} does not end"),
            }
            pause().await;
        }
    }

    /// Everything that an instance wrote.
    pub(crate) async fn log(&self) -> Vec<String> {
        let lines = self.provider().logs(&BTreeSet::new(), &mut LogCursor::default(), 1_000).await.unwrap();
        lines.into_iter().map(|line| line.text).collect()
    }

    /// Waits until an instance has written a line that starts like this, and returns what follows.
    pub(crate) async fn line(&self, start: &str) -> String {
        let begin = Instant::now();
        loop {
            let log = self.log().await;
            if let Some(rest) = log.iter().find_map(|line| line.strip_prefix(start)) {
                return rest.to_owned();
            }
            assert!(begin.elapsed() < PATIENCE, "no line starts with {start}: {log:?}");
            pause().await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let provider = self.provider();
        let clean = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(clean_up(&provider));
        };
        std::thread::scope(|scope| drop(scope.spawn(clean).join()));
    }
}

async fn clean_up(provider: &LocalProvider) {
    let (progress, _) = tokio::sync::mpsc::unbounded_channel();
    let Ok(seen) = provider.observe(&Scope::default()).await else { return };
    let stops = seen.instances.keys().map(|name| stop(name, &[]));
    let deletes = seen.gateways.keys().map(delete_gateway);
    for operation in stops.chain(deletes).chain(seen.contents.iter().map(|content| drop_content(*content))) {
        let cx = OpContext { operation: operation.id(), secrets: Arc::default(), progress: progress.clone() };
        drop(provider.execute(&operation, &cx).await);
    }
    drop(provider.clean_up().await);
}

pub(crate) fn settings(root: &Path) -> LocalSettings {
    LocalSettings {
        project_dir: root.join("project"),
        state_dir: root.join("state"),
        owner: Owner { project: "chat".parse().unwrap(), environment: "dev".parse().unwrap() },
        host_is_image: true,
        fuse: Fuse::here(Some(FuseClient::Rclone), &env::vars_os().collect()),
        vmtouch: wharf_local::vmtouch(&env::vars_os().collect()),
        content_dir: root.join("kept"),
        copying: Default::default(),
        depot: Arc::new(copied::depot()),
        program: program(),
        environment: env::vars_os().collect(),
    }
}

/// The program that plays the roles: built beside the tests, unless somebody says where it is.
pub(crate) fn program() -> PathBuf {
    env::var_os("WHARF_LOCAL_ROLES").map_or_else(
        || env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples/roles"),
        PathBuf::from,
    )
}

pub(crate) async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

pub(crate) fn name(text: &str) -> InstanceId {
    text.parse().unwrap()
}

pub(crate) fn command(words: &[&str]) -> Template {
    template(Program::Command(words.iter().map(|word| Arc::from(*word)).collect()))
}

pub(crate) fn script(text: &str) -> Template {
    template(Program::Script(text.into()))
}

fn template(program: Program) -> Template {
    Template { port: Some(8000), ..Template::of(program) }
}

pub(crate) fn with_env(mut template: Template, name: &str, value: EnvValue) -> Template {
    template.env.insert(name.parse().unwrap(), value);
    template
}

pub(crate) fn with_mount(mut template: Template, path: &str, mount: Mount) -> Template {
    template.mounts.insert(path.parse().unwrap(), mount);
    template
}

/// The first instance of a service.
pub(crate) fn launch(template: Template) -> Launch {
    launch_pinned(template, Pins::default())
}

pub(crate) fn launch_pinned(template: Template, pins: Pins) -> Launch {
    let instance = InstanceId { service: "hello".parse().unwrap(), slot: Slot(0), generation: Generation(1) };
    Launch { instance, revision: Arc::new(Revision { number: RevisionNumber(1), template, pins }) }
}

pub(crate) fn pins(path: &str, content: ContentDigest) -> Pins {
    let path: MountPath = path.parse().unwrap();
    Pins { mounts: BTreeMap::from([(path, content)]), ..Pins::default() }
}

pub(crate) fn start(launch: &Launch) -> Operation {
    let InstanceId { service, slot, .. } = &launch.instance;
    Operation { address: Address::Instance(service.clone(), *slot), call: Call::StartInstance(launch.clone()) }
}

pub(crate) fn stop(name: &InstanceId, gateways: &[GatewayName]) -> Operation {
    Operation {
        address: Address::Instance(name.service.clone(), name.slot),
        call: Call::StopInstance { instance: name.clone(), gateways: gateways.to_vec() },
    }
}

pub(crate) fn delete_gateway(gateway: &GatewayName) -> Operation {
    Operation { address: Address::Gateway(gateway.clone()), call: Call::DeleteGateway { gateway: gateway.clone() } }
}

pub(crate) fn drop_content(content: ContentRef) -> Operation {
    Operation { address: Address::Content(content), call: Call::DropContent { content } }
}

/// The processes whose command line holds these words.
pub(crate) fn processes(words: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(words)).collect()
}
