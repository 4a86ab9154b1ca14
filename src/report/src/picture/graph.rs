//! What is drawn: the plan's operations as cards, in one lane for each service and one for what services share.

use crate::{
    reading::{Action, Group, Level, Owner, Reading, Row, Subject},
    text::plural,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};
use wharf_model::Address;
use wharf_plan::{Operations, Plan, Step, StepId, rollout::Preview};

/// The most lanes of services.
const LANES: usize = 16;
/// Cards of one kind that stand below each other become one from this many on.
const STACK: usize = 4;

/// What is drawn.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) lanes: Vec<Lane>,
    pub(super) cards: Vec<Card>,
    /// From card to card, and whether it lies on the longest path.
    pub(super) edges: BTreeMap<(usize, usize), bool>,
    pub(super) longest: Longest,
    /// What is not drawn: how many services, and what is done to them.
    pub(super) left_out: Option<String>,
}

/// A band of the picture.
#[derive(Debug)]
pub(super) struct Lane {
    /// The services that it stands for; none, for what services share.
    pub(super) names: Vec<String>,
}

/// One or several operations.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) lane: usize,
    pub(super) layer: usize,
    pub(super) title: String,
    /// What is done, in a few words.
    pub(super) fact: String,
    pub(super) action: Action,
    pub(super) level: Level,
    /// How many operations it stands for within its lane.
    pub(super) times: usize,
    pub(super) is_critical: bool,
    weight: Weight,
}

/// The longest path: no apply can be quicker.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Longest {
    pub(super) steps: u32,
    pub(super) at_least: Duration,
}

/// How long something takes at least, then how many steps.
type Weight = (Duration, u32);

impl Lane {
    /// Whether its name says more than its cards do.
    pub(super) fn is_named(&self) -> bool {
        self.names.len() != 1
    }
}

impl Graph {
    pub(super) fn of(plan: &Plan, reading: &Reading) -> Self {
        let operations = plan.operations();
        let order = topological(operations);
        let layers = layers(operations, &order);
        let weights = weights(plan);
        let lanes = Lanes::of(reading, &longest_path(operations, &order, &weights), operations);
        let mut builder = Builder { lanes, reading, cards: Vec::new(), of: vec![None; operations.len()] };
        builder.cards(operations, &layers, &weights);
        let Builder { lanes, mut cards, of, .. } = builder;
        let mut edges: BTreeMap<(usize, usize), bool> = BTreeMap::new();
        for (id, card) in order.iter().filter_map(|id| Some((*id, of[index(*id)]?))) {
            edges.extend(operations.after(id).filter_map(|next| Some(((card, of[index(next)]?), false))));
        }
        edges.retain(|(from, to), _| from != to);
        let longest = mark_longest(&mut cards, &mut edges);
        let left_out = lanes.left_out(reading);
        Self { lanes: lanes.shown, cards, edges, longest, left_out }
    }
}

fn index(id: StepId) -> usize {
    id.0 as usize
}

/// Every step after all that it waits for.
fn topological(operations: &Operations) -> Vec<StepId> {
    let mut waits: Vec<usize> = operations.steps().map(|(id, _)| operations.before(id).count()).collect();
    let mut order: Vec<StepId> = operations.steps().map(|(id, _)| id).filter(|id| waits[index(*id)] == 0).collect();
    let mut at = 0;
    while let Some(id) = order.get(at).copied() {
        at += 1;
        for next in operations.after(id) {
            waits[index(next)] -= 1;
            if waits[index(next)] == 0 {
                order.push(next);
            }
        }
    }
    order
}

/// The column of each step: behind all that it waits for, and as near as possible to what waits for it.
fn layers(operations: &Operations, order: &[StepId]) -> Vec<usize> {
    let mut layers = vec![0_usize; operations.len()];
    for id in order {
        layers[index(*id)] = operations.before(*id).map(|before| layers[index(before)] + 1).max().unwrap_or(0);
    }
    for id in order.iter().rev() {
        if let Some(next) = operations.after(*id).map(|after| layers[index(after)]).min() {
            layers[index(*id)] = next.saturating_sub(1);
        }
    }
    layers
}

fn weights(plan: &Plan) -> Vec<Weight> {
    let previews: HashMap<&Address, &Preview> =
        plan.changes().iter().filter_map(|change| Some((&change.address, change.what.preview()?))).collect();
    let weight = |step: &Step| match step {
        Step::Rollout(_) => {
            let preview = previews.get(&step.address());
            let steps = preview.map_or(1, |preview| u32::try_from(preview.steps.len()).unwrap_or(u32::MAX).max(1));
            (preview.map(|preview| preview.at_least).unwrap_or_default(), steps)
        }
        Step::Call(_) | Step::Note(..) => (Duration::ZERO, 1),
    };
    plan.operations().steps().map(|(_, step)| weight(step)).collect()
}

fn add(one: Weight, two: Weight) -> Weight {
    (one.0.saturating_add(two.0), one.1.saturating_add(two.1))
}

