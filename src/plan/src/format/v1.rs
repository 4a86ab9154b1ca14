//! Version 1 of the plan as JSON: what `docs/plan-format.md` describes and its schema checks.

use crate::{
    Cause, Fields, LeftOut, Plan, Risk, Selection, Step, Verdict, What, WhyLeftOut,
    facts::{Facts, shown},
    rollout::Preview,
};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};
use wharf_model::{Difference, Entry, Fingerprint, Origin, PlanId};

/// The format that this module reads and writes.
pub(crate) const FORMAT: &str = "wharf.plan/1";

type Word = Cow<'static, str>;

/// A plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    pub(crate) format: Word,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    pub(crate) project: String,
    pub(crate) environment: String,
    pub(crate) provider: Word,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) files: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    selection: Option<SelectionV1>,
    counts: CountsV1,
    pub(crate) changes: Vec<ChangeV1>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    folds: Vec<Vec<usize>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<LeftOutV1>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    verdicts: Vec<VerdictV1>,
    notices: Vec<String>,
    pub(crate) operations: Vec<OperationV1>,
    pub(crate) facts: BTreeMap<String, FactsV1>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SelectionV1 {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    only: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    except: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeftOutV1 {
    address: String,
    action: Word,
    why: Word,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    needs: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VerdictV1 {
    policy: String,
    rule: String,
    at: Option<PlaceV1>,
    ruling: Word,
    says: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<PlaceV1>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeV1 {
    pub(crate) address: String,
    action: Word,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    because: Vec<CauseV1>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fields: Vec<FieldV1>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    risks: Vec<RiskV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rollout: Option<RolloutV1>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldV1 {
    field: String,
    value: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum CauseV1 {
    Declared { at: Option<PlaceV1> },
    NotDeclared,
    Written { field: String, before: Option<String>, after: Option<String>, at: Option<PlaceV1> },
    Source { field: String, before: Option<String>, after: Option<String>, at: Option<PlaceV1> },
    Seen { field: Word, saw: String },
    Unfinished { why: String },
    Unused,
    Renamed { from: String, at: Option<PlaceV1> },
    Follows { address: String },
    KeptOnDelete,
    Asked,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceV1 {
    file: String,
    line: u32,
    column: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum RiskV1 {
    DataLoss { what: String },
    Replacement,
    Downtime,
    CapacityDip { lowest: u32, wanted: u32 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RolloutV1 {
    steps: Vec<StepV1>,
    lowest_ready: u32,
    most_living: u32,
    at_least_ms: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pace: Vec<PaceStepV1>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PaceStepV1 {
    share: u32,
    hold_ms: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    gate: String,
    #[serde(default, skip_serializing_if = "is_none")]
    warm: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rest: Option<Word>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it like this")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepV1 {
    verb: Word,
    instances: Vec<String>,
    ready: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OperationV1 {
    id: u32,
    pub(crate) after: Vec<u32>,
    pub(crate) verb: Word,
    pub(crate) address: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) object: Option<String>,
    pub(crate) digest: String,
    pub(crate) relies_on: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FactsV1 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) recorded: Option<Fields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) observed: Option<Fields>,
}

/// The plan with its id.
pub(crate) fn print(plan: &Plan) -> String {
    let mut document = document(plan);
    document.id = Some(document.id().to_string());
    document.files = plan.files().iter().map(|(name, digest)| (name.to_string(), digest.to_string())).collect();
    document.text()
}

/// The plan's id: a digest of all that it says, but of the files that it was made from.
pub(crate) fn id(plan: &Plan) -> PlanId {
    document(plan).id()
}

/// Reads a plan as [`print`] writes it.
pub(crate) fn read(text: &str) -> Result<Document, serde_json::Error> {
    serde_json::from_str(text)
}

impl Document {
    /// The id that belongs to what a document says that was read.
    pub(crate) fn own_id(&self) -> PlanId {
        Self { id: None, files: BTreeMap::new(), ..self.clone() }.id()
    }

    /// The id of a document without an id and files.
    fn id(&self) -> PlanId {
        let digest = Fingerprint::of([self.text().as_bytes()]);
        PlanId(digest.to_string()[..16].into())
    }

    fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings and numbers become JSON")
    }
}

fn document(plan: &Plan) -> Document {
    let counts = plan.counts();
    let folds = plan.folds().iter().filter(|fold| fold.times() > 1);
    Document {
        format: FORMAT.into(),
        id: None,
        project: plan.project().to_string(),
        environment: plan.environment().to_string(),
        provider: plan.provider().into(),
        files: BTreeMap::new(),
        selection: (!plan.selection().is_all()).then(|| selection(plan.selection())),
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
        left_out: plan.left_out().iter().map(left_out).collect(),
        verdicts: plan.verdicts().iter().map(verdict).collect(),
        notices: plan.notices().iter().map(ToString::to_string).collect(),
        operations: operations(plan),
        facts: plan.facts().map(|(address, facts)| (address.to_string(), facts_v1(facts))).collect(),
    }
}

fn selection(selection: &Selection) -> SelectionV1 {
    let Selection { only, except } = selection;
    SelectionV1 {
        only: only.iter().map(ToString::to_string).collect(),
        except: except.iter().map(ToString::to_string).collect(),
    }
}

fn left_out(left: &LeftOut) -> LeftOutV1 {
    let (why, needs) = match &left.why {
        WhyLeftOut::NotSelected => ("not-selected", None),
        WhyLeftOut::Excepted => ("excepted", None),
        WhyLeftOut::Needs(address) => ("needs", Some(address.to_string())),
    };
    LeftOutV1 { address: left.address.to_string(), action: left.action.into(), why: why.into(), needs }
}

fn verdict(verdict: &Verdict) -> VerdictV1 {
    let Verdict { policy, rule, origin, ruling, change, cause, says } = verdict;
    VerdictV1 {
        policy: policy.to_string(),
        rule: rule.clone(),
        at: origin.as_ref().map(place),
        ruling: ruling.as_str().into(),
        says: says.clone(),
        change: change.as_ref().map(ToString::to_string),
        cause: cause.as_ref().map(place),
    }
}

fn facts_v1(facts: &Facts) -> FactsV1 {
    FactsV1 { recorded: facts.recorded.clone(), observed: facts.observed.clone() }
}

fn change(change: &crate::Change) -> ChangeV1 {
    let entries: &[Entry] = match &change.what {
        What::Create { entries, .. } => entries,
        _ => &[],
    };
    ChangeV1 {
        address: change.address.to_string(),
        action: change.what.action().into(),
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
        Cause::Seen { field, saw } => CauseV1::Seen { field: (*field).into(), saw: saw.clone() },
        Cause::Unfinished(why) => CauseV1::Unfinished { why: why.clone() },
        Cause::Unused => CauseV1::Unused,
        Cause::Renamed { from, origin } => CauseV1::Renamed { from: from.to_string(), at: origin.as_ref().map(place) },
        Cause::Follows(address) => CauseV1::Follows { address: address.to_string() },
        Cause::KeptOnDelete => CauseV1::KeptOnDelete,
        Cause::Asked => CauseV1::Asked,
    }
}

fn sides(difference: &Difference) -> (String, Option<String>, Option<String>) {
    (difference.path.to_string(), difference.before.as_ref().map(shown), difference.after.as_ref().map(shown))
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
        verb: step.verb.as_str().into(),
        instances: step.instances.iter().map(ToString::to_string).collect(),
        ready: step.ready,
    };
    let millis = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let pace = |step: &crate::rollout::PaceStep| PaceStepV1 {
        share: step.share,
        hold_ms: millis(step.hold),
        gate: step.gate.to_string(),
        warm: step.warm,
        rest: step.rest.map(|rest| rest.as_str().into()),
    };
    RolloutV1 {
        steps: preview.steps.iter().map(step).collect(),
        lowest_ready: preview.lowest_ready,
        most_living: preview.most_living,
        at_least_ms: millis(preview.at_least),
        pace: preview.pace.iter().map(pace).collect(),
    }
}

fn operations(plan: &Plan) -> Vec<OperationV1> {
    plan.operations().steps().map(|(id, step)| operation(plan, id, step)).collect()
}

/// One step as it is written down.
pub(crate) fn operation(plan: &Plan, id: crate::StepId, step: &Step) -> OperationV1 {
    let mut after: Vec<_> = plan.operations().before(id).map(|step| step.0).collect();
    after.sort_unstable();
    let (verb, object) = match step {
        Step::Call(operation) => (operation.call.verb().as_str(), Some(operation.call.object())),
        Step::Rollout(_) => ("rollout", None),
        Step::Note(..) => ("record", None),
    };
    OperationV1 {
        id: id.0,
        after,
        verb: verb.into(),
        address: step.address().to_string(),
        object,
        digest: step.digest(plan.wanted(), plan.keyed).to_string(),
        relies_on: plan.relies_on(id).iter().map(ToString::to_string).collect(),
    }
}
