//! Instances: what they are made of, how they end, what is left of them.

use crate::{
    place::{Place, launch, launch_pinned, pins, script, server, start, stop, with_env, with_mount},
    support::{engine, image},
};
use bollard::query_parameters::{InspectContainerOptions, RemoveContainerOptionsBuilder};
use secrecy::SecretString;
use std::{collections::BTreeMap, fs};
use wharf_model::{
    Access, Address, Bytes, Call, ContentRef, DataSpec, EnvValue, Exit, FolderPath, Generation, Intent, IntentId,
    Launch, Mount, MountPath, MountSource, ObjectId, ObjectSpec, Operation, Outcome, Phase, Pins, Program, Shutdown,
    SourceRef,
};
use wharf_provider::{Execute as _, ProviderError, Resolution};

async fn inspect(place: &Place, launch: &Launch) -> bollard::models::ContainerInspectResponse {
    let name = format!("{}{}", place.prefix(), launch.instance);
    engine().inspect_container(&name, None::<InspectContainerOptions>).await.unwrap()
}

#[tokio::test]
async fn an_instance_gets_what_its_service_says() {
    let mut place = Place::new();
    place.secrets.insert("hf".parse().unwrap(), SecretString::from("s3cret".to_owned()));
    fs::create_dir_all(place.project().join("code")).unwrap();
    fs::create_dir_all(place.project().join("out")).unwrap();
    fs::write(place.project().join("code/app.txt"), "as it was").unwrap();
    let folder = FolderPath("./code".into());
    let pin = place.pin(SourceRef::Folder(folder.clone())).await.unwrap();
    let content = ContentRef::Folder(pin.content);
    let prepare = Call::PrepareFolder { content, folder: folder.clone() };
    place.run(&Operation { address: Address::Content(content), call: prepare }).await.unwrap();

    let says = "echo code=$(cat /mnt/code/app.txt); echo changed=$(touch /mnt/code/x 2>&1); echo told=$GREETING,$HF,$PORT; \
                dd if=/dev/zero of=/mnt/tmp/x bs=1M count=8 2>/mnt/empty/err; \
                echo tmp=$(ls -l /mnt/tmp/x | head -c 200); echo mine >/mnt/out/mine; echo whole=yes; exec sleep 1000";
    let mut template = script(says);
    template = with_env(template, "GREETING", EnvValue::Plain("hello there".into()));
    template = with_env(template, "HF", EnvValue::Secret("hf".parse().unwrap()));
    template = with_mount(template, "/mnt/code", Mount::folder(folder, Access::Snapshot));
    template = with_mount(template, "/mnt/out", Mount::folder(FolderPath("./out".into()), Access::LiveReadWrite));
    template = with_mount(template, "/mnt/empty", Mount::of(MountSource::Empty));
    template = with_mount(template, "/mnt/tmp", Mount::of(MountSource::Memory(Bytes(4 << 20))));
    template = with_mount(template, "/dev/shm", Mount::of(MountSource::Memory(Bytes(8 << 20))));
    template.resources.cpu = Some("0.5".parse().unwrap());
    template.resources.memory = Some(Bytes(64 << 20));
    let launch = launch_pinned(template, pins("/mnt/code", pin.content));
    place.start(&launch).await;

    assert_eq!(place.line("code=").await, "as it was");
    assert!(place.line("changed=").await.contains("Read-only file system"));
    assert_eq!(place.line("told=").await, "hello there,s3cret,8000");
    place.line("whole=").await;
    assert_eq!(fs::read_to_string(place.project().join("out/mine")).unwrap(), "mine\n");
    let tmp = place.line("tmp=").await;
    assert!(tmp.contains(&format!(" {} ", 4 << 20)), "no more than its size: {tmp}");

    let found = inspect(&place, &launch).await;
    let host = found.host_config.unwrap();
    assert_eq!((host.nano_cpus, host.memory, host.memory_swap), (Some(500_000_000), Some(64 << 20), Some(64 << 20)));
    assert_eq!(host.shm_size, Some(8 << 20));
    assert_eq!(host.log_config.unwrap().config.unwrap()["max-file"], "3");
    assert_eq!(format!("{:?}", host.restart_policy.unwrap().name.unwrap()), "UNLESS_STOPPED");
    let labels = found.config.unwrap().labels.unwrap();
    let values: BTreeMap<_, _> = labels.iter().filter(|(key, _)| key.starts_with("wharf.")).collect();
    assert_eq!(labels["wharf.project"], "chat");
    assert_eq!(labels["wharf.address"], "instance.hello[0]");
    assert_eq!(labels["wharf.operation"], "start instance.hello[0] hello-0-g1");
    assert!(values.values().all(|value| !value.contains("s3cret")), "{values:?}");
}

