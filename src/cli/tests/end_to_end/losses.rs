//! What callers notice of an instance that dies or hangs, and of a host on which no wharf is at work any more.

use crate::support::{Site, TOKEN, http::Caller, processes::Process, until};
use rustix::process::Signal;
use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use wharf_gateway::Client;

const PATH: &str = "/api/predict/hello/";
const CALLERS: usize = 4;

/// One request: when it was sent, and who answered it, or why nobody did.
struct Call {
    sent: Instant,
    came: Result<String, String>,
}

/// Callers that each send one request after the other, a hundred a second.
struct Calls {
    stop: Arc<AtomicBool>,
    callers: Vec<JoinHandle<Vec<Call>>>,
}

impl Calls {
    fn start(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let caller = |_| {
            let stop = stop.clone();
            thread::spawn(move || {
                let (mut calls, mut caller) = (Vec::new(), Caller::new(port));
                while !stop.load(Ordering::Relaxed) {
                    let sent = Instant::now();
                    calls.push(Call { sent, came: call(&mut caller) });
                    thread::sleep(Duration::from_millis(10));
                }
                calls
            })
        };
        Self { callers: (0..CALLERS).map(caller).collect(), stop }
    }

    fn stop(self) -> Vec<Call> {
        self.stop.store(true, Ordering::Relaxed);
        self.callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    }
}

/// Who answers.
fn call(caller: &mut Caller) -> Result<String, String> {
    let answer = caller.get(PATH, Some(TOKEN)).map_err(|error| error.to_string())?;
    if answer.status != 200 {
        return Err(format!("{} {}", answer.status, answer.body));
    }
    let told: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    Ok(told["instance"].as_str().unwrap().to_owned())
}

/// Waits until both instances answer.
fn both_answer(site: &Site) {
    let (mut caller, mut seen) = (Caller::new(site.port), BTreeSet::new());
    until("both instances answer", || {
        match call(&mut caller) {
            Ok(name) => drop(seen.insert(name)),
            Err(_) => caller = Caller::new(site.port),
        }
        seen.len() == 2
    });
}

/// The program of an instance.
fn program(site: &Site, instance: &str) -> Process {
    let named = format!("WHARF_INSTANCE={instance}\0");
    let is_it = |process: &Process| {
        let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
        process.command.contains("app.py") && String::from_utf8_lossy(&environment).contains(&named)
    };
    site.processes().into_iter().find(is_it).unwrap()
}

fn site(name: &str, more: &str) -> Site {
    let site = Site::hello(name);
    site.replace("wharf.kdl", "    instances 2\n", &format!("    instances 2\n{more}"));
    // As it is where nobody says how many failures it takes.
    site.replace("wharf.kdl", "failures 5", "failures 3");
    site.done(&["apply", "--yes", "-q"]);
    both_answer(&site);
    site
}

/// Waits until the gateway's own probes say that an instance gets nothing any more.
fn is_out(site: &Site, instance: &str) {
    let folder = site.gateway();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ready = async || {
        let status = Client::connect(&folder).await.unwrap().status().await.unwrap();
        let mut endpoints = status.routes.iter().flat_map(|route| &route.endpoints);
        endpoints.find(|endpoint| endpoint.name == instance).unwrap().ready
    };
    until("the gateway knows that it is not ready", || !runtime.block_on(ready()));
    assert!(site.instances().get(instance).is_some_and(|state| state != "ready"), "and status shows it");
}

#[test]
fn of_an_instance_that_dies_callers_notice_what_was_under_way() {
    let site = site("losses-death", "    crash-block #true\n");
    let calls = Calls::start(site.port);
    thread::sleep(Duration::from_millis(500));
    let dies = "hello-0-g1";
    program(&site, dies).signal(Signal::KILL);
    let killed = Instant::now();
    is_out(&site, dies);
    thread::sleep(Duration::from_secs(2));
    let calls = calls.stop();
    let failed: Vec<_> = calls.iter().filter_map(|call| Some((call.sent, call.came.as_ref().err()?))).collect();
    let last = failed.iter().map(|(sent, _)| sent.saturating_duration_since(killed)).max().unwrap_or_default();
    println!("killed: {} of {} requests failed, the last one sent {last:?} later", failed.len(), calls.len());
    // A request that could be sent again was; one that the instance may have begun with could not.
    assert!(
        failed.len() <= CALLERS && failed.iter().all(|(_, why)| !why.contains("accepts no connection")),
        "{failed:?}"
    );
    assert!(last < Duration::from_secs(5), "{last:?}: {failed:?}");
    let later = calls.iter().filter(|call| call.sent > killed + Duration::from_secs(1));
    assert!(later.clone().count() > 0 && later.clone().all(|call| call.came.as_deref() == Ok("hello-1-g1")));
}

#[test]
fn an_instance_that_hangs_gets_nothing_any_more_and_comes_back() {
    let site = site("losses-hang", "    timeout \"2s\"\n");
    let calls = Calls::start(site.port);
    thread::sleep(Duration::from_millis(500));
    let hangs = "hello-0-g1";
    let program = program(&site, hangs);
    program.signal(Signal::STOP);
    let stopped = Instant::now();
    is_out(&site, hangs);
    let out = stopped.elapsed();
    thread::sleep(Duration::from_secs(2));
    let calls = calls.stop();
    let failed: Vec<_> = calls.iter().filter_map(|call| Some((call.sent, call.came.as_ref().err()?))).collect();
    let last = failed.iter().map(|(sent, _)| sent.saturating_duration_since(stopped)).max().unwrap_or_default();
    println!(
        "hung: out after {out:?}; {} of {} requests failed, the last one sent {last:?} later",
        failed.len(),
        calls.len()
    );
    assert!(failed.iter().all(|(_, why)| why.starts_with("408 ")), "{failed:?}");
    assert!(last < Duration::from_secs(20), "{last:?}: {failed:?}");
    let mut caller = Caller::new(site.port);
    (0..50).for_each(|_| assert_eq!(call(&mut caller).as_deref(), Ok("hello-1-g1")));

    program.signal(Signal::CONT);
    both_answer(&site);
}

#[test]
fn without_any_command_programs_and_gateway_come_back() {
    let site = site("losses-alone", "");
    let is_one_of_ours = |process: &Process| {
        let roles = ["supervise", "init", "life"];
        roles.iter().any(|role| process.has_role(role))
            || process.command.contains(" gateway ")
            || process.command.contains("app.py")
    };
    for _ in 0..2 {
        let processes = site.processes();
        let others: Vec<_> = processes.iter().filter(|process| !is_one_of_ours(process)).collect();
        assert!(others.is_empty(), "{others:?}");
        program(&site, "hello-0-g1").signal(Signal::KILL);
        for process in processes.iter().filter(|process| process.command.contains(" gateway --unguarded ")) {
            process.signal(Signal::KILL);
        }
        let begin = Instant::now();
        both_answer(&site);
        println!("both back after {:?}", begin.elapsed());
    }
    site.assert_settled("after all that");
}
