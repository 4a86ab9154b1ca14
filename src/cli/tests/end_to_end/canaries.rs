//! Canaries with the real binary: gates read what the gateway counts, and what fails goes back.

use crate::support::{Site, TOKEN, http, load::Load, until};
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
    site.replace("wharf.kdl", "deadline \"30s\"", "deadline \"2s\"");
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    let apply = site.run(&["apply", "--yes", "-q"]);
    assert_eq!(apply.code, 6, "{}", apply.said);
    assert!(
        apply.said.contains("nothing could be said of them: 0 requests came in 3s, and it takes 10"),
        "{}",
        apply.said
    );
}