#[tokio::test]
async fn an_end_is_told_with_its_cause_and_the_last_words() {
    let place = Place::new();
    let failing = launch(script("echo cannot open the model >&2; exit 3"));
    place.start(&failing).await;
    assert_eq!(place.end(&failing.instance).await, Exit::Code(3));
    // Each life says it once.
    let lines = place.see(&failing.instance).await.last_lines;
    assert!(!lines.is_empty() && lines.iter().all(|line| line == "cannot open the model"), "{lines:?}");

    let mut greedy = script("echo eating; x=a; while true; do x=$x$x; done");
    greedy.resources.memory = Some(Bytes(8 << 20));
    let greedy = Launch { instance: "hello-1-g1".parse().unwrap(), ..launch(greedy) };
    place.start(&greedy).await;
    assert_eq!(place.end(&greedy.instance).await, Exit::OutOfMemory(Some(Bytes(8 << 20))));

    let ended = Launch { instance: "hello-2-g1".parse().unwrap(), ..launch(script("exec sleep 1000")) };
    place.start(&ended).await;
    let name = format!("{}{}", place.prefix(), ended.instance);
    engine().kill_container(&name, None).await.unwrap();
    assert_eq!(place.end(&ended.instance).await, Exit::Signal(9));
}

#[tokio::test]
async fn an_instance_that_ended_keeps_its_address_until_it_is_stopped() {
    let place = Place::new();
    let first = launch(script("exit 0"));
    let address = place.start(&first).await;
    place.end(&first.instance).await;
    let second = Launch { instance: "hello-1-g1".parse().unwrap(), ..launch(server()) };
    assert_ne!(place.start(&second).await.ip(), address.ip());
    place.run(&stop(&first.instance)).await.unwrap();
    let third = Launch { instance: "hello-2-g1".parse().unwrap(), ..launch(server()) };
    assert_eq!(place.start(&third).await.ip(), address.ip());
}

#[tokio::test]
async fn a_start_that_cannot_be_leaves_nothing_and_says_what_helps() {
    let place = Place::new();
    let mut template = script("");
    template.program = Program::Command(vec!["no-such-program".into()]);
    let error = place.run(&start(&launch(template.clone()))).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot start hello-0-g1");
    assert!(error.help().is_some_and(|help| help.contains("the program that `command` names")), "{error:?}");
    assert!(place.look().await.instances.is_empty());

    template.image = Some("test/nothing:1".into());
    template.pull = Some(wharf_model::Pull::Never);
    let error = place.run(&start(&launch(template.clone()))).await.unwrap_err();
    assert!(matches!(&error, ProviderError::Missing { help, .. } if help.contains("docker load")), "{error:?}");

    let gone = Mount::folder(FolderPath("./gone".into()), Access::LiveReadOnly);
    let error = place.run(&start(&launch(with_mount(server(), "/mnt/x", gone)))).await.unwrap_err();
    assert!(error.to_string().contains("there is no folder"), "{error}");

    // A name of somebody else's is not touched.
    let name = format!("{}hello-0-g1", place.prefix());
    let body = bollard::models::ContainerCreateBody {
        image: Some(image::BUSYBOX.to_owned()),
        cmd: Some(vec!["sleep".to_owned()]),
        ..Default::default()
    };
    let options = bollard::query_parameters::CreateContainerOptionsBuilder::default().name(&name).build();
    engine().create_container(Some(options), body).await.unwrap();
    let error = place.run(&start(&launch(server()))).await.unwrap_err();
    assert!(matches!(&error, ProviderError::Conflict { help, .. } if help.contains("docker rm -f")), "{error:?}");
    assert!(matches!(place.run(&stop(&"hello-0-g1".parse().unwrap())).await, Err(ProviderError::Conflict { .. })));
    let force = RemoveContainerOptionsBuilder::default().force(true).build();
    engine().remove_container(&name, Some(force)).await.unwrap();
}

#[tokio::test]
async fn a_container_that_was_made_and_never_started_is_swept_away_or_started() {
    let place = Place::new();
    let launch = launch(server());
    let operation = start(&launch);
    // As a death between the two calls leaves it: the same container, made and not started.
    place.start(&launch).await;
    let made = inspect(&place, &launch).await;
    let name = format!("{}{}", place.prefix(), launch.instance);
    let (config, host) = (made.config.unwrap(), made.host_config.unwrap());
    let remake = async || {
        let force = RemoveContainerOptionsBuilder::default().force(true).build();
        drop(engine().remove_container(&name, Some(force)).await);
        let body = bollard::models::ContainerCreateBody {
            image: config.image.clone(),
            entrypoint: config.entrypoint.clone(),
            env: config.env.clone(),
            labels: config.labels.clone(),
            host_config: Some(host.clone()),
            ..Default::default()
        };
        let options = bollard::query_parameters::CreateContainerOptionsBuilder::default().name(&name).build();
        engine().create_container(Some(options), body).await.unwrap();
    };
    remake().await;
    assert!(matches!(place.see(&launch.instance).await.phase, Phase::Ended(Exit::NotStarted(_))));
    let intent = Intent::of(IntentId(1), &operation);
    assert_eq!(place.provider().resolve(&intent).await.unwrap(), Resolution::NotApplied);
    assert!(place.look().await.instances.is_empty());
    remake().await;
    assert!(matches!(place.run(&operation).await.unwrap(), Outcome::Started { .. }));
    assert!(matches!(place.see(&launch.instance).await.phase, Phase::Running { .. }));
}

