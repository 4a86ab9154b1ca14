//! Changes that are the same but for the names: a reader need look at one of them only.
//!
//! Same is what is done and why; not where in the files that is written, which every change keeps for itself.

use crate::{
    Cause, Change, What,
    rollout::{PaceStep, Preview},
};
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    mem::discriminant,
};
use wharf_model::{Address, Difference, Entry, RevisionNumber, Value};

/// A row of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// The changes, by their places in [`Plan::changes`](crate::Plan::changes); in order, and never none.
    pub changes: Vec<usize>,
}

impl Fold {
    /// How many changes it stands for.
    pub fn times(&self) -> usize {
        self.changes.len()
    }
}

/// Folds the changes. Takes time and memory in proportion to their number.
pub(crate) fn fold(changes: &[Change]) -> Vec<Fold> {
    let mut folds: Vec<Fold> = Vec::new();
    let mut known: HashMap<u64, Vec<usize>> = HashMap::new();
    for (at, change) in changes.iter().enumerate() {
        let alike = known.entry(hash(change)).or_default();
        match alike.iter().find(|fold| says_the_same(&changes[folds[**fold].changes[0]], change)) {
            Some(fold) => folds[*fold].changes.push(at),
            None => {
                alike.push(folds.len());
                folds.push(Fold { changes: vec![at] });
            }
        }
    }
    folds
}

fn says_the_same(one: &Change, two: &Change) -> bool {
    discriminant(&one.address) == discriminant(&two.address)
        && one.risks == two.risks
        && said(&one.what) == said(&two.what)
}

/// What two changes must have in common. Changes with another say never meet a comparison, as a rule.
fn hash(change: &Change) -> u64 {
    let mut hasher = DefaultHasher::new();
    discriminant(&change.address).hash(&mut hasher);
    change.what.action().hash(&mut hasher);
    for difference in change.what.causes().iter().filter_map(difference) {
        difference.path.hash(&mut hasher);
        for side in [&difference.before, &difference.after].into_iter().flatten() {
            hash_value(side, &mut hasher);
        }
    }
    // New things differ in their fields alone, and there may be very many of them.
    if let What::Create { entries, .. } = &change.what {
        for entry in entries {
            entry.path.hash(&mut hasher);
            hash_value(&entry.value, &mut hasher);
        }
    }
    hasher.finish()
}

/// Values that are equal hash alike.
fn hash_value(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Text(text) | Value::Lines(text) => text.hash(hasher),
        Value::Secret(name, _) => name.hash(hasher),
        Value::Content(digest) => digest.hash(hasher),
    }
}

fn difference(cause: &Cause) -> Option<&Difference> {
    match cause {
        Cause::Written { difference, .. } | Cause::Source { difference, .. } => Some(difference),
        _ => None,
    }
}

/// A change without names and places.
#[derive(PartialEq)]
struct Said<'a> {
    action: &'static str,
    because: Vec<Why<'a>>,
    entries: &'a [Entry],
    revisions: Option<(RevisionNumber, RevisionNumber)>,
    in_place: bool,
    preview: Option<Shape<'a>>,
}

#[derive(PartialEq)]
enum Why<'a> {
    Kind(std::mem::Discriminant<Cause>),
    Differs(&'a Difference),
    Seen(&'static str, &'a str),
    Unfinished(&'a str),
    Follows(&'a Address),
}

/// The steps of a rollout without names, and its pace.
type Shape<'a> = (Vec<(&'static str, usize, u32)>, &'a [PaceStep]);

fn shape(preview: &Preview) -> Shape<'_> {
    let steps = preview.steps.iter().map(|step| (step.verb.as_str(), step.instances.len(), step.ready));
    (steps.collect(), preview.pace.as_slice())
}

fn said(what: &What) -> Said<'_> {
    Said {
        action: what.action(),
        because: what.causes().iter().map(why).collect(),
        entries: match what {
            What::Create { entries, .. } => entries,
            _ => &[],
        },
        revisions: match what {
            What::Roll { from, to, .. } => Some((*from, *to)),
            _ => None,
        },
        in_place: matches!(what, What::Move { in_place: true, .. }),
        preview: what.preview().map(shape),
    }
}

fn why(cause: &Cause) -> Why<'_> {
    match cause {
        Cause::Written { difference, .. } | Cause::Source { difference, .. } => Why::Differs(difference),
        Cause::Seen { field, saw } => Why::Seen(field, saw),
        Cause::Unfinished(words) => Why::Unfinished(words),
        Cause::Follows(address) => Why::Follows(address),
        Cause::Declared(_)
        | Cause::NotDeclared
        | Cause::Unused
        | Cause::Renamed { .. }
        | Cause::KeptOnDelete
        | Cause::Asked => Why::Kind(discriminant(cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_model::{Field, FieldPath, Origin};

    fn update(address: &str, after: &str, line: u32) -> Change {
        let value = |text: &str| Some(Value::Text(text.to_owned()));
        let path = FieldPath::of(Field::Timeout);
        let difference = Difference { path, before: value("5s"), after: value(after) };
        let origin = Some(Origin { file: "a.kdl".into(), line, column: 1 });
        let because = vec![Cause::Written { difference, origin }];
        Change { address: address.parse().unwrap(), what: What::Update { because, preview: None }, risks: Vec::new() }
    }

    fn check(changes: &[Change], expected: &[&[usize]]) {
        let folds = fold(changes);
        assert_eq!(folds.iter().map(|fold| fold.changes.as_slice()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_same_wherever_it_is_written_and_whoever_stands_between() {
        check(
            &[update("service.a", "9s", 1), update("service.b", "8s", 2), update("service.c", "9s", 3)],
            &[&[0, 2], &[1]],
        );
    }

    #[test]
    fn another_kind_or_another_risk_is_another_row() {
        let mut risky = update("service.c", "9s", 1);
        risky.risks.push(crate::Risk::Downtime);
        check(&[update("service.a", "9s", 1), update("route.g/a", "9s", 1), risky], &[&[0], &[1], &[2]]);
    }
}
