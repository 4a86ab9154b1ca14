//! Version 1 of the stream of events. A field may be added without a new version; none is taken away or changes its sense.

use crate::{Ended, Event, Failed, Skipped, Summary};
use serde::Serialize;
use std::time::Duration;
use wharf_model::{Address, EnvironmentName, PlanId, ProjectName, Timestamp};
use wharf_store::Author;

/// What stands before all events.
#[derive(Debug, Clone)]
pub struct Head<'a> {
    /// The project.
    pub project: &'a ProjectName,
    /// The environment.
    pub environment: &'a EnvironmentName,
    /// The command.
    pub doing: &'a str,
    /// Who runs it.
    pub by: &'a Author,
    /// The plan.
    pub plan: &'a PlanId,
    /// How many steps it has.
    pub steps: usize,
}

/// What stands behind all events.
#[derive(Debug, Clone)]
pub struct Tail<'a> {
    /// How it ended.
    pub summary: &'a Summary,
    /// The commit, if there is one.
    pub commit: Option<u64>,
    /// How long it took.
    pub took: Duration,
    /// Where the services can be called.
    pub addresses: &'a [String],
}

#[derive(Serialize)]
struct Line<'a> {
    v: u8,
    seq: u64,
    at_ms: u64,
    #[serde(flatten)]
    event: EventV1<'a>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum EventV1<'a> {
    Begin {
        project: String,
        environment: String,
        doing: &'a str,
        who: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        commit: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<&'a str>,
        plan: String,
        steps: usize,
    },
    CallBegan {
        operation: String,
        address: String,
        verb: &'static str,
        object: &'a str,
    },
    Says {
        address: String,
        words: &'a str,
    },
    CallEnded {
        operation: String,
        address: String,
        verb: &'static str,
        object: &'a str,
        took_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<&'a str>,
    },
    Again {
        address: String,
        error: &'a str,
        after_ms: u64,
    },
    Rollout {
        service: String,
        ready: u32,
        coming: u32,
        old: u32,
        draining: u32,
        count: u32,
        waits: &'a [String],
    },
    TurnedBack {
        service: String,
        because: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        heard: Option<String>,
        last_lines: &'a [String],
    },
    Asked {
        service: String,
        wish: &'a str,
        by: &'a str,
        taken: bool,
    },
    Blind {
        error: &'a str,
    },
    Stopping,
    End {
        ended: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        commit: Option<u64>,
        took_ms: u64,
        done: Vec<String>,
        failed: Vec<FailedV1>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        paused: Vec<PausedV1>,
        skipped: Vec<SkippedV1>,
        addresses: &'a [String],
    },
}

const SUMMARY: &str = "wharf.summary/1";

#[derive(Serialize)]
struct SummaryV1<'a> {
    format: &'static str,
    at_ms: u64,
    begin: EventV1<'a>,
    end: EventV1<'a>,
}

#[derive(Serialize)]
struct FailedV1 {
    address: String,
    how: &'static str,
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

#[derive(Serialize)]
struct PausedV1 {
    address: String,
    because: &'static str,
    passed: u32,
    steps: u32,
}

#[derive(Serialize)]
struct SkippedV1 {
    address: String,
    because: String,
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn line(seq: u64, at: Timestamp, event: EventV1<'_>) -> String {
    let text = serde_json::to_string(&Line { v: 1, seq, at_ms: at.0, event });
    text.expect("strings and numbers become JSON")
}

/// The line before all others.
pub fn print_head(head: &Head<'_>, at: Timestamp) -> String {
    line(0, at, begin(head))
}

fn begin<'a>(head: &Head<'a>) -> EventV1<'a> {
    let Head { project, environment, doing, by, plan, steps } = *head;
    EventV1::Begin {
        project: project.to_string(),
        environment: environment.to_string(),
        doing,
        who: &by.who,
        commit: by.commit.as_deref(),
        run: by.run.as_deref(),
        plan: plan.to_string(),
        steps,
    }
}

