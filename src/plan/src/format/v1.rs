//! Version 1 of the plan as JSON.

use crate::{Cause, Plan, Risk, Step, What, rollout::Preview};
use serde::Serialize;
use wharf_model::{Difference, Entry, Origin, Value};

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    project: &'a str,
    environment: &'a str,
    provider: &'a str,
    counts: CountsV1,
    changes: Vec<ChangeV1>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    folds: Vec<Vec<usize>>,
    notices: Vec<String>,
    operations: Vec<OperationV1>,
}

#[derive(Serialize)]
struct CountsV1 {
    create: usize,
    update: usize,
    roll: usize,
    replace: usize,
    #[serde(rename = "move")]
    moved: usize,
    adopt: usize,
    forget: usize,
    delete: usize,
    keep: usize,
}

#[derive(Serialize)]
struct ChangeV1 {
    address: String,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    because: Vec<CauseV1>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<FieldV1>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    risks: Vec<RiskV1>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<RolloutV1>,
}

#[derive(Serialize)]
struct FieldV1 {
    field: String,
    value: String,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum CauseV1 {
    Declared { at: Option<PlaceV1> },
    NotDeclared,
    Written { field: String, before: Option<String>, after: Option<String>, at: Option<PlaceV1> },
    Source { field: String, before: Option<String>, after: Option<String>, at: Option<PlaceV1> },
    Seen { field: &'static str, saw: String },
    Unfinished { why: String },
    Unused,
    Renamed { from: String, at: Option<PlaceV1> },
    Follows { address: String },
    KeptOnDelete,
}

#[derive(Serialize)]
struct PlaceV1 {
    file: String,
    line: u32,
    column: u32,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum RiskV1 {
    DataLoss { what: String },
    Replacement,
    Downtime,
    CapacityDip { lowest: u32, wanted: u32 },
}

#[derive(Serialize)]
struct RolloutV1 {
    steps: Vec<StepV1>,
    lowest_ready: u32,
    most_living: u32,
    at_least_ms: u64,
}

#[derive(Serialize)]
struct StepV1 {
    verb: &'static str,
    instances: Vec<String>,
    ready: u32,
}

#[derive(Serialize)]
struct OperationV1 {
    id: u32,
    after: Vec<u32>,
    verb: &'static str,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
}

/// The plan with its id.
pub(crate) fn print(plan: &Plan) -> String {
    text(plan, Some(plan.id().to_string()))
}

/// The plan without its id: what the id is a digest of.
pub(crate) fn body(plan: &Plan) -> String {
    text(plan, None)
}

fn text(plan: &Plan, id: Option<String>) -> String {
    let counts = plan.counts();
    let folds = plan.folds().iter().filter(|fold| fold.times() > 1);
    let document = Document {
        format: "wharf.plan/1",
        id,
        project: plan.project().as_str(),
        environment: plan.environment().as_str(),
        provider: plan.provider(),
        counts: CountsV1 {
            create: counts.create,
            update: counts.update,
            roll: counts.roll,
            replace: counts.replace,
            moved: counts.moved,
            adopt: counts.adopt,
            forget: counts.forget,
            delete: counts.delete,
            keep: plan.kept(),
        },
        changes: plan.changes().iter().map(change).collect(),
        folds: folds.map(|fold| fold.changes.clone()).collect(),
        notices: plan.notices().iter().map(ToString::to_string).collect(),
        operations: operations(plan),
    };
    serde_json::to_string_pretty(&document).expect("strings and numbers become JSON")
}

fn change(change: &crate::Change) -> ChangeV1 {
    let entries: &[Entry] = match &change.what {
        What::Create { entries, .. } => entries,
        _ => &[],
    };
    ChangeV1 {
        address: change.address.to_string(),
        action: change.what.action(),
        from: match &change.what {
            What::Replace { from, .. } => Some(from.to_string()),
            What::Move { from, .. } => Some(from.to_string()),
            _ => None,
        },
        because: change.what.causes().iter().map(cause).collect(),
        fields: entries.iter().map(field).collect(),
        risks: change.risks.iter().map(risk).collect(),
        rollout: change.what.preview().map(rollout),
    }
}

/// What a new resource will be. A secret is only named: before the first apply there is no key to digest it by, and the
/// plan of a first apply is to be the same before and after that key is made.
fn field(entry: &Entry) -> FieldV1 {
    FieldV1 { field: entry.path.to_string(), value: entry.value.to_string() }
}

fn cause(cause: &Cause) -> CauseV1 {
    match cause {
        Cause::Declared(origin) => CauseV1::Declared { at: origin.as_ref().map(place) },
        Cause::NotDeclared => CauseV1::NotDeclared,
        Cause::Written { difference, origin } => {
            let (field, before, after) = sides(difference);
            CauseV1::Written { field, before, after, at: origin.as_ref().map(place) }
        }
        Cause::Source { difference, origin } => {
            let (field, before, after) = sides(difference);
            CauseV1::Source { field, before, after, at: origin.as_ref().map(place) }
        }
        Cause::Seen { field, saw } => CauseV1::Seen { field, saw: saw.clone() },
        Cause::Unfinished(why) => CauseV1::Unfinished { why: why.clone() },
        Cause::Unused => CauseV1::Unused,
        Cause::Renamed { from, origin } => CauseV1::Renamed { from: from.to_string(), at: origin.as_ref().map(place) },
        Cause::Follows(address) => CauseV1::Follows { address: address.to_string() },
        Cause::KeptOnDelete => CauseV1::KeptOnDelete,
    }
}

fn sides(difference: &Difference) -> (String, Option<String>, Option<String>) {
    (difference.path.to_string(), difference.before.as_ref().map(value), difference.after.as_ref().map(value))
}

fn value(value: &Value) -> String {
    match value {
        Value::Secret(name, Some(digest)) => format!("(secret){name} {}", digest.short()),
        other => other.to_string(),
    }
}

fn place(origin: &Origin) -> PlaceV1 {
    PlaceV1 { file: origin.file.to_string(), line: origin.line, column: origin.column }
}

fn risk(risk: &Risk) -> RiskV1 {
    match risk {
        Risk::DataLoss { what } => RiskV1::DataLoss { what: what.clone() },
        Risk::Replacement => RiskV1::Replacement,
        Risk::Downtime => RiskV1::Downtime,
        Risk::CapacityDip { lowest, wanted } => RiskV1::CapacityDip { lowest: *lowest, wanted: *wanted },
    }
}

fn rollout(preview: &Preview) -> RolloutV1 {
    let step = |step: &crate::rollout::PreviewStep| StepV1 {
        verb: step.verb.as_str(),
        instances: step.instances.iter().map(ToString::to_string).collect(),
        ready: step.ready,
    };
    RolloutV1 {
        steps: preview.steps.iter().map(step).collect(),
        lowest_ready: preview.lowest_ready,
        most_living: preview.most_living,
        at_least_ms: u64::try_from(preview.at_least.as_millis()).unwrap_or(u64::MAX),
    }
}

fn operations(plan: &Plan) -> Vec<OperationV1> {
    let one = |(id, step): (crate::StepId, &Step)| {
        let mut after: Vec<_> = plan.operations().before(id).map(|step| step.0).collect();
        after.sort_unstable();
        let (verb, object) = match step {
            Step::Call(operation) => (operation.call.verb().as_str(), Some(operation.call.object())),
            Step::Rollout(_) => ("rollout", None),
            Step::Note(..) => ("record", None),
        };
        OperationV1 { id: id.0, after, verb, address: step.address().to_string(), object }
    };
    plan.operations().steps().map(one).collect()
}
