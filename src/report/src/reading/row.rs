//! One change as people read it, or several of instances that the plan folds.

use super::{
    Action, Level, Rollouts, TextLine, differ,
    rollout::{Instances, Rollout},
    words,
};
use crate::text::tame;
use wharf_model::{Address, Difference, Entry, Field, Generation, InstanceId, Origin, Value};
use wharf_plan::{Cause, Change, Incarnation, What};

/// One change, or several of instances that say the same.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) subject: Subject,
    pub(crate) action: Action,
    /// The instances, by slot, with the generation where it is known; empty when it is of none.
    instances: Vec<(u32, Option<u32>)>,
    /// What it comes from: revisions, an incarnation, an earlier name.
    from: Option<String>,
    pub(crate) lines: Vec<Line>,
    pub(crate) rollout: Option<Rollout>,
    pub(crate) risks: Vec<(Level, String)>,
}

/// What a change is of, seen from the service that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject {
    Service,
    Instances,
    Packages,
    Image,
    Mount(String),
    Route(String),
    /// Of no service; which kind of thing.
    Other(&'static str),
}

/// One line below a change.
#[derive(Debug, Clone)]
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

    /// The field, where it is of one that has another value.
    pub(crate) fn differs(&self) -> Option<&str> {
        match self {
            Self::Change { path, .. } | Self::Text { path, .. } | Self::Secret { path, .. } => Some(path),
            Self::Value { .. } | Self::Because { .. } => None,
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

/// Where something is written.
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

    /// Why a field differs; empty when nobody knows.
    pub(crate) fn because(&self, note: &str) -> String {
        match (note, self.told()) {
            ("", None) => String::new(),
            ("", Some(place)) => format!("because {place}"),
            (note, None) => format!("because {note}"),
            (note, Some(place)) => format!("because {note} ({place})"),
        }
    }
}

impl Row {
    pub(super) fn of(change: &Change, rollouts: &Rollouts<'_>) -> Self {
        let order = change.address.service().and_then(|service| rollouts.get(service)).map(|rollout| &rollout.order);
        Self {
            subject: Subject::of(&change.address),
            action: Action::of(&change.what),
            instances: instance(change, rollouts).into_iter().collect(),
            from: words::from(&change.what),
            lines: lines(change),
            rollout: change.what.preview().and_then(|preview| Rollout::of(preview, order)),
            risks: words::risks(change),
        }
    }

    /// Says who else needs it, behind its first reason.
    pub(super) fn add_users<'a>(&mut self, users: impl Iterator<Item = &'a Address>) {
        let users: Vec<_> = users.map(words::address).collect();
        if !users.is_empty() {
            let words = format!("{} needs it as well", users.join(" and "));
            self.lines.insert(self.lines.len().min(1), Line::Because { words, place: Place::default() });
        }
    }

    /// Whether another change that the plan folds with it belongs into the same row.
    pub(super) fn takes(&self, change: &Change) -> bool {
        self.subject == Subject::Instances && matches!(change.address, Address::Instance(..))
    }

    /// Takes in another instance that says the same.
    pub(super) fn join(&mut self, change: &Change, rollouts: &Rollouts<'_>) {
        self.instances.extend(instance(change, rollouts));
        self.elsewhere(change);
    }

    /// Notes where else a change that says the same is written.
    pub(super) fn elsewhere(&mut self, change: &Change) {
        let places = self.lines.iter_mut().filter_map(Line::place_mut);
        for (mine, cause) in places.zip(change.what.causes()) {
            mine.others |= mine.first != Place::of(cause.origin()).first;
        }
    }

    /// How many changes it stands for.
    pub(crate) fn times(&self) -> usize {
        self.instances.len().max(1)
    }

    /// In a few words: `delete 40 instances`, `update route`.
    pub(super) fn brief(&self) -> String {
        let times = if self.times() > 1 { format!("{} ", self.times()) } else { String::new() };
        format!("{} {times}{}", self.action.word(), self.subject.word(self.times()))
    }

    /// The worst that it can do.
    pub(crate) fn level(&self) -> Level {
        self.risks.iter().map(|(level, _)| *level).min().unwrap_or(Level::Calm)
    }

    /// The address of what changes, for a group of this name.
    pub(crate) fn address(&self, group: &str) -> String {
        let service = group.strip_prefix("service.").unwrap_or(group);
        match &self.subject {
            Subject::Service | Subject::Other(_) => group.to_owned(),
            Subject::Packages => format!("packages.{service}"),
            Subject::Image => format!("image.{service}"),
            Subject::Mount(path) => format!("mount.{service}:{path}"),
            Subject::Route(gateway) => format!("route.{gateway}/{service}"),
            Subject::Instances => {
                format!("instance.{service}[{}]", ranges(self.instances.iter().map(|(slot, _)| *slot)))
            }
        }
    }

    /// What it comes from: revisions, incarnations, an earlier name.
    pub(crate) fn from(&self, group: &str) -> Option<String> {
        let service = group.strip_prefix("service.").unwrap_or(group);
        let known: Option<Vec<_>> =
            self.instances.iter().map(|(slot, generation)| Some((*slot, (*generation)?))).collect();
        let instances = known.and_then(|known| Instances::of(&known)).map(|instances| instances.name(service));
        instances.or_else(|| self.from.clone())
    }
}

