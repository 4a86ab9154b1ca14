//! One change as people read it. What it says is kept apart from whom it says it of, so that equal changes are found by
//! comparing what they say.

use super::{
    Action, Level, TextLine, differ,
    rollout::{Instances, Rollout},
    words,
};
use crate::text::tame;
use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
};
use wharf_model::{Address, Difference, Entry, InstanceId, Origin, ServiceName, Value};
use wharf_plan::{Cause, Change, RolloutStep, What};

/// One change, or several of instances that say the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    pub(crate) said: Said,
    /// The instances, by slot, with the generation where it is known; empty when it is of none.
    pub(crate) instances: Vec<(u32, Option<u32>)>,
}

/// What a change says, whoever it is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Said {
    pub(crate) subject: Subject,
    pub(crate) action: Action,
    /// The revisions of a roll.
    pub(crate) revisions: Option<String>,
    pub(crate) lines: Vec<Line>,
    pub(crate) rollout: Option<Rollout>,
    pub(crate) risks: Vec<(Level, String)>,
    level: Level,
}

/// What a change is of, seen from the service that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject {
    Service,
    Instances,
    Packages,
    Mount(String),
    Route(String),
    /// Of no service; which kind of thing.
    Other(String),
}

/// One line below a change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Line {
    /// What a field of something new will be.
    Value { path: String, value: String },
    /// A reason in words.
    Because { words: String, place: Place },
    /// A field with another value.
    Change { path: String, before: Option<String>, after: Option<String>, note: &'static str, place: Place },
    /// A text of several lines with others.
    Text { path: String, lines: Vec<TextLine>, place: Place },
    /// A secret with another value, which nobody is told.
    Secret { path: String, name: String, place: Place },
}

impl Line {
    /// The field, where it is of one.
    pub(crate) fn path(&self) -> Option<&str> {
        match self {
            Self::Value { path, .. }
            | Self::Change { path, .. }
            | Self::Text { path, .. }
            | Self::Secret { path, .. } => Some(path),
            Self::Because { .. } => None,
        }
    }

    fn place(&self) -> Option<&Place> {
        match self {
            Self::Value { .. } => None,
            Self::Because { place, .. }
            | Self::Change { place, .. }
            | Self::Text { place, .. }
            | Self::Secret { place, .. } => Some(place),
        }
    }

    fn place_mut(&mut self) -> Option<&mut Place> {
        match self {
            Self::Value { .. } => None,
            Self::Because { place, .. }
            | Self::Change { place, .. }
            | Self::Text { place, .. }
            | Self::Secret { place, .. } => Some(place),
        }
    }
}

/// Where something is written. Changes that differ in this alone say the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    first: Option<String>,
    others: bool,
}

impl Place {
    fn of(origin: Option<&Origin>) -> Self {
        Self { first: origin.map(|origin| tame(&origin.to_string())), others: false }
    }

    /// As the end of a sentence: `wharf.kdl:3`, or `wharf.kdl:3 and elsewhere` when others say the same there.
    pub(crate) fn told(&self) -> Option<String> {
        let first = self.first.as_ref()?;
        Some(if self.others { format!("{first} and elsewhere") } else { first.clone() })
    }
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

impl Hash for Place {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Row {
    /// How many changes it stands for.
    pub(crate) fn times(&self) -> usize {
        self.instances.len().max(1)
    }

    /// The worst that it can do.
    pub(crate) fn level(&self) -> Level {
        self.said.level
    }

    /// The address of what changes, for a group of this name.
    pub(crate) fn address(&self, group: &str) -> String {
        let service = group.strip_prefix("service.").unwrap_or(group);
        match &self.said.subject {
            Subject::Service | Subject::Other(_) => group.to_owned(),
            Subject::Packages => format!("packages.{service}"),
            Subject::Mount(path) => format!("mount.{service}:{path}"),
            Subject::Route(gateway) => format!("route.{gateway}/{service}"),
            Subject::Instances => {
                format!("instance.{service}[{}]", ranges(self.instances.iter().map(|(slot, _)| *slot)))
            }
        }
    }

    /// What stands beside the action: revisions, or the incarnations that go.
    pub(crate) fn more(&self, group: &str) -> Option<String> {
        if self.said.revisions.is_some() {
            return self.said.revisions.clone();
        }
        let service = group.strip_prefix("service.").unwrap_or(group);
        let known: Option<Vec<_>> =
            self.instances.iter().map(|(slot, generation)| Some((*slot, (*generation)?))).collect();
        Instances::of(&known?).map(|instances| instances.name(service))
    }

