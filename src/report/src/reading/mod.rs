//! A plan as people read it: the verdict, the risks with the worst first, then the changes by service. What says the same
//! of several resources is said once.
//!
//! Every view of a plan is made from this one reading, so none can tell more or less than another by mistake. Texts are
//! free of control characters; escaping for a terminal, Markdown, HTML or SVG is left to the views.

mod differ;
mod rollout;
mod row;
mod words;

pub(crate) use differ::{Side, TextLine, shown};
pub(crate) use rollout::{Rollout, Stage};
pub(crate) use row::{Line, Row, Subject};
pub(crate) use words::{Action, Level};

use crate::text::{plural, tame};
use std::collections::{BTreeSet, HashMap, HashSet, hash_map::Entry};
use wharf_model::{Address, Origin, PlanId, ServiceName};
use wharf_plan::{Change, LeftOut, Plan, RolloutStep, Ruling, Step, Verdict};

/// How many fields a headline names.
const FIELDS: usize = 6;

/// What a plan says.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) project: String,
    pub(crate) environment: String,
    pub(crate) provider: String,
    pub(crate) id: PlanId,
    pub(crate) is_empty: bool,
    /// How many changes there are of each action that occurs.
    pub(crate) counts: Vec<(Action, usize)>,
    pub(crate) kept: usize,
    /// The worst first.
    pub(crate) risks: Vec<RiskRow>,
    /// What belongs to no service first, then the services by name.
    pub(crate) groups: Vec<Group>,
    pub(crate) notices: Vec<String>,
    /// What was not selected; none when everything was.
    pub(crate) left_out: Option<Vec<LeftRow>>,
    /// What policies say, the gravest first.
    pub(crate) verdicts: Vec<VerdictRow>,
}

/// A change that the files ask for and the plan does not make.
#[derive(Debug)]
pub(crate) struct LeftRow {
    pub(crate) address: String,
    pub(crate) action: &'static str,
    pub(crate) why: String,
}

/// What one rule says.
#[derive(Debug)]
pub(crate) struct VerdictRow {
    ruled: Ruling,
    /// The ruling, in words.
    pub(crate) ruling: &'static str,
    pub(crate) policy: String,
    pub(crate) rule: String,
    pub(crate) place: Option<String>,
    /// What is the matter, each with the place of its cause.
    pub(crate) says: Vec<(String, Option<String>)>,
}

impl VerdictRow {
    /// Whether it stands in the way of an apply.
    pub(crate) fn stops(&self) -> bool {
        self.ruled != Ruling::Warned
    }
}

/// One thing that can hurt, and everything that it happens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RiskRow {
    pub(crate) level: Level,
    /// Addresses; instances of one service as one.
    pub(crate) subjects: Vec<String>,
    /// How many resources these are.
    pub(crate) times: usize,
    /// What will happen, continuing a sentence that begins with the subject.
    pub(crate) words: String,
    /// Where the cause of the first is written.
    place: Option<String>,
    /// Whether those of others are written elsewhere.
    elsewhere: bool,
}

impl RiskRow {
    /// Where the cause is written.
    pub(crate) fn place(&self) -> Option<String> {
        let place = self.place.as_ref()?;
        Some(if self.elsewhere { format!("{place} and elsewhere") } else { place.clone() })
    }
}

/// The changes of one service, or of one thing that belongs to none. Services that all say the same share a group.
#[derive(Debug)]
pub(crate) struct Group {
    /// The addresses that it stands for, at least one.
    pub(crate) names: Vec<String>,
    /// The worst risk in it.
    pub(crate) level: Level,
    pub(crate) rows: Vec<Row>,
}

impl Group {
    fn of(name: String, changes: &[(usize, &Change)], rollouts: &Rollouts<'_>) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        let mut last = None;
        for (fold, change) in changes {
            match rows.last_mut() {
                Some(row) if last == Some(*fold) && row.takes(change) => row.join(change, rollouts),
                _ => rows.push(Row::of(change, rollouts)),
            }
            last = Some(*fold);
        }
        let level = rows.iter().map(Row::level).min().unwrap_or(Level::Calm);
        Self { names: vec![name], level, rows }
    }

