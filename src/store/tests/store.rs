//! A store on a real disk: what is written reads back, what is torn is as if never written, and no two writers succeed.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{collections::BTreeMap, fs, io::Write, path::Path, sync::Arc, time::Duration};
use wharf_model::{
    Access, Address, Bytes, Check, ContentDigest, ContentRef, CountOrPercent, DataSpec, Direction, Effect, Ending,
    EnvValue, ExistingNetwork, Expose, FolderPath, GatewaySpec, Generation, GroupPolicy, GroupSpec, Intent, IntentId,
    Mount, MountSource, NetworkPlace, NetworkRule, NetworkSpec, NlbSpec, ObjectSpec, OnFailure, OperationId, Pins,
    PlanId, Probe, Program, Record, RecordedGateway, RecordedInstance, RecordedObject, RecordedRoute, RecordedService,
    RegistrySpec, Revision, RevisionNumber, RolloutPolicy, RouteSpec, SecretKey, ServiceSpec, Shutdown, Slot, Template,
    Timestamp, TokenSpec, Verb, Wanted,
};
use wharf_store::{Begin, Entry, Holder, Reader, StoreError, Writer};

fn spec() -> ServiceSpec {
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

fn revision(number: u32) -> Arc<Revision> {
    let pins = Pins {
        mounts: BTreeMap::from([("/mnt/data".parse().unwrap(), ContentDigest::of([b"x".as_slice()]))]),
        packages: Some(ContentDigest::of([b"y".as_slice()])),
        secrets: BTreeMap::from([("hf".parse().unwrap(), SecretKey::new([7; 32]).digest("hf", b"v"))]),
        ..Pins::default()
    };
    Arc::new(Revision { number: RevisionNumber(number), template: spec().template, pins })
}

fn route() -> RouteSpec {
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
    }
}

fn gateway() -> GatewaySpec {
    GatewaySpec { max_body: Some(Bytes(1 << 20)), ..GatewaySpec::listening([127, 0, 0, 1].into(), 8600) }
}

/// One object of each kind.
fn objects() -> BTreeMap<Address, RecordedObject> {
    let rule = NetworkRule { direction: Direction::In, range: "10.0.0.0/8".parse().unwrap(), port: Some(443) };
    let own = NetworkSpec { place: NetworkPlace::Own("10.20.0.0/24".parse().ok()), rules: vec![rule] };
    let existing = ExistingNetwork { vpc: "v".into(), vswitches: vec!["w".into()], security_group: "g".into() };
    let existing = NetworkSpec { place: NetworkPlace::Existing(existing), rules: Vec::new() };
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

fn full_record() -> Record {
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
        },
    );
    record
}