/// The line of one event, the `seq`-th.
pub fn print_event(event: &Event, seq: u64, at: Timestamp) -> String {
    let event = match event {
        Event::Began { operation, address, verb, object } => EventV1::CallBegan {
            operation: operation.to_string(),
            address: address.to_string(),
            verb: verb.as_str(),
            object,
        },
        Event::Says { address, words } => EventV1::Says { address: address.to_string(), words },
        Event::Settled { operation, address, verb, object, took, error } => EventV1::CallEnded {
            operation: operation.to_string(),
            address: address.to_string(),
            verb: verb.as_str(),
            object,
            took_ms: millis(*took),
            error: error.as_ref().map(|(error, _)| error.as_str()),
            help: error.as_ref().and_then(|(_, help)| help.as_deref()),
        },
        Event::Again { address, error, after } => {
            EventV1::Again { address: address.to_string(), error, after_ms: millis(*after) }
        }
        Event::Rollout { service, tally, count, waits } => EventV1::Rollout {
            service: service.to_string(),
            ready: tally.ready,
            coming: tally.coming,
            old: tally.old,
            draining: tally.draining,
            count: *count,
            waits,
        },
        Event::TurnedBack { service, failure } => EventV1::TurnedBack {
            service: service.to_string(),
            because: failure.to_string(),
            heard: failure.answer().map(ToString::to_string),
            last_lines: failure.last_lines(),
        },
        Event::Asked { service, wish, by, taken } => {
            EventV1::Asked { service: service.to_string(), wish, by, taken: *taken }
        }
        Event::Blind { error } => EventV1::Blind { error },
        Event::Stopping => EventV1::Stopping,
    };
    line(seq, at, event)
}

/// The line behind all others.
pub fn print_tail(tail: &Tail<'_>, seq: u64, at: Timestamp) -> String {
    line(seq, at, end(tail))
}

fn end<'a>(tail: &Tail<'a>) -> EventV1<'a> {
    let Tail { summary, commit, took, addresses } = *tail;
    let failed = summary.failed.iter().map(|(address, failed)| {
        let (how, error, help) = match failed {
            Failed::Call { error, help } => ("call", error.clone(), help.clone()),
            Failed::Unknown { operation, why } => {
                ("unknown", format!("nobody can tell what became of `{operation}`: {why}"), None)
            }
            Failed::RolledBack(failure) => ("rolled-back", failure.to_string(), failure.help().map(str::to_owned)),
            Failed::Halted(failure) => ("halted", failure.to_string(), failure.help().map(str::to_owned)),
        };
        FailedV1 { address: address.to_string(), how, error, help }
    });
    let skipped = summary.skipped.iter().map(|(address, skipped)| {
        let because = match skipped {
            Skipped::Needs(other) => format!("it needs {other}, which failed"),
            Skipped::Waits(other) => format!("it needs {other}, whose rollout waits"),
            Skipped::Stopped => "asked to stop".to_owned(),
        };
        SkippedV1 { address: address.to_string(), because }
    });
    let paused = summary.resting.iter().map(|(service, rollout)| PausedV1 {
        address: Address::Service(service.clone()).to_string(),
        because: rollout.rest.map_or("asked", |rest| rest.as_str()),
        passed: rollout.passed,
        steps: rollout.steps,
    });
    EventV1::End {
        ended: match summary.ended() {
            Ended::Done => "done",
            Ended::Paused => "paused",
            Ended::Interrupted => "interrupted",
            Ended::RolledBack => "rolled-back",
            Ended::Failed => "failed",
            Ended::Halted => "halted",
        },
        commit,
        took_ms: millis(took),
        done: summary.done.iter().map(ToString::to_string).collect(),
        failed: failed.collect(),
        paused: paused.collect(),
        skipped: skipped.collect(),
        addresses,
    }
}

/// One object with all that the lines before and behind all others say: what is told to those who only want to know how
/// it ended.
pub fn print_summary(head: &Head<'_>, tail: &Tail<'_>, at: Timestamp) -> String {
    let summary = SummaryV1 { format: SUMMARY, at_ms: at.0, begin: begin(head), end: end(tail) };
    serde_json::to_string(&summary).expect("strings and numbers become JSON")
}
