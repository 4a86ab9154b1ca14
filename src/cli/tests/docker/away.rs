//! An engine that stands still or is restarted while an apply is at work: nothing is lost, and what cannot be mended by that
//! apply is by the next.

use crate::{
    engine,
    site::{assert_settled_at, hello_at},
    support::{Ran, Running, Site, until},
};
use rustix::process::Signal;
use std::{thread, time::Duration};

/// Begins an apply, does this to the engine as soon as the journal has so many lines, and answers how the apply ended.
fn disturbed(site: &Site, lines: usize, disturb: impl Fn()) -> Ran {
    let (before, _) = site.journal();
    let mut running = Running::start(&mut site.wharf(&["apply", "--yes", "-q"]));
    until("the journal is so long, or the command has ended", || {
        let (journal, written) = site.journal();
        (journal != before && written >= lines) || running.has_ended()
    });
    disturb();
    running.end()
}

/// One that stands still for longer than a probe or a look may take.
fn pause() {
    engine::signal_frail(Signal::STOP);
    thread::sleep(Duration::from_secs(4));
    engine::signal_frail(Signal::CONT);
}

/// A restart ends every container, and starts those that the engine is to keep.
fn restart() {
    engine::signal_frail(Signal::TERM);
    thread::sleep(Duration::from_millis(100));
}

#[test]
fn an_engine_that_stands_still_or_restarts_loses_nothing() {
    let host = engine::host_frail();
    let site = hello_at("dk-away", &host);
    let settled = |note: &str| assert_settled_at(&host, &site, "dk-away", note);
    let ran = disturbed(&site, 3, pause);
    assert_eq!(ran.code, 0, "{}", ran.said);
    settled("paused while it was first started");

    let mut greeting = "one".to_owned();
    let mut change = |next: String| {
        site.replace("wharf.kdl", &format!("\"{greeting}\""), &format!("\"{next}\""));
        greeting = next;
    };
    change("paused".to_owned());
    let ran = disturbed(&site, 4, pause);
    assert_eq!(ran.code, 0, "{}", ran.said);
    settled("paused in the middle of a roll");

    for lines in [1, 4, 7] {
        change(format!("restarted {lines}"));
        let ran = disturbed(&site, lines, restart);
        // One that was ended before it was ready is a reason to go back.
        assert!(matches!(ran.code, 0 | 6), "{}: {}", ran.code, ran.said);
        site.done(&["apply", "--yes", "-q"]);
        settled(&format!("restarted at line {lines}"));
    }
}