/// The instance that a change is of, with its incarnation where only one can be meant.
fn instance(change: &Change, rollouts: &Rollouts<'_>) -> Option<(u32, Option<u32>)> {
    let Address::Instance(service, slot) = &change.address else { return None };
    if let What::Replace { from: Incarnation::Instance(from), .. } = &change.what {
        return Some((from.slot.0, Some(from.generation.0)));
    }
    let goes = matches!(change.what, What::Delete { .. });
    let standing = rollouts.get(service).filter(|_| goes).map(|rollout| &rollout.standing);
    let first = InstanceId { service: service.clone(), slot: *slot, generation: Generation(0) };
    let mut there = standing.into_iter().flat_map(|standing| standing.range(&first..)).map(|(id, _)| id);
    let one = there.next().filter(|id| id.slot == *slot);
    let only = one.filter(|_| there.next().is_none_or(|next| next.slot != *slot));
    Some((slot.0, only.map(|id| id.generation.0)))
}

impl Subject {
    pub(crate) fn of(address: &Address) -> Self {
        match address {
            Address::Service(_) => Self::Service,
            Address::Instance(..) => Self::Instances,
            Address::Packages(_) => Self::Packages,
            Address::Image(_) => Self::Image,
            Address::Mount(_, path) => Self::Mount(tame(path.as_str())),
            Address::Route(gateway, _) => Self::Route(gateway.to_string()),
            other => Self::Other(other.kind().as_str()),
        }
    }

    /// Whether it is what its group is named after.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self, Self::Service | Self::Other(_))
    }

    /// What it is, in one word.
    fn word(&self, times: usize) -> &str {
        match self {
            Self::Service => "service",
            Self::Instances if times > 1 => "instances",
            Self::Instances => "instance",
            Self::Packages => "packages",
            Self::Image => "image",
            Self::Mount(_) => "mount",
            Self::Route(_) => "route",
            Self::Other(kind) => kind,
        }
    }
}

fn lines(change: &Change) -> Vec<Line> {
    let mut lines: Vec<_> = change.what.causes().iter().map(cause).collect();
    if let (Address::Instance(..), [Line::Because { words, .. }], [Cause::NotDeclared]) =
        (&change.address, lines.as_mut_slice(), change.what.causes())
    {
        "fewer instances are asked for".clone_into(words);
    }
    if let What::Create { entries, .. } = &change.what {
        // Which incarnation of an object it begins with is said where that is made.
        lines.extend(entries.iter().filter(|entry| entry.path.field != Field::Incarnation).map(value));
    }
    if let What::Move { from, in_place: false, .. } = &change.what {
        let words = format!("this runtime cannot rename it: it is made anew, and {} goes", words::address(from));
        lines.push(Line::Because { words, place: Place::default() });
    }
    lines
}

fn value(entry: &Entry) -> Line {
    Line::Value { path: tame(&entry.path.to_string()), value: words::value(&entry.value) }
}

fn cause(cause: &Cause) -> Line {
    match cause {
        Cause::Written { difference, origin } => differs(difference, "", origin.as_ref()),
        Cause::Source { difference, origin } => differs(difference, "the content changed", origin.as_ref()),
        other => Line::Because { words: words::because(other), place: Place::of(other.origin()) },
    }
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
