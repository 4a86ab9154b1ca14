//! Plans that were saved: read back, and held against what is there now.
//!
//! A saved plan is never carried out from its file. It is found again in a plan that is made now, from the same files:
//! each operation with the same digest, resting on the same facts. What else there would be to do now is left alone; when
//! one operation is not found, or a fact has changed, nothing is done at all.

use crate::{
    Fields, Input, Plan, StepId,
    facts::{facts, wanted},
    format::v1::{self, Document, FORMAT, FactsV1, OperationV1},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};
use wharf_model::{Address, Fingerprint, PlanId};

/// A plan that was saved.
#[derive(Debug, Clone)]
pub struct SavedPlan {
    id: PlanId,
    document: Document,
}

/// Why a text is no saved plan.
#[derive(Debug, thiserror::Error)]
pub enum SavedPlanError {
    /// Another kind of file, or one that was cut.
    #[error("it is no plan of format {FORMAT}")]
    Shape(#[source] serde_json::Error),
    /// Another version.
    #[error("it has format {found}; this build reads {FORMAT}")]
    Format {
        /// The one that it has.
        found: String,
    },
    /// What it says is not what its id stands for.
    #[error("it says that it is plan {said}, but its contents are those of plan {found}: somebody changed it")]
    Changed {
        /// The id in the file.
        said: String,
        /// The id of what the file says.
        found: PlanId,
    },
}

/// Why a saved plan cannot be carried out: what it rests on is not so any more. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale(pub Vec<StaleReason>);

/// One thing that is not as the plan says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StaleReason {
    /// It was made for another project, environment or runtime.
    Elsewhere {
        /// What it was made for.
        then: String,
        /// What it would be used for.
        now: String,
    },
    /// One of the project's files was changed, or came, or went.
    File {
        /// Which.
        name: String,
        /// What became of it.
        became: Became,
    },
    /// Something that was recorded or observed is otherwise.
    Fact {
        /// Of which resource.
        address: String,
        /// Who says so.
        side: Side,
        /// Which field; none when the resource as a whole came or went.
        field: Option<String>,
        /// What it was when the plan was made.
        then: Option<String>,
        /// What it is now.
        now: Option<String>,
        /// What the files ask for.
        wanted: Option<String>,
    },
    /// An operation would not be done now, or not like that, although all that it rests on is as it was.
    Otherwise {
        /// Which.
        operation: String,
    },
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Became {
    /// It says something else.
    Changed,
    /// It was not there.
    Added,
    /// It is gone.
    Removed,
}

/// Who says a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The record.
    Recorded,
    /// The platform.
    Observed,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recorded => "recorded",
            Self::Observed => "observed",
        })
    }
}

impl SavedPlan {
    /// Reads a plan that was saved.
    ///
    /// # Errors
    /// When the text is no plan, of another version, or was changed after it was saved.
    pub fn read(text: &str) -> Result<Self, SavedPlanError> {
        let format = serde_json::from_str::<Header>(text).map_err(SavedPlanError::Shape)?.format;
        if format != FORMAT {
            return Err(SavedPlanError::Format { found: format });
        }
        let document = v1::read(text).map_err(SavedPlanError::Shape)?;
        let id = document.own_id();
        let said = document.id.clone().unwrap_or_default();
        if said != id.to_string() {
            return Err(SavedPlanError::Changed { said, found: id });
        }
        Ok(Self { id, document })
    }

    /// Its id.
    pub fn id(&self) -> &PlanId {
        &self.id
    }

    /// Finds the saved plan in `fresh`, which was made now from `input` and `files`. The plan that comes out does what the
    /// saved one says, and nothing beside it.
    ///
    /// # Errors
    /// Everything that it rests on and that is not so any more.
    pub fn find_in(&self, fresh: Plan, input: &Input) -> Result<Plan, Stale> {
        let mut reasons = self.elsewhere(&fresh);
        if reasons.is_empty() {
            reasons = self.files_changed(&fresh);
        }
        if reasons.is_empty() {
            reasons = self.facts_changed(&fresh, input);
        }
        if !reasons.is_empty() {
            return Err(Stale(reasons));
        }
        let kept = self.operations(&fresh)?;
        let (plan, _) = fresh.part(&kept);
        Ok(Plan { reviewed: Some(self.id.clone()), ..plan })
    }

