//! Canaries on an engine: the gateway's container counts, gates read it, and what waits is resumed by another run.

use crate::{
    site::{TOKEN, assert_settled, containers, hello},
    support::{Site, http, load::Load, until},
};
use std::time::Duration;

const PATH: &str = "/api/predict/hello/";

/// Two instances, one of them first.
fn site(name: &str, canary: &str) -> Site {
    let site = hello(name);
    site.replace("wharf.kdl", "deadline \"30s\" }", &format!("deadline \"30s\"; canary {{ {canary} }} }}"));
    site.done(&["apply", "--yes", "-q"]);
    until("the gateway answers", || http::get(site.port, PATH, Some(TOKEN)).is_ok_and(|answer| answer.status == 200));
    site
}

#[test]
fn a_revision_that_fails_its_gate_is_rolled_back() {
    let site = site("dk-gate", "step \"50%\" for=\"30s\"; gate error-rate=\"5%\"");
    let load = Load::start(site.port, PATH, TOKEN);
    site.replace(
        "app/app.py",
        "    def do_GET(self):\n",
        "    def do_GET(self):\n        if self.path != \"/health\":\n            return self.send_error(500)\n",
    );
    let apply = site.run(&["apply", "--yes", "-q"]);
    let (tally, _) = load.stop();
    assert_eq!(apply.code, 6, "{}", apply.said);
    assert!(apply.said.contains("was rolled back: with 1 of 2 instances new, "), "{}", apply.said);
    assert!(apply.said.contains(" failed, and at most 5 % may; of the old ones 0 of "), "{}", apply.said);
    let others: Vec<_> = tally.failures.iter().filter(|failure| !failure.starts_with("500 ")).collect();
    assert!(others.is_empty() && !tally.failures.is_empty(), "{others:?}");
    assert_eq!(http::get(site.port, PATH, Some(TOKEN)).unwrap().status, 200);
}

#[test]
fn a_good_revision_waits_behind_its_step_and_goes_on_when_asked() {
    let site = site("dk-pause", "step \"50%\" for=\"1s\" pause=#true; gate error-rate=\"5%\"");
    let load = Load::start(site.port, PATH, TOKEN);
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    let apply = site.run(&["apply", "--yes", "-q"]);
    assert_eq!(apply.code, 8, "{}", apply.said);
    let status = site.done(&["rollout", "status"]);
    assert!(status.contains("old  1 of 1 ready") && status.contains("new  1 of 1 ready"), "{status}");
    let resume = site.run(&["rollout", "resume", "--yes", "-q"]);
    assert_eq!(resume.code, 0, "{}", resume.said);
    let (tally, _) = load.stop();
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    assert_settled(&site, "dk-pause", "after the canary");
}

#[test]
fn a_partition_is_kept_until_somebody_promotes_it() {
    let site = hello("dk-partition");
    let rollout = "deadline \"30s\"; partition 1 }";
    site.replace("wharf.kdl", "deadline \"30s\" }", rollout);
    site.done(&["apply", "--yes", "-q"]);
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    let apply = site.run(&["apply", "--yes", "-q"]);
    assert_eq!(apply.code, 8, "{}", apply.said);
    let status = site.done(&["rollout", "status"]);
    assert!(status.contains("old  1 of 1 ready") && status.contains("new  1 of 1 ready"), "{status}");
    let promote = site.run(&["rollout", "promote", "--yes", "-q"]);
    assert_eq!(promote.code, 0, "{}", promote.said);
    assert_settled(&site, "dk-partition", "after the partition");
}

#[test]
fn batches_are_replaced_one_after_the_other_without_a_failed_request() {
    let site = hello("dk-batches");
    site.replace("wharf.kdl", "instances 2", "instances 4");
    site.replace("wharf.kdl", "deadline \"30s\" }", "deadline \"30s\"; batch 2 interval=\"3s\" }");
    site.done(&["apply", "--yes", "-q"]);
    until("the gateway answers", || http::get(site.port, PATH, Some(TOKEN)).is_ok_and(|answer| answer.status == 200));
    let load = Load::start(site.port, PATH, TOKEN);
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    let plan = site.done(&["plan"]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plan.contains("in steps: 2 of 4 for 3s"), "{plan}");
    let apply = site.done(&["apply", "--yes"]);
    let (tally, took) = load.stop();
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    assert!(took >= Duration::from_secs(3), "the second batch came after only {took:?}");
    assert!(apply.contains("2 of 4 are new; watching them"), "{apply}");
    let instances = site.instances();
    assert_eq!(instances.keys().collect::<Vec<_>>(), ["hello-0-g2", "hello-1-g2", "hello-2-g2", "hello-3-g2"]);
    assert!(instances.values().all(|state| state == "ready"), "{instances:?}");
    assert_eq!(containers("dk-batches").keys().filter(|name| name.contains(".hello-")).count(), 4);
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
}