/// The same with all that came later.
fn fuller_record() -> Record {
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

fn reader(dir: &Path) -> Reader {
    Reader::new(dir.join("dev"), "chat".parse().unwrap(), "dev".parse().unwrap())
}

fn holder() -> Holder {
    Holder::this("tester@here".to_owned(), "apply", Timestamp(5))
}

fn begin() -> Entry {
    let wanted = Wanted {
        gateways: BTreeMap::from([("public".parse().unwrap(), gateway())]),
        routes: BTreeMap::from([(("public".parse().unwrap(), "hello".parse().unwrap()), route())]),
        services: BTreeMap::from([("hello".parse().unwrap(), (spec(), revision(1)))]),
        objects: objects(),
    };
    Entry::Begin(Box::new(Begin { plan: PlanId("abc".into()), who: "tester".to_owned(), at: Timestamp(9), wanted }))
}

fn intent(id: u64) -> Entry {
    Entry::Intent(Intent {
        id: IntentId(id),
        operation: OperationId("start instance.hello[0] hello-0-g1".into()),
        address: "instance.hello[0]".parse().unwrap(),
        verb: Verb::Start,
        object: "hello-0-g1".to_owned(),
        revision: Some(RevisionNumber(1)),
    })
}

fn started(id: u64) -> Entry {
    let endpoint = ([127, 0, 0, 1], 20_000).into();
    let instance = "hello-0-g1".parse().unwrap();
    let effect = Effect::InstanceStarted { instance, revision: RevisionNumber(1), endpoint };
    Entry::Done { intent: IntentId(id), effect }
}

#[test]
fn reading_what_is_not_there_creates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let standing = reader(dir.path()).read().unwrap();
    assert!(standing.record.is_empty() && standing.serial == 0 && standing.unresolved.is_empty());
    assert!(reader(dir.path()).key().unwrap().is_none());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_commit_reads_back_and_survives_as_a_file() {
    for (file, record) in [("commit.json", full_record()), ("commit-with-objects.json", fuller_record())] {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(reader(dir.path()), &holder()).unwrap();
        assert_eq!(writer.commit(&record).unwrap(), 1);
        let standing = reader(dir.path()).read().unwrap();
        assert_eq!((standing.serial, standing.record), (1, record));
        let text = fs::read_to_string(dir.path().join("dev/commits/0000001.json")).unwrap();
        insta_like(&text, file);
    }
}

/// What an older build wrote must read for ever, so the text itself is kept.
fn insta_like(text: &str, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/store/v1").join(name);
    let lineage = text.lines().find(|line| line.contains("\"lineage\"")).unwrap();
    let text = text.replace(lineage, "  \"lineage\": \"00000000000000000000000000000000\",");
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&path).unwrap());
}

#[test]
fn a_commit_of_version_one_reads_for_ever() {
    for (file, record) in [("commit.json", full_record()), ("commit-with-objects.json", fuller_record())] {
        let dir = tempfile::tempdir().unwrap();
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/store/v1").join(file);
        fs::create_dir_all(dir.path().join("dev/commits")).unwrap();
        fs::copy(kept, dir.path().join("dev/commits/0000001.json")).unwrap();
        assert_eq!(reader(dir.path()).read().unwrap().record, record, "{file}");
    }
}

#[test]
fn the_journal_is_absorbed_and_open_intents_stay() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::open(reader(dir.path()), &holder()).unwrap();
    let mut journal = writer.journal().unwrap();
    for entry in [begin(), intent(1), started(1), intent(2)] {
        journal.append(&entry).unwrap();
    }
    let standing = reader(dir.path()).read().unwrap();
    assert!(standing.has_journal);
    assert_eq!(standing.unresolved.iter().map(|intent| intent.id.0).collect::<Vec<_>>(), [2]);
    let service = &standing.record.services[&"hello".parse().unwrap()];
    assert_eq!(service.instances.len(), 1);
    assert_eq!(service.revisions[&RevisionNumber(1)], revision(1));
}

#[test]
fn every_kind_of_effect_reads_back() {
    let content = ContentRef::Packages(ContentDigest::of([b"p".as_slice()]));
    let (gateway, service) = ("public".parse().unwrap(), "hello".parse().unwrap());
    let instance: wharf_model::InstanceId = "hello-0-g1".parse().unwrap();
    let (gateway, service): (wharf_model::GatewayName, wharf_model::ServiceName) = (gateway, service);
    let effects = [
        Effect::GatewayUp { gateway: gateway.clone() },
        Effect::GatewayGone { gateway: gateway.clone() },
        Effect::RouteSet { gateway: gateway.clone(), service: service.clone() },
        Effect::RouteGone { gateway, service: service.clone() },
        Effect::ObjectUp { object: "network.inner@g2".parse().unwrap() },
        Effect::ObjectGone { object: "mount.hello:/models@g1".parse().unwrap() },
        Effect::Moved { from: Address::Service(service.clone()), to: "service.hallo".parse().unwrap() },
        Effect::Forgotten { address: "mount.hello:/models".parse().unwrap() },
        Effect::ContentPresent { content },
        Effect::ContentGone { content },
        Effect::InstanceRouted { instance: instance.clone() },
        Effect::InstanceDraining { instance: instance.clone() },
        Effect::InstanceGone { instance },
        Effect::ServiceUpdated { service: service.clone() },
        Effect::RolloutEnded { service, ending: Ending::Halted { because: "no".to_owned() } },
    ];
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::open(reader(dir.path()), &holder()).unwrap();
    let mut journal = writer.journal().unwrap();
    let mut record = Record::empty("chat".parse().unwrap(), "dev".parse().unwrap());
    for effect in effects {
        journal.append(&Entry::Note(effect.clone())).unwrap();
        record.absorb(&effect, &Wanted::default());
    }
    assert_eq!(reader(dir.path()).read().unwrap().record, record);
}

