//! A plan as people read it: the verdict, the risks with the worst first, then the changes by service. What says the same
//! of several resources is said once.
//!
//! Every view of a plan is made from this one reading, so none can tell more or less than another by mistake. Texts are
//! free of control characters; escaping for a terminal, Markdown, HTML or SVG is left to the views.

mod differ;
mod rollout;
mod row;
mod words;

pub(crate) use differ::{Side, TextLine};
pub(crate) use rollout::{Rollout, Stage};
pub(crate) use row::{Line, Place, Row};
pub(crate) use words::{Action, Level};

use crate::text::tame;
use std::collections::HashMap;
use wharf_model::{Address, PlanId, ServiceName};
use wharf_plan::{Plan, RolloutStep, Step};

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
    pub(crate) place: Option<String>,
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
    /// How many changes it stands for.
    pub(crate) fn changes(&self) -> usize {
        self.names.len() * self.rows.iter().map(Row::times).sum::<usize>()
    }
}

/// Whose change it is: what a group is made for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    /// Of a service.
    Service(ServiceName),
    /// Of nobody.
    Nobody(Address),
}

impl Owner {
    pub(crate) fn of(address: &Address) -> Self {
        match address.service() {
            Some(service) => Self::Service(service.clone()),
            None => Self::Nobody(address.clone()),
        }
    }
}

impl Reading {
    /// Reads a plan. Work is linear in its changes.
    pub(crate) fn of(plan: &Plan) -> Self {
        let rollouts = rollouts(plan);
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
            groups: groups(plan, &rollouts),
            notices: plan.notices().iter().map(|notice| tame(&notice.to_string())).collect(),
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

fn rollouts(plan: &Plan) -> HashMap<&ServiceName, &RolloutStep> {
    let steps = plan.operations().steps().filter_map(|(_, step)| match step {
        Step::Rollout(rollout) => Some((&rollout.order.service, rollout.as_ref())),
        Step::Call(_) | Step::Note(..) => None,
    });
    steps.collect()
}

fn groups(plan: &Plan, rollouts: &HashMap<&ServiceName, &RolloutStep>) -> Vec<Group> {
    let mut order: Vec<(Owner, Vec<Row>)> = Vec::new();
    let mut at: HashMap<Owner, usize> = HashMap::new();
    for change in plan.changes() {
        let owner = Owner::of(&change.address);
        let index = *at.entry(owner.clone()).or_insert_with(|| {
            order.push((owner, Vec::new()));
            order.len() - 1
        });
        Row::add(&mut order[index].1, change, rollouts);
    }
    let rank = |owner: &Owner| match owner {
        Owner::Nobody(Address::Content(_)) => 2,
        Owner::Service(_) => 1,
        Owner::Nobody(_) => 0,
    };
    order.sort_by(|(one, _), (two, _)| rank(one).cmp(&rank(two)).then_with(|| one.cmp(two)));
    let mut groups: Vec<Group> = Vec::new();
    let mut seen: HashMap<Vec<Row>, usize> = HashMap::new();
    for (owner, mut rows) in order {
        rows.sort_by(|one, two| one.said.subject.cmp(&two.said.subject));
        let name = match &owner {
            Owner::Service(service) => Address::Service(service.clone()).to_string(),
            Owner::Nobody(address) => words::address(address),
        };
        if let Some(index) = seen.get(&rows) {
            let group = &mut groups[*index];
            group.names.push(name);
            group.rows.iter_mut().zip(&rows).for_each(|(row, other)| row.said.absorb_places(&other.said));
            continue;
        }
        seen.insert(rows.clone(), groups.len());
        let level = rows.iter().map(|row| row.level()).min().unwrap_or(Level::Calm);
        groups.push(Group { names: vec![name], level, rows });
    }
    groups
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
                rows.push(RiskRow { level, words, subjects: Vec::new(), times: 0, place: words::place(change) });
                slots.push(Vec::new());
                rows.len() - 1
            });
            rows[index].times += 1;
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
