//! What the tests stand on: a project, its runtime in memory, and its record in memory.

use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use wharf_apply::{Applied, Cancel, Ended, Event, Settings, Summary, apply, recover};
use wharf_model::{
    Access, Deployment, EnvValue, Expose, FolderPath, GatewaySpec, InstanceId, Mount, Origins, Program, ProviderSpec,
    RolloutPolicy, ServiceSpec, Shared, StateSpec, Template, Timestamp,
};
use wharf_plan::{Input, Plan, check, plan, sources};
use wharf_provider::{Execute, MemoryProvider, Observe, Scope, SecretValues};
use wharf_store::{Author, Backend, Holder, MemoryBackend, Patience, Reader, Writer};

pub(crate) fn service(env: &[(&str, &str)], instances: u32) -> ServiceSpec {
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

pub(crate) fn deployment(services: &[(&str, ServiceSpec)]) -> Deployment {
    let gateway = GatewaySpec::listening([127, 0, 0, 1].into(), 8600);
    let gateways =
        if services.is_empty() { BTreeMap::new() } else { BTreeMap::from([("public".parse().unwrap(), gateway)]) };
    Deployment {
        project: "chat".parse().unwrap(),
        environment: "dev".parse().unwrap(),
        provider: ProviderSpec::Local { host_is_image: false, fuse: None, copying: Default::default() },
        state: StateSpec::default(),
        secrets: BTreeMap::new(),
        gateways,
        services: services.iter().map(|(name, spec)| (name.parse().unwrap(), spec.clone())).collect(),
        shared: Shared::default(),
        ignores: Vec::new(),
        renamed: BTreeMap::new(),
        policies: BTreeMap::new(),
        notifies: BTreeMap::new(),
        origins: Origins::default(),
    }
}

/// A project's folder and its runtime.
pub(crate) struct Site {
    pub(crate) store: Arc<dyn Backend>,
    pub(crate) memory: Arc<MemoryProvider>,
    /// How often instances of a rollout are looked at.
    pub(crate) look_every: Duration,
}

impl Site {
    pub(crate) fn new() -> Self {
        let (store, memory) = (Arc::new(MemoryBackend::default()), Arc::new(MemoryProvider::default()));
        Self { store, memory, look_every: Duration::from_millis(250) }
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::over(self.store.clone(), "chat".parse().unwrap(), "dev".parse().unwrap())
    }

    pub(crate) fn writer(&self) -> Writer {
        let holder = Holder::this("tester".to_owned(), "apply", Timestamp(0));
        let (project, environment) = ("chat".parse().unwrap(), "dev".parse().unwrap());
        Writer::open(self.store.clone(), project, environment, &holder, Patience::none(&mut |_| {})).unwrap()
    }

    pub(crate) async fn plan(&self, desired: &Deployment) -> Plan {
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

    pub(crate) async fn apply_with(
        &self,
        desired: &Deployment,
        provider: Arc<dyn Execute>,
        cancel: &Cancel,
        events: mpsc::UnboundedSender<Event>,
    ) -> Summary {
        let mut writer = self.writer();
        let by = Author { who: "tester".to_owned(), ..Author::default() };
        let recovered = recover(&*provider, &mut writer, &by, Timestamp(1_000_000)).await.unwrap();
        let plan = self.plan(desired).await;
        let settings = Settings {
            secrets: Arc::new(SecretValues::default()),
            by,
            doing: "apply".to_owned(),
            started: Timestamp(1_000_000),
            calls: 8,
            rollouts: 8,
            look_every: self.look_every,
        };
        let applied = apply(&plan, recovered, provider, &mut writer, &settings, cancel, events).await;
        let Applied { summary, .. } = applied.unwrap();
        summary
    }

    pub(crate) async fn apply(&self, desired: &Deployment) -> Summary {
        let (events, _) = mpsc::unbounded_channel();
        self.apply_with(desired, self.memory.clone(), &Cancel::default(), events).await
    }

    /// Plan, apply, and see that a plan is empty afterwards.
    pub(crate) async fn settle(&self, desired: &Deployment) {
        let summary = self.apply(desired).await;
        assert_eq!(summary.ended(), Ended::Done, "{summary:#?}");
        let again = self.plan(desired).await;
        assert!(again.is_empty(), "{:#?}", again.changes());
    }

    /// What lives, without the numbers of incarnations: slot and revision of each, and who routes to it.
    pub(crate) fn shape(&self) -> Vec<(String, u32, Vec<String>)> {
        let live = self.memory.live().into_iter();
        live.map(|(name, (revision, routes))| {
            let id: InstanceId = name.parse().unwrap();
            (format!("{}-{}", id.service, id.slot), revision, routes)
        })
        .collect()
    }
}

pub(crate) fn names(site: &Site) -> Vec<String> {
    site.memory.live().into_keys().collect()
}
