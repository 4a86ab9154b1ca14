//! Instances that are several containers: what each is told, that they come and go together, and that one that ends, or
//! is removed, is the end of all.

use crate::{
    healing::{PATIENT, http, often, supervise, within},
    place::{Place, launch, script, start, stop},
    support,
};
use bollard::query_parameters::{EventsOptionsBuilder, InspectContainerOptions, RemoveContainerOptionsBuilder};
use futures_util::TryStreamExt as _;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, SystemTime},
};
use wharf_model::{
    Call, Exit, InstanceId, Intent, IntentId, Launch, Operation, Outcome, Phase, Shutdown, Template, Unit,
};
use wharf_provider::{Execute as _, Resolution};

fn unit(size: u32, text: &str) -> Launch {
    launch(of_unit(size, text))
}

fn of_unit(size: u32, text: &str) -> Template {
    Template { unit: Some(Unit { size, rdma: false, check: false }), ..script(text) }
}

/// A program of which rank 0 answers, and every rank says what it was told.
const TOLD: &str = "mkdir -p /www; echo ok >/www/health; \
    echo told: $RANK_ID $RANK $NODE_RANK $LWS_WORKER_INDEX of $WORLD_SIZE $NNODES $LWS_GROUP_SIZE at $MASTER_PORT; \
    echo $MASTER_ADDR $LWS_LEADER_ADDRESS >/www/master; exec httpd -f -p $PORT -h /www";

async fn containers(place: &Place) -> BTreeSet<String> {
    let options = bollard::query_parameters::ListContainersOptionsBuilder::default().all(true).build();
    let found = support::engine().list_containers(Some(options)).await.unwrap();
    let names = found.iter().flat_map(|container| container.names.iter().flatten());
    let own = names.filter_map(|name| name.trim_start_matches('/').strip_prefix(&place.prefix()));
    own.map(str::to_owned).collect()
}

