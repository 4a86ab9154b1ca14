//! The rule itself: first take in what was seen, then judge, then choose what to do within the bounds.

use super::{Action, Failure, Phase, Rollout, Seen, Settled, Sight, Stage, Tracked};
use std::collections::{BTreeMap, BTreeSet};
use wharf_model::{Generation, InstanceId, RevisionNumber, Slot, Timestamp, Verb};

/// How often draining or stopping an instance is tried before the rollout halts.
const REFUSALS: u8 = 3;
/// How many looks may miss an instance that was started and never seen, before it counts as ended.
const UNSEEN: u8 = 3;

impl Rollout {
    /// One step: what is known now, and what to do about it. Actions that are under way are not ordered again. Once the
    /// rollout has ended, steps only take in what settles.
    #[must_use]
    pub fn step(mut self, seen: &Seen, now: Timestamp) -> (Self, Vec<Action>) {
        let mut failure = None;
        for settled in &seen.settled {
            let refused = self.settle(settled, now);
            failure = failure.or(refused);
        }
        if let Some(look) = &seen.look {
            let ended = self.look(look, now);
            failure = failure.or(ended);
        }
        if self.has_ended() {
            return (self, Vec::new());
        }
        self.note_progress(now);
        let failure = failure.or_else(|| self.pace(now));
        if let Some(failure) = failure.or_else(|| self.overdue(now)) {
            self.fail(failure, now);
        }
        if self.arrived() {
            self.phase = match self.phase {
                Phase::Back(failure) => Phase::RolledBack(failure),
                _ => Phase::Done,
            };
            return (self, Vec::new());
        }
        let actions = self.choose(now);
        if let Some(why) = self.at_rest().filter(|_| actions.is_empty()) {
            self.phase = Phase::Resting(why);
            return (self, actions);
        }
        for action in &actions {
            self.begin(action);
        }
        (self, actions)
    }

    /// Takes in what settled and orders nothing: what a rollout does when its apply was asked to stop.
    #[must_use]
    pub fn rest(mut self, seen: &Seen, now: Timestamp) -> (Self, Vec<Action>) {
        for settled in &seen.settled {
            // Whoever takes the rollout up again looks afresh.
            drop(self.settle(settled, now));
        }
        (self, Vec::new())
    }

    /// Takes in the end of an action. A refused start or route fails the rollout; a refused drain or stop is tried again a
    /// few times, since turning back would need the same.
    fn settle(&mut self, settled: &Settled, now: Timestamp) -> Option<Failure> {
        let goal = self.goal().revision;
        let tracked = self.instances.get_mut(&settled.instance)?;
        if tracked.pending != Some(settled.verb) {
            return None;
        }
        tracked.pending = None;
        let Some(refusal) = settled.error.clone() else {
            match (settled.verb, &tracked.stage) {
                (Verb::Start, Stage::Starting) => tracked.stage = Stage::Waiting,
                (Verb::Route, Stage::Ready { .. }) => tracked.stage = Stage::Serving { ready: true },
                (Verb::Drain, Stage::Serving { .. }) => {
                    tracked.stage = Stage::Draining { since: now, in_flight: None };
                }
                (Verb::Stop, _) => self.gone(&settled.instance.clone(), now),
                _ => {}
            }
            return None;
        };
        let refused = Failure::Refused { instance: settled.instance.clone(), verb: settled.verb, refusal };
        match settled.verb {
            Verb::Start => {
                tracked.stage = Stage::Ended;
                // An old one that cannot be brought back is not the new revision's fault.
                (tracked.revision == goal).then_some(refused)
            }
            Verb::Drain | Verb::Stop => {
                tracked.refusals += 1;
                (tracked.refusals >= REFUSALS).then_some(refused)
            }
            _ => Some(refused),
        }
    }

    fn gone(&mut self, instance: &InstanceId, now: Timestamp) {
        let goal = self.goal().revision;
        if self.instances.remove(instance).is_some_and(|tracked| tracked.revision != goal) {
            // Old ones only get fewer, so this cannot put off the deadline for ever.
            self.progress_at = now;
        }
    }