/// The steps of the longest path, the last first.
fn longest_path(operations: &Operations, order: &[StepId], weights: &[Weight]) -> Vec<StepId> {
    let mut best: Vec<(Weight, Option<StepId>)> = vec![((Duration::ZERO, 0), None); operations.len()];
    for id in order {
        let before = operations.before(*id).map(|before| (best[index(before)].0, before));
        // Of equally long ones the first, so that the picture is the same each time.
        let longest = before.max_by(|(one, first), (two, second)| one.cmp(two).then_with(|| second.cmp(first)));
        let length = longest.map_or(weights[index(*id)], |(length, _)| add(length, weights[index(*id)]));
        best[index(*id)] = (length, longest.map(|(_, before)| before));
    }
    let ends = order
        .iter()
        .copied()
        .max_by(|one, two| best[index(*one)].0.cmp(&best[index(*two)].0).then_with(|| two.cmp(one)));
    std::iter::successors(ends, |id| best[index(*id)].1).collect()
}

/// Marks the longest path among what is drawn.
fn mark_longest(cards: &mut [Card], edges: &mut BTreeMap<(usize, usize), bool>) -> Longest {
    let mut order: Vec<usize> = (0..cards.len()).collect();
    order.sort_by_key(|card| cards[*card].layer);
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); cards.len()];
    edges.keys().for_each(|(from, to)| before[*to].push(*from));
    let mut best: Vec<(Weight, Option<usize>)> = vec![((Duration::ZERO, 0), None); cards.len()];
    for card in &order {
        let longest = before[*card]
            .iter()
            .map(|from| (best[*from].0, *from))
            .max_by_key(|(length, from)| (*length, std::cmp::Reverse(*from)));
        let length = longest.map_or(cards[*card].weight, |(length, _)| add(length, cards[*card].weight));
        best[*card] = (length, longest.map(|(_, from)| from));
    }
    let Some(end) = order.into_iter().max_by_key(|card| (best[*card].0, std::cmp::Reverse(*card))) else {
        return Longest::default();
    };
    let path: Vec<usize> = std::iter::successors(Some(end), |card| best[*card].1).collect();
    for card in &path {
        cards[*card].is_critical = true;
    }
    for (to, from) in path.iter().zip(path.iter().skip(1)) {
        edges.insert((*from, *to), true);
    }
    let (at_least, steps) = best[end].0;
    Longest { steps, at_least }
}

/// Which groups have a lane.
struct Lanes {
    shown: Vec<Lane>,
    /// The lane of each drawn group, by its name.
    of: HashMap<String, usize>,
    /// The groups that have none, by their place in the reading.
    hidden: Vec<usize>,
}

impl Lanes {
    fn of(reading: &Reading, critical: &[StepId], operations: &Operations) -> Self {
        let critical: BTreeSet<String> = critical
            .iter()
            .filter_map(|id| operations.step(*id))
            .map(|step| Owner::of(&step.address()).name())
            .collect();
        let services = reading.groups.iter().enumerate().filter(|(_, group)| group.name().starts_with("service."));
        let mut ranked: Vec<(usize, &Group)> = services.collect();
        ranked.sort_by_cached_key(|(at, group)| {
            (!group.names.iter().any(|name| critical.contains(name)), group.level, *at)
        });
        let mut chosen: Vec<(usize, &Group)> = ranked.iter().take(LANES).copied().collect();
        let hidden = ranked.iter().skip(LANES).map(|(at, _)| *at).collect();
        // The riskiest on top; the longest path does not change the order.
        chosen.sort_by_key(|(at, group)| (group.level, *at));
        let mut shown = vec![Lane { names: Vec::new() }];
        let mut of = HashMap::new();
        for (_, group) in chosen {
            of.insert(group.name().to_owned(), shown.len());
            shown.push(Lane { names: group.names.clone() });
        }
        for group in reading.groups.iter().filter(|group| !group.name().starts_with("service.")) {
            of.insert(group.name().to_owned(), 0);
        }
        Self { shown, of, hidden }
    }

    fn left_out(&self, reading: &Reading) -> Option<String> {
        let hidden: Vec<&Group> = self.hidden.iter().filter_map(|at| reading.groups.get(*at)).collect();
        if hidden.is_empty() {
            return None;
        }
        let mut actions: BTreeMap<Action, usize> = BTreeMap::new();
        for group in &hidden {
            let action = group.rows.first().map_or(Action::Update, |row| row.action);
            *actions.entry(action).or_default() += group.names.len();
        }
        let services = plural(hidden.iter().map(|group| group.names.len()).sum(), "service");
        let told: Vec<_> = actions.iter().map(|(action, count)| format!("{count} to {}", action.word())).collect();
        Some(format!("Not drawn: {services} ({})", told.join(", ")))
    }
}

