//! What the tests write down: a record with every kind of thing in it, and a journal's entries.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use wharf_model::{
    Access, Address, Bytes, Check, ContentDigest, ContentRef, CountOrPercent, DataSpec, Direction, Effect, Ending,
    EnvValue, ExistingNetwork, Expose, FolderPath, GatewaySpec, Generation, GroupPolicy, GroupSpec, Intent, IntentId,
    Mount, MountSource, NetworkPlace, NetworkRule, NetworkSpec, NlbSpec, ObjectSpec, OnFailure, OperationId, Pins,
    PlanId, Probe, Program, Record, RecordedGateway, RecordedInstance, RecordedObject, RecordedRollout, RecordedRoute,
    RecordedService, RegistrySpec, Rest, Revision, RevisionNumber, RolloutPolicy, RouteSpec, SecretKey, ServiceSpec,
    Shutdown, Slot, Template, Timestamp, TokenSpec, Verb,
};
use wharf_store::{
    Author, Backend, Begin, Entry, FolderBackend, Holder, Made, Patience, Reader, StoreError, Want, Writer,
};

/// The same in the middle of a rollout that waits for somebody.
pub(crate) fn rolling_record() -> Record {
    let mut record = full_record();
    let rollout =
        RecordedRollout { to: RevisionNumber(2), passed: 1, steps: 3, since: Timestamp(7), rest: Some(Rest::Pause) };
    record.services.values_mut().for_each(|service| service.rollout = Some(rollout));
    record
}

pub(crate) fn spec() -> ServiceSpec {
    let probe = Probe {
        check: Check::Http { path: "/health".into() },
        every: Duration::from_secs(2),
        timeout: Duration::from_millis(500),
        failures: 3,
        successes: 1,
        ..Probe::fallback()
    };
    let mount = Mount::folder(FolderPath("./app".into()), Access::Snapshot);
    ServiceSpec {
        instances: 2,
        rollout: RolloutPolicy {
            max_surge: CountOrPercent::Percent(25),
            on_failure: OnFailure::Halt,
            ..RolloutPolicy::default()
        },
        shutdown: Shutdown { grace: Duration::from_secs(7), sigterm: true },
        timeout: Duration::from_secs(5),
        tokens: vec![TokenSpec { secret: "hello-token".parse().unwrap(), name: None }],
        exposes: BTreeMap::from([("public".parse().unwrap(), Expose { path: Some("/chat".into()) })]),
        ..ServiceSpec::of(Template {
            image: Some("registry.example.com/hello:1".into()),
            port: Some(8000),
            packages: vec!["flask==2.3.3".into()],
            env: BTreeMap::from([
                ("LOG_LEVEL".parse().unwrap(), EnvValue::Plain("info".into())),
                ("TOKEN".parse().unwrap(), EnvValue::Secret("hf".parse().unwrap())),
            ]),
            mounts: BTreeMap::from([("/mnt/data".parse().unwrap(), mount)]),
            readiness: Some(probe),
            ..Template::of(Program::Command(vec!["python".into(), "/mnt/data/app.py".into()]))
        })
    }
}

pub(crate) fn revision(number: u32) -> Arc<Revision> {
    let pins = Pins {
        mounts: BTreeMap::from([("/mnt/data".parse().unwrap(), ContentDigest::of([b"x".as_slice()]))]),
        packages: Some(ContentDigest::of([b"y".as_slice()])),
        secrets: BTreeMap::from([("hf".parse().unwrap(), SecretKey::new([7; 32]).digest("hf", b"v"))]),
        ..Pins::default()
    };
    Arc::new(Revision { number: RevisionNumber(number), template: spec().template, pins })
}

pub(crate) fn route() -> RouteSpec {
    RouteSpec {
        gateway: "public".parse().unwrap(),
        service: "hello".parse().unwrap(),
        paths: vec!["/api/predict/hello".into()],
        tokens: spec().tokens,
        token_digests: BTreeMap::new(),
        timeout: Duration::from_secs(5),
        max_body: Some(Bytes(1 << 20)),
        timeouts: wharf_model::Timeouts::default(),
        traffic: wharf_model::Traffic::default(),
        grpc: false,
        group: None,
        records: None,
    }
}

pub(crate) fn gateway() -> GatewaySpec {
    GatewaySpec { max_body: Some(Bytes(1 << 20)), ..GatewaySpec::listening([127, 0, 0, 1].into(), 8600) }
}

/// One object of each kind.
pub(crate) fn objects() -> BTreeMap<Address, RecordedObject> {
    let rule = NetworkRule { direction: Direction::In, range: "10.0.0.0/8".parse().unwrap(), port: Some(443) };
    let own = NetworkSpec { place: NetworkPlace::Own("10.20.0.0/24".parse().ok()), rules: vec![rule], sealed: false };
    let existing = ExistingNetwork { vpc: "v".into(), vswitches: vec!["w".into()], security_group: "g".into() };
    let existing = NetworkSpec { place: NetworkPlace::Existing(existing), rules: Vec::new(), sealed: false };
    let nlb = NlbSpec {
        listeners: BTreeMap::from([(9000, "hello".parse().unwrap())]),
        existing: Some("nlb-1".into()),
        public: true,
        network: Some("inner".parse().unwrap()),
    };
    let registry = RegistrySpec { username: "ci".into(), password: "registry".parse().unwrap() };
    let specs = [
        ("network.inner", ObjectSpec::Network(own)),
        ("network.outer", ObjectSpec::Network(existing)),
        ("nlb.edge", ObjectSpec::Nlb(nlb)),
        ("group.chat", ObjectSpec::Group(GroupSpec { policy: GroupPolicy::Weights })),
        ("registry.registry.example.com:5000", ObjectSpec::Registry(registry)),
        ("mount.hello:/models", ObjectSpec::Data(DataSpec { keep_on_delete: true })),
    ];
    let object = |(address, spec): (&str, ObjectSpec)| {
        (address.parse().unwrap(), RecordedObject { spec, generation: Generation(2) })
    };
    specs.into_iter().map(object).collect()
}

