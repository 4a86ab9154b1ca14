//! P4 on an engine: apply is ended the hard way, once it has written so many lines of its journal. After one more apply
//! everything is as if nobody had.

use crate::{
    engine,
    site::{ask, assert_settled, containers, hello},
    support::{Running, Site, until},
};
use rustix::process::Signal;

/// Begins a command, and ends it the hard way as soon as its journal has this many lines. Says whether that came before
/// its own end.
fn kill_after(site: &Site, command: &str, lines: usize) -> bool {
    let (before, _) = site.journal();
    let mut running = Running::start(&mut site.wharf(&[command, "--yes", "-q"]));
    let mut killed = false;
    until("the journal is so long, or the command has ended", || {
        let (journal, written) = site.journal();
        killed = journal != before && written >= lines;
        killed || running.has_ended()
    });
    running.signal(Signal::KILL);
    let ended = running.end();
    // It may have been done just before the signal came.
    assert!(matches!(ended.code, 0 | 137), "{}: {}", ended.code, ended.said);
    killed && ended.code == 137
}

fn repair(site: &Site, project: &str, note: &str) {
    let repaired = site.run(&["apply", "--yes", "-q"]);
    assert_eq!(repaired.code, 0, "{note}: {}", repaired.said);
    assert_settled(site, project, note);
}

#[test]
fn a_first_apply_that_is_killed_again_and_again_gets_there() {
    let site = hello("dk-first");
    let mut killed = 0;
    for lines in [1, 2, 3, 4, 5, 7] {
        killed += usize::from(kill_after(&site, "apply", lines));
    }
    repair(&site, "dk-first", "killed six times");
    assert!(killed >= 4, "only {killed} were killed in time");
}

#[test]
fn a_roll_that_is_killed_is_finished_by_the_next() {
    let site = hello("dk-kill");
    site.done(&["apply", "--yes", "-q"]);
    let (mut killed, mut greeting) = (0, "one".to_owned());
    for lines in [1, 2, 4, 6, 8] {
        let next = format!("after line {lines}");
        site.replace("wharf.kdl", &format!("\"{greeting}\""), &format!("\"{next}\""));
        greeting = next;
        killed += usize::from(kill_after(&site, "apply", lines));
        repair(&site, "dk-kill", &format!("killed at line {lines}"));
        assert!(site.done(&["invoke"]).contains(&greeting));
    }
    assert!(killed >= 3, "only {killed} were killed in time");
}

#[test]
fn a_destroy_that_is_killed_is_finished_by_the_next() {
    let site = hello("dk-destroy");
    for lines in [1, 4, 8] {
        site.done(&["apply", "--yes", "-q"]);
        kill_after(&site, "destroy", lines);
        site.done(&["destroy", "--yes", "-q"]);
        assert!(containers("dk-destroy").is_empty(), "killed at line {lines}: {:#?}", containers("dk-destroy"));
        let networks = ask(async |engine| engine.list_networks(None).await.unwrap());
        let left = networks.iter().any(|network| network.name.as_deref() == Some("dk-destroy.default"));
        assert!(!left, "its network is left in {}", engine::host());
    }
}