async fn kill(place: &Place, name: &str) {
    let options = RemoveContainerOptionsBuilder::default().force(true).build();
    support::engine().remove_container(&format!("{}{name}", place.prefix()), Some(options)).await.unwrap();
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[tokio::test]
async fn the_members_of_a_unit_know_each_other_and_come_and_go_together() {
    let place = Place::new();
    let launch = unit(3, TOLD);
    let endpoint = place.start(&launch).await;
    // Again is fine, and changes nothing.
    assert_eq!(place.start(&launch).await, endpoint);
    assert_eq!(containers(&place).await, names(["hello-0-g1", "hello-0-g1.1", "hello-0-g1.2"]));
    let mut told = BTreeSet::new();
    for rank in ["", ".1", ".2"] {
        let name = format!("{}hello-0-g1{rank}", place.prefix());
        let found = support::engine().inspect_container(&name, None::<InspectContainerOptions>).await.unwrap();
        let env = found.config.unwrap().env.unwrap();
        let of = |name: &str| env.iter().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap().to_owned();
        assert_eq!(of("MASTER_ADDR"), endpoint.ip().to_string());
        assert_eq!((of("RANK_ID"), of("LWS_LEADER_ADDRESS")), (of("NODE_RANK"), of("MASTER_ADDR")));
        told.insert((of("RANK_ID"), of("WORLD_SIZE"), of("MASTER_PORT")));
    }
    let expected = ["0", "1", "2"].map(|rank| (rank.to_owned(), "3".to_owned(), "29500".to_owned()));
    assert_eq!(told, expected.into());
    for rank in 0..3 {
        let told = format!("{rank} {rank} {rank} {rank} of 3 3 3 at 29500");
        assert_eq!(place.line_of_rank("told: ", rank).await, told);
    }

    // One instance for whoever looks.
    let seen = place.look().await;
    assert_eq!(seen.instances.len(), 1);
    let instance = place.see(&launch.instance).await;
    assert!(matches!(instance.phase, Phase::Running { .. }) && instance.endpoint == endpoint, "{instance:?}");
    place.run(&stop(&launch.instance)).await.unwrap();
    place.run(&stop(&launch.instance)).await.unwrap();
    assert!(containers(&place).await.is_empty());
}

#[tokio::test]
async fn a_member_that_ends_is_the_end_of_the_unit() {
    let place = Place::new();
    let launch = unit(2, "echo here; test $RANK_ID = 0 && exec sleep 60; echo giving up; exit 3");
    place.start(&launch).await;
    let exit = place.end(&launch.instance).await;
    assert_eq!(exit, Exit::Member { rank: 1, how: Box::new(Exit::Code(3)) });
    assert_eq!(exit.to_string(), "lost rank 1: exited with code 3");
    let seen = place.see(&launch.instance).await;
    assert_eq!(seen.last_lines, ["here", "giving up"]);
    assert!(!seen.is_ready());
    place.run(&stop(&launch.instance)).await.unwrap();
    assert!(containers(&place).await.is_empty());
}

#[tokio::test]
async fn members_that_somebody_removed_are_missed_and_the_rest_goes() {
    let place = Place::new();
    for gone in [["hello-0-g1.1"].as_slice(), &["hello-0-g1"], &["hello-0-g1.1", "hello-0-g1"]] {
        let launch = unit(3, "exec sleep 60");
        place.start(&launch).await;
        for name in gone {
            kill(&place, name).await;
        }
        let rank = u32::from(gone == ["hello-0-g1.1"]);
        let exit = place.end(&launch.instance).await;
        assert_eq!(exit, Exit::Member { rank, how: Box::new(Exit::Unseen) });
        place.run(&stop(&launch.instance)).await.unwrap();
        assert!(containers(&place).await.is_empty(), "{gone:?}");
    }
}

#[tokio::test]
async fn a_unit_that_drains_keeps_its_workers_until_it_has() {
    let place = Place::new();
    // Rank 0 goes on with what it has open; the others end as soon as they are told to.
    let text = "trap 'echo told; test $RANK_ID = 0 || exit 0' TERM; echo here; while true; do sleep 0.1; done";
    let launch = unit(3, text);
    let endpoint = place.start(&launch).await;
    place.line("here").await;
    let of = |call| Operation { address: start(&launch).address, call };
    let instance = launch.instance.clone();
    let shutdown = Shutdown { sigterm: true, ..Shutdown::default() };
    let drain = of(Call::DrainInstance { instance, gateways: Vec::new(), shutdown });
    for _ in 0..2 {
        place.run(&drain).await.unwrap();
    }
    place.line("told").await;
    // Longer than a program takes that was told.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let seen = place.see(&launch.instance).await;
    assert!(matches!(seen.phase, Phase::Running { .. }) && seen.endpoint == endpoint, "{seen:?}");
    let since = SystemTime::now();
    place.run(&stop(&launch.instance)).await.unwrap();
    assert!(containers(&place).await.is_empty());
    let expected = [("hello-0-g1", 137), ("hello-0-g1.1", 0), ("hello-0-g1.2", 0)];
    assert_eq!(ends(&place, since).await, expected.map(|(name, code)| (name.to_owned(), code)).into());
}

/// How containers of the place have ended since then.
async fn ends(place: &Place, since: SystemTime) -> BTreeMap<String, i32> {
    let seconds = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let (since, until) = (seconds(since).to_string(), (seconds(SystemTime::now()) + 1).to_string());
    let filters = HashMap::from([("event", vec!["die"])]);
    let options = EventsOptionsBuilder::default().filters(&filters).since(&since).until(&until).build();
    let events: Vec<_> = support::engine().events(Some(options)).try_collect().await.unwrap();
    let ended = events.into_iter().filter_map(|event| {
        let told = event.actor?.attributes?;
        Some((told["name"].strip_prefix(&place.prefix())?.to_owned(), told["exitCode"].parse().unwrap()))
    });
    ended.collect()
}

#[tokio::test]
async fn a_unit_is_there_whole_or_not_at_all() {
    let place = Place::new();
    // Its last member cannot be made: somebody has its name.
    let launch = unit(3, "exec sleep 60");
    let taken = format!("{}hello-0-g1.2", place.prefix());
    let options = bollard::query_parameters::CreateContainerOptionsBuilder::default().name(&taken).build();
    let body = bollard::models::ContainerCreateBody {
        image: Some(support::image::BUSYBOX.to_owned()),
        cmd: Some(vec!["true".to_owned()]),
        ..Default::default()
    };
    support::engine().create_container(Some(options), body).await.unwrap();
    place.run(&start(&launch)).await.unwrap_err();
    assert_eq!(containers(&place).await, names(["hello-0-g1.2"]));
    kill(&place, "hello-0-g1.2").await;

    // It cannot be started: the program is not there.
    let broken = Launch {
        revision: std::sync::Arc::new(wharf_model::Revision {
            template: Template {
                program: wharf_model::Program::Command(vec!["/no/such/program".into()]),
                ..launch.revision.template.clone()
            },
            ..(*launch.revision).clone()
        }),
        ..launch.clone()
    };
    place.run(&start(&broken)).await.unwrap_err();
    assert!(containers(&place).await.is_empty());

    // A start that was cut off between making and starting is swept away, whole.
    place.start(&launch).await;
    let whole = Intent::of(IntentId(1), &start(&launch));
    let resolved = place.provider().resolve(&whole).await.unwrap();
    assert!(matches!(resolved, Resolution::Applied(Outcome::Started { .. })), "{resolved:?}");
    place.run(&stop(&launch.instance)).await.unwrap();
    half_made(&place, &launch.instance).await;
    let resolved = place.provider().resolve(&whole).await.unwrap();
    assert!(matches!(resolved, Resolution::NotApplied), "{resolved:?}");
    assert!(containers(&place).await.is_empty());
    // And without that, the next try makes it anew.
    half_made(&place, &launch.instance).await;
    place.start(&launch).await;
    assert!(matches!(place.see(&launch.instance).await.phase, Phase::Running { .. }));
}

/// What a start leaves that is cut off after it made the first two of three containers.
async fn half_made(place: &Place, instance: &InstanceId) {
    let owner = place.settings().owner;
    for rank in 0..2 {
        let suffix = if rank == 0 { String::new() } else { format!(".{rank}") };
        let name = format!("{}{instance}{suffix}", place.prefix());
        let labels = [
            ("wharf.project", owner.project.to_string()),
            ("wharf.environment", owner.environment.to_string()),
            ("wharf.address", "instance.hello[0]".to_owned()),
            ("wharf.generation", "1".to_owned()),
            ("wharf.operation", start(&unit(3, "x")).id().to_string()),
            ("wharf.instance", instance.to_string()),
            ("wharf.revision", "1".to_owned()),
            ("wharf.endpoint", format!("10.255.0.{}:8000", rank + 2)),
            ("wharf.member", format!("{rank}/3")),
        ];
        let body = bollard::models::ContainerCreateBody {
            image: Some(support::image::BUSYBOX.to_owned()),
            cmd: Some(vec!["true".to_owned()]),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value)).into()),
            ..Default::default()
        };
        let options = bollard::query_parameters::CreateContainerOptionsBuilder::default().name(&name).build();
        support::engine().create_container(Some(options), body).await.unwrap();
    }
}

#[tokio::test]
async fn a_unit_that_no_longer_lives_stays_down_as_a_whole() {
    let place = Place::new();
    supervise(&place).await;
    let mut template = of_unit(2, "mkdir -p /www; echo ok >/www/live; exec httpd -f -p $PORT -h /www");
    template.probes.liveness = Some(often(http("/live"), PATIENT));
    let launch = launch(template);
    place.start(&launch).await;
    within(&place, &launch.instance, "while ! rm /www/live; do sleep 0.1; done").await;
    let exit = place.end(&launch.instance).await;
    let Exit::Member { rank: 0, how } = &exit else { panic!("{exit:?}") };
    assert!(matches!(&**how, Exit::Unhealthy(_)), "{exit:?}");
    // Whoever supervises it has seen that end, and leaves it at that.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let seen = place.see(&launch.instance).await;
    assert_eq!((&seen.phase, seen.supervised.restarts), (&Phase::Ended(exit), None));
}
