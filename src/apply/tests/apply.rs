//! Applies against a runtime in memory and a store on disk: what a plan says comes about, whatever happens on the way.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{Notify, mpsc};
use wharf_apply::{Cancel, Ended, Event, Failed, Settings, Summary, apply, recover};
use wharf_model::{
    Access, ContentDigest, Deployment, EnvValue, Expose, FolderPath, GatewaySpec, InstanceId, Mount, Origins, Program,
    ProviderSpec, RolloutPolicy, ServiceSpec, Shared, SourceRef, Template, Timestamp,
};
use wharf_plan::{Input, Plan, What, check, plan, sources};
use wharf_provider::{Execute, Fault, Faulty, MemoryProvider, Observe, Scope, SecretValues};
use wharf_store::{Holder, Reader, Writer};

fn service(env: &[(&str, &str)], instances: u32) -> ServiceSpec {
    let mount = Mount::folder(FolderPath("./app".into()), Access::Snapshot);
    ServiceSpec {
        instances,
        rollout: RolloutPolicy { deadline: Duration::from_secs(60), ..RolloutPolicy::default() },
        exposes: BTreeMap::from([("public".parse().unwrap(), Expose { path: None })]),
        ..ServiceSpec::of(Template {
            port: Some(8000),
            packages: vec!["flask==2.3.3".into()],
            env: env.iter().map(|(name, value)| (name.parse().unwrap(), EnvValue::Plain((*value).into()))).collect(),
            mounts: BTreeMap::from([("/mnt/data".parse().unwrap(), mount)]),
            ..Template::of(Program::Command(vec!["python".into(), "/mnt/data/app.py".into()]))
        })
    }
}

fn deployment(services: &[(&str, ServiceSpec)]) -> Deployment {
    let gateway = GatewaySpec::listening([127, 0, 0, 1].into(), 8600);
    let gateways =
        if services.is_empty() { BTreeMap::new() } else { BTreeMap::from([("public".parse().unwrap(), gateway)]) };
    Deployment {
        project: "chat".parse().unwrap(),
        environment: "dev".parse().unwrap(),
        provider: ProviderSpec::Local { host_is_image: false },
        secrets: BTreeMap::new(),
        gateways,
        services: services.iter().map(|(name, spec)| (name.parse().unwrap(), spec.clone())).collect(),
        shared: Shared::default(),
        ignores: Vec::new(),
        renamed: BTreeMap::new(),
        policies: BTreeMap::new(),
        origins: Origins::default(),
    }
}

/// A project's folder and its runtime.
struct Site {
    dir: tempfile::TempDir,
    memory: Arc<MemoryProvider>,
}

