//! P4 with real processes: apply is ended the hard way, once it has written so many lines of its journal. After one more
//! apply everything is as if nobody had.

use crate::support::{Running, Site, until};
use rustix::process::Signal;

/// Begins an apply, and ends it the hard way as soon as its journal has this many lines. Says whether that came before
/// its own end.
fn kill_after(site: &Site, lines: usize) -> bool {
    let (before, _) = site.journal();
    let mut apply = Running::start(&mut site.wharf(&["apply", "--yes", "-q"]));
    let mut killed = false;
    until("the journal is so long, or the apply has ended", || {
        let (journal, written) = site.journal();
        killed = journal != before && written >= lines;
        killed || apply.has_ended()
    });
    apply.signal(Signal::KILL);
    let ended = apply.end();
    // It may have been done just before the signal came.
    assert!(matches!(ended.code, 0 | 137), "{}: {}", ended.code, ended.said);
    killed && ended.code == 137
}

fn repair(site: &Site, note: &str) {
    let repaired = site.run(&["apply", "--yes", "-q"]);
    assert_eq!(repaired.code, 0, "{note}: {}", repaired.said);
    site.assert_settled(note);
}

/// A first apply of two instances has 16 lines in its journal.
#[test]
fn a_first_apply_that_is_killed_is_finished_by_the_next() {
    let mut killed = 0;
    for lines in [0, 1, 2, 4, 6, 8, 9, 10, 12, 14] {
        let site = Site::hello(&format!("kill-first-{lines}"));
        killed += usize::from(kill_after(&site, lines));
        repair(&site, &format!("killed at line {lines}"));
    }
    assert!(killed >= 8, "only {killed} were killed in time");
}

/// A roll of two instances has 18 lines in its journal.
#[test]
fn a_roll_that_is_killed_is_finished_by_the_next() {
    let site = Site::hello("kill-roll");
    site.done(&["apply", "--yes", "-q"]);
    let (mut killed, mut greeting) = (0, "one".to_owned());
    for lines in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16] {
        let next = format!("after line {lines}");
        site.replace("wharf.kdl", &format!("\"{greeting}\""), &format!("\"{next}\""));
        greeting = next;
        killed += usize::from(kill_after(&site, lines));
        repair(&site, &format!("killed at line {lines}"));
        assert!(site.done(&["invoke"]).contains(&greeting));
    }
    assert!(killed >= 10, "only {killed} were killed in time");
}

#[test]
fn an_apply_that_is_killed_again_and_again_gets_there() {
    let site = Site::hello("kill-again");
    for lines in [2, 3, 5, 7, 4] {
        kill_after(&site, lines);
    }
    repair(&site, "killed five times");
}

#[test]
fn a_destroy_that_is_killed_is_finished_by_the_next() {
    let site = Site::hello("kill-destroy");
    for lines in [1, 2, 4, 6, 8, 10] {
        site.done(&["apply", "--yes", "-q"]);
        let (before, _) = site.journal();
        let mut destroy = Running::start(&mut site.wharf(&["destroy", "--yes", "-q"]));
        until("the journal is so long, or the destroy has ended", || {
            let (journal, written) = site.journal();
            (journal != before && written >= lines) || destroy.has_ended()
        });
        destroy.signal(Signal::KILL);
        destroy.end();
        site.done(&["destroy", "--yes", "-q"]);
        assert!(site.processes().is_empty(), "killed at line {lines}: {:#?}", site.processes());
    }
}
