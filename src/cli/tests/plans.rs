//! Golden plans: `testdata/plan/<case>/` holds `before.kdl`, which is applied to a runtime in memory, then what somebody
//! does by hand (`meddle.txt`), then `project.kdl`, whose plan is compared with `plan.txt`, `plan.json`, `plan.md`,
//! `plan.svg` and `plan.html` (in which the picture and the style, which are the same everywhere, are left out).
//!
//! `UPDATE=1` rewrites what is expected.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "cases are files")]

mod views;

use secrecy::SecretString;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::mpsc;
use wharf_apply::{Cancel, Ended, Settings, apply, recover};
use wharf_lang::{Request, SourceFile, load};
use wharf_model::{
    ContentDigest, Deployment, FolderPath, Record, SecretDigest, SecretKey, SecretName, SourceRef, Timestamp,
};
use wharf_plan::{Input, Plan, check, plan, sources};
use wharf_provider::{MemoryProvider, Observe, Scope, SecretValues};
use wharf_store::{Author, FolderBackend, Holder, Patience, Reader, Writer};

const CANARY: &str = "canary-5be1";

struct Site {
    memory: Arc<MemoryProvider>,
    store: tempfile::TempDir,
    secrets: BTreeMap<SecretName, String>,
}

fn read(path: &Path, name: &str) -> Deployment {
    let files = [SourceFile { name: name.into(), text: fs::read_to_string(path).unwrap().into() }];
    let request = Request { files: &files, wharf_version: "0.1.0", ..Request::default() };
    let loaded = load(&request);
    let errors: Vec<_> = loaded.problems.errors().map(ToString::to_string).collect();
    loaded.deployment.unwrap_or_else(|| panic!("{}: {errors:?}", path.display()))
}

impl Site {
    fn new() -> Self {
        let secrets = BTreeMap::from([("shop-token".parse().unwrap(), format!("{CANARY}-first"))]);
        Self { memory: Arc::default(), store: tempfile::tempdir().unwrap(), secrets }
    }

    fn reader(&self) -> Reader {
        Reader::new(self.store.path(), "shop".parse().unwrap(), "default".parse().unwrap())
    }

    fn digests(&self) -> BTreeMap<SecretName, SecretDigest> {
        let key = SecretKey::new([7; 32]);
        self.secrets.iter().map(|(name, value)| (name.clone(), key.digest(name.as_str(), value.as_bytes()))).collect()
    }

    async fn plan(&self, desired: &Deployment, recorded: &Record) -> Plan {
        let scope = Scope { services: None, probe: true, sources: sources(desired) };
        let observed = self.memory.observe(&scope).await.unwrap();
        let (capabilities, digests) = (self.memory.capabilities(), self.digests());
        let made = plan(&Input { desired, capabilities, recorded, observed: &observed, digests: &digests }).unwrap();
        assert_eq!(check(&made), []);
        made
    }

    async fn apply(&self, desired: &Deployment) {
        let holder = Holder::this("tester".to_owned(), "apply", Timestamp(0));
        let (project, environment) = ("shop".parse().unwrap(), "default".parse().unwrap());
        let backend = Arc::new(FolderBackend::new(self.store.path()));
        let mut writer = Writer::open(backend, project, environment, &holder, Patience::none(&mut |_| {})).unwrap();
        let by = Author { who: "tester".to_owned(), ..Author::default() };
        let ground = recover(&*self.memory, &mut writer, &by, Timestamp(1_000_000)).await.unwrap();
        let plan = self.plan(desired, &ground.record).await;
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
        let applied = apply(&plan, ground, self.memory.clone(), &mut writer, &settings, &cancel, events).await;
        assert_eq!(applied.unwrap().summary.ended(), Ended::Done);
    }

    fn meddle(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        match words.as_slice() {
            ["kill", instance] => self.memory.kill(&instance.parse().unwrap()),
            ["source", folder, content] => {
                let source = SourceRef::Folder(FolderPath((*folder).into()));
                self.memory.change_source(source, ContentDigest::of([content.as_bytes()]));
            }
            ["secret", name, value] => drop(self.secrets.insert(name.parse().unwrap(), format!("{CANARY}-{value}"))),
            _ => panic!("nobody knows how to `{line}`"),
        }
    }
}

async fn run(case: &Path) -> Vec<(&'static str, String)> {
    let mut site = Site::new();
    if case.join("before.kdl").exists() {
        site.apply(&read(&case.join("before.kdl"), "project.kdl")).await;
    }
    for line in fs::read_to_string(case.join("meddle.txt")).unwrap_or_default().lines() {
        site.meddle(line);
    }
    let record = site.reader().read().unwrap().record;
    let desired = read(&case.join("project.kdl"), "project.kdl");
    let plan = site.plan(&desired, &record).await;
    let again = site.plan(&desired, &record).await;
    assert_eq!(plan.json(), again.json(), "the same in, the same bytes out");
    let views = views::views(&plan);
    assert_eq!(views, views::views(&again), "the same plan, the same views");
    let applied = site.apply(&desired);
    applied.await;
    let after = site.reader().read().unwrap().record;
    assert!(site.plan(&desired, &after).await.is_empty(), "{}: after an apply the plan is empty", case.display());
    views
}

/// Holds a golden file against what was found; `UPDATE=1` takes it over.
fn compare(path: &Path, found: &str, wrong: &mut Vec<PathBuf>) {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, found).unwrap();
    }
    if fs::read_to_string(path).unwrap_or_default() != found {
        wrong.push(path.to_owned());
    }
}

#[tokio::test(start_paused = true)]
async fn plans_read_as_they_did() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/plan");
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let mut wrong = Vec::new();
    for case in cases {
        for (name, view) in run(&case).await {
            assert!(!view.contains(CANARY), "{} tells a secret", case.join(name).display());
            compare(&case.join(name), &view, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "these read otherwise (UPDATE=1 takes them over): {wrong:#?}");
}