impl Site {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), memory: Arc::new(MemoryProvider::default()) }
    }

    fn reader(&self) -> Reader {
        Reader::new(self.dir.path(), "chat".parse().unwrap(), "dev".parse().unwrap())
    }

    fn writer(&self) -> Writer {
        Writer::open(self.reader(), &Holder::this("tester".to_owned(), "apply", Timestamp(0))).unwrap()
    }

    async fn plan(&self, desired: &Deployment) -> Plan {
        let scope = Scope { services: None, probe: true, sources: sources(desired) };
        let observed = self.memory.observe(&scope).await.unwrap();
        let recorded = self.reader().read().unwrap().record;
        let digests = BTreeMap::new();
        let capabilities = self.memory.capabilities();
        let made = plan(&Input { desired, capabilities, recorded: &recorded, observed: &observed, digests: &digests });
        let made = made.unwrap();
        assert_eq!(check(&made), []);
        made
    }

    async fn apply_with(
        &self,
        desired: &Deployment,
        provider: Arc<dyn Execute>,
        cancel: &Cancel,
        events: mpsc::UnboundedSender<Event>,
    ) -> Summary {
        let mut writer = self.writer();
        let recovered = recover(&*provider, &mut writer).await.unwrap();
        let plan = self.plan(desired).await;
        let settings = Settings {
            secrets: Arc::new(SecretValues::default()),
            who: "tester".to_owned(),
            started: Timestamp(1_000_000),
            room: 8,
            look_every: Duration::from_millis(250),
        };
        let applied = apply(&plan, recovered.record, provider, &mut writer, &settings, cancel, events).await;
        applied.unwrap().0
    }

    async fn apply(&self, desired: &Deployment) -> Summary {
        let (events, _) = mpsc::unbounded_channel();
        self.apply_with(desired, self.memory.clone(), &Cancel::default(), events).await
    }

    /// Plan, apply, and see that a plan is empty afterwards.
    async fn settle(&self, desired: &Deployment) {
        let summary = self.apply(desired).await;
        assert_eq!(summary.ended(), Ended::Done, "{summary:#?}");
        let again = self.plan(desired).await;
        assert!(again.is_empty(), "{:#?}", again.changes());
    }

    /// What lives, without the numbers of incarnations: slot and revision of each, and who routes to it.
    fn shape(&self) -> Vec<(String, u32, Vec<String>)> {
        let live = self.memory.live().into_iter();
        live.map(|(name, (revision, routes))| {
            let id: InstanceId = name.parse().unwrap();
            (format!("{}-{}", id.service, id.slot), revision, routes)
        })
        .collect()
    }
}

