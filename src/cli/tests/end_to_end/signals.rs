//! What a terminal or a pipeline may do to an apply that runs.

use crate::support::{Running, Site, until};
use rustix::process::Signal;
use std::process::Stdio;

/// A project with a roll to be done, which takes its time.
fn before_a_roll(name: &str) -> Site {
    let site = Site::hello(name);
    site.done(&["apply", "--yes", "-q"]);
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    site
}

fn until_it_has_begun(site: &Site, before: &str) {
    until("the roll has begun", || {
        let (journal, lines) = site.journal();
        journal != before && lines >= 3
    });
}

#[test]
fn an_interrupt_ends_a_roll_in_order_and_the_next_apply_goes_on() {
    for signal in [Signal::INT, Signal::TERM] {
        let site = before_a_roll(&format!("signal-{}", signal.as_raw()));
        let (before, _) = site.journal();
        let mut apply = Running::start(&mut site.wharf(&["apply", "--yes", "-q"]));
        until_it_has_begun(&site, &before);
        apply.signal(signal);
        let ended = apply.end();
        assert_eq!(ended.code, 130, "{}", ended.said);
        assert!(ended.said.contains("apply again to go on"), "{}", ended.said);
        // What was done is on record: the next one has nothing to find out first.
        let plan = site.run(&["plan", "--detailed-exitcode"]);
        assert_eq!(plan.code, 2, "{}", plan.said);
        assert!(!plan.said.contains("did not finish"), "{}", plan.said);
        assert!(site.done(&["invoke"]).contains("greeting"));
        site.done(&["apply", "--yes", "-q"]);
        site.assert_settled("after the interrupt");
        assert!(site.done(&["invoke"]).contains("two"));
    }
}

#[test]
fn a_second_interrupt_ends_it_at_once() {
    let site = before_a_roll("signal-twice");
    let (before, _) = site.journal();
    let mut apply = Running::start(&mut site.wharf(&["apply", "--yes", "-q"]));
    until_it_has_begun(&site, &before);
    until("two signals are enough", || {
        apply.signal(Signal::INT);
        apply.has_ended()
    });
    assert_eq!(apply.end().code, 130);
    site.done(&["apply", "--yes", "-q"]);
    site.assert_settled("after two interrupts");
}

#[test]
fn a_terminal_that_goes_away_does_not_stop_an_apply() {
    let site = before_a_roll("signal-hangup");
    let (before, _) = site.journal();
    let mut apply = Running::start(&mut site.wharf(&["apply", "--yes", "-q"]));
    until_it_has_begun(&site, &before);
    apply.signal(Signal::HUP);
    let ended = apply.end();
    assert_eq!(ended.code, 0, "{}", ended.said);
    site.assert_settled("after the hang-up");
}

#[test]
fn a_reader_that_goes_away_does_not_stop_an_apply() {
    let site = before_a_roll("signal-pipe");
    let (before, _) = site.journal();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = site.wharf(&["apply", "--yes", "-v"]);
    command.stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut apply = command.spawn().unwrap();
    command.stdout(Stdio::null()).stderr(Stdio::null());
    until_it_has_begun(&site, &before);
    drop(reader);
    assert!(apply.wait().unwrap().success());
    site.assert_settled("without a reader");
}

#[test]
fn a_second_apply_is_told_who_is_at_work() {
    let site = before_a_roll("signal-lock");
    let (before, _) = site.journal();
    let first = Running::start(&mut site.wharf(&["apply", "--yes", "-q"]));
    until_it_has_begun(&site, &before);
    for command in [["apply", "--yes", "-q"], ["destroy", "--yes", "-q"]] {
        let second = site.run(&command);
        assert_eq!(second.code, 4, "{}", second.said);
        let words = second.said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("tester@"), "{words}");
        assert!(words.contains(&format!("process {}", first.child.id())), "{words}");
        assert!(words.contains("`wharf apply`"), "{words}");
    }
    assert_eq!(site.run(&["status"]).code, 0);
    assert_eq!(site.run(&["plan"]).code, 0);
    assert_eq!(first.end().code, 0);
    site.assert_settled("after the first");
}