    /// Puts what a change says to the rows of its group. An instance whose change says the same as another's joins it.
    pub(super) fn add(rows: &mut Vec<Self>, change: &Change, rollouts: &HashMap<&ServiceName, &RolloutStep>) {
        let said = Said::of(change, rollouts);
        let instances: Vec<_> = instance(change, rollouts).into_iter().collect();
        if let (Some(last), [instance]) = (rows.last_mut(), &*instances)
            && last.said == said
        {
            last.said.absorb_places(&said);
            last.instances.push(*instance);
            return;
        }
        rows.push(Self { said, instances });
    }
}

/// The instance that a change is of, with its incarnation where the plan names it.
fn instance(change: &Change, rollouts: &HashMap<&ServiceName, &RolloutStep>) -> Option<(u32, Option<u32>)> {
    let Address::Instance(service, slot) = &change.address else { return None };
    if let What::Replace { from, .. } = &change.what {
        return Some((from.slot.0, Some(from.generation.0)));
    }
    let standing = rollouts.get(service).map(|rollout| &rollout.standing);
    let mut there = standing.into_iter().flat_map(|standing| standing.keys()).filter(|id| id.slot == *slot);
    let (first, second) = (there.next(), there.next());
    let only = first.filter(|_| second.is_none() && matches!(change.what, What::Delete { .. }));
    Some((slot.0, only.map(|id: &InstanceId| id.generation.0)))
}

impl Said {
    fn of(change: &Change, rollouts: &HashMap<&ServiceName, &RolloutStep>) -> Self {
        let rollout = change.address.service().and_then(|service| rollouts.get(service)).copied();
        let revisions = match &change.what {
            What::Roll { from, to, .. } => Some(format!("{from} → {to}")),
            _ => None,
        };
        Self {
            subject: Subject::of(&change.address),
            action: Action::of(&change.what),
            revisions,
            lines: lines(change),
            rollout: change.what.preview().and_then(|preview| Rollout::of(preview, rollout.map(|step| &step.order))),
            risks: words::risks(change),
            level: words::level(change),
        }
    }

    /// Notes that something else says the same in other places.
    pub(super) fn absorb_places(&mut self, other: &Self) {
        for (mine, theirs) in self.lines.iter_mut().zip(&other.lines) {
            if let (Some(mine), Some(theirs)) = (mine.place_mut(), theirs.place()) {
                mine.others |= mine.first != theirs.first;
            }
        }
    }
}

impl Subject {
    fn of(address: &Address) -> Self {
        match address {
            Address::Service(_) => Self::Service,
            Address::Instance(..) => Self::Instances,
            Address::Packages(_) => Self::Packages,
            Address::Mount(_, path) => Self::Mount(tame(path.as_str())),
            Address::Route(gateway, _) => Self::Route(gateway.to_string()),
            other => Self::Other(other.to_string().split('.').next().unwrap_or_default().to_owned()),
        }
    }
}

fn lines(change: &Change) -> Vec<Line> {
    let mut lines: Vec<_> = change.what.causes().iter().map(|one| cause(one, &change.address)).collect();
    if let What::Create { entries, .. } = &change.what {
        lines.extend(entries.iter().map(value));
    }
    lines
}

fn value(entry: &Entry) -> Line {
    Line::Value { path: tame(&entry.path.to_string()), value: words::value(&entry.value) }
}

fn cause(cause: &Cause, address: &Address) -> Line {
    match cause {
        Cause::Written { difference, origin } => differs(difference, "", origin.as_ref()),
        Cause::Source { difference, origin } => differs(difference, "the content changed", origin.as_ref()),
        Cause::Declared(origin) => {
            Line::Because { words: "it is declared".to_owned(), place: Place::of(origin.as_ref()) }
        }
        Cause::Unfinished(why) => Line::Because { words: tame(&of_it(why, address)), place: Place::default() },
        Cause::NotDeclared => because("it is not declared any more"),
        Cause::Seen { field, saw } => because(&format!("its {field} was seen: {saw}")),
        Cause::Unused => because("no revision that is kept needs it"),
    }
}

fn because(words: &str) -> Line {
    Line::Because { words: tame(words), place: Place::default() }
}

/// A sentence about an instance, about "it" when it begins with the instance's name: of many, it is then the same.
fn of_it(why: &str, address: &Address) -> String {
    let Address::Instance(service, slot) = address else { return why.to_owned() };
    let rest = why.strip_prefix(&format!("{service}-{slot}-g")).and_then(|rest| rest.split_once(' '));
    rest.map_or_else(|| why.to_owned(), |(_, rest)| format!("it {rest}"))
}

fn differs(difference: &Difference, note: &'static str, origin: Option<&Origin>) -> Line {
    let path = tame(&difference.path.to_string());
    let place = Place::of(origin);
    match (&difference.before, &difference.after) {
        (Some(Value::Lines(before)), Some(Value::Lines(after))) if before.contains('\n') || after.contains('\n') => {
            Line::Text { path, lines: differ::lines(before, after), place }
        }
        (Some(Value::Secret(before, _)), Some(Value::Secret(after, _))) if before == after => {
            Line::Secret { path, name: after.to_string(), place }
        }
        (before, after) => {
            let side = |value: &Option<Value>| value.as_ref().map(words::value);
            Line::Change { path, before: side(before), after: side(after), note, place }
        }
    }
}

/// Numbers as ranges: `0–3, 7`.
pub(super) fn ranges(numbers: impl Iterator<Item = u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if number <= *last || *last + 1 == number => *last = number.max(*last),
            _ => ranges.push((number, number)),
        }
    }
    let told =
        ranges.iter().map(|(first, last)| if first == last { first.to_string() } else { format!("{first}–{last}") });
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_ranges() {
        assert_eq!(ranges([0, 1, 2, 5, 7, 8].into_iter()), "0–2, 5, 7–8");
        assert_eq!(ranges([3, 3].into_iter()), "3");
    }
}