/// A crash can leave any prefix of the file: each is read as the entries that are whole in it, and goes on from there.
#[test]
fn a_journal_that_was_torn_at_any_byte_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dev/journal/0000000.ndjson");
    let entries = [begin(), intent(1), started(1)];
    {
        let writer = Writer::open(reader(dir.path()), &holder()).unwrap();
        let mut journal = writer.journal().unwrap();
        entries.iter().for_each(|entry| journal.append(entry).unwrap());
    }
    let whole = fs::read(&path).unwrap();
    let near_a_line_end = |at: &usize| whole[at.saturating_sub(2)..(at + 2).min(whole.len())].contains(&b'\n');
    for cut in (0..=whole.len()).filter(|at| at.is_multiple_of(61) || near_a_line_end(at)) {
        fs::write(&path, &whole[..cut]).unwrap();
        let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
        let standing = reader(dir.path()).read().unwrap();
        assert_eq!(standing.unresolved.len(), usize::from(lines == 2), "cut at {cut}");
        let writer = Writer::open(reader(dir.path()), &holder()).unwrap();
        writer.journal().unwrap().append(&Entry::Failed { intent: IntentId(1), error: "x".to_owned() }).unwrap();
        assert!(reader(dir.path()).read().unwrap().unresolved.is_empty(), "cut at {cut}");
    }
}

#[test]
fn a_flipped_bit_before_the_end_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::open(reader(dir.path()), &holder()).unwrap();
    let mut journal = writer.journal().unwrap();
    [begin(), intent(1)].iter().for_each(|entry| journal.append(entry).unwrap());
    let path = dir.path().join("dev/journal/0000000.ndjson");
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(matches!(reader(dir.path()).read(), Err(StoreError::Damaged { .. })));
}

#[test]
fn only_one_of_many_writers_makes_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    drop(Writer::open(reader(dir.path()), &holder()).unwrap());
    // The lock is bypassed on purpose: each writer opens the store while the lock file is another.
    let writers: Vec<_> = (0..16)
        .map(|_| {
            fs::remove_file(dir.path().join("dev/lock")).unwrap();
            Writer::open(reader(dir.path()), &holder()).unwrap()
        })
        .collect();
    let wins = std::thread::scope(|scope| {
        let races: Vec<_> =
            writers.into_iter().map(|mut writer| scope.spawn(move || writer.commit(&full_record()))).collect();
        races.into_iter().map(|race| race.join().unwrap()).filter(Result::is_ok).count()
    });
    assert_eq!(wins, 1);
}

#[test]
fn the_lock_names_its_holder() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Writer::open(reader(dir.path()), &holder()).unwrap();
    let Err(StoreError::Locked { holder: found, .. }) = Writer::open(reader(dir.path()), &holder()) else {
        panic!("a second writer got the lock");
    };
    assert_eq!(*found, holder());
}

#[test]
fn newer_formats_are_named_and_foreign_text_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let commits = dir.path().join("dev/commits");
    fs::create_dir_all(&commits).unwrap();
    let mut file = fs::File::create(commits.join("0000003.json")).unwrap();
    file.write_all(br#"{"format":"wharf.record/9"}"#).unwrap();
    assert!(matches!(reader(dir.path()).read(), Err(StoreError::TooNew { .. })));
    fs::write(commits.join("0000003.json"), "{").unwrap();
    assert!(matches!(reader(dir.path()).read(), Err(StoreError::Damaged { .. })));
}
