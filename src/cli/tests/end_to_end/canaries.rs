//! Canaries with the real binary: gates read what the gateway counts, and what fails goes back.

use crate::support::{Running, Site, TOKEN, http, load::Load, until};
use rustix::process::Signal;
use std::time::Duration;

const PATH: &str = "/api/predict/hello/";

/// Four instances, a quarter of them first.
fn site(name: &str, canary: &str) -> Site {
    let site = Site::hello(name);
    site.replace("wharf.kdl", "instances 2", "instances 4");
    site.replace("wharf.kdl", "deadline \"30s\" }", &format!("deadline \"30s\"; canary {{ {canary} }} }}"));
    site.done(&["apply", "--yes", "-q"]);
    until("the gateway answers", || http::get(site.port, PATH, Some(TOKEN)).is_ok_and(|answer| answer.status == 200));
    site
}

/// Makes the next revision answer each request with 500, and say that it is ready.
fn break_answers(site: &Site) {
    site.replace(
        "app/app.py",
        "    def do_GET(self):\n",
        "    def do_GET(self):\n        if self.path != \"/health\":\n            return self.send_error(500)\n",
    );
}

#[test]
fn a_revision_that_fails_its_gate_is_rolled_back() {
    let site = site("canary-gate", "step \"25%\" for=\"20s\"; step \"50%\" for=\"1s\"; gate error-rate=\"5%\"");
    let load = Load::start(site.port, PATH, TOKEN);
    break_answers(&site);
    let apply = site.run(&["apply", "--yes", "-q"]);
    let (tally, _) = load.stop();
    assert_eq!(apply.code, 6, "{}", apply.said);
    assert!(apply.said.contains("was rolled back: with 1 of 4 instances new, "), "{}", apply.said);
    assert!(apply.said.contains(" failed, and at most 5 % may; of the old ones 0 of "), "{}", apply.said);
    // Only the new revision ever failed, and never had more than its part.
    let others: Vec<_> = tally.failures.iter().filter(|failure| !failure.starts_with("500 ")).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(!tally.failures.is_empty() && tally.failures.len() * 2 < tally.answered(), "{}", tally.failures.len());
    let instances = site.instances();
    assert!(instances.len() == 4 && instances.values().all(|state| state == "ready"), "{instances:?}");
    assert_eq!(http::get(site.port, PATH, Some(TOKEN)).unwrap().status, 200);
}

/// Its programs are back before anybody could miss them, and the gate has seen it all the same.
#[test]
fn a_revision_whose_programs_are_started_again_fails_a_gate_on_restarts() {
    let site = site("canary-restarts", "step \"25%\" for=\"20s\"; step \"50%\" for=\"1s\"; gate restarts=0");
    site.replace(
        "app/app.py",
        "    def do_GET(self):\n",
        "    def do_GET(self):\n        if self.path != \"/health\":\n            __import__(\"os\")._exit(3)\n",
    );
    let load = Load::start(site.port, PATH, TOKEN);
    let apply = site.run(&["apply", "--yes", "-q"]);
    load.stop();
    assert_eq!(apply.code, 6, "{}", apply.said);
    assert!(apply.said.contains("was rolled back: with 1 of 4 instances new, "), "{}", apply.said);
    assert!(apply.said.contains("ended by themselves, and at most 0 may"), "{}", apply.said);
    let instances = site.instances();
    assert!(instances.len() == 4 && instances.values().all(|state| state == "ready"), "{instances:?}");
}