    /// Takes in another that says the same.
    fn join(&mut self, name: String, changes: &[(usize, &Change)]) {
        self.names.push(name);
        let mut changes = changes.iter().map(|(_, change)| *change);
        for row in &mut self.rows {
            changes.by_ref().take(row.times()).for_each(|change| row.elsewhere(change));
        }
    }

    /// The first that it stands for.
    pub(crate) fn name(&self) -> &str {
        self.names.first().map(String::as_str).unwrap_or_default()
    }

    /// How many changes it stands for.
    pub(crate) fn changes(&self) -> usize {
        self.names.len() * self.rows.iter().map(Row::times).sum::<usize>()
    }
}

/// What a group comes to in one line.
#[derive(Debug)]
pub(crate) struct Headline {
    pub(crate) sign: &'static str,
    /// What is done to the group's own resource; where only what belongs to it changes, what is done to that.
    pub(crate) action: String,
    /// What it comes from.
    pub(crate) from: Option<String>,
    /// What is done to what belongs to it.
    pub(crate) also: Vec<String>,
    /// The fields that differ, a few of them by name.
    pub(crate) fields: Vec<String>,
    /// Its risks, the worst first.
    pub(crate) levels: Vec<Level>,
}

/// Rows in a few words each, those of one kind together: `create 2 mounts, delete route`.
fn briefs<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<String> {
    let mut told: Vec<(String, usize)> = Vec::new();
    for brief in rows.map(Row::brief) {
        match told.iter_mut().find(|(known, _)| *known == brief) {
            Some((_, times)) => *times += 1,
            None => told.push((brief, 1)),
        }
    }
    let many = |(brief, times): (String, usize)| match brief.split_once(' ') {
        Some((action, noun)) if times > 1 => format!("{action} {}", plural(times, noun)),
        _ => brief,
    };
    told.into_iter().map(many).collect()
}

impl Group {
    pub(crate) fn headline(&self) -> Headline {
        let (fields, levels) = (self.fields(), self.levels());
        if let Some(row) = self.rows.iter().find(|row| row.subject.is_own()) {
            let action = row.action.word().to_owned();
            let also = briefs(self.rows.iter().filter(|row| !row.subject.is_own()));
            return Headline { sign: row.action.sign(), action, from: row.from(self.name()), also, fields, levels };
        }
        match self.rows.as_slice() {
            [row] => {
                let action = format!("{} of", row.brief());
                Headline { sign: row.action.sign(), action, from: None, also: Vec::new(), fields, levels }
            }
            rows => {
                let action = format!("{} of what belongs to", plural(rows.iter().map(Row::times).sum(), "change"));
                let also = briefs(rows.iter());
                Headline { sign: Action::Update.sign(), action, from: None, also, fields, levels }
            }
        }
    }

    fn fields(&self) -> Vec<String> {
        let paths = self.rows.iter().flat_map(|row| row.lines.iter().filter_map(Line::differs));
        let mut told: Vec<String> = Vec::new();
        let mut more = 0;
        for path in paths {
            if told.iter().any(|known| known == path) {
                continue;
            }
            if told.len() < FIELDS { told.push(path.to_owned()) } else { more += 1 }
        }
        if more > 0 {
            told.push(format!("and {more} more"));
        }
        told
    }

    fn levels(&self) -> Vec<Level> {
        let mut levels: Vec<_> = self.rows.iter().flat_map(|row| row.risks.iter().map(|(level, _)| *level)).collect();
        levels.sort_unstable();
        levels.dedup();
        levels
    }
}

/// The rollout of each service that has one.
pub(super) type Rollouts<'a> = HashMap<&'a ServiceName, &'a RolloutStep>;

