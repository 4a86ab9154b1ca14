//! A newer wharf meets gateways that an earlier one has made: they are taken over from inside their containers.

use crate::{
    site::{TOKEN, ask, hello},
    support::{http, load::Load, until},
};
use bollard::query_parameters::StopContainerOptionsBuilder;
use std::time::Duration;

const PROJECT: &str = "dk-upgrade";
const PATH: &str = "/api/predict/hello/";

fn container() -> String {
    let found = ask(async |engine| engine.inspect_container(&format!("{PROJECT}.default.gateway.public"), None).await);
    found.unwrap().id.unwrap()
}

/// Asks a container to end, and answers the code that it ended with.
fn stop(container: &str) -> Option<i64> {
    let patience = StopContainerOptionsBuilder::default().t(30).build();
    ask(async |engine| engine.stop_container(container, Some(patience)).await.unwrap());
    let found = ask(async |engine| engine.inspect_container(container, None).await.unwrap());
    found.state.unwrap().exit_code
}

#[test]
fn an_apply_of_a_newer_wharf_takes_over_and_no_request_fails() {
    let site = hello(PROJECT);
    let answers = || http::get(site.port, PATH, Some(TOKEN)).is_ok_and(|answer| answer.status == 200);
    site.done_by(&site.earlier(), &["apply", "--yes", "-q"]);
    let plan = site.run(&["plan", "--detailed-exitcode"]);
    let words = plan.said.split_whitespace().collect::<Vec<_>>().join(" ");
    let why = "0.0.9 runs; 0.1.0 takes over from it without refusing a connection";
    assert!(plan.code == 2 && words.contains(why) && !words.contains("downtime"), "{}", plan.said);
    until("the gateway answers", answers);
    let (before, load) = (container(), Load::start(site.port, PATH, TOKEN));
    std::thread::sleep(Duration::from_millis(300));
    site.done(&["apply", "--yes", "-q"]);
    // The first process of the container stays when its own gateway has nothing left to do.
    std::thread::sleep(Duration::from_secs(6));
    let (tally, took) = load.stop();
    println!("{} answered in {took:?}, 0 failed, longest gap {:?}", tally.answered(), tally.gap);
    assert!(tally.failures.is_empty() && tally.answered() > 0, "{:?}", tally.failures);
    assert_eq!(container(), before);
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);

    // It ends when it is asked to, whoever has the gateway by then. Started again, it goes on with the newer program.
    for _ in 0..2 {
        assert_eq!(stop(&before), Some(0), "137 had been the end of its time");
        ask(async |engine| engine.start_container(&before, None).await.unwrap());
        until("the gateway answers again", answers);
    }
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    site.done(&["destroy", "--yes", "-q"]);
}
