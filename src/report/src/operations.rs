//! The log of calls as people and programs read it: who made which, when, from where, and what came of it.

use crate::text::{bad, bold, dim, duration, good, pad, tame, warn, width, wrap};
use serde_json::{Value as Json, json};
use std::{fmt::Write, time::Duration};
use wharf_model::{Address, Intent, PlanId, Timestamp};

/// The calls of one apply.
#[derive(Debug, Clone)]
pub struct OperationsOf {
    /// The number of the commit that it led to, or would have.
    pub serial: u64,
    /// Whether that commit is there.
    pub committed: bool,
    /// The user and host.
    pub who: String,
    /// The commit of the project's files.
    pub commit: Option<String>,
    /// The run of the pipeline, by its address or number.
    pub run: Option<String>,
    /// Its plan.
    pub plan: PlanId,
    /// Its calls, in the order in which they were begun.
    pub calls: Vec<OperationEntry>,
}

/// One call.
#[derive(Debug, Clone)]
pub struct OperationEntry {
    /// The call.
    pub intent: Intent,
    /// When it was about to be made.
    pub at: Option<Timestamp>,
    /// When its outcome was known.
    pub ended: Option<Timestamp>,
    /// What came of it.
    pub outcome: OperationOutcome,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationOutcome {
    /// It was made.
    Done,
    /// It failed, or was found not to have been made.
    Failed(String),
    /// Nobody has written that down.
    Open,
}

impl OperationEntry {
    fn took(&self) -> Option<Duration> {
        Some(self.ended?.since(self.at?))
    }
}

/// The calls on a terminal, the newest apply first.
pub fn operations(applies: &[OperationsOf], columns: usize) -> String {
    let mut out = String::new();
    for apply in applies {
        let _ = writeln!(out, "{}", head(apply));
        if let Some(origin) = origin(apply) {
            let _ = writeln!(out, "{}", wrap(&dim(origin), columns, 4, 4));
        }
        let rows: Vec<_> = apply.calls.iter().map(verdict).collect();
        let room = rows.iter().map(|verdict| width(verdict)).max().unwrap_or(0);
        for (call, verdict) in apply.calls.iter().zip(&rows) {
            let at = call.at.map_or(" ".repeat(20), |at| at.to_string());
            let _ = writeln!(out, "    {}  {}  {}", dim(at), pad(verdict, room), tame(&name(&call.intent)));
            if let OperationOutcome::Failed(error) = &call.outcome {
                let _ = writeln!(out, "        {}", tame(error));
            }
        }
    }
    out
}

fn head(apply: &OperationsOf) -> String {
    let serial = bold(format!("@{}", apply.serial));
    let plan = if apply.plan.0.is_empty() { String::new() } else { format!("plan {}", apply.plan) };
    let uncommitted = if apply.committed { String::new() } else { warn("not committed") };
    let parts = [serial, tame(&apply.who), plan, uncommitted];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
}

fn origin(apply: &OperationsOf) -> Option<String> {
    let commit = apply.commit.as_ref().map(|commit| format!("from {}", tame(commit)));
    let run = apply.run.as_ref().map(|run| format!("by {}", tame(run)));
    let known: Vec<_> = commit.into_iter().chain(run).collect();
    (!known.is_empty()).then(|| known.join(" "))
}

fn verdict(call: &OperationEntry) -> String {
    // What is shorter than can be shown took some time nevertheless.
    let took = call.took().map(|took| duration(took.max(Duration::from_millis(1))));
    let with = |word: &str, joint: &str| took.as_ref().map_or(word.to_owned(), |took| format!("{word} {joint} {took}"));
    match &call.outcome {
        OperationOutcome::Done => good(with("done", "in")),
        OperationOutcome::Failed(_) => bad(with("failed", "after")),
        OperationOutcome::Open => warn("open"),
    }
}

/// What is done, to what; the object where it says more than the address.
fn name(intent: &Intent) -> String {
    match &intent.address {
        Address::Instance(..) => format!("{} {}", intent.verb, intent.object),
        address => format!("{} {address}", intent.verb),
    }
}

/// The calls for programs, the newest apply first.
pub fn operations_json(applies: &[OperationsOf]) -> Json {
    let call = |apply: &OperationsOf, call: &OperationEntry| {
        let (outcome, error) = match &call.outcome {
            OperationOutcome::Done => ("done", None),
            OperationOutcome::Failed(error) => ("failed", Some(error)),
            OperationOutcome::Open => ("open", None),
        };
        json!({
            "serial": apply.serial,
            "committed": apply.committed,
            "who": apply.who,
            "commit": apply.commit,
            "run": apply.run,
            "plan": (!apply.plan.0.is_empty()).then(|| apply.plan.to_string()),
            "operation": call.intent.operation.to_string(),
            "verb": call.intent.verb.as_str(),
            "address": call.intent.address.to_string(),
            "object": call.intent.object,
            "at_ms": call.at.map(|at| at.0),
            "took_ms": call.took().map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
            "outcome": outcome,
            "error": error,
        })
    };
    let calls: Vec<_> = applies.iter().flat_map(|apply| apply.calls.iter().map(move |one| call(apply, one))).collect();
    json!({ "format": "wharf.operations/1", "operations": calls })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_model::{IntentId, OperationId, Verb};

    fn applies() -> Vec<OperationsOf> {
        let call = |verb: Verb, address: &str, object: &str, ended, outcome| OperationEntry {
            intent: Intent {
                id: IntentId(1),
                operation: OperationId(format!("{verb} {address} {object}").into()),
                address: address.parse().unwrap(),
                verb,
                object: object.to_owned(),
                revision: None,
            },
            at: Some(Timestamp(1_000)),
            ended,
            outcome,
        };
        let refused = OperationOutcome::Failed("the platform\u{1b}[2J has no room".to_owned());
        vec![OperationsOf {
            serial: 4,
            committed: false,
            who: "ann@desk".to_owned(),
            commit: Some("1c9d0f2e".to_owned()),
            run: Some("https://ci.example.com/shop/jobs/4711".to_owned()),
            plan: PlanId("0123456789abcdef".into()),
            calls: vec![
                call(Verb::Put, "gateway.public", "public", Some(Timestamp(1_000)), OperationOutcome::Done),
                call(Verb::Start, "instance.hello[0]", "hello-0-g1", Some(Timestamp(3_500)), refused),
                call(Verb::Stop, "instance.hello[1]", "hello-1-g1", None, OperationOutcome::Open),
            ],
        }]
    }

    #[test]
    fn every_call_is_told_with_who_made_it_and_what_came_of_it() {
        let told = crate::text::plain(&operations(&applies(), 60));
        assert_eq!(
            told,
            "\
@4  ann@desk  plan 0123456789abcdef  not committed
    from 1c9d0f2e by https://ci.example.com/shop/jobs/4711
    1970-01-01T00:00:01Z  done in 0.0s       put gateway.public
    1970-01-01T00:00:01Z  failed after 2.5s  start hello-0-g1
        the platform\u{fffd}[2J has no room
    1970-01-01T00:00:01Z  open               stop hello-1-g1
"
        );
    }

    #[test]
    fn programs_are_told_the_same() {
        let Json::Object(told) = operations_json(&applies()) else { panic!("an object") };
        assert_eq!(told["format"], "wharf.operations/1");
        let call = &told["operations"][1];
        assert_eq!((&call["serial"], &call["committed"]), (&json!(4), &json!(false)));
        assert_eq!((&call["who"], &call["commit"]), (&json!("ann@desk"), &json!("1c9d0f2e")));
        assert_eq!(call["operation"], "start instance.hello[0] hello-0-g1");
        assert_eq!(
            (&call["at_ms"], &call["took_ms"], &call["outcome"]),
            (&json!(1_000), &json!(2_500), &json!("failed"))
        );
        assert!(told["operations"][2]["took_ms"].is_null());
    }
}