    /// Takes in a look. Answers the failure when a new instance ended before it got requests.
    fn look(&mut self, look: &BTreeMap<InstanceId, Sight>, now: Timestamp) -> Option<Failure> {
        let goal = self.goal().revision;
        let (mut failure, mut ended) = (None, 0);
        let absent = Sight::absent();
        for (instance, tracked) in &mut self.instances {
            let sight = look.get(instance).unwrap_or(&absent);
            if !look.contains_key(instance) && tracked.is_awaited() {
                tracked.missed = tracked.missed.saturating_add(1);
                continue;
            }
            let was_new = tracked.ours && tracked.revision == goal;
            let unrouted = matches!(tracked.stage, Stage::Waiting | Stage::Ready { .. });
            let served = matches!(tracked.stage, Stage::Serving { .. });
            // One that ends before it gets requests has failed, also where somebody would try it again for ever.
            let between = sight.between.as_ref().filter(|_| tracked.ours && unrouted);
            let ended_with = sight.ended.as_ref().or(between);
            let again = tracked.started_again(sight);
            tracked.see(sight, ended_with.is_some(), now);
            if tracked.revision == goal && served {
                ended += u32::from(tracked.stage == Stage::Ended) + again;
            }
            if let (Some(exit), true, true) = (ended_with, was_new, unrouted) {
                let answer = tracked.sight.as_ref().and_then(|sight| sight.answer.clone());
                let (instance, exit, last_lines) = (instance.clone(), exit.clone(), sight.last_lines.clone());
                failure.get_or_insert(Failure::Ended { instance, exit, answer, last_lines });
            }
        }
        self.count(look, ended);
        failure
    }

    pub(super) fn ready_of_goal(&self) -> u32 {
        let goal = self.goal().revision;
        let ready = |tracked: &&Tracked| tracked.revision == goal && tracked.stage == Stage::Serving { ready: true };
        count(self.instances.values().filter(ready))
    }

    fn note_progress(&mut self, now: Timestamp) {
        let ready = self.ready_of_goal();
        if ready > self.high_water {
            self.high_water = ready;
            self.progress_at = now;
        }
    }

    /// Whether there has been no progress for the deadline. While an instance drains, its grace is the bound.
    fn overdue(&self, now: Timestamp) -> Option<Failure> {
        let draining = self.instances.values().any(|tracked| matches!(tracked.stage, Stage::Draining { .. }));
        let watched = self.held_until().is_some();
        if draining
            || watched
            || self.ready_of_goal() >= self.goal().count
            || now.since(self.progress_at) < self.order.deadline
        {
            return None;
        }
        let goal = self.goal().revision;
        let late = self.instances.iter().find(|(_, tracked)| {
            tracked.revision == goal && matches!(tracked.stage, Stage::Waiting | Stage::Serving { ready: false })
        });
        let sight = late.and_then(|(_, tracked)| tracked.sight.as_ref());
        Some(Failure::Deadline {
            after: self.order.deadline,
            instance: late.map(|(instance, _)| instance.clone()),
            answer: sight.and_then(|sight| sight.answer.clone()),
            last_lines: sight.map(|sight| sight.last_lines.clone()).unwrap_or_default(),
        })
    }

    /// Turns back, once, when there is a way back and the failure is not one that would fail there too; halts otherwise.
    pub(super) fn fail(&mut self, failure: Failure, now: Timestamp) {
        let stuck = matches!(&failure, Failure::Refused { verb: Verb::Drain | Verb::Stop, .. });
        self.phase = match (std::mem::replace(&mut self.phase, Phase::Forward), self.order.back) {
            (Phase::Forward, Some(_)) if !stuck => Phase::Back(failure),
            (Phase::Back(first), _) => {
                Phase::Halted(Failure::Twice { first: Box::new(first), second: Box::new(failure) })
            }
            _ => Phase::Halted(failure),
        };
        self.high_water = 0;
        self.progress_at = now;
        self.note_progress(now);
    }

    /// Whether exactly the goal stands, every instance of it ready.
    fn arrived(&self) -> bool {
        let goal = self.goal();
        matches!(self.phase, Phase::Forward | Phase::Back(_))
            && self.pace_step().is_none()
            && count(self.instances.values()) == goal.count
            && self.ready_of_goal() == goal.count
            && self.instances.values().all(|tracked| tracked.pending.is_none())
    }

    fn choose(&self, now: Timestamp) -> Vec<Action> {
        if matches!(self.phase, Phase::Halted(_)) {
            return Vec::new();
        }
        let wanted = self.wanted();
        let mut actions = self.stops(&wanted, now);
        actions.extend(self.routes(&wanted, now));
        actions.extend(self.drains(&wanted));
        actions.extend(self.starts(&wanted));
        actions
    }

