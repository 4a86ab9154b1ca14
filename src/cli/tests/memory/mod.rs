//! A project's record on disk and its runtime in memory: whole plans and applies without a process.

#![allow(dead_code, reason = "each test uses what it needs")]

mod hands;

use secrecy::SecretString;
use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use wharf_apply::{Cancel, Ended, Settings, apply, recover};
use wharf_lang::{Request, SourceFile, load};
use wharf_model::{
    ContentDigest, Deployment, FolderPath, Record, SecretDigest, SecretKey, SecretName, SourceRef, Timestamp,
};
use wharf_plan::{Input, Plan, check, plan, sources};
use wharf_provider::{MemoryProvider, Observe, Scope, SecretValues};
use wharf_store::{Author, FolderBackend, Holder, Patience, Reader, Writer};

/// What every secret's value holds.
pub(crate) const CANARY: &str = "canary-5be1";

/// A project's record and its runtime.
pub(crate) struct Site {
    pub(crate) memory: Arc<MemoryProvider>,
    store: tempfile::TempDir,
    secrets: BTreeMap<SecretName, String>,
}

/// The project in a file that is called `name` from then on.
pub(crate) fn read(path: &Path, name: &str) -> Deployment {
    parse(&fs::read_to_string(path).unwrap(), name)
}

/// The project that a text describes.
pub(crate) fn parse(text: &str, name: &str) -> Deployment {
    let files = [SourceFile { name: name.into(), text: text.into() }];
    let request = Request { files: &files, wharf_version: "0.1.0", ..Request::default() };
    let loaded = load(&request);
    let errors: Vec<_> = loaded.problems.errors().map(ToString::to_string).collect();
    loaded.deployment.unwrap_or_else(|| panic!("{name}: {errors:?}"))
}

impl Site {
    pub(crate) fn new() -> Self {
        let secrets = BTreeMap::from([("shop-token".parse().unwrap(), format!("{CANARY}-first"))]);
        Self { memory: Arc::default(), store: tempfile::tempdir().unwrap(), secrets }
    }

    /// One on a runtime that calls nothing otherwise.
    pub(crate) fn without_renames() -> Self {
        Self { memory: Arc::new(MemoryProvider::renaming(&[])), ..Self::new() }
    }

    fn reader(&self) -> Reader {
        Reader::new(self.store.path(), "shop".parse().unwrap(), "default".parse().unwrap())
    }

    fn digests(&self) -> BTreeMap<SecretName, SecretDigest> {
        let key = SecretKey::new([7; 32]);
        self.secrets.iter().map(|(name, value)| (name.clone(), key.digest(name.as_str(), value.as_bytes()))).collect()
    }

    /// What was last written down.
    pub(crate) fn record(&self) -> Record {
        self.reader().read().unwrap().record
    }

    /// Looks once, and hands everything that a plan depends on to `with`.
    pub(crate) async fn with_input<T>(&self, desired: &Deployment, with: impl FnOnce(&Input) -> T) -> T {
        let recorded = self.record();
        let scope = Scope { services: None, probe: true, sources: sources(desired) };
        let observed = self.memory.observe(&scope).await.unwrap();
        let (capabilities, digests) = (self.memory.capabilities(), self.digests());
        with(&Input { desired, capabilities, recorded: &recorded, observed: &observed, digests: &digests })
    }

    /// Plans from one look, and hands what that was made from to `with` too.
    pub(crate) async fn plan_with<T>(&self, desired: &Deployment, with: impl FnOnce(Plan, &Input) -> T) -> T {
        self.with_input(desired, |input| {
            let made = plan(input).unwrap_or_else(|problems| panic!("{problems:#?}"));
            assert_eq!(check(&made), []);
            with(made, input)
        })
        .await
    }

    pub(crate) async fn plan(&self, desired: &Deployment) -> Plan {
        self.plan_with(desired, |plan, _| plan).await
    }

    pub(crate) async fn apply(&self, desired: &Deployment) {
        self.carry_out(&self.plan(desired).await).await;
    }

    pub(crate) async fn carry_out(&self, plan: &Plan) {
        let holder = Holder::this("tester".to_owned(), "apply", Timestamp(0));
        let (project, environment) = ("shop".parse().unwrap(), "default".parse().unwrap());
        let backend = Arc::new(FolderBackend::new(self.store.path()));
        let mut writer = Writer::open(backend, project, environment, &holder, Patience::none(&mut |_| {})).unwrap();
        let by = Author { who: "tester".to_owned(), ..Author::default() };
        let ground = recover(&*self.memory, &mut writer, &by, Timestamp(1_000_000)).await.unwrap();
        let mut secrets = SecretValues::default();
        for (name, value) in &self.secrets {
            secrets.insert(name.clone(), SecretString::from(value.clone()));
        }
        let settings = Settings {
            secrets: Arc::new(secrets),
            by,
            doing: "apply".to_owned(),
            started: Timestamp(1_000_000),
            calls: 8,
            rollouts: 8,
            look_every: Duration::from_millis(250),
        };
        let (events, _) = mpsc::unbounded_channel();
        let cancel = Cancel::default();
        let applied = apply(plan, ground, self.memory.clone(), &mut writer, &settings, &cancel, events).await;
        // One whose file says `paused` ends there.
        assert!(matches!(applied.unwrap().summary.ended(), Ended::Done | Ended::Paused));
    }

    pub(crate) fn meddle(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        match words.as_slice() {
            ["kill", instance] => self.memory.kill(&instance.parse().unwrap()),
            ["source", folder, content] => {
                let source = SourceRef::Folder(FolderPath((*folder).into()));
                self.memory.change_source(source, ContentDigest::of([content.as_bytes()]));
            }
            ["source-image", image, content] => {
                let content = ContentDigest::of([content.as_bytes()]);
                self.memory.change_source(SourceRef::Image((*image).into()), content);
            }
            ["lose-record"] => self.store = tempfile::tempdir().unwrap(),
            ["lose", object] => self.memory.lose(&object.parse().unwrap()),
            ["secret", name, value] => drop(self.secrets.insert(name.parse().unwrap(), format!("{CANARY}-{value}"))),
            words => assert!(hands::meddle(&self.memory, words), "nobody knows how to `{line}`"),
        }
    }
}