struct Builder<'a> {
    lanes: Lanes,
    reading: &'a Reading,
    cards: Vec<Card>,
    /// The card of each step that is drawn.
    of: Vec<Option<usize>>,
}

/// What operations must have in common to share a card.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    lane: usize,
    layer: usize,
    kind: &'static str,
    verb: &'static str,
}

impl Builder<'_> {
    fn cards(&mut self, operations: &Operations, layers: &[usize], weights: &[Weight]) {
        let groups: HashMap<&str, &Group> = self.reading.groups.iter().map(|group| (group.name(), group)).collect();
        let drawn: Vec<(StepId, Kind, Address, &Group)> = operations
            .steps()
            .filter_map(|(id, step)| {
                let address = step.address();
                let name = Owner::of(&address).name();
                let (lane, group) = (*self.lanes.of.get(&name)?, *groups.get(name.as_str())?);
                let (kind, verb) = (address.kind().as_str(), verb(step));
                Some((id, Kind { lane, layer: layers[index(id)], kind, verb }, address, group))
            })
            .collect();
        let mut counts: HashMap<&Kind, usize> = HashMap::new();
        drawn.iter().for_each(|(_, kind, ..)| *counts.entry(kind).or_default() += 1);
        let mut shared: HashMap<&Kind, usize> = HashMap::new();
        for (id, kind, address, group) in &drawn {
            let stacks = counts[kind] > STACK || (kind.kind == "instance" && counts[kind] > 1);
            let card = match shared.get(kind).filter(|_| stacks) {
                Some(card) => {
                    self.cards[*card].times += 1;
                    self.cards[*card].level = self.cards[*card].level.min(self.card(kind, address, group).level);
                    *card
                }
                None => {
                    let mut card = self.card(kind, address, group);
                    card.weight = weights[index(*id)];
                    self.cards.push(card);
                    shared.insert(kind, self.cards.len() - 1);
                    self.cards.len() - 1
                }
            };
            self.of[index(*id)] = Some(card);
        }
        for (kind, card) in shared {
            let card = &mut self.cards[card];
            if card.times > 1 {
                card.title = format!("{} ×{}", kind.kind, card.times);
            }
        }
    }

    fn card(&self, kind: &Kind, address: &Address, group: &Group) -> Card {
        let subject = Subject::of(address);
        let row = group.rows.iter().find(|row| row.subject == subject);
        let instances = group.rows.iter().find(|row| row.subject == Subject::Instances);
        // What happens to instances is part of their service's rollout.
        let instances = instances.filter(|_| kind.verb == "rollout");
        let row = row.or(instances);
        let title = match (&subject, row) {
            (Subject::Service | Subject::Other(_), _) | (_, None) => Owner::of(address).name(),
            (_, Some(row)) => row.address(group.name()),
        };
        let folded = group.names.len() > 1 && (kind.lane == 0 || subject == Subject::Service);
        let same = if folded { format!(" ×{}", group.names.len()) } else { String::new() };
        Card {
            lane: kind.lane,
            layer: kind.layer,
            title: title + &same,
            fact: row.map_or_else(|| kind.verb.to_owned(), |row| fact(row, instances, group.name(), kind.verb)),
            // What another takes the place of has no change of its own.
            action: row.map_or(if kind.verb == GOES { Action::Delete } else { Action::Update }, |row| row.action),
            level: [row, instances].into_iter().flatten().map(Row::level).min().unwrap_or(Level::Calm),
            times: 1,
            is_critical: false,
            weight: (Duration::ZERO, 1),
        }
    }
}

fn fact(row: &Row, instances: Option<&Row>, group: &str, verb: &str) -> String {
    let from = row.from(group).filter(|_| row.times() == 1);
    if let (Action::Replace, Some(from), "put" | "delete") = (row.action, &from, verb) {
        return if verb == "delete" {
            format!("replace: delete {from}")
        } else {
            "replace: make the next one".to_owned()
        };
    }
    let from = from.map(|from| format!(" {from}")).unwrap_or_default();
    let waits = row.rollout.as_ref().map(|rollout| rollout.at_least).filter(|at_least| !at_least.is_zero());
    let waits = waits.map(|at_least| format!(", {} at least", crate::text::span(at_least))).unwrap_or_default();
    let also = instances.filter(|also| also.subject != row.subject).map(|also| format!(", {}", some_of(also)));
    let own = if row.times() > 1 { some_of(row) } else { row.action.word().to_owned() };
    format!("{own}{from}{waits}{}", also.unwrap_or_default())
}

fn some_of(row: &Row) -> String {
    format!("{} {}", row.action.word(), plural(row.times(), "instance"))
}

/// What becomes of a service that another takes the place of.
const GOES: &str = "goes for another";

fn verb(step: &Step) -> &'static str {
    match step {
        Step::Call(operation) => operation.call.verb().as_str(),
        Step::Rollout(rollout) if rollout.revisions.is_empty() => GOES,
        Step::Rollout(_) => "rollout",
        Step::Note(..) => "record",
    }
}