    /// The instances that are to stay: of the goal, alive, the fittest of each slot below the count; and old ones that come
    /// back.
    fn wanted(&self) -> BTreeSet<&InstanceId> {
        let goal = self.goal();
        let mut best: BTreeMap<Slot, (&InstanceId, u8)> = BTreeMap::new();
        for (instance, tracked) in &self.instances {
            let fitness = match tracked.stage {
                Stage::Serving { ready: true } => 4,
                Stage::Serving { ready: false } => 3,
                Stage::Ready { .. } => 2,
                Stage::Starting | Stage::Waiting => 1,
                Stage::Draining { .. } | Stage::Ended => continue,
            };
            if tracked.is_leaving() || tracked.revision != goal.revision || instance.slot.0 >= goal.count {
                continue;
            }
            let known = best.entry(instance.slot).or_insert((instance, fitness));
            if known.1 < fitness {
                *known = (instance, fitness);
            }
        }
        let coming = self.instances.iter().filter(|(_, tracked)| self.comes_back(tracked));
        best.into_values().map(|(instance, _)| instance).chain(coming.map(|(instance, _)| instance)).collect()
    }

    /// Whether it is an old instance on its way to take the place of another.
    fn comes_back(&self, tracked: &Tracked) -> bool {
        let coming = matches!(tracked.stage, Stage::Starting | Stage::Waiting | Stage::Ready { .. });
        tracked.ours && coming && !tracked.is_leaving() && tracked.revision != self.goal().revision && self.kept() > 0
    }

    fn idle(&self) -> impl Iterator<Item = (&InstanceId, &Tracked)> {
        self.instances.iter().filter(|(_, tracked)| tracked.pending.is_none())
    }

    /// What is over: ended, drained, out of grace, or unwanted and never routed.
    fn stops(&self, wanted: &BTreeSet<&InstanceId>, now: Timestamp) -> Vec<Action> {
        let over = |(instance, tracked): &(&InstanceId, &Tracked)| match tracked.stage {
            Stage::Ended => true,
            Stage::Draining { since, in_flight } => in_flight == Some(0) || now.since(since) >= self.order.grace,
            Stage::Waiting | Stage::Ready { .. } => !wanted.contains(instance),
            Stage::Starting | Stage::Serving { .. } => false,
        };
        self.idle().filter(over).map(|(instance, _)| Action::Stop(instance.clone())).collect()
    }

    fn routes(&self, wanted: &BTreeSet<&InstanceId>, now: Timestamp) -> Vec<Action> {
        let due = |(instance, tracked): &(&InstanceId, &Tracked)| {
            let long_enough =
                matches!(tracked.stage, Stage::Ready { since } if now.since(since) >= self.order.min_ready);
            long_enough && wanted.contains(instance)
        };
        self.idle().filter(due).map(|(instance, _)| Action::Route(instance.clone())).collect()
    }

    /// Unwanted instances that serve: those that are not ready first, then as many ready ones as capacity allows.
    fn drains(&self, wanted: &BTreeSet<&InstanceId>) -> Vec<Action> {
        let floor = self.goal().count.saturating_sub(self.order.unavailable);
        let ready: Vec<_> = self
            .instances
            .iter()
            .filter(|(_, tracked)| {
                tracked.stage == Stage::Serving { ready: true } && tracked.pending != Some(Verb::Drain)
            })
            .map(|(instance, _)| instance)
            .collect();
        let unwanted = count(ready.iter().filter(|instance| !wanted.contains(*instance)));
        // What a step does not replace yet serves on, whatever might be missing.
        let mut spare = count(ready.iter()).saturating_sub(floor).min(unwanted.saturating_sub(self.kept()));
        let mut actions = Vec::new();
        for (instance, tracked) in self.idle() {
            match tracked.stage {
                Stage::Serving { .. } if wanted.contains(instance) => {}
                Stage::Serving { ready: false } if tracked.sight.is_some() => {
                    actions.push(Action::Drain(instance.clone()));
                }
                Stage::Serving { ready: true } if spare > 0 => {
                    spare -= 1;
                    actions.push(Action::Drain(instance.clone()));
                }
                _ => {}
            }
        }
        actions
    }

    /// New incarnations for the slots that have none, as far as the surge allows. One that has ended keeps its place until
    /// it is stopped: a look may be wrong about it.
    fn starts(&self, wanted: &BTreeSet<&InstanceId>) -> Vec<Action> {
        let goal = self.goal();
        let living = count(self.instances.values());
        let room = (goal.count + self.order.surge).saturating_sub(living);
        let of_goal = || wanted.iter().filter(|instance| self.instances[**instance].revision == goal.revision);
        let ahead = room.min(self.ceiling().saturating_sub(count(of_goal())));
        let held: BTreeSet<Slot> = of_goal().map(|instance| instance.slot).collect();
        let free = (0..goal.count).map(Slot).filter(|slot| !held.contains(slot));
        let start = |(slot, revision): (Slot, RevisionNumber)| {
            let highest = self.generations.get(&slot).map_or(0, |generation| generation.0);
            let generation = Generation(highest.saturating_add(1));
            Action::Start(InstanceId { service: self.order.service.clone(), slot, generation }, revision)
        };
        let new: Vec<_> = free.take(ahead as usize).map(|slot| (slot, goal.revision)).collect();
        let old = self.revivals(room - count(new.iter()), &new);
        new.into_iter().chain(old).map(start).collect()
    }

