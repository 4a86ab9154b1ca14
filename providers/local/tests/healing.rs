//! Programs that end or fail their checks while they serve: what their supervisors do about it, and what they tell.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::{
    fs,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use support::*;
use wharf_model::{
    Address, Call, Check, Exit, InstanceId, ObservedInstance, Operation, Probe, Program, Shutdown, Template,
};

/// Serves `/` and `/live` out of files of its folder, so that a test can say what its program answers.
const PROGRAM: &str = r#"
import http.server, os, sys, time
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.strip("/") or "index"
        text = open(name).read() if os.path.exists(name) else "200 fine"
        status, words = text.split(" ", 1)
        if status == "hang":
            time.sleep(60)
        self.send_response(int(status)); self.end_headers(); self.wfile.write(words.encode())
    def log_message(self, *_): pass
print("life", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answers).serve_forever()
"#;

fn answering() -> Template {
    let words = ["python3", "-c", PROGRAM].map(Arc::from);
    Template { program: Program::Command(words.into()), ..script("true") }
}

fn often(check: Check, failures: u32) -> Probe {
    let (every, timeout) = (Duration::from_millis(50), Duration::from_secs(1));
    Probe { check, every, timeout, failures, ..Probe::fallback() }
}

fn http(path: &str) -> Check {
    Check::Http { path: path.into() }
}

fn exec(script: &str) -> Check {
    Check::Exec(["sh", "-c", script].map(Arc::from).into())
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
        assert!(begin.elapsed() < PATIENCE, "{what}: {seen:#?}");
        pause().await;
    }
}

fn restarted(seen: &ObservedInstance) -> u32 {
    seen.supervised.restarts.as_ref().map_or(0, |restarts| restarts.count)
}

/// Starts an instance, waits until it is ready, and lets it get requests.
async fn serving(place: &Place, template: Template) -> InstanceId {
    let launch = launch(template);
    let endpoint = place.start(&launch).await;
    until(place, &launch.instance, "ready", ObservedInstance::is_ready).await;
    place.run(&serve(&launch.instance, endpoint)).await.unwrap();
    launch.instance
}

fn of(name: &InstanceId, call: Call) -> Operation {
    Operation { address: Address::Instance(name.service.clone(), name.slot), call }
}

fn serve(name: &InstanceId, endpoint: SocketAddr) -> Operation {
    let (instance, probe) = (name.clone(), Probe::fallback());
    of(name, Call::RouteInstance { instance, endpoint, gateways: Vec::new(), probe })
}

fn drain(name: &InstanceId) -> Operation {
    let shutdown = Shutdown { grace: Duration::from_secs(1), sigterm: false };
    of(name, Call::DrainInstance { instance: name.clone(), gateways: Vec::new(), shutdown })
}

/// Kills the program that runs in the instance's folder.
fn end_program(place: &Place, name: &InstanceId) {
    let work = place.instance(&name.to_string()).join("work").canonicalize().unwrap();
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<i32>().ok());
    let mut found = pids.filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == work));
    let pid = found.find(|pid| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains("HTTPServer"))
    });
    let pid = rustix::process::Pid::from_raw(pid.expect("the program runs")).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

fn say(place: &Place, name: &InstanceId, file: &str, text: &str) {
    fs::write(place.instance(&name.to_string()).join("work").join(file), text).unwrap();
}

#[tokio::test]
async fn a_program_that_fails_its_liveness_check_is_started_again() {
    let place = Place::new();
    let mut template = answering();
    template.probes.startup = Some(often(Check::Tcp, 1_000));
    template.probes.liveness = Some(often(http("/live"), 2));
    let name = serving(&place, template).await;
    let first = until(&place, &name, "asked", |seen| seen.supervised.checks.contains_key("liveness")).await;
    assert_eq!(first.supervised.checks["liveness"].heard, "HTTP 200: fine");
    say(&place, &name, "live", "500 out of luck");
    until(&place, &name, "restarted", |seen| restarted(seen) >= 1).await;
    fs::remove_file(place.instance(&name.to_string()).join("work/live")).unwrap();
    let seen = until(&place, &name, "back", |seen| seen.is_ready() && restarted(seen) >= 1).await;
    assert_eq!(seen.endpoint, first.endpoint);
    let because = seen.supervised.restarts.unwrap().because;
    assert_eq!(because, "ended, as liveness failed 2 times in a row: HTTP 500: out of luck");
    let log = fs::read_to_string(place.state().join("healing.jsonl")).unwrap();
    let line: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!((&line["instance"], &line["what"]), (&name.to_string().into(), &"restart".into()), "{line}");
    place.stop(&name).await;
    assert!(place.provider().clean_up().await.unwrap());
}

