//! Programs that end or fail their checks in containers: what the supervisor of their environment does about it, what it
//! tells, and what becomes of both when it is killed.

use crate::{
    gateways,
    place::{Place, launch, script, stop},
    support::{self, engine, pause},
};
use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use futures_util::TryStreamExt as _;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use wharf_model::{
    Address, Call, Check, Exit, Generation, InstanceId, Marked, ObjectId, ObjectSpec, ObservedInstance, Operation,
    Phase, Probe, Shutdown, SupervisorSpec, Template,
};
use wharf_provider::LogStream;

/// Answers the files of `/www`. Each life begins with all of them.
fn answering() -> Template {
    script("echo life; mkdir -p /www; echo ok >/www/health; echo ok >/www/live; exec httpd -f -p $PORT -h /www")
}

/// More failures than a container that starts slowly makes until it answers.
pub(crate) const PATIENT: u32 = 20;

pub(crate) fn often(check: Check, failures: u32) -> Probe {
    let (every, timeout) = (Duration::from_millis(200), Duration::from_secs(2));
    Probe { check, every, timeout, failures, ..Probe::fallback() }
}

pub(crate) fn http(path: &str) -> Check {
    Check::Http { path: path.into() }
}

fn exec(script: &str) -> Check {
    Check::Exec(["sh", "-c", script].map(Arc::from).into())
}

fn supervisor(place: &Place) -> ObjectId {
    let environment = place.settings().owner.environment;
    ObjectId { address: Address::Supervisor(environment), generation: Generation(1) }
}

fn spec(place: &Place) -> SupervisorSpec {
    SupervisorSpec { socket: place.host.strip_prefix("unix://").unwrap().into() }
}

pub(crate) async fn supervise(place: &Place) {
    let object = supervisor(place);
    let call = Call::PutObject { object: object.clone(), spec: ObjectSpec::Supervisor(spec(place)) };
    place.run(&Operation { address: object.address, call }).await.unwrap();
}

fn container(place: &Place) -> String {
    format!("{}supervisor.g1", place.prefix())
}

/// Looks at an instance until it is as asked for.
async fn until(
    place: &Place,
    name: &InstanceId,
    what: &str,
    as_asked: impl Fn(&ObservedInstance) -> bool,
) -> ObservedInstance {
    let begin = Instant::now();
    loop {
        let seen = place.see(name).await;
        if as_asked(&seen) {
            return seen;
        }
        assert!(begin.elapsed() < support::PATIENCE, "{what}: {seen:#?}");
        pause().await;
    }
}

fn restarted(seen: &ObservedInstance) -> u32 {
    seen.supervised.restarts.as_ref().map_or(0, |restarts| restarts.count)
}

fn of(name: &InstanceId, call: Call) -> Operation {
    Operation { address: Address::Instance(name.service.clone(), name.slot), call }
}

fn drain(name: &InstanceId) -> Operation {
    let shutdown = Shutdown { grace: Duration::from_secs(1), sigterm: false };
    of(name, Call::DrainInstance { instance: name.clone(), gateways: Vec::new(), shutdown })
}

fn route(name: &InstanceId, endpoint: SocketAddr) -> Operation {
    let (instance, probe) = (name.clone(), Probe::fallback());
    of(name, Call::RouteInstance { instance, endpoint, gateways: Vec::new(), probe })
}

/// Starts an instance, waits until it is ready, and lets it get requests.
async fn serving(place: &Place, template: Template) -> InstanceId {
    let launch = launch(template);
    let endpoint = place.start(&launch).await;
    let seen = until(place, &launch.instance, "ready", ObservedInstance::is_ready).await;
    assert_eq!(seen.supervised.marked, Some(Marked::New));
    place.run(&route(&launch.instance, endpoint)).await.unwrap();
    assert_eq!(place.see(&launch.instance).await.supervised.marked, Some(Marked::Routed));
    launch.instance
}

/// Runs a line of the shell in an instance.
pub(crate) async fn within(place: &Place, name: &InstanceId, line: &str) {
    let words = ["sh", "-c", line].map(str::to_owned);
    let heard = |_: LogStream, _: &[u8]| {};
    assert_eq!(place.provider().run_in(name, &words, tokio::io::empty(), heard).await.unwrap(), 0, "{line}");
}

/// Ends a container's first process as the kernel would, without a word of the engine's.
async fn end(container: &str) {
    let found = engine().inspect_container(container, None).await.unwrap();
    let pid = i32::try_from(found.state.unwrap().pid.unwrap()).unwrap();
    let ran = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(ran.success(), "{container} runs as {pid}");
}

async fn end_program(place: &Place, name: &InstanceId) {
    end(&format!("{}{name}", place.prefix())).await;
}