#[tokio::test]
async fn an_instance_is_told_once_that_it_is_draining() {
    let place = Place::new();
    let launch = launch(script("trap 'echo told' TERM; echo up; while true; do sleep 0.1; done"));
    place.start(&launch).await;
    place.line("up").await;
    let shutdown = Shutdown { sigterm: true, ..Shutdown::default() };
    let call = Call::DrainInstance { instance: launch.instance.clone(), gateways: Vec::new(), shutdown };
    let drain = Operation { address: start(&launch).address, call };
    place.run(&drain).await.unwrap();
    place.run(&drain).await.unwrap();
    place.line("told").await;
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    let provider = place.provider();
    let lines =
        wharf_provider::Observe::logs(&provider, &Default::default(), &mut Default::default(), 100).await.unwrap();
    assert_eq!(lines.iter().filter(|line| line.text == "told").count(), 1, "{lines:?}");
}

#[tokio::test]
async fn data_outlives_instances_and_goes_only_when_it_is_deleted() {
    let place = Place::new();
    let path: MountPath = "/mnt/data".parse().unwrap();
    let address = Address::Mount("hello".parse().unwrap(), path.clone());
    let object = ObjectId { address: address.clone(), generation: Generation(1) };
    let put = |keep_on_delete| {
        let spec = ObjectSpec::Data(DataSpec { keep_on_delete });
        Operation { address: address.clone(), call: Call::PutObject { object: object.clone(), spec } }
    };
    place.run(&put(false)).await.unwrap();
    let write = |text: &str, name: &str| {
        let mut template = with_mount(script(text), "/mnt/data", Mount::of(MountSource::Data(DataSpec::default())));
        template.port = None;
        let pins = Pins { objects: BTreeMap::from([(address.clone(), Generation(1))]), ..Pins::default() };
        Launch { instance: name.parse().unwrap(), ..launch_pinned(template, pins) }
    };
    let first = write("echo kept >/mnt/data/x; echo written", "hello-0-g1");
    place.start(&first).await;
    place.line("written").await;
    place.run(&stop(&first.instance)).await.unwrap();
    // Its settings change, and it stays.
    place.run(&put(true)).await.unwrap();
    let seen = place.look().await.objects;
    let spec = ObjectSpec::Data(DataSpec { keep_on_delete: true });
    assert_eq!(seen[&object].fingerprint, Some(spec.fingerprint()));
    let second = write("echo read=$(cat /mnt/data/x); exec sleep 1000", "hello-0-g2");
    place.start(&second).await;
    assert_eq!(place.line("read=").await, "kept");
    assert!(place.see(&second.instance).await.is_ready(), "without a port, to run is to be ready");
    place.run(&stop(&second.instance)).await.unwrap();
    assert!(place.provider().clean_up().await.unwrap());
    assert_eq!(place.look().await.objects.len(), 1, "what is the environment's goes, data does not");

    let delete = Operation { address, call: Call::DeleteObject { object } };
    place.run(&delete).await.unwrap();
    place.run(&delete).await.unwrap();
    assert!(place.look().await.objects.is_empty());
    let volumes = engine()
        .list_volumes(None::<bollard::query_parameters::ListVolumesOptions>)
        .await
        .unwrap()
        .volumes
        .unwrap_or_default();
    assert!(!volumes.iter().any(|volume| volume.name.starts_with(&place.prefix())), "{volumes:?}");
}

#[tokio::test]
async fn what_somebody_does_by_hand_is_seen() {
    let place = Place::new();
    let launch = launch(server());
    place.start(&launch).await;
    let name = format!("{}{}", place.prefix(), launch.instance);
    engine().stop_container(&name, None).await.unwrap();
    assert!(matches!(place.see(&launch.instance).await.phase, Phase::Ended(_)));
    let force = RemoveContainerOptionsBuilder::default().force(true).build();
    engine().remove_container(&name, Some(force)).await.unwrap();
    assert!(place.look().await.instances.is_empty());
}

#[tokio::test]
async fn a_limit_of_the_disk_is_kept_or_refused_before_anything_starts() {
    let place = Place::new();
    let mut template = script("exec sleep 60");
    template.resources.disk = Some(Bytes(64 << 20));
    let launch = launch(template);
    let refused = place.look().await.unlimited_disk;
    let started = place.run(&start(&launch)).await;
    // What a look says holds: where it knows of no reason, an engine without quotas says how they are switched on.
    match (refused, started) {
        (None, Ok(_)) => {}
        (None, Err(error)) => assert!(error.help().is_some_and(|help| help.contains("pquota")), "{error:?}"),
        (Some(why), started) => assert!(why.contains("limits none") && started.is_err(), "{why}: {started:?}"),
    }
}