/// Whose change it is, in the order in which groups stand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    /// Of nobody.
    Nobody(Address),
    /// Of a service.
    Service(ServiceName),
    /// Of the services that used it.
    Content(Address),
}

impl Owner {
    pub(crate) fn of(address: &Address) -> Self {
        match address.service() {
            Some(service) => Self::Service(service.clone()),
            None if matches!(address, Address::Content(_)) => Self::Content(address.clone()),
            None => Self::Nobody(address.clone()),
        }
    }

    /// The name of its group.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Service(service) => Address::Service(service.clone()).to_string(),
            Self::Nobody(address) | Self::Content(address) => words::address(address),
        }
    }
}

impl Reading {
    /// What is said of an empty plan. One that only a part of the record could be in compares nothing.
    pub(crate) fn nothing(&self) -> String {
        match self.kept {
            0 => "there is nothing to do".to_owned(),
            kept => format!("{} as recorded and as described", plural(kept, "resource")),
        }
    }

    /// Reads a plan. Work is linear in its changes.
    pub(crate) fn of(plan: &Plan) -> Self {
        let counts = plan.counts();
        Self {
            project: plan.project().to_string(),
            environment: plan.environment().to_string(),
            provider: plan.provider().to_owned(),
            id: plan.id(),
            is_empty: plan.is_empty(),
            counts: Action::counted(&counts).into_iter().filter(|(_, count)| *count > 0).collect(),
            kept: plan.kept(),
            risks: risks(plan),
            groups: groups(plan),
            notices: plan.notices().iter().map(|notice| tame(&notice.to_string())).collect(),
            left_out: (!plan.selection().is_all()).then(|| plan.left_out().iter().map(left).collect()),
            verdicts: verdicts(&plan.verdicts()),
        }
    }

    /// How many resources each risk comes to, the worst first.
    pub(crate) fn risk_counts(&self) -> Vec<(Level, usize)> {
        let mut counts: Vec<(Level, usize)> = Vec::new();
        for risk in &self.risks {
            match counts.last_mut() {
                Some((level, count)) if *level == risk.level => *count += risk.times,
                _ => counts.push((risk.level, risk.times)),
            }
        }
        counts
    }
}

fn left(left: &LeftOut) -> LeftRow {
    LeftRow { address: words::address(&left.address), action: left.action, why: words::left_out(&left.why) }
}

/// The verdicts, those of one rule together.
fn verdicts(all: &[Verdict]) -> Vec<VerdictRow> {
    let place = |origin: &Option<Origin>| origin.as_ref().map(|origin| tame(&origin.to_string()));
    let mut rows: Vec<VerdictRow> = Vec::new();
    for rule in all.chunk_by(|one, two| one.origin == two.origin && one.rule == two.rule) {
        let Some(first) = rule.first() else { continue };
        rows.push(VerdictRow {
            ruled: first.ruling,
            ruling: words::ruling(first.ruling),
            policy: tame(&first.policy),
            rule: tame(&first.rule),
            place: place(&first.origin),
            says: rule.iter().map(|verdict| (tame(&verdict.says), place(&verdict.cause))).collect(),
        });
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.ruled));
    rows
}

fn rollouts(plan: &Plan) -> Rollouts<'_> {
    let steps = plan.operations().steps().filter_map(|(_, step)| match step {
        Step::Rollout(rollout) => Some((&rollout.order.service, rollout.as_ref())),
        Step::Call(_) | Step::Note(..) => None,
    });
    steps.collect()
}