#[tokio::test]
async fn a_program_that_dies_while_it_serves_is_started_again_and_one_that_is_drained_is_not() {
    let place = Place::new();
    let name = serving(&place, answering()).await;
    for life in 1..=2 {
        end_program(&place, &name);
        let seen = until(&place, &name, "back", |seen| seen.is_ready() && restarted(seen) == life).await;
        assert_eq!(seen.supervised.restarts.unwrap().because, "killed by SIGKILL");
    }
    // What a program says is written down a moment after it was said.
    let begin = Instant::now();
    loop {
        let lives = place.log().await.iter().filter(|line| *line == "life").count();
        if lives == 3 {
            break;
        }
        assert!(lives < 3 && begin.elapsed() < PATIENCE, "{lives} lives are in the log");
        pause().await;
    }
    place.run(&drain(&name)).await.unwrap();
    end_program(&place, &name);
    assert_eq!(place.end(&name).await, Exit::Signal(9));
}

#[tokio::test]
async fn a_crash_stays_down_where_somebody_wants_to_look() {
    let place = Place::new();
    let name = serving(&place, Template { crash_block: true, ..answering() }).await;
    end_program(&place, &name);
    assert_eq!(place.end(&name).await, Exit::Signal(9));
    assert_eq!(restarted(&place.see(&name).await), 0);
}

#[tokio::test]
async fn one_that_was_sent_nothing_yet_is_not_started_again() {
    let place = Place::new();
    let launch = launch(script("exit 3"));
    place.start(&launch).await;
    assert_eq!(place.end(&launch.instance).await, Exit::Code(3));
}

#[tokio::test]
async fn a_start_that_takes_too_long_says_what_it_waited_for() {
    let place = Place::new();
    let mut template = answering();
    template.probes.startup = Some(often(exec("echo no model yet; exit 4"), 3));
    let launch = launch(template);
    place.start(&launch).await;
    let why = "startup failed 3 times in a row: exited with code 4: no model yet";
    assert_eq!(place.end(&launch.instance).await, Exit::Unhealthy(why.to_owned()));
}

#[tokio::test]
async fn a_start_that_gets_on_is_waited_for_and_one_that_does_not_is_ended() {
    let place = Place::new();
    let mut template = answering();
    template.probes.startup = Some(often(exec("test -e up"), 1_000));
    template.probes.progress = Some(often(exec("cat progress"), 5));
    let launch = launch(template);
    place.start(&launch).await;
    for step in 0..12 {
        say(&place, &launch.instance, "progress", &format!("{step} of 100"));
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let starting = place.see(&launch.instance).await;
    assert_eq!(starting.answer.unwrap().heard, "starting: exited with code 1");
    let exit = place.end(&launch.instance).await.to_string();
    let why = "ended, as its start did not get on: progress said 5 times in a row: exited with code 0: 11 of 100";
    assert_eq!(exit, why);
}

#[tokio::test]
async fn a_program_says_whether_an_instance_is_ready() {
    let place = Place::new();
    let template = Template { readiness: Some(often(exec("test -e open"), 2)), ..answering() };
    let launch = launch(template);
    place.start(&launch).await;
    let asked = |seen: &ObservedInstance| seen.answer.as_ref().is_some_and(|answer| answer.heard != "starting");
    let closed = until(&place, &launch.instance, "asked", asked).await;
    assert_eq!(closed.answer.unwrap().heard, "exited with code 1");
    say(&place, &launch.instance, "open", "");
    until(&place, &launch.instance, "ready", ObservedInstance::is_ready).await;
}

#[tokio::test]
async fn a_check_that_hangs_is_a_failure_and_leaves_nothing_behind() {
    let place = Place::new();
    let mut hangs = often(exec("sleep 600"), 1);
    hangs.timeout = Duration::from_millis(100);
    let mut template = answering();
    template.probes.startup = Some(Probe { failures: 2, ..hangs });
    let launch = launch(template);
    place.start(&launch).await;
    let exit = place.end(&launch.instance).await;
    assert_eq!(exit, Exit::Unhealthy("startup failed 2 times in a row: no answer within 100ms".to_owned()));
}