    fn elsewhere(&self, fresh: &Plan) -> Vec<StaleReason> {
        let Document { project, environment, provider, .. } = &self.document;
        let then = format!("{project} in {environment} ({provider})");
        let now = format!("{} in {} ({})", fresh.project(), fresh.environment(), fresh.provider());
        if then == now { Vec::new() } else { vec![StaleReason::Elsewhere { then, now }] }
    }

    fn files_changed(&self, fresh: &Plan) -> Vec<StaleReason> {
        let then = &self.document.files;
        let now: BTreeMap<String, String> =
            fresh.files().iter().map(|(name, digest)| (name.to_string(), digest.to_string())).collect();
        let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
        let became = |name: &&String| match (then.get(*name), now.get(*name)) {
            (Some(then), Some(now)) if then == now => None,
            (Some(_), Some(_)) => Some(Became::Changed),
            (None, _) => Some(Became::Added),
            (_, None) => Some(Became::Removed),
        };
        let changed = names.iter().filter_map(|name| Some((*name, became(name)?)));
        changed.map(|(name, became)| StaleReason::File { name: name.clone(), became }).collect()
    }

    fn facts_changed(&self, fresh: &Plan, input: &Input) -> Vec<StaleReason> {
        let mut reasons = Vec::new();
        for (text, then) in &self.document.facts {
            let Ok(address) = text.parse::<Address>() else {
                reasons.push(StaleReason::Otherwise { operation: text.clone() });
                continue;
            };
            let now = facts(input, &address);
            let FactsV1 { recorded, observed } = then;
            if *recorded == now.recorded && *observed == now.observed {
                continue;
            }
            let wanted = wanted(input, fresh, &address).unwrap_or_default();
            differ(&mut reasons, text, Side::Recorded, (recorded, &now.recorded), &wanted);
            differ(&mut reasons, text, Side::Observed, (observed, &now.observed), &wanted);
        }
        reasons
    }

    /// The steps of `fresh` that the saved operations are.
    fn operations(&self, fresh: &Plan) -> Result<BTreeSet<StepId>, Stale> {
        let mut known: BTreeMap<_, Vec<StepId>> = BTreeMap::new();
        for (id, step) in fresh.operations().steps() {
            known.entry(key(&v1::operation(fresh, id, step))).or_default().push(id);
        }
        let (mut kept, mut missing) = (BTreeSet::new(), Vec::new());
        for operation in &self.document.operations {
            match known.get_mut(&key(operation)).and_then(Vec::pop) {
                Some(id) => drop(kept.insert(id)),
                None => missing.push(StaleReason::Otherwise { operation: name(operation) }),
            }
        }
        // What a step waits for now must be something that was reviewed with it.
        for id in &kept {
            let unreviewed = fresh.operations().before(*id).filter(|before| !kept.contains(before));
            for step in unreviewed.filter_map(|before| fresh.operations().step(before)) {
                missing.push(StaleReason::Otherwise { operation: format!("what comes before it: {}", step.address()) });
            }
        }
        if missing.is_empty() { Ok(kept) } else { Err(Stale(missing)) }
    }
}

/// The beginning of every version.
#[derive(serde::Deserialize)]
struct Header {
    format: String,
}

fn key(operation: &OperationV1) -> (String, String, String) {
    (operation.verb.to_string(), operation.address.clone(), operation.digest.clone())
}

fn name(operation: &OperationV1) -> String {
    match &operation.object {
        Some(object) => format!("{} {object}", operation.verb),
        None => format!("{} {}", operation.verb, operation.address),
    }
}

/// Tells every field in which the two differ.
fn differ(
    reasons: &mut Vec<StaleReason>,
    address: &str,
    side: Side,
    (then, now): (&Option<Fields>, &Option<Fields>),
    wanted: &Fields,
) {
    let mut tell = |field: Option<String>, then: Option<String>, now: Option<String>| {
        let wanted = field.as_ref().and_then(|field| wanted.get(field)).cloned();
        reasons.push(StaleReason::Fact { address: address.to_owned(), side, field, then, now, wanted });
    };
    match (then, now) {
        (Some(then), Some(now)) => {
            let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
            for field in names.into_iter().filter(|field| then.get(*field) != now.get(*field)) {
                tell(Some(field.clone()), then.get(field).cloned(), now.get(field).cloned());
            }
        }
        (None, None) => {}
        (Some(_), None) => tell(None, Some("there".to_owned()), None),
        (None, Some(_)) => tell(None, None, Some("there".to_owned())),
    }
}

/// Digests of the texts that a project is made of, by name.
pub type Files = BTreeMap<std::sync::Arc<str>, Fingerprint>;