    /// Old instances that are started again, in slots in which nothing stands: a step that is not passed yet keeps so many.
    /// Each may be brought back once or so, and no more: what does not stay is not waited for.
    fn revivals(&self, room: u32, taken: &[(Slot, RevisionNumber)]) -> Vec<(Slot, RevisionNumber)> {
        let (Some(before), count_of_goal) = (self.order.before, self.goal().count) else { return Vec::new() };
        if before.revision == self.goal().revision || self.pace_step().is_none() && self.resting().is_none() {
            return Vec::new();
        }
        let goal = self.goal().revision;
        let alive = |tracked: &&Tracked| !matches!(tracked.stage, Stage::Draining { .. } | Stage::Ended);
        let old = self.instances.values().filter(|tracked| tracked.revision != goal);
        let old = count(old.filter(alive).filter(|tracked| !tracked.is_leaving()));
        // Never more than there were: a service that grows gets new ones.
        let wanted = (count_of_goal - self.ceiling()).min(before.count).saturating_sub(old);
        let number = wanted.min(room).min(count_of_goal.saturating_sub(self.revived));
        let mut held: BTreeSet<Slot> = self.instances.keys().map(|instance| instance.slot).collect();
        held.extend(taken.iter().map(|(slot, _)| *slot));
        let free = (0..count_of_goal).map(Slot).filter(|slot| !held.contains(slot));
        free.take(number as usize).map(|slot| (slot, before.revision)).collect()
    }

    fn begin(&mut self, action: &Action) {
        let instance = action.instance();
        if let Action::Start(_, revision) = action {
            self.generations.insert(instance.slot, instance.generation);
            self.revived += u32::from(*revision != self.goal().revision);
            let (revision, stage) = (*revision, Stage::Starting);
            let started = Tracked { revision, stage, pending: None, ours: true, refusals: 0, missed: 0, sight: None };
            self.instances.insert(instance.clone(), started);
        }
        if let Some(tracked) = self.instances.get_mut(instance) {
            tracked.pending = Some(action.verb());
        }
    }
}

impl Tracked {
    /// Whether it may be missing from a look although it is there: it is being started, or was just now, and a platform
    /// may need a few looks until it shows what it has.
    fn is_awaited(&self) -> bool {
        let unseen = self.ours && self.sight.is_none() && self.stage == Stage::Waiting;
        self.pending == Some(Verb::Start) || (unseen && self.missed < UNSEEN)
    }

    /// How often its program was started again since the look before this.
    fn started_again(&self, sight: &Sight) -> u32 {
        let before = match &self.sight {
            Some(before) => before.restarts.unwrap_or(0),
            None if self.ours => 0,
            // What somebody else started may have been started again for as long as it is there.
            None => return 0,
        };
        sight.restarts.map_or(0, |now| now.saturating_sub(before))
    }

    /// Takes in what a look found, and whether the program counts as ended by it. What is under way is believed to come about: its outcome settles it.
    fn see(&mut self, sight: &Sight, has_ended: bool, now: Timestamp) {
        let (before, known) = self.sight.take().map_or((None, None), |sight| (sight.answer, sight.restarts));
        let (answer, restarts) = (sight.answer.clone().or(before), sight.restarts.or(known));
        self.sight = Some(Sight { answer, restarts, ..sight.clone() });
        if has_ended {
            if self.pending.is_none() {
                self.stage = Stage::Ended;
            }
            return;
        }
        self.stage = match (&self.stage, sight.ready) {
            (Stage::Waiting, true) => Stage::Ready { since: now },
            // A route that is under way may already be in force; only its end tells.
            (Stage::Ready { .. }, false) if self.pending.is_none() => Stage::Waiting,
            (Stage::Serving { .. }, ready) => Stage::Serving { ready },
            (Stage::Draining { since, .. }, _) => Stage::Draining { since: *since, in_flight: sight.in_flight },
            (stage, _) => (*stage).clone(),
        };
    }
}

pub(super) fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
