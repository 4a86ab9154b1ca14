//! What an apply tells programs.

use crate::support::{Running, Site, until};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[test]
fn events_are_lines_of_json_in_a_file_and_on_standard_output_alike() {
    let mut site = Site::hello("events-alike");
    site.env.insert("GITHUB_SHA".to_owned(), "4f2a91".to_owned());
    site.env.insert("CI_JOB_URL".to_owned(), "https://ci.example.com/7".to_owned());
    let said = site.done(&["apply", "--yes", "-q", "--format", "json", "--events", "events.ndjson"]);
    let file = fs::read_to_string(site.dir.join("events.ndjson")).unwrap();
    let (shown, written) = (lines(&said), lines(&file));
    assert_eq!(kinds(&shown), kinds(&written));
    for (seq, event) in (0..).zip(&written) {
        assert_eq!((event["v"].as_u64(), event["seq"].as_u64()), (Some(1), Some(seq)), "{event}");
        assert!(event["at_ms"].as_u64() > Some(1_700_000_000_000), "{event}");
    }
    let (first, last) = (&written[0], &written[written.len() - 1]);
    assert_eq!((first["event"].as_str(), first["commit"].as_str()), (Some("begin"), Some("4f2a91")), "{first}");
    assert_eq!(first["run"], "https://ci.example.com/7");
    assert_eq!((last["event"].as_str(), last["ended"].as_str()), (Some("end"), Some("done")), "{last}");
    assert_eq!(last["addresses"][0], format!("http://127.0.0.1:{}/api/predict/hello/", site.port));
    // What was begun was ended.
    let named = |kind: &str| written.iter().filter(|event| event["event"] == kind).count();
    assert_eq!(named("call-began"), named("call-ended"));
}

#[test]
fn an_apply_that_was_asked_to_stop_says_so_and_what_is_left() {
    let site = Site::hello("events-stopped");
    site.done(&["apply", "--yes", "-q"]);
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    let mut apply = Running::start(&mut site.wharf(&["apply", "--yes", "-q", "--events", "events.ndjson"]));
    let told = || fs::read_to_string(site.dir.join("events.ndjson")).unwrap_or_default();
    until("a call was made", || told().contains("call-ended"));
    apply.signal(Signal::INT);
    assert_eq!(apply.end().code, 130);
    let events = lines(&told());
    assert!(kinds(&events).contains(&"stopping"), "{events:?}");
    let last = &events[events.len() - 1];
    assert_eq!(
        (last["ended"].as_str(), last["skipped"][0]["address"].as_str()),
        (Some("interrupted"), Some("service.hello"))
    );
    assert!(last["commit"].as_u64() == Some(2), "what was done is committed: {last}");
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_anything_is_done() {
    let site = Site::hello("events-nowhere");
    let refused = site.run(&["apply", "--yes", "-q", "--events", "nowhere/events.ndjson"]);
    assert_eq!(refused.code, 1, "{}", refused.said);
    assert!(refused.said.contains("cannot write events to nowhere/events.ndjson"), "{}", refused.said);
    assert!(site.processes().is_empty());
}
