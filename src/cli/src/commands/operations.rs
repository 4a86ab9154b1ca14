//! `wharf log --operations`: what the journals tell, apply by apply. Holds only what can look.

use crate::{
    arguments::{Format, Shared, Since},
    exit::Exit,
    fault::Ends,
    out,
    project::{Project, Secrets, Told},
    site,
};
use wharf_report::{OperationEntry, OperationOutcome, OperationsOf, operations, operations_json};
use wharf_store::{Logged, Verdict};

pub(super) fn run(shared: &Shared, limit: usize, since: Option<Since>, format: Format) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    let reader = site::record(&project)?;
    // The calls that led to a commit stand behind the one before.
    let behind = match since {
        Some(Since::Commit(serial)) => serial.saturating_sub(1),
        Some(Since::Span(_)) | None => 0,
    };
    let mut logged = reader.operations(behind)?;
    if let Some(Since::Span(span)) = since {
        let now = site::now();
        logged.retain(|one| one.at.is_some_and(|at| now.since(at) <= span));
    }
    let newest = reader.serials()?.last().copied().unwrap_or(0);
    let mut applies = by_apply(logged, newest);
    applies.reverse();
    applies.truncate(limit);
    match format {
        Format::Human if applies.is_empty() => out::note("No call was made."),
        Format::Human => out::result(operations(&applies, out::width())),
        Format::Json => out::result(format_args!("{:#}\n", operations_json(&applies))),
    }
    Ok(Exit::Done)
}

/// The calls, together with the others of the same apply.
fn by_apply(logged: Vec<Logged>, newest: u64) -> Vec<OperationsOf> {
    let mut applies: Vec<OperationsOf> = Vec::new();
    let mut last = None;
    for one in logged {
        let apply = (one.behind, one.by.clone(), one.plan.clone());
        if last.as_ref() != Some(&apply) {
            let by = one.by;
            let serial = one.behind + 1;
            let (committed, calls) = (serial <= newest, Vec::new());
            let (who, commit, run, plan) = (by.who, by.commit, by.run, one.plan);
            applies.push(OperationsOf { serial, committed, who, commit, run, plan, calls });
            last = Some(apply);
        }
        let outcome = match one.verdict {
            Verdict::Done => OperationOutcome::Done,
            Verdict::Failed(error) => OperationOutcome::Failed(error),
            Verdict::Open => OperationOutcome::Open,
        };
        let call = OperationEntry { intent: one.intent, at: one.at, ended: one.ended, outcome };
        if let Some(apply) = applies.last_mut() {
            apply.calls.push(call);
        }
    }
    applies
}
