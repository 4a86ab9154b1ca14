//! A project whose services are supervised: the plan says what that takes, what dies comes back, and whoever asks is told.

use crate::{
    site::{TOKEN, ask, containers, hello},
    support::{Site, http, load::CALLERS, load::Load, until},
};
use bollard::query_parameters::RemoveContainerOptionsBuilder;
use rustix::process::{Pid, Signal, kill_process};

const PROJECT: &str = "dk-heal";
const PLAIN: &str = "dk-heal-plain";
const PATH: &str = "/api/predict/hello/";
const READINESS: &str = "readiness { http \"/health\"; every \"1s\"; timeout \"1s\"; failures 5 }";
const ASKED: &str = "startup { tcp; every \"200ms\" }\n        readiness { http \"/health\"; every \"500ms\" }\n        \
                     liveness { http \"/health\"; every \"1s\"; failures 6 }";

fn container(project: &str, name: &str) -> String {
    format!("{project}.default.{name}")
}

/// Kills the program of a container as the kernel would.
fn kill(project: &str, name: &str) {
    let container = container(project, name);
    let found = ask(async |engine| engine.inspect_container(&container, None).await.unwrap());
    let pid = Pid::from_raw(i32::try_from(found.state.unwrap().pid.unwrap()).unwrap()).expect("it runs");
    kill_process(pid, Signal::KILL).unwrap();
}

/// What status says of an instance.
fn told(site: &Site, instance: &str) -> serde_json::Value {
    let status = site.status();
    let mut instances = status["services"][0]["instances"].as_array().unwrap().iter();
    instances.find(|row| row["name"] == instance).unwrap().clone()
}

#[test]
fn what_dies_comes_back_and_the_supervisor_comes_and_goes_with_who_needs_it() {
    let site = hello(PROJECT);
    site.replace("wharf.kdl", READINESS, ASKED);
    let plan = site.done(&["plan"]);
    assert!(plan.contains("+ supervisor.default"), "{plan}");
    let words = plan.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("note: supervisor.default holds ") && words.contains("all that the engine may do"),
        "{plan}"
    );
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    until("the gateway answers", || http::get(site.port, PATH, Some(TOKEN)).is_ok_and(|answer| answer.status == 200));

    let load = Load::start(site.port, PATH, TOKEN);
    std::thread::sleep(std::time::Duration::from_millis(500));
    kill(PROJECT, "hello-0-g1");
    until("it is started again", || told(&site, "hello-0-g1")["restarts"]["count"] == 1);
    until("it is ready again", || told(&site, "hello-0-g1")["state"] == "ready");
    let (tally, _) = load.stop();
    // What a caller had sent in full at that moment was lost with its program: nobody may send it again for them.
    assert!(tally.failures.len() <= CALLERS as usize && tally.answered() > 0, "{:?}", tally.failures);
    let status = site.done(&["status"]);
    assert!(status.contains("note: hello-0-g1 was started again once, the last time"), "{status}");
    assert!(status.contains("ago: killed by SIGKILL"), "{status}");
    let drift = site.done(&["drift"]);
    assert!(drift.contains("Started again by itself\n  hello-0-g1 was started again once"), "{drift}");
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);

    // The engine starts a supervisor that was killed. One that is gone is drift.
    kill(PROJECT, "supervisor.g1");
    until("it is started again", || containers(PROJECT)[&container(PROJECT, "supervisor.g1")]);
    until("it watches again", || site.run(&["drift"]).code == 0);
    ask(async |engine| {
        let force = RemoveContainerOptionsBuilder::default().force(true).build();
        engine.remove_container(&container(PROJECT, "supervisor.g1"), Some(force)).await.unwrap();
    });
    let drift = site.run(&["drift"]);
    assert!(drift.code == 2 && drift.said.contains("supervisor.default"), "{}", drift.said);
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(site.run(&["drift"]).code, 0);
    kill(PROJECT, "hello-0-g1");
    until("what was counted is known still", || told(&site, "hello-0-g1")["restarts"]["count"] == 2);

    // A roll under supervision, then one to a revision that needs none.
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(site.instances().into_keys().collect::<Vec<_>>(), ["hello-0-g2", "hello-1-g2"]);
    site.replace("wharf.kdl", ASKED, READINESS);
    let plan = site.done(&["plan"]);
    assert!(plan.contains("- supervisor.default"), "{plan}");
    site.done(&["apply", "--yes", "-q"]);
    assert!(!containers(PROJECT).contains_key(&container(PROJECT, "supervisor.g1")));
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    site.done(&["destroy", "--yes", "-q"]);
    assert!(containers(PROJECT).is_empty());
}

#[test]
fn without_checks_what_dies_comes_back_by_the_engine() {
    let site = hello(PLAIN);
    site.done(&["apply", "--yes", "-q"]);
    let plan = site.done(&["plan"]);
    assert!(!plan.contains("supervisor"), "{plan}");
    kill(PLAIN, "hello-1-g1");
    until("it is started again", || told(&site, "hello-1-g1")["restarts"]["count"] == 1);
    until("it is ready again", || told(&site, "hello-1-g1")["state"] == "ready");
    let status = site.done(&["status"]);
    assert!(status.contains("note: hello-1-g1 was started again once, the last time"), "{status}");
    let drift = site.done(&["drift"]);
    assert!(drift.contains("Started again by itself"), "{drift}");
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    // A release that ends at its start is not tried again for ever.
    site.replace("wharf.kdl", "\"/mnt/data/app.py\"", "\"/nowhere.py\"");
    let failed = site.run(&["apply", "--yes", "-q"]);
    assert!(failed.code == 6 && failed.said.contains("exited with code 2"), "{}", failed.said);
    site.replace("wharf.kdl", "\"/nowhere.py\"", "\"/mnt/data/app.py\"");
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    site.done(&["apply", "--yes", "-q"]);
    crate::site::assert_settled(&site, PLAIN, "after a roll");
    site.done(&["destroy", "--yes", "-q"]);
}
