//! The ladder by which pipelines end a job: SIGINT, SIGTERM seven and a half seconds later, SIGKILL two and a half after
//! that. Whichever rung ends an apply in the middle of a roll, nothing is lost.

use crate::support::{Running, Site, until};
use rustix::process::Signal;
use std::{
    net::{Ipv4Addr, TcpListener},
    thread,
    time::Duration,
};

const UNTIL_TERM: Duration = Duration::from_millis(7_500);
const UNTIL_KILL: Duration = Duration::from_millis(2_500);

/// A service whose libraries come from an index that takes connections and never answers.
const WAITS_FOR_EVER: &str = r#"
service "other" {
    command "python3" "-c" "pass"
    port 8000
    packages "nothing-of-this-name==1.0"
    health { readiness { http "/health" } }
}
"#;

/// A project in the middle of a roll.
fn in_the_middle_of_a_roll(site: &Site) -> Running {
    let (before, _) = site.journal();
    let apply = Running::start(&mut site.wharf(&["apply", "--yes", "-q"]));
    until("the roll has begun", || {
        let (journal, lines) = site.journal();
        journal != before && lines >= 5
    });
    apply
}

fn assert_the_next_apply_gets_there(site: &Site, note: &str) {
    let next = site.run(&["apply", "--yes", "-q"]);
    assert_eq!(next.code, 0, "{note}: {}", next.said);
    site.assert_settled(note);
    assert!(site.done(&["invoke"]).contains("two"), "{note}");
}

/// What runs does not end in the first seven seconds, so the second rung stops it at once. What it had started has gone
/// with it: a second installation beside the next apply's would write to the same folder.
#[test]
fn a_job_that_is_cancelled_while_a_call_hangs_loses_nothing() {
    let index = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut site = Site::hello("ladder-hang");
    site.done(&["apply", "--yes", "-q"]);
    let address = format!("http://{}/", index.local_addr().unwrap());
    site.env.insert("PIP_INDEX_URL".to_owned(), address);
    site.write("other.kdl", WAITS_FOR_EVER);
    site.replace("wharf.kdl", "\"one\"", "\"two\"");

    let mut apply = in_the_middle_of_a_roll(&site);
    until("the installation runs", || site.processes().iter().any(|process| process.command.contains("pip install")));
    apply.signal(Signal::INT);
    thread::sleep(UNTIL_TERM);
    assert!(!apply.has_ended(), "a call is under way, and is waited for");
    apply.signal(Signal::TERM);
    thread::sleep(UNTIL_KILL);
    apply.signal(Signal::KILL);
    let ended = apply.end();
    assert_eq!(ended.code, 130, "{}", ended.said);
    until("the installation has ended", || {
        !site.processes().iter().any(|process| process.command.contains("pip install"))
    });

    std::fs::remove_file(site.dir.join("other.kdl")).unwrap();
    assert_the_next_apply_gets_there(&site, "after a job that hung");
}

/// A process that the machine does not let run hears the first two signals too late: the third ends it, wherever it is.
#[test]
fn a_job_that_does_not_react_is_killed_and_loses_nothing() {
    let site = Site::hello("ladder-frozen");
    site.done(&["apply", "--yes", "-q"]);
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    let mut apply = in_the_middle_of_a_roll(&site);
    for signal in [Signal::STOP, Signal::INT, Signal::TERM, Signal::KILL] {
        apply.signal(signal);
        // Nothing runs meanwhile, however long it takes.
        thread::sleep(UNTIL_KILL / 25);
    }
    let ended = apply.end();
    assert_eq!(ended.code, 137, "{}", ended.said);
    assert!(site.done(&["invoke"]).contains("greeting"), "what serves is not touched by the end of an apply");
    assert_the_next_apply_gets_there(&site, "after a job that did not react");
}
