//! A project on the engine for a test, with everything that it made removed at the end of the test, however that ends.

use crate::{
    copied,
    support::{self, pause},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};
use wharf_docker::{DockerProvider, DockerSettings, Logins};
use wharf_model::{
    Address, Call, ContentDigest, ContentRef, EnvValue, Exit, Generation, InstanceId, Launch, Mount, MountPath,
    Observed, ObservedInstance, Operation, Outcome, Phase, Pins, Program, Revision, RevisionNumber, Slot, SourcePin,
    SourceRef, Template,
};
use wharf_provider::{
    Execute as _, LogCursor, LogLine, Observe as _, OpContext, Owner, ProviderError, Scope, SecretValues,
};

pub(crate) struct Place {
    root: tempfile::TempDir,
    number: u32,
    pub(crate) host: String,
    pub(crate) certificates: Option<PathBuf>,
    pub(crate) fuse: Option<String>,
    pub(crate) ssh: Vec<OsString>,
    pub(crate) secrets: SecretValues,
    pub(crate) registries: BTreeMap<wharf_model::RegistryHost, wharf_model::RegistrySpec>,
}

static PLACES: AtomicU32 = AtomicU32::new(1);

impl Place {
    pub(crate) fn new() -> Self {
        Self::on(support::host())
    }

    /// On this engine.
    pub(crate) fn on(host: String) -> Self {
        let root = tempfile::Builder::new().prefix("wharf-docker-").tempdir().unwrap();
        fs::create_dir(root.path().join("project")).unwrap();
        let number = PLACES.fetch_add(1, Ordering::SeqCst);
        Self {
            root,
            number,
            host,
            certificates: None,
            fuse: None,
            ssh: Vec::new(),
            secrets: SecretValues::default(),
            registries: BTreeMap::new(),
        }
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.root.path().join("project")
    }

    /// What every name of the place's objects begins with.
    pub(crate) fn prefix(&self) -> String {
        format!("chat.t{}.", self.number)
    }

    pub(crate) fn settings(&self) -> DockerSettings {
        DockerSettings {
            host: Some(self.host.clone()),
            certificates: self.certificates.clone(),
            fuse: self.fuse.clone(),
            ssh: self.ssh.clone(),
            project_dir: self.project(),
            owner: Owner {
                project: "chat".parse().unwrap(),
                environment: format!("t{}", self.number).parse().unwrap(),
            },
            content_dir: self.root.path().join("kept"),
            copying: Default::default(),
            depot: Arc::new(copied::depot()),
            program: support::program(),
            logins: Logins::of_specs(&self.registries, &self.secrets),
            secrets: self.secrets.clone(),
            pip: BTreeMap::new(),
        }
    }

    pub(crate) fn provider(&self) -> DockerProvider {
        DockerProvider::new(self.settings()).unwrap()
    }

    pub(crate) async fn run(&self, operation: &Operation) -> Result<Outcome, ProviderError> {
        self.run_saying(operation).await.0
    }

    /// Runs a call, and answers what it said on the way, too.
    pub(crate) async fn run_saying(&self, operation: &Operation) -> (Result<Outcome, ProviderError>, Vec<String>) {
        let (progress, mut said) = tokio::sync::mpsc::unbounded_channel();
        let cx = OpContext { operation: operation.id(), secrets: Arc::new(self.secrets.clone()), progress };
        let outcome = self.provider().execute(operation, &cx).await;
        drop(cx);
        let mut words = Vec::new();
        while let Some(word) = said.recv().await {
            words.push(word);
        }
        (outcome, words)
    }

    pub(crate) async fn start(&self, launch: &Launch) -> SocketAddr {
        match self.run(&start(launch)).await {
            Ok(Outcome::Started { endpoint }) => endpoint,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn look(&self) -> Observed {
        self.provider().observe(&Scope { probe: true, ..Scope::default() }).await.unwrap()
    }

    pub(crate) async fn see(&self, name: &InstanceId) -> ObservedInstance {
        self.look().await.instances.remove(name).unwrap()
    }

    pub(crate) async fn pin(&self, source: SourceRef) -> Result<SourcePin, wharf_model::SourceError> {
        let scope = Scope { sources: [source.clone()].into(), ..Scope::default() };
        self.provider().observe(&scope).await.unwrap().sources.remove(&source).unwrap()
    }

    /// Waits for the end of an instance.
    pub(crate) async fn end(&self, name: &InstanceId) -> Exit {
        let begin = Instant::now();
        loop {
            let seen = self.see(name).await;
            match (seen.phase, seen.supervised.between) {
                (Phase::Ended(exit), _) | (Phase::Running { .. }, Some(exit)) => return exit,
                (Phase::Running { .. }, None) => assert!(begin.elapsed() < support::PATIENCE, "{name} does not end"),
            }
            pause().await;
        }
    }

    /// Waits until an instance has written a line that starts like this, and returns what follows.
    pub(crate) async fn line(&self, start: &str) -> String {
        self.line_of(start, |_| true).await
    }

    /// The same of one container of a unit.
    pub(crate) async fn line_of_rank(&self, start: &str, rank: u32) -> String {
        self.line_of(start, |line| line.rank == rank).await
    }

    async fn line_of(&self, start: &str, wanted: impl Fn(&LogLine) -> bool) -> String {
        let begin = Instant::now();
        loop {
            let lines = self.provider().logs(&BTreeSet::new(), &mut LogCursor::default(), 1_000).await.unwrap();
            let found = lines.iter().filter(|line| wanted(line)).find_map(|line| line.text.strip_prefix(start));
            if let Some(rest) = found {
                return rest.to_owned();
            }
            assert!(begin.elapsed() < support::PATIENCE, "no line starts with {start}: {lines:?}");
            pause().await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let clean = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(clean_up(&self.provider()));
        };
        std::thread::scope(|scope| drop(scope.spawn(clean).join()));
    }
}

async fn clean_up(provider: &DockerProvider) {
    let (progress, _) = tokio::sync::mpsc::unbounded_channel();
    let Ok(seen) = provider.observe(&Scope::default()).await else { return };
    let stops = seen.instances.keys().map(stop);
    let deletes = seen.gateways.keys().map(|gateway| Operation {
        address: Address::Gateway(gateway.clone()),
        call: Call::DeleteGateway { gateway: gateway.clone() },
    });
    let objects = seen.objects.keys().map(|object| Operation {
        address: object.address.clone(),
        call: Call::DeleteObject { object: object.clone() },
    });
    for operation in
        stops.chain(objects).chain(deletes).chain(seen.contents.iter().map(|content| drop_content(*content)))
    {
        let cx = OpContext { operation: operation.id(), secrets: Arc::default(), progress: progress.clone() };
        drop(provider.execute(&operation, &cx).await);
    }
    drop(provider.clean_up().await);
}

pub(crate) fn script(text: &str) -> Template {
    let program = Program::Script(text.into());
    Template { image: Some(support::image::BUSYBOX.into()), port: Some(8000), ..Template::of(program) }
}

/// A service that answers every file of a folder that it is given, and `/health`.
pub(crate) fn server() -> Template {
    script("mkdir -p /www; echo ok >/www/health; exec httpd -f -p $PORT -h /www")
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

pub(crate) fn stop(name: &InstanceId) -> Operation {
    Operation {
        address: Address::Instance(name.service.clone(), name.slot),
        call: Call::StopInstance { instance: name.clone(), gateways: Vec::new() },
    }
}

pub(crate) fn drop_content(content: ContentRef) -> Operation {
    Operation { address: Address::Content(content), call: Call::DropContent { content } }
}