/// The changes by owner, each with the row of the plan that it is in.
fn owned(plan: &Plan) -> Vec<(Owner, Vec<(usize, &Change)>)> {
    let mut folds = vec![0; plan.changes().len()];
    for (number, fold) in plan.folds().iter().enumerate() {
        fold.changes.iter().for_each(|at| folds[*at] = number);
    }
    let mut owned: Vec<(Owner, Vec<_>)> = Vec::new();
    let mut at: HashMap<Owner, usize> = HashMap::new();
    for (fold, change) in folds.into_iter().zip(plan.changes()) {
        let owner = Owner::of(&change.address);
        let index = *at.entry(owner.clone()).or_insert_with(|| {
            owned.push((owner, Vec::new()));
            owned.len() - 1
        });
        owned[index].1.push((fold, change));
    }
    owned.sort_by(|(one, _), (two, _)| one.cmp(two));
    owned
}

/// Of each service that is left out: who needs what is prepared for it all the same.
fn shared(plan: &Plan) -> HashMap<ServiceName, BTreeSet<Address>> {
    let left: HashSet<&Address> = plan.left_out().iter().map(|left| &left.address).collect();
    let mut shared: HashMap<ServiceName, BTreeSet<Address>> = HashMap::new();
    for (id, step) in plan.operations().steps().filter(|_| !left.is_empty()) {
        let Some(name) = step.address().service().cloned() else { continue };
        if left.contains(&Address::Service(name.clone())) {
            let users = plan.operations().after(id).filter_map(|id| plan.operations().step(id)).map(Step::address);
            shared.entry(name).or_default().extend(users);
        }
    }
    shared
}

fn groups(plan: &Plan) -> Vec<Group> {
    let (rollouts, shared) = (rollouts(plan), shared(plan));
    let mut groups: Vec<Group> = Vec::new();
    let mut known: HashMap<Vec<(usize, Subject, Option<u32>)>, usize> = HashMap::new();
    for (owner, mut changes) in owned(plan) {
        changes.sort_by_cached_key(|(_, change)| Subject::of(&change.address));
        let said = |(fold, change): &(usize, &Change)| (*fold, Subject::of(&change.address), slot(&change.address));
        match known.entry(changes.iter().map(said).collect()) {
            Entry::Occupied(group) => groups[*group.get()].join(owner.name(), &changes),
            Entry::Vacant(vacant) => {
                vacant.insert(groups.len());
                let mut group = Group::of(owner.name(), &changes, &rollouts);
                let others = match &owner {
                    Owner::Service(name) => shared.get(name),
                    Owner::Nobody(_) | Owner::Content(_) => None,
                };
                group.rows.iter_mut().for_each(|row| row.add_users(others.into_iter().flatten()));
                groups.push(group);
            }
        }
    }
    groups
}

fn slot(address: &Address) -> Option<u32> {
    match address {
        Address::Instance(_, slot) => Some(slot.0),
        _ => None,
    }
}

/// The risks, those that say the same as one.
fn risks(plan: &Plan) -> Vec<RiskRow> {
    let mut rows: Vec<RiskRow> = Vec::new();
    let mut slots: Vec<Vec<u32>> = Vec::new();
    let mut at: HashMap<(Level, String, Option<&ServiceName>), usize> = HashMap::new();
    for change in plan.changes() {
        let instance = match &change.address {
            Address::Instance(service, slot) => Some((service, slot.0)),
            _ => None,
        };
        for (level, words) in words::risks(change) {
            let key = (level, words.clone(), instance.map(|(service, _)| service));
            let index = *at.entry(key).or_insert_with(|| {
                rows.push(RiskRow {
                    level,
                    words,
                    subjects: Vec::new(),
                    times: 0,
                    place: words::place(change, level),
                    elsewhere: false,
                });
                slots.push(Vec::new());
                rows.len() - 1
            });
            let row = &mut rows[index];
            row.times += 1;
            row.elsewhere |= row.place != words::place(change, level);
            match instance {
                None => rows[index].subjects.push(words::address(&change.address)),
                Some((service, slot)) => {
                    slots[index].push(slot);
                    rows[index].subjects =
                        vec![format!("instance.{service}[{}]", row::ranges(slots[index].iter().copied()))];
                }
            }
        }
    }
    rows.sort_by_key(|row| row.level);
    rows
}