#[test]
fn a_good_revision_goes_all_the_way_and_bakes_beside_an_old_instance() {
    let canary = "step \"25%\" for=\"1s\"; step \"50%\" for=\"1s\"; gate error-rate=\"5%\" latency-p99=\"2s\" restarts=0; \
                  bake \"2s\"";
    let site = site("canary-good", canary);
    let load = Load::start(site.port, PATH, TOKEN);
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    let plan = site.done(&["plan"]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plan.contains("4 of 4 for 2s beside 1 old instance"), "{plan}");
    let apply = site.done(&["apply", "--yes"]);
    let (tally, took) = load.stop();
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    assert!(took >= Duration::from_secs(4), "it was watched for only {took:?}");
    assert!(apply.contains("4 of 4 are new; watching them"), "{apply}");
    let instances = site.instances();
    assert_eq!(instances.keys().collect::<Vec<_>>(), ["hello-0-g2", "hello-1-g2", "hello-2-g2", "hello-3-g2"]);
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn a_gate_without_requests_ends_in_a_rollback_that_says_so() {
    let site = site("canary-quiet", "step \"25%\" for=\"1s\"; gate error-rate=\"5%\" requests=10");
    site.replace("wharf.kdl", "deadline \"30s\"", "deadline \"8s\"");
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    let apply = site.run(&["apply", "--yes", "-q"]);
    assert_eq!(apply.code, 6, "{}", apply.said);
    assert!(
        apply.said.contains("nothing could be said of them: 0 requests came in 9s, and it takes 10"),
        "{}",
        apply.said
    );
}

/// How many instances of each revision the record holds, as `rollout status` tells.
fn sides(site: &Site) -> (u64, u64, Option<String>) {
    let said = site.done(&["rollout", "status", "hello", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    let one = &told["rollouts"][0];
    let count = |side: &str| one[side]["ready"].as_u64().unwrap();
    (count("old"), count("new"), one["rest"].as_str().map(str::to_owned))
}

#[test]
fn a_rollout_pauses_in_one_run_and_is_resumed_in_another() {
    let site = site("canary-pause", "step \"25%\" for=\"0s\" pause=#true; step \"50%\" for=\"0s\"");
    let load = Load::start(site.port, PATH, TOKEN);
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    let apply = site.run(&["apply", "--yes", "-q"]);
    assert_eq!(apply.code, 8, "{}", apply.said);
    assert!(apply.said.contains("`wharf rollout resume hello` goes on"), "{}", apply.said);
    assert_eq!(sides(&site), (3, 1, Some("pause".to_owned())));
    // Nothing changes while it waits, and what ends is brought back as it was.
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    assert_eq!(site.run(&["apply", "--yes", "-q"]).code, 8);
    assert_eq!(site.run(&["drift"]).code, 0);
    let resume = site.run(&["rollout", "resume", "--yes", "-q"]);
    assert_eq!(resume.code, 0, "{}", resume.said);
    let (tally, _) = load.stop();
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    assert_eq!(site.instances().len(), 4);
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    assert!(site.done(&["rollout", "status"]).contains("No rollout is under way"));
}

#[test]
fn a_running_apply_is_asked_to_pause_and_what_waits_is_taken_back() {
    let site = site("canary-asked", "step \"25%\" for=\"30s\"");
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    let apply = Running::start(&mut site.wharf(&["apply", "--yes", "-q"]));
    until("the first is new", || {
        let status = site.run(&["rollout", "status"]);
        status.said.contains("new  1 of 1 ready")
    });
    let asked = site.done(&["rollout", "pause"]);
    assert!(asked.contains("finishes what it has begun and pauses"), "{asked}");
    let ended = apply.end();
    assert_eq!(ended.code, 8, "{}", ended.said);
    assert_eq!(sides(&site), (3, 1, Some("asked".to_owned())));
    let abort = site.run(&["rollout", "abort", "hello", "--yes", "-q"]);
    assert_eq!(abort.code, 0, "{}", abort.said);
    let instances: Vec<_> = site.instances().into_iter().collect();
    assert!(instances.len() == 4 && instances.iter().all(|(_, state)| state == "ready"), "{instances:?}");
    assert!(site.done(&["invoke"]).contains("one"));
}

#[test]
fn a_running_canary_is_promoted_and_another_is_aborted() {
    let site = site("canary-promoted", "step \"25%\" for=\"30s\"; bake \"30s\"");
    let mut greeting = "one".to_owned();
    for (word, code) in [("promote", 0), ("abort", 6)] {
        site.replace("wharf.kdl", &format!("\"{greeting}\""), &format!("\"{word}\""));
        greeting = word.to_owned();
        let apply = Running::start(&mut site.wharf(&["apply", "--yes", "-q"]));
        until("the first is new", || site.run(&["rollout", "status"]).said.contains("new  1 of 1 ready"));
        site.done(&["rollout", word, "--yes"]);
        let ended = apply.end();
        assert_eq!(ended.code, code, "{word}: {}", ended.said);
        assert!(site.done(&["invoke"]).contains("promote"));
    }
}

#[test]
fn a_partition_keeps_some_until_somebody_says_otherwise() {
    let site = Site::hello("partition");
    site.replace("wharf.kdl", "deadline \"30s\" }", "deadline \"30s\"; partition 1 }");
    site.done(&["apply", "--yes", "-q"]);
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    let apply = site.run(&["apply", "--yes", "-q"]);
    assert_eq!(apply.code, 8, "{}", apply.said);
    assert_eq!(sides(&site), (1, 1, Some("partition".to_owned())));
    let instances = site.instances();
    let old = instances.keys().find(|name| name.ends_with("-g1")).unwrap().clone();
    let pid =
        site.processes().into_iter().find(|process| process.has_role("supervise") && process.command.contains(&old));
    pid.unwrap().signal(Signal::KILL);
    until("it has ended", || site.run(&["plan", "--detailed-exitcode"]).code == 2);
    assert_eq!(site.run(&["apply", "--yes", "-q"]).code, 8);
    assert_eq!(sides(&site), (1, 1, Some("partition".to_owned())));
    site.replace("wharf.kdl", "; partition 1 }", " }");
    site.done(&["apply", "--yes", "-q"]);
    site.assert_settled("without a partition");
}

/// Killed while a step is watched, the next apply goes on from that step.
#[test]
fn a_canary_whose_apply_is_killed_is_finished_by_the_next() {
    let site = site("canary-killed", "step \"25%\" for=\"1s\"; step \"50%\" for=\"2s\"");
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    let mut apply = Running::start(&mut site.wharf(&["apply", "--yes", "-q"]));
    until("two are new", || site.run(&["rollout", "status"]).said.contains("new  2 of 2 ready"));
    apply.signal(Signal::KILL);
    assert_eq!(apply.end().code, 137);
    let status = site.done(&["rollout", "status"]);
    assert!(status.contains("1 of 2 steps passed") && status.contains("its apply ended"), "{status}");
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(site.instances().len(), 4);
    assert!(site.done(&["invoke"]).contains("two"));
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn a_rollout_waits_as_long_as_its_file_says_so() {
    let site = Site::hello("paused");
    site.replace("wharf.kdl", "deadline \"30s\" }", "deadline \"30s\"; paused #true }");
    // Whoever starts for the first time replaces nothing, so there is nothing to wait with.
    site.done(&["apply", "--yes", "-q"]);
    site.assert_settled("paused before there was anything");
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    let plan = site.done(&["plan"]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plan.contains("waits as long as its file says `paused`"), "{plan}");
    let apply = site.run(&["apply", "--yes", "-q"]);
    assert_eq!(apply.code, 8, "{}", apply.said);
    assert!(apply.said.contains("an apply without that line goes on"), "{}", apply.said);
    assert_eq!(sides(&site), (2, 0, Some("file".to_owned())));
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    assert_eq!(site.run(&["apply", "--yes", "-q"]).code, 8);
    assert_eq!(site.run(&["drift"]).code, 0);
    for word in ["resume", "promote"] {
        let asked = site.run(&["rollout", word, "--yes"]);
        assert_eq!(asked.code, 1, "{}", asked.said);
        assert!(asked.said.contains("take that away and apply"), "{}", asked.said);
    }
    assert!(site.done(&["invoke"]).contains("one"));
    site.replace("wharf.kdl", "; paused #true }", " }");
    site.done(&["apply", "--yes", "-q"]);
    assert!(site.done(&["invoke"]).contains("two"));
    site.assert_settled("without that line");
}

/// Takes a rollout back that waits, is killed at each of these boundaries in turn, and lets the next apply go on with that;
/// the one after it goes by the files again. Says how often it was killed on its way back.
fn taken_back(name: &str, boundaries: impl Iterator<Item = u32>) -> u32 {
    let mut site = site(name, "step \"50%\" for=\"0s\" pause=#true");
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    assert_eq!(site.run(&["apply", "--yes", "-q"]).code, 8);
    let mut cut_off = 0;
    for at in boundaries {
        site.env.insert("WHARF_DIES_AT".to_owned(), at.to_string());
        let abort = site.run(&["rollout", "abort", "--yes", "-q"]);
        site.env.remove("WHARF_DIES_AT");
        if abort.code == 0 {
            break;
        }
        assert_eq!(abort.code, 137, "{}", abort.said);
        if site.done(&["rollout", "status", "--format", "json"]).contains("\"aborted\"") {
            cut_off += 1;
            let plan = site.done(&["plan"]).split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(plan.contains("its rollout to r2 is taken back: somebody asked for it"), "{at}: {plan}");
            site.done(&["apply", "--yes", "-q"]);
            let instances = site.instances();
            assert!(instances.len() == 4 && instances.values().all(|state| state == "ready"), "{at}: {instances:?}");
            assert!(site.done(&["invoke"]).contains("one"), "{at}");
        }
        assert_eq!(site.run(&["apply", "--yes", "-q"]).code, 8, "{at}");
        assert_eq!(sides(&site), (2, 2, Some("pause".to_owned())), "{at}");
    }
    cut_off
}

#[test]
fn what_is_being_taken_back_is_taken_back_by_the_next_apply() {
    let cut_off = taken_back("abort-killed", (2..).step_by(7));
    assert!(cut_off >= 3, "only {cut_off} were killed on the way back");
}

#[test]
#[ignore = "takes minutes; `make kill-test` plays it"]
fn a_way_back_that_is_cut_off_anywhere_is_gone_by_the_next_apply() {
    let cut_off = taken_back("abort-killed-all", 1..);
    println!("a way back was cut off {cut_off} times, and gone each time");
    assert!(cut_off >= 20, "only {cut_off} were killed on the way back");
}