/// The log of what was done.
async fn healing(place: &Place) -> Vec<serde_json::Value> {
    let options = DownloadFromContainerOptionsBuilder::default().path("/health/healing.jsonl").build();
    let pieces: Vec<_> =
        engine().download_from_container(&container(place), Some(options)).try_collect().await.unwrap();
    let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let text = std::io::read_to_string(archive.entries().unwrap().next().unwrap().unwrap()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_supervisor_holds_the_socket_and_nothing_else() {
    let place = Place::new();
    supervise(&place).await;
    supervise(&place).await;
    let found = engine().inspect_container(&container(&place), None).await.unwrap();
    let host = found.host_config.unwrap();
    assert_eq!(host.readonly_rootfs, Some(true));
    assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
    assert!(host.port_bindings.unwrap_or_default().is_empty());
    assert!(found.config.unwrap().exposed_ports.unwrap_or_default().is_empty());
    let seen = place.look().await.objects;
    assert_eq!(seen[&supervisor(&place)].fingerprint, Some(ObjectSpec::Supervisor(spec(&place)).fingerprint()));
    // Down, it is not as it was made, and an apply makes it so again.
    engine().stop_container(&container(&place), None).await.unwrap();
    assert_eq!(place.look().await.objects[&supervisor(&place)].fingerprint, None);
    supervise(&place).await;
    assert!(place.look().await.objects[&supervisor(&place)].fingerprint.is_some());
    let object = supervisor(&place);
    let call = Call::DeleteObject { object: object.clone() };
    place.run(&Operation { address: object.address, call }).await.unwrap();
    assert!(place.provider().clean_up().await.unwrap());
}

#[tokio::test]
async fn a_program_that_fails_its_liveness_check_is_started_again() {
    let place = Place::new();
    supervise(&place).await;
    let mut template = answering();
    template.probes.startup = Some(often(Check::Tcp, 1_000));
    template.probes.liveness = Some(often(http("/live"), PATIENT));
    let name = serving(&place, template).await;
    let first = until(&place, &name, "asked", |seen| seen.supervised.checks.contains_key("liveness")).await;
    assert_eq!(first.supervised.checks["liveness"].heard, "HTTP 200: ok");
    within(&place, &name, "rm /www/live").await;
    let seen = until(&place, &name, "back", |seen| seen.is_ready() && restarted(seen) == 1).await;
    assert_eq!(seen.endpoint, first.endpoint);
    let because = seen.supervised.restarts.unwrap().because;
    assert!(because.starts_with("ended, as liveness failed 20 times in a row: HTTP 404"), "{because}");
    let log = healing(&place).await;
    assert_eq!((&log[0]["instance"], &log[0]["what"]), (&name.to_string().into(), &"restart".into()), "{log:?}");
}

#[tokio::test]
async fn a_program_that_dies_comes_back_later_and_later_and_one_that_is_drained_does_not() {
    let place = Place::new();
    supervise(&place).await;
    let mut template = answering();
    template.probes.liveness = Some(often(Check::Tcp, 1_000));
    let name = serving(&place, template).await;
    for life in 1..=2 {
        end_program(&place, &name).await;
        let seen = until(&place, &name, "back", |seen| seen.is_ready() && restarted(seen) == life).await;
        assert_eq!(seen.supervised.restarts.unwrap().because, "killed by SIGKILL");
    }
    let pauses: Vec<_> = healing(&place).await.iter().map(|line| line["after_ms"].as_u64().unwrap()).collect();
    assert_eq!(pauses, [100, 1_000]);
    place.run(&drain(&name)).await.unwrap();
    assert_eq!(place.see(&name).await.supervised.marked, Some(Marked::Drained));
    end_program(&place, &name).await;
    assert_eq!(place.end(&name).await, Exit::Signal(9));
    // It stays down, and what an apply has stopped is no more.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(place.see(&name).await.phase, Phase::Ended(Exit::Signal(9)));
    place.run(&stop(&name)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(place.look().await.instances.is_empty());
}

#[tokio::test]
async fn a_start_that_takes_too_long_says_what_it_waited_for() {
    let place = Place::new();
    supervise(&place).await;
    let mut template = answering();
    template.probes.startup = Some(often(exec("echo no model yet; exit 4"), 3));
    let launch = launch(template);
    place.start(&launch).await;
    let why = "startup failed 3 times in a row: exited with code 4: no model yet";
    // Nobody was sent there yet, so it is left down for whoever waits for it.
    assert_eq!(place.end(&launch.instance).await, Exit::Unhealthy(why.to_owned()));
}

#[tokio::test]
async fn what_takes_long_to_start_is_not_asked_whether_it_lives() {
    let place = Place::new();
    supervise(&place).await;
    let mut template = answering();
    template.probes.startup = Some(often(exec("test -e /up"), 1_000));
    template.probes.liveness = Some(often(http("/nowhere"), 1));
    let launch = launch(template);
    let endpoint = place.start(&launch).await;
    let starting = |seen: &ObservedInstance| {
        seen.answer.as_ref().is_some_and(|answer| answer.heard == "starting: exited with code 1")
    };
    until(&place, &launch.instance, "starting", starting).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(matches!(place.see(&launch.instance).await.phase, Phase::Running { .. }));
    place.run(&route(&launch.instance, endpoint)).await.unwrap();
    within(&place, &launch.instance, "touch /up").await;
    let seen = until(&place, &launch.instance, "asked", |seen| restarted(seen) > 0).await;
    assert!(seen.supervised.restarts.unwrap().because.starts_with("ended, as liveness failed once: HTTP 404"));
}

#[tokio::test]
async fn a_program_tells_gateways_whether_it_is_ready_and_a_killed_supervisor_goes_on() {
    let place = Place::new();
    let port = gateways::free_port();
    supervise(&place).await;
    gateways::put(&place, port).await.unwrap();
    gateways::put_route(&place).await;
    let mut template = Template { readiness: Some(often(exec("test -e /open"), 1)), ..answering() };
    template.probes.liveness = Some(often(http("/live"), PATIENT));
    let launch = launch(template);
    let name = launch.instance.clone();
    let endpoint = place.start(&launch).await;
    let closed =
        |seen: &ObservedInstance| seen.answer.as_ref().is_some_and(|answer| answer.heard == "exited with code 1");
    until(&place, &name, "asked", closed).await;
    within(&place, &name, "touch /open").await;
    until(&place, &name, "ready", ObservedInstance::is_ready).await;
    gateways::serve(&place, &name, endpoint).await.unwrap();
    gateways::answers(port).await;

    // While it is away, what it said last holds.
    let life = |seen: &ObservedInstance| seen.phase.clone();
    let before = life(&place.see(&name).await);
    end(&container(&place)).await;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(2) {
        gateways::answers_at_once(port);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let seen = until(&place, &name, "seen again", ObservedInstance::is_ready).await;
    assert_eq!((life(&seen), restarted(&seen)), (before, 0));

    within(&place, &name, "rm /open").await;
    until(&place, &name, "closed", closed).await;
    gateways::refuses(port).await;
    within(&place, &name, "touch /open; rm /www/live").await;
    until(&place, &name, "started again", |seen| restarted(seen) == 1).await;
    within(&place, &name, "touch /open").await;
    until(&place, &name, "ready again", ObservedInstance::is_ready).await;
    gateways::answers(port).await;
}

#[tokio::test]
async fn a_crash_stays_down_where_somebody_wants_to_look() {
    let place = Place::new();
    supervise(&place).await;
    let mut template = Template { crash_block: true, ..answering() };
    template.probes.liveness = Some(often(Check::Tcp, 1_000));
    let name = serving(&place, template).await;
    end_program(&place, &name).await;
    assert_eq!(place.end(&name).await, Exit::Signal(9));
    assert_eq!(restarted(&place.see(&name).await), 0);
}

#[tokio::test]
async fn without_checks_the_engine_starts_it_again_until_it_is_told_to_end() {
    let place = Place::new();
    let launch = launch(answering());
    let endpoint = place.start(&launch).await;
    let name = launch.instance;
    until(&place, &name, "ready", ObservedInstance::is_ready).await;
    place.run(&route(&name, endpoint)).await.unwrap();
    for count in 1..=2 {
        end_program(&place, &name).await;
        let again = until(&place, &name, "started again", |seen| restarted(seen) == count).await;
        assert!(matches!(again.phase, Phase::Running { .. }), "{again:?}");
        let ready = until(&place, &name, "ready again", ObservedInstance::is_ready).await;
        assert_eq!((ready.endpoint, restarted(&ready)), (endpoint, count), "it has the address that it had");
    }
    let shutdown = Shutdown { grace: Duration::from_secs(1), sigterm: true };
    let call = Call::DrainInstance { instance: name.clone(), gateways: Vec::new(), shutdown };
    place.run(&of(&name, call)).await.unwrap();
    end_program(&place, &name).await;
    place.end(&name).await;
    assert_eq!(place.see(&name).await.phase, Phase::Ended(Exit::Signal(9)), "what nobody needs any more stays down");
}

#[tokio::test]
async fn what_ends_all_the_time_says_how_and_that_it_is_started_again() {
    let place = Place::new();
    let launch = launch(Template { port: None, ..script("while test ! -e /end; do sleep 0.05; done; exit 3") });
    let endpoint = place.start(&launch).await;
    place.run(&route(&launch.instance, endpoint)).await.unwrap();
    within(&place, &launch.instance, "touch /end").await;
    let told = |seen: &ObservedInstance| {
        let heard = seen.answer.as_ref().map(|answer| (answer.passed, answer.heard.clone()));
        heard == Some((false, "exited with code 3; it is started again".to_owned()))
            && seen.supervised.between == Some(Exit::Code(3))
    };
    let seen = until(&place, &launch.instance, "told", told).await;
    assert!(restarted(&seen) > 0, "{seen:?}");
}

#[tokio::test]
async fn somebody_who_looks_at_a_crash_has_it_stay() {
    let place = Place::new();
    let launch = launch(Template { crash_block: true, ..answering() });
    let endpoint = place.start(&launch).await;
    until(&place, &launch.instance, "ready", ObservedInstance::is_ready).await;
    place.run(&route(&launch.instance, endpoint)).await.unwrap();
    end_program(&place, &launch.instance).await;
    place.end(&launch.instance).await;
    assert_eq!(place.see(&launch.instance).await.phase, Phase::Ended(Exit::Signal(9)));
}