fn names(site: &Site) -> Vec<String> {
    site.memory.live().into_keys().collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_apply_makes_everything_and_the_next_nothing() {
    let site = Site::new();
    let desired = deployment(&[("hello", service(&[], 2)), ("other", service(&[("A", "b")], 1))]);
    site.settle(&desired).await;
    assert_eq!(names(&site), ["hello-0-g1", "hello-1-g1", "other-0-g1"]);
    assert!(site.memory.live().values().all(|(_, routes)| routes == &["public"]));
}

#[tokio::test(start_paused = true)]
async fn a_changed_variable_rolls_and_the_slots_keep_their_numbers() {
    let site = Site::new();
    site.settle(&deployment(&[("hello", service(&[("LOG", "info")], 2))])).await;
    let desired = deployment(&[("hello", service(&[("LOG", "debug")], 2))]);
    let plan = site.plan(&desired).await;
    let [change] = plan.changes() else { panic!("{:?}", plan.changes()) };
    assert_eq!((change.address.to_string().as_str(), change.what.action()), ("service.hello", "roll"));
    site.settle(&desired).await;
    assert_eq!(names(&site), ["hello-0-g2", "hello-1-g2"]);
}

#[tokio::test(start_paused = true)]
async fn a_changed_folder_is_a_new_revision_and_the_old_content_goes_in_time() {
    let site = Site::new();
    let desired = deployment(&[("hello", service(&[], 1))]);
    site.settle(&desired).await;
    for round in 0_u8..6 {
        let source = SourceRef::Folder(FolderPath("./app".into()));
        site.memory.change_source(source, ContentDigest::of([[round].as_slice()]));
        let plan = site.plan(&desired).await;
        let told: Vec<_> =
            plan.changes().iter().map(|change| format!("{} {}", change.what.action(), change.address)).collect();
        assert!(told.contains(&"roll service.hello".to_owned()), "{told:?}");
        assert!(told.contains(&"update mount.hello:/mnt/data".to_owned()), "{told:?}");
        site.settle(&desired).await;
    }
    let kept = site.reader().read().unwrap().record.contents.len();
    assert!(kept <= 5, "{kept} contents are kept");
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_crashes_is_rolled_back_and_costs_nothing() {
    let site = Site::new();
    site.settle(&deployment(&[("hello", service(&[], 2))])).await;
    let before = names(&site);
    let bad = deployment(&[("hello", service(&[("MEMORY_CRASH", "1")], 2))]);
    let summary = site.apply(&bad).await;
    assert_eq!(summary.ended(), Ended::RolledBack);
    let [(_, Failed::RolledBack(failure))] = summary.failed.as_slice() else { panic!("{summary:?}") };
    assert_eq!(failure.last_lines(), ["it went wrong"]);
    assert_eq!(names(&site), before);
    let again = site.plan(&bad).await;
    assert!(again.changes().iter().any(|change| matches!(change.what, What::Roll { .. })));
    site.settle(&deployment(&[("hello", service(&[], 2))])).await;
    assert_eq!(names(&site), before);
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_is_never_ready_is_rolled_back_after_the_deadline() {
    let site = Site::new();
    site.settle(&deployment(&[("hello", service(&[], 2))])).await;
    let began = tokio::time::Instant::now();
    let summary = site.apply(&deployment(&[("hello", service(&[("MEMORY_NEVER_READY", "1")], 2))])).await;
    assert_eq!(summary.ended(), Ended::RolledBack);
    assert!((60..70).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_first_revision_that_crashes_halts() {
    let site = Site::new();
    let summary = site.apply(&deployment(&[("hello", service(&[("MEMORY_CRASH", "1")], 2))])).await;
    assert_eq!(summary.ended(), Ended::Halted);
    site.settle(&deployment(&[("hello", service(&[], 2))])).await;
    assert_eq!(site.shape().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_killed_instance_is_replaced_and_the_others_are_left_alone() {
    let site = Site::new();
    let desired = deployment(&[("hello", service(&[], 3))]);
    site.settle(&desired).await;
    site.memory.kill(&"hello-1-g1".parse().unwrap());
    let plan = site.plan(&desired).await;
    let told: Vec<_> =
        plan.changes().iter().map(|change| format!("{} {}", change.what.action(), change.address)).collect();
    assert_eq!(told, ["replace instance.hello[1]"]);
    site.settle(&desired).await;
    assert_eq!(names(&site), ["hello-0-g1", "hello-1-g2", "hello-2-g1"]);
}

#[tokio::test(start_paused = true)]
async fn scaling_starts_and_stops_and_replaces_nothing() {
    let site = Site::new();
    site.settle(&deployment(&[("hello", service(&[], 1))])).await;
    site.settle(&deployment(&[("hello", service(&[], 4))])).await;
    assert_eq!(names(&site), ["hello-0-g1", "hello-1-g1", "hello-2-g1", "hello-3-g1"]);
    site.settle(&deployment(&[("hello", service(&[], 2))])).await;
    assert_eq!(names(&site), ["hello-0-g1", "hello-1-g1"]);
    site.settle(&deployment(&[("hello", service(&[], 0))])).await;
    assert_eq!(names(&site), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_policy_changes_in_place() {
    let site = Site::new();
    site.settle(&deployment(&[("hello", service(&[], 2))])).await;
    let mut spec = service(&[], 2);
    spec.timeout = Duration::from_secs(60);
    spec.rollout.deadline = Duration::from_secs(30);
    let desired = deployment(&[("hello", spec)]);
    let actions: BTreeSet<_> = site.plan(&desired).await.changes().iter().map(|change| change.what.action()).collect();
    assert_eq!(actions, BTreeSet::from(["update"]));
    site.settle(&desired).await;
    assert_eq!(names(&site), ["hello-0-g1", "hello-1-g1"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_declared_any_more_goes() {
    let site = Site::new();
    site.settle(&deployment(&[("hello", service(&[], 2)), ("other", service(&[], 1))])).await;
    site.settle(&deployment(&[("other", service(&[], 1))])).await;
    assert_eq!(names(&site), ["other-0-g1"]);
    site.settle(&deployment(&[])).await;
    assert!(site.memory.is_empty());
    assert!(site.reader().read().unwrap().record.is_empty());
}

/// The promise about `kill -9`: die at every call, before and after it takes effect, come back, and end where an
/// undisturbed run ends.
async fn dying_anywhere_loses_nothing(before: &Deployment, after: &Deployment) {
    let calm = Site::new();
    calm.settle(before).await;
    calm.settle(after).await;
    for fault in [Fault::DiesBefore, Fault::DiesAfter] {
        for at in 0.. {
            let site = Site::new();
            site.settle(before).await;
            let death = Arc::new(Notify::new());
            let faulty = Arc::new(Faulty::new(site.memory.clone(), at, fault, death.clone()));
            let (events, _) = mpsc::unbounded_channel();
            let cancel = Cancel::default();
            let died = tokio::select! {
                _ = site.apply_with(after, faulty, &cancel, events) => false,
                () = death.notified() => true,
            };
            if !died {
                break;
            }
            site.settle(after).await;
            assert_eq!(site.shape(), calm.shape(), "died at call {at}, {fault:?}");
            let record = site.reader().read().unwrap().record;
            let recorded: BTreeSet<_> = record
                .services
                .values()
                .flat_map(|service| service.instances.keys().map(ToString::to_string))
                .collect();
            assert_eq!(recorded, site.memory.live().into_keys().collect(), "died at call {at}, {fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dying_during_a_first_apply_loses_nothing() {
    dying_anywhere_loses_nothing(&deployment(&[]), &deployment(&[("hello", service(&[], 2))])).await;
}

#[tokio::test(start_paused = true)]
async fn dying_during_a_roll_loses_nothing() {
    let with = |level| deployment(&[("hello", service(&[("LOG", level)], 3))]);
    dying_anywhere_loses_nothing(&with("info"), &with("debug")).await;
}

#[tokio::test(start_paused = true)]
async fn dying_during_a_change_of_everything_loses_nothing() {
    let before = deployment(&[("hello", service(&[("LOG", "info")], 3)), ("old", service(&[], 1))]);
    let after = deployment(&[("hello", service(&[("LOG", "debug")], 1)), ("new", service(&[], 2))]);
    dying_anywhere_loses_nothing(&before, &after).await;
}

#[tokio::test(start_paused = true)]
async fn dying_during_a_destroy_loses_nothing() {
    dying_anywhere_loses_nothing(&deployment(&[("hello", service(&[], 2))]), &deployment(&[])).await;
}

#[tokio::test(start_paused = true)]
async fn one_call_that_finds_nobody_is_made_again() {
    let desired = deployment(&[("hello", service(&[], 2))]);
    for at in 0..8 {
        let site = Site::new();
        let faulty = Faulty::new(site.memory.clone(), at, Fault::Unreachable, Arc::default());
        let (events, _) = mpsc::unbounded_channel();
        let summary = site.apply_with(&desired, Arc::new(faulty), &Cancel::default(), events).await;
        assert_eq!(summary.ended(), Ended::Done, "call {at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_takes_along_what_needs_it_and_nothing_else() {
    let desired = deployment(&[("hello", service(&[], 1)), ("other", service(&[("A", "b")], 1))]);
    let site = Site::new();
    let mut apart = desired.clone();
    // Contents of their own, so that a refused preparation concerns one service only.
    let other = apart.services.get_mut(&"other".parse().unwrap()).unwrap();
    other.template.packages.clear();
    other.template.mounts.clear();
    let (events, mut told) = mpsc::unbounded_channel();
    let faulty = Arc::new(Faulty::new(site.memory.clone(), 0, Fault::Rejected, Arc::default()));
    let summary = site.apply_with(&apart, faulty, &Cancel::default(), events).await;
    assert_eq!(summary.ended(), Ended::Failed, "{summary:?}");
    let mut first = None;
    while let Ok(event) = told.try_recv() {
        if let (Event::Settled { address, error: Some(_), .. }, None) = (event, &first) {
            first = Some(address);
        }
    }
    let failed: Vec<_> = summary.failed.iter().map(|(address, _)| address.clone()).collect();
    assert_eq!(failed, [first.unwrap()]);
    assert!(!summary.skipped.is_empty());
    site.settle(&apart).await;
}

#[tokio::test(start_paused = true)]
async fn asked_to_stop_it_finishes_what_runs_and_the_next_apply_goes_on() {
    let site = Site::new();
    site.settle(&deployment(&[("hello", service(&[("LOG", "info")], 4))])).await;
    let desired = deployment(&[("hello", service(&[("LOG", "debug")], 4))]);
    let (events, mut told) = mpsc::unbounded_channel();
    let cancel = Cancel::default();
    let run = site.apply_with(&desired, site.memory.clone(), &cancel, events);
    let watch = async {
        while let Some(event) = told.recv().await {
            if matches!(&event, Event::Settled { object, .. } if object == "hello-1-g2") {
                cancel.ask();
                cancel.ask();
            }
        }
    };
    let (summary, ()) = tokio::join!(run, watch);
    assert_eq!(summary.ended(), Ended::Interrupted);
    assert!(!site.reader().read().unwrap().has_journal, "what was done is committed");
    site.settle(&desired).await;
    let revisions: BTreeSet<_> = site.memory.live().values().map(|(revision, _)| *revision).collect();
    assert_eq!((revisions.len(), site.shape().len()), (1, 4));
}

mod any_project {
    use super::*;
    use proptest::prelude::*;

    fn spec() -> impl Strategy<Value = ServiceSpec> {
        let level = prop_oneof![Just("info"), Just("debug")];
        (level, 0_u32..4, any::<bool>(), any::<bool>(), any::<bool>(), 1_u64..3).prop_map(
            |(level, instances, mounted, packaged, exposed, timeout)| {
                let mut spec = service(&[("LOG", level)], instances);
                if !mounted {
                    spec.template.mounts.clear();
                }
                if !packaged {
                    spec.template.packages.clear();
                }
                if !exposed {
                    spec.exposes.clear();
                }
                spec.timeout = Duration::from_secs(timeout);
                spec
            },
        )
    }

    fn project() -> impl Strategy<Value = Deployment> {
        let names = prop::sample::subsequence(vec!["alpha", "beta", "gamma"], 0..=3);
        (names, prop::collection::vec(spec(), 3))
            .prop_map(|(names, specs)| deployment(&names.into_iter().zip(specs).collect::<Vec<_>>()))
    }

    /// What somebody does by hand between two applies.
    #[derive(Debug, Clone)]
    enum Meddling {
        Nothing,
        Kill(usize),
        ChangeSource(u8),
    }

    fn meddling() -> impl Strategy<Value = Meddling> {
        prop_oneof![
            Just(Meddling::Nothing),
            (0_usize..8).prop_map(Meddling::Kill),
            any::<u8>().prop_map(Meddling::ChangeSource),
        ]
    }

    async fn live_through(history: Vec<(Deployment, Meddling)>) {
        let site = Site::new();
        for (desired, meddling) in history {
            site.settle(&desired).await;
            let wanted: u32 = desired.services.values().map(|spec| spec.instances).sum();
            assert_eq!(site.shape().len(), wanted as usize);
            match meddling {
                Meddling::Nothing => {}
                Meddling::Kill(which) => {
                    if let Some(name) = names(&site).get(which) {
                        site.memory.kill(&name.parse().unwrap());
                    }
                }
                Meddling::ChangeSource(content) => {
                    let source = SourceRef::Folder(FolderPath("./app".into()));
                    site.memory.change_source(source, ContentDigest::of([[content].as_slice()]));
                }
            }
        }
        site.settle(&deployment(&[])).await;
        assert!(site.memory.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        /// From any project to any other, whatever is done by hand between: after an apply the plan is empty, and after
        /// the last project is gone nothing is left.
        #[test]
        fn after_an_apply_the_plan_is_empty(history in prop::collection::vec((project(), meddling()), 1..6)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
            runtime.unwrap().block_on(live_through(history));
        }
    }
}