pub(crate) fn full_record() -> Record {
    let mut record = Record::empty("chat".parse().unwrap(), "dev".parse().unwrap());
    let content = ContentRef::Folder(ContentDigest::of([b"x".as_slice()]));
    record.gateways.insert("public".parse().unwrap(), RecordedGateway { spec: gateway() });
    record.routes.insert(("public".parse().unwrap(), "hello".parse().unwrap()), RecordedRoute { spec: route() });
    record.contents.insert(content);
    let instance = RecordedInstance { revision: RevisionNumber(1), endpoint: ([127, 0, 0, 1], 20_001).into() };
    record.services.insert(
        "hello".parse().unwrap(),
        RecordedService {
            spec: spec(),
            current: Some(RevisionNumber(1)),
            revisions: BTreeMap::from([(RevisionNumber(1), revision(1)), (RevisionNumber(2), revision(2))]),
            instances: BTreeMap::from([("hello-0-g1".parse().unwrap(), instance)]),
            generations: BTreeMap::from([(Slot(0), Generation(1))]),
            trouble: Some((RevisionNumber(2), Ending::RolledBack { because: "it crashed".to_owned() })),
            rollout: None,
        },
    );
    record
}

/// The same with all that came later.
pub(crate) fn fuller_record() -> Record {
    let mut record = full_record();
    record.objects = objects();
    let service = record.services.get_mut(&"hello".parse().unwrap()).unwrap();
    let data = Mount::of(MountSource::Data(DataSpec { keep_on_delete: true }));
    service.spec.template.mounts.insert("/models".parse().unwrap(), data);
    let newest = Revision {
        number: RevisionNumber(3),
        template: service.spec.template.clone(),
        pins: Pins {
            image: Some(ContentDigest::of([b"i".as_slice()])),
            objects: BTreeMap::from([("network.inner".parse().unwrap(), Generation(2))]),
            ..Pins::default()
        },
    };
    service.revisions.insert(newest.number, Arc::new(newest));
    record.contents.insert(ContentRef::Image(ContentDigest::of([b"i".as_slice()])));
    record
}

pub(crate) const NOW: Timestamp = Timestamp(1_000);

pub(crate) fn backend(dir: &Path) -> Arc<dyn Backend> {
    Arc::new(FolderBackend::new(dir.join("dev")))
}

pub(crate) fn reader(dir: &Path) -> Reader {
    over(&backend(dir))
}

pub(crate) fn over(backend: &Arc<dyn Backend>) -> Reader {
    Reader::over(backend.clone(), "chat".parse().unwrap(), "dev".parse().unwrap())
}

pub(crate) fn holder() -> Holder {
    Holder::this("tester@here".to_owned(), "apply", Timestamp(5))
}

pub(crate) fn try_open(backend: &Arc<dyn Backend>) -> Result<Writer, StoreError> {
    open_with(backend, &holder(), Patience::none(&mut |_| {}))
}

pub(crate) fn open_with(
    backend: &Arc<dyn Backend>,
    holder: &Holder,
    patience: Patience<'_>,
) -> Result<Writer, StoreError> {
    Writer::open(backend.clone(), "chat".parse().unwrap(), "dev".parse().unwrap(), holder, patience)
}

pub(crate) fn open(dir: &Path) -> Writer {
    try_open(&backend(dir)).unwrap()
}

pub(crate) fn author() -> Author {
    let (commit, run) = (Some("4f2a".to_owned()), Some("https://ci.example.com/runs/7".to_owned()));
    Author { who: "tester@here".to_owned(), commit, run }
}

pub(crate) fn made() -> Made {
    Made { at: NOW, doing: "apply".to_owned(), by: author(), plan: Some(PlanId("abc".into())) }
}

/// The beginning of an apply of everything in [`full_record`].
pub(crate) fn beginning() -> Vec<Entry> {
    let wants = [
        Want::Gateway("public".parse().unwrap(), gateway()),
        Want::Route(route()),
        Want::Service("hello".parse().unwrap(), Box::new(spec()), revision(1)),
    ];
    let begin = Entry::Begin(Begin { plan: PlanId("abc".into()), by: author() });
    std::iter::once(begin).chain(wants.into_iter().map(|want| Entry::Want(Box::new(want)))).collect()
}

pub(crate) fn intent(id: u64) -> Entry {
    Entry::Intent(Intent {
        id: IntentId(id),
        operation: OperationId("start instance.hello[0] hello-0-g1".into()),
        address: "instance.hello[0]".parse().unwrap(),
        verb: Verb::Start,
        object: "hello-0-g1".to_owned(),
        revision: Some(RevisionNumber(1)),
    })
}

pub(crate) fn started(id: u64) -> Entry {
    let endpoint = ([127, 0, 0, 1], 20_000).into();
    let instance = "hello-0-g1".parse().unwrap();
    let effect = Effect::InstanceStarted { instance, revision: RevisionNumber(1), endpoint };
    Entry::Done { intent: IntentId(id), effect }
}

pub(crate) fn failed(id: u64) -> Entry {
    Entry::Failed { intent: IntentId(id), error: "x".to_owned() }
}
