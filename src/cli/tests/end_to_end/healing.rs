//! Instances that die or hang while callers go on: they leave the rotation, come back by themselves, and are told of.

use crate::support::{
    Site, TOKEN, http,
    load::{CALLERS, Load},
    processes::Process,
    until,
};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// Whoever is answered by an instance that does not hang waits for less.
const SLOW: Duration = Duration::from_secs(1);
/// One that hangs is ended after so long at the earliest: six checks fail, one each second.
const ENDED: Duration = Duration::from_secs(6);
const PATH: &str = "/api/predict/hello/";

/// A site whose two instances serve, and are asked whether they live.
fn site(name: &str) -> Site {
    let site = Site::hello(name);
    let readiness = "readiness { http \"/health\"; every \"1s\"; timeout \"1s\"; failures 5 }";
    let asked = "startup { tcp; every \"200ms\" }\n        readiness { http \"/health\" }\n        \
                 liveness { http \"/health\"; every \"1s\"; failures 6 }";
    site.replace("wharf.kdl", readiness, asked);
    site.done(&["apply", "--yes", "-q"]);
    until("the gateway answers", || http::get(site.port, PATH, Some(TOKEN)).is_ok_and(|answer| answer.status == 200));
    site
}

fn program(site: &Site, instance: &str) -> Process {
    let all = site.processes();
    let init = all.iter().find(|process| process.has_role("init") && process.words().last() == Some(instance));
    let pid = init.expect("the instance runs").pid;
    all.iter().find(|process| process.parent == pid).expect("its program runs").clone()
}

/// What status says of an instance.
fn told(site: &Site, instance: &str) -> serde_json::Value {
    let status = site.status();
    let instances = status["services"][0]["instances"].as_array().unwrap().iter();
    instances.into_iter().find(|row| row["name"] == instance).unwrap().clone()
}

#[test]
fn one_that_dies_costs_no_request_and_is_started_again() {
    let site = site("heal-dies");
    let load = Load::start(site.port, PATH, TOKEN);
    std::thread::sleep(Duration::from_millis(500));
    program(&site, "hello-0-g1").signal(Signal::KILL);
    let begin = Instant::now();
    until("it is started again", || told(&site, "hello-0-g1")["restarts"]["count"] == 1);
    until("it is ready again", || told(&site, "hello-0-g1")["state"] == "ready");
    println!("back after {:?}", begin.elapsed());
    std::thread::sleep(Duration::from_millis(500));
    let (tally, _) = load.stop();
    // What a caller had sent in full at that moment was lost with its program: nobody may send it again for them.
    let lost = tally.failures.iter().filter(|failure| failure.contains("closed the connection without an answer"));
    println!("{} answered, {} lost", tally.answered(), lost.clone().count());
    assert_eq!(lost.count(), tally.failures.len(), "{:?}", tally.failures);
    assert!(tally.failures.len() <= CALLERS as usize && tally.answered() > 0, "{:?}", tally.failures);

    let status = site.done(&["status"]);
    assert!(status.contains("note: hello-0-g1 was started again once, the last time"), "{status}");
    assert!(status.contains("ago: killed by SIGKILL"), "{status}");
    let drift = site.done(&["drift"]);
    assert!(drift.contains("none") && drift.contains("Started again by itself\n  hello-0-g1 was started again once"));
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    let log = std::fs::read_to_string(log(&site)).unwrap();
    assert!(log.contains("\"instance\":\"hello-0-g1\",\"what\":\"restart\""), "{log}");
}

fn log(site: &Site) -> std::path::PathBuf {
    let below = site.dir.join(".wharf");
    let found = std::fs::read_dir(&below).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = found.collect();
    while let Some(folder) = folders.pop() {
        if folder.join("healing.jsonl").exists() {
            return folder.join("healing.jsonl");
        }
        folders.extend(std::fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path()));
    }
    panic!("there is no log below {}", below.display());
}

#[test]
fn one_that_hangs_leaves_the_rotation_and_is_started_again() {
    let site = site("heal-hangs");
    let hung = program(&site, "hello-1-g1");
    hung.signal(Signal::STOP);
    let begin = Instant::now();
    // Callers come all the time. The last one that had to wait was the last that was sent to it.
    let callers = (0..140).map(|_| {
        let (port, asked) = (site.port, Instant::now());
        std::thread::sleep(Duration::from_millis(50));
        std::thread::spawn(move || {
            let answer = http::get(port, PATH, Some(TOKEN));
            let waited = !answer.is_ok_and(|answer| answer.status == 200) || asked.elapsed() > SLOW;
            waited.then_some(asked)
        })
    });
    let callers: Vec<_> = callers.collect();
    let waited = callers.into_iter().filter_map(|caller| caller.join().unwrap());
    // Whoever comes later may find the next one at its start.
    let waited = waited.map(|asked| asked.duration_since(begin)).filter(|asked| *asked < ENDED);
    let left = waited.max().expect("it hangs, so somebody waits");
    println!("out of the rotation after {left:?}");
    until("it is started again", || told(&site, "hello-1-g1")["restarts"]["count"] == 1);
    let because = told(&site, "hello-1-g1")["restarts"]["because"].as_str().unwrap().to_owned();
    assert_eq!(because, "ended, as liveness failed 6 times in a row: no answer within 1s");
    until("it is ready again", || told(&site, "hello-1-g1")["state"] == "ready");
    assert!(!hung.lives());
    assert!(left < Duration::from_secs(5), "{left:?}");
}
