//! Services: which revision, which instances, and the rollout that leads there.

use super::{Planner, seats::Move, standing::Stand};
use crate::{
    Cause, Change, Incarnation, Notice, ReplaceOrder, Risk, RolloutStep, Step, StepId, What, recorded,
    rollout::{Goal, Order, Preview, preview},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use wharf_model::{
    Address, Call, Cost, Difference, Effect, Ending, EnvValue, GatewayName, InstanceId, Pins, RecordedRollout,
    RecordedService, Rest, Revision, RevisionNumber, ServiceName, ServiceSpec, Timestamp, compare,
};

/// What was found out about one service.
struct Case<'a> {
    name: &'a ServiceName,
    spec: Cow<'a, ServiceSpec>,
    recorded: Option<&'a RecordedService>,
    revision: Arc<Revision>,
    /// Fields that differ from the record.
    differences: Vec<Difference>,
    /// Whether one of them takes new instances.
    rolls: bool,
    stand: Stand,
    /// Whether its file lets it go nowhere. Whoever goes back asks no file.
    paused: bool,
    /// The revision that it is taken back from, where somebody asked for that and it was cut off.
    taken_back: Option<RevisionNumber>,
}

impl Case<'_> {
    fn goal(&self) -> Goal {
        Goal { revision: self.revision.number, count: self.spec.instances }
    }

    /// What its rollout is to do: one that an earlier apply began goes on where it stood.
    fn order(&self) -> Order {
        let grace = self.spec.shutdown.grace;
        let mut order = Order::new(self.name.clone(), self.goal(), self.back(), &self.spec.rollout, grace);
        let Some(recorded) = self.recorded else { return order };
        match recorded.rollout {
            Some(known) if known.to == order.goal.revision => {
                order.passed = order.pace.len().min(known.passed as usize);
                order.rest = known.rest.filter(|rest| self.still_says(*rest, &order));
                if known.rest == Some(Rest::Partition) && order.rest.is_none() {
                    // The file keeps another part now.
                    order.passed = 0;
                }
            }
            // Back to what serves: there is nothing to try out.
            Some(_) if recorded.current == Some(order.goal.revision) => order.pace.clear(),
            _ => {}
        }
        if self.paused && recorded.current.is_some_and(|current| current != order.goal.revision) {
            order.rest = Some(Rest::File);
        }
        order
    }

    /// Whether what a rollout waits for is still so.
    fn still_says(&self, rest: Rest, order: &Order) -> bool {
        let step = order.passed.checked_sub(1).and_then(|at| order.pace.get(at)).filter(|step| step.rest == Some(rest));
        let new = || self.stand.instances.values().filter(|standing| standing.revision == order.goal.revision).count();
        match rest {
            Rest::Asked => true,
            // The file is read afresh, and what was taken back begins anew.
            Rest::File | Rest::Aborted => false,
            Rest::Pause => step.is_some(),
            Rest::Partition => step.is_some_and(|step| step.share as usize == new()),
        }
    }

    /// Where to turn back to: what serves now, when something does.
    fn back(&self) -> Option<Goal> {
        let recorded = self.recorded?;
        let revision = recorded.current?;
        Some(Goal { revision, count: recorded.spec.instances })
    }
}

impl<'a> Planner<'a> {
    pub(super) fn services(&mut self, pins: &BTreeMap<&'a ServiceName, Pins>) {
        for (name, spec) in &self.input.desired.services {
            let empty = Pins::default();
            let pins = pins.get(name).unwrap_or(&empty);
            self.service(name, spec, pins);
        }
    }

    fn service(&mut self, name: &'a ServiceName, spec: &'a ServiceSpec, pins: &Pins) {
        let case = self.case(name, Cow::Borrowed(spec), pins);
        let case = self.on_its_way_back(&case).unwrap_or(case);
        self.notices(&case);
        let before = case.recorded.and_then(RecordedService::current_revision).cloned();
        let mut waits = self.prepare(name, &case.revision, before.as_deref());
        let (routes, new_routes) = self.routes(name);
        waits.extend(routes);
        let data = case.spec.template.data().map(|(path, _)| Address::Mount(name.clone(), path.clone()));
        waits.extend(self.objects_of(&case.spec, data));
        waits.extend(case.spec.exposes.keys().filter_map(|gateway| self.gateway_steps.get(gateway)));
        for (gateway, step) in &new_routes {
            // Before any of them may be drained: a gateway must not learn of an instance that has gone.
            waits.extend(self.introduce(&case, gateway, *step));
        }
        if let Some(rollout) = self.resting(&case) {
            self.notices.push(Notice::Resting { address: Address::Service(name.clone()), rollout });
            self.kept += 1;
            return self.keep_contents(&case, None);
        }
        self.note_paused(&case);
        let moves = !case.stand.is_at(case.goal()) || self.is_unsettled(&case);
        let end = if moves { Some(self.roll(&case, &waits)) } else { self.settle_in_place(&case) };
        if end.is_some() || self.rename_steps.contains_key(&Address::Service(name.clone())) {
            let wanted = (case.spec.clone().into_owned(), case.revision.clone());
            self.wanted.services.insert(name.clone(), wanted);
        }
        self.service_steps.extend(end.map(|end| (name.clone(), end)));
        self.keep_contents(&case, end);
    }

    /// What somebody asked to be taken back goes back, as long as the files ask for nothing newer: whoever asked expects
    /// no less of an apply that takes up one that was cut off.
    fn on_its_way_back(&self, case: &Case<'a>) -> Option<Case<'a>> {
        let recorded = case.recorded?;
        let known = recorded.rollout.filter(|known| known.rest == Some(Rest::Aborted))?;
        let current = recorded.current_revision().filter(|_| known.to == case.revision.number)?;
        let back = self.case(case.name, Cow::Owned(recorded::service(recorded)), &current.pins);
        Some(Case { taken_back: Some(known.to), ..back })
    }

    fn case(&self, name: &'a ServiceName, spec: Cow<'a, ServiceSpec>, pins: &Pins) -> Case<'a> {
        let recorded = self.input.recorded.services.get(name);
        let current = recorded.and_then(RecordedService::current_revision);
        let differences = match (recorded, current) {
            (Some(recorded), Some(current)) => {
                // Recorded is what was last asked for; what serves may be another revision of it.
                let same = recorded.spec == *spec && current.template == spec.template && current.pins == *pins;
                if same {
                    Vec::new()
                } else {
                    let was = ServiceSpec { template: current.template.clone(), ..recorded.spec.clone() };
                    compare(was.entries(&current.pins), spec.entries(pins))
                }
            }
            _ => Vec::new(),
        };
        let rolls = differences.iter().any(|difference| {
            matches!(self.input.capabilities.cost(difference.path.field), Cost::Roll | Cost::Replace)
        });
        let revision = match current {
            Some(current) if !rolls => current.clone(),
            _ => self.new_revision(recorded, &spec, pins),
        };
        let seen = self.instances.get(name).map(Vec::as_slice).unwrap_or_default();
        let stand = Stand::of(recorded, seen, self.input.observed, &self.recorded_gateways(name));
        let paused = spec.rollout.paused && !self.pinned;
        Case { name, spec, recorded, revision, differences, rolls, stand, paused, taken_back: None }
    }

    /// The revision to go to: one that an earlier, unfinished apply made of the same, else the next.
    fn new_revision(&self, recorded: Option<&RecordedService>, spec: &ServiceSpec, pins: &Pins) -> Arc<Revision> {
        let newest = recorded.and_then(|service| service.revisions.values().next_back());
        if let Some(same) = newest.filter(|known| known.template == spec.template && known.pins == *pins) {
            return same.clone();
        }
        let number = recorded.map_or(RevisionNumber(1), RecordedService::next_revision);
        Arc::new(Revision { number, template: spec.template.clone(), pins: pins.clone() })
    }

    /// The desired gateways whose routes to the service are recorded.
    fn recorded_gateways(&self, service: &ServiceName) -> Vec<&'a GatewayName> {
        let exposes = self.input.desired.services.get(service).map(|spec| &spec.exposes);
        let recorded = self.routed.get(service).into_iter().flatten().copied();
        recorded.filter(|gateway| exposes.is_some_and(|exposes| exposes.contains_key(*gateway))).collect()
    }

    /// Every gateway that sends the service requests or ever may have.
    fn all_gateways(&self, service: &ServiceName) -> Vec<GatewayName> {
        let desired = self.input.desired.services.get(service).into_iter().flat_map(|spec| spec.exposes.keys());
        let seen = self.input.observed.gateways.iter();
        let observed = seen.filter(|(_, gateway)| gateway.routes.contains_key(service)).map(|(name, _)| name);
        desired.chain(observed).cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether the record does not yet say that the service is where it is to be.
    fn is_unsettled(&self, case: &Case<'_>) -> bool {
        case.taken_back.is_some() || case.recorded.is_none_or(|recorded| recorded.current != Some(case.revision.number))
    }

    fn notices(&mut self, case: &Case<'_>) {
        let new = case.rolls || case.recorded.is_none();
        if let (true, Some(by)) = (new, self.input.capabilities.shows_env()) {
            let template = &case.spec.template;
            let env = template.env.values().filter_map(EnvValue::secret);
            // Who mounts it for the platform is told the keys in the same way.
            let served = template.mounts.values().filter(|mount| mount.as_fuse().is_some());
            let keys = served.flat_map(|mount| mount.secrets().map(|(_, secret)| secret));
            let secrets: Vec<_> = env.chain(keys).cloned().collect::<BTreeSet<_>>().into_iter().collect();
            if !secrets.is_empty() {
                let address = Address::Service(case.name.clone());
                self.notices.push(Notice::Shown { address, secrets, by });
            }
        }
        for (instance, heard) in &case.stand.unready {
            self.notices.push(Notice::NotReady { instance: instance.clone(), heard: heard.clone() });
        }
        if let Some(trouble) = case.recorded.and_then(trouble) {
            self.notices.push(Notice::LastRollout { address: Address::Service(case.name.clone()), how: trouble });
        }
    }

    /// The rollout that waits until somebody lets it go on, when all that it has to do meanwhile is nothing.
    fn resting(&self, case: &Case<'_>) -> Option<RecordedRollout> {
        let order = case.order();
        order.rest?;
        let generations = case.recorded.map(|recorded| recorded.generations.clone()).unwrap_or_default();
        let mends = preview(&order, &case.stand.instances, &generations, |id| case.stand.running.contains(id));
        case.recorded?.rollout.filter(|_| mends.steps.is_empty())
    }

    /// Says of a rollout that is to be written down and not begun why that is so.
    fn note_paused(&mut self, case: &Case<'_>) {
        let order = case.order();
        if order.rest == Some(Rest::File) {
            let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            let (passed, steps) = (number(order.passed), number(order.pace.len()));
            let (to, rest) = (order.goal.revision, order.rest);
            let rollout = RecordedRollout { to, passed, steps, since: Timestamp(0), rest };
            self.notices.push(Notice::Resting { address: Address::Service(case.name.clone()), rollout });
        }
    }

    fn roll(&mut self, case: &Case<'_>, waits: &[StepId]) -> StepId {
        let step = self.rollout_step(case, case.order());
        let ready = |id: &InstanceId| case.stand.running.contains(id) && !case.stand.unready.contains_key(id);
        let preview = preview(&step.order, &step.standing, &step.generations, ready);
        self.moves.push(Move::new(case.name.clone(), &case.revision.template, &preview.steps));
        self.note_service(case, preview);
        let abort = self.note_abort(case);
        let id = self.operations.add(Step::Rollout(Box::new(step)));
        for wait in waits.iter().chain(&abort) {
            self.operations.order(*wait, id);
        }
        id
    }

    /// Has it recorded that a rollout is taken back, before anything is: whoever takes that up must not mend it instead.
    fn note_abort(&mut self, case: &Case<'_>) -> Option<StepId> {
        let recorded = case.recorded?;
        let known = recorded.rollout.filter(|known| known.to != case.revision.number)?;
        let new = recorded.current == Some(case.revision.number) && known.rest != Some(Rest::Aborted);
        new.then(|| {
            let rollout = RecordedRollout { rest: Some(Rest::Aborted), ..known };
            let effect = Effect::RolloutStands { service: case.name.clone(), rollout };
            self.operations.add(Step::Note(Address::Service(case.name.clone()), effect))
        })
    }

    fn rollout_step(&self, case: &Case<'_>, order: Order) -> RolloutStep {
        let known = case.recorded.map(|recorded| recorded.revisions.clone()).unwrap_or_default();
        let mut revisions = known;
        revisions.insert(case.revision.number, case.revision.clone());
        RolloutStep {
            order,
            revisions,
            standing: case.stand.instances.clone(),
            endpoints: case.stand.endpoints.clone(),
            generations: case.recorded.map(|recorded| recorded.generations.clone()).unwrap_or_default(),
            gateways: case.spec.exposes.keys().cloned().collect(),
            known_by: self.all_gateways(case.name),
            shutdown: case.spec.shutdown.clone(),
        }
    }

    /// The rows that say what happens to the service and, where only instances are at fault, to those.
    fn note_service(&mut self, case: &Case<'_>, preview: Preview) {
        let address = Address::Service(case.name.clone());
        let risks = risks(case, &preview);
        let mut written = self.written(&address, case.differences.clone());
        written.extend(case.taken_back.map(|to| {
            let asked = "somebody asked for it, and the apply that began to was cut off";
            Cause::Unfinished(format!(
                "its rollout to {to} is taken back: {asked}; the apply after this goes by the files"
            ))
        }));
        let what = match case.recorded.and_then(|recorded| recorded.current) {
            Some(from) if case.rolls => What::Roll { because: written, from, to: case.revision.number, preview },
            Some(_) => {
                self.note_instances(case);
                if written.is_empty() {
                    return;
                }
                What::Update { because: written, preview: Some(preview) }
            }
            None => {
                let because = match case.recorded {
                    Some(_) => Cause::Unfinished("no rollout of it has ended well yet".to_owned()),
                    None => Cause::Declared(self.declared(&address)),
                };
                let entries = case.spec.entries(&case.revision.pins);
                What::Create { because, entries, preview: Some(preview) }
            }
        };
        self.changes.push(Change { address, what, risks });
    }

    fn note_instances(&mut self, case: &Case<'_>) {
        let count = case.spec.instances;
        for (id, standing) in &case.stand.instances {
            let address = Address::Instance(case.name.clone(), id.slot);
            let unknown = case.stand.unknown.contains(id);
            let what = if let Some(exit) = case.stand.down.get(id) {
                let because = vec![Cause::Seen { field: "process", saw: exit.to_string() }];
                if id.slot.0 < count { replace(because, id) } else { delete(Cause::NotDeclared) }
            } else if id.slot.0 >= count {
                delete(Cause::NotDeclared)
            } else if let Some(cause) = case.stand.altered.get(id) {
                replace(vec![cause.clone()], id)
            } else if unknown {
                delete(Cause::Seen { field: "process", saw: format!("{id} runs, and was never recorded") })
            } else if standing.revision != case.revision.number {
                delete(Cause::Unfinished("it was left by a rollout that did not end well".to_owned()))
            } else if standing.traffic != crate::rollout::Traffic::Served {
                let because = vec![Cause::Unfinished("it runs but gets no requests".to_owned())];
                What::Update { because, preview: None }
            } else {
                continue;
            };
            self.changes.push(Change { address, what, risks: Vec::new() });
        }
        self.note_missing(case);
    }

    /// Slots that nothing stands in, although no field asks for more of them.
    fn note_missing(&mut self, case: &Case<'_>) {
        let scaled = case.recorded.is_some_and(|recorded| recorded.spec.instances != case.spec.instances);
        let held: BTreeSet<u32> = case.stand.instances.keys().map(|id| id.slot.0).collect();
        for slot in (0..case.spec.instances).filter(|slot| !scaled && !held.contains(slot)) {
            let address = Address::Instance(case.name.clone(), wharf_model::Slot(slot));
            let because = Cause::Seen { field: "process", saw: "missing".to_owned() };
            self.changes.push(Change {
                address,
                what: What::Create { because, entries: Vec::new(), preview: None },
                risks: Vec::new(),
            });
        }
    }

    /// A service whose instances stay: only the record has something to learn.
    fn settle_in_place(&mut self, case: &Case<'_>) -> Option<StepId> {
        let address = Address::Service(case.name.clone());
        if case.differences.is_empty() {
            self.kept += 1;
            return None;
        }
        let because = self.written(&address, case.differences.clone());
        let effect = Effect::ServiceUpdated { service: case.name.clone() };
        let step = self.operations.add(Step::Note(address.clone(), effect));
        self.changes.push(Change { address, what: What::Update { because, preview: None }, risks: Vec::new() });
        Some(step)
    }

    /// Makes a gateway that is new to a service send requests to the instances that already serve.
    fn introduce(&mut self, case: &Case<'_>, gateway: &GatewayName, after: StepId) -> Vec<StepId> {
        let mut steps = Vec::new();
        for id in case.stand.running.iter().filter(|id| !case.stand.unready.contains_key(*id)) {
            let Some(endpoint) = case.stand.endpoints.get(id).copied() else { continue };
            let gateways = vec![gateway.clone()];
            let own =
                case.stand.instances.get(id).and_then(|standing| case.recorded?.revisions.get(&standing.revision));
            let probe = own.unwrap_or(&case.revision).template.probe();
            let call = Call::RouteInstance { instance: id.clone(), endpoint, gateways, probe };
            let step = self.call(Address::Instance(case.name.clone(), id.slot), call);
            self.operations.order(after, step);
            steps.push(step);
        }
        steps
    }

    /// What the revisions that stay known need stays; what only the others need may go after `end`.
    fn keep_contents(&mut self, case: &Case<'_>, end: Option<StepId>) {
        self.needed.extend(case.revision.contents());
        let Some(recorded) = case.recorded else { return };
        for revision in recorded.revisions.values() {
            if end.is_none() || Some(revision.number) == recorded.current || revision.number >= case.revision.number {
                self.needed.extend(revision.contents());
            } else if let Some(end) = end {
                for content in revision.contents() {
                    self.users.entry(content).or_default().push(end);
                }
            }
        }
    }

    pub(super) fn removed_services(&mut self) {
        let recorded = self.input.recorded.services.keys();
        let observed = self.instances.keys().copied();
        let gone: BTreeSet<&'a ServiceName> =
            recorded.chain(observed).filter(|name| !self.input.desired.services.contains_key(*name)).collect();
        for name in gone {
            self.remove_service(name);
        }
        let known = |name: &&ServiceName| {
            self.input.recorded.services.contains_key(*name)
                || self.instances.contains_key(*name)
                || self.input.desired.services.contains_key(*name)
        };
        let orphans: Vec<_> = self.routed.keys().copied().filter(|name| !known(name)).collect();
        for service in orphans {
            for gateway in self.routed.get(service).cloned().unwrap_or_default() {
                self.delete_route(gateway, service, Vec::new());
            }
        }
    }

    fn remove_service(&mut self, name: &'a ServiceName) {
        let address = Address::Service(name.clone());
        let recorded = self.input.recorded.services.get(name);
        let seen = self.instances.get(name).map(Vec::as_slice).unwrap_or_default();
        let stand = Stand::of(recorded, seen, self.input.observed, &[]);
        let revision = recorded.and_then(|recorded| recorded.current).unwrap_or(RevisionNumber(0));
        let shutdown = recorded.map(|recorded| recorded.spec.shutdown.clone()).unwrap_or_default();
        let policy = recorded.map(|recorded| recorded.spec.rollout.clone()).unwrap_or_default();
        let order = Order::new(name.clone(), Goal { revision, count: 0 }, None, &policy, shutdown.grace);
        let id = self.operations.add(Step::Rollout(Box::new(RolloutStep {
            order,
            revisions: BTreeMap::new(),
            standing: stand.instances,
            endpoints: stand.endpoints,
            generations: BTreeMap::new(),
            gateways: Vec::new(),
            known_by: self.all_gateways(name),
            shutdown,
        })));
        self.service_steps.insert(name.clone(), id);
        match self.heir(name).cloned() {
            None => {
                self.changes.push(Change { address, what: delete(Cause::NotDeclared), risks: vec![Risk::Downtime] });
            }
            Some(heir) => self.go_after(id, name, &heir),
        }
        for revision in recorded.into_iter().flat_map(|recorded| recorded.revisions.values()) {
            for content in revision.contents() {
                self.users.entry(content).or_default().push(id);
            }
        }
        for gateway in self.routed.get(name).cloned().unwrap_or_default() {
            let risks = self.risks_of_leaving(gateway, name);
            let step = self.delete_route(gateway, name, risks);
            self.operations.order(id, step);
        }
    }

    /// A service goes when the one that takes its place serves. Where that one has to wait for a gateway whose port is
    /// not free yet, or for a path of the one that goes, there is nothing to wait for.
    fn go_after(&mut self, removal: StepId, gone: &ServiceName, heir: &ServiceName) {
        let late = self.late_gateways();
        let exposes = self.input.desired.services.get(heir).map(|spec| &spec.exposes);
        let waits = exposes.is_some_and(|exposes| exposes.keys().any(|gateway| late.contains_key(gateway)));
        if let (Some(serves), false) = (self.service_steps.get(heir), waits || self.takes_path(heir, gone)) {
            self.operations.order(*serves, removal);
        }
    }
}

/// An instance that does not run gives way to the next.
fn replace(because: Vec<Cause>, from: &InstanceId) -> What {
    What::Replace { because, from: Incarnation::Instance(from.clone()), order: ReplaceOrder::CreateFirst }
}

fn delete(because: Cause) -> What {
    What::Delete { because }
}

fn trouble(recorded: &RecordedService) -> Option<String> {
    let (revision, ending) = recorded.trouble.as_ref()?;
    match ending {
        Ending::Done => None,
        Ending::RolledBack { because } => Some(format!("to {revision} was rolled back: {because}")),
        Ending::Halted { because } => Some(format!("to {revision} was halted: {because}")),
    }
}

fn risks(case: &Case<'_>, preview: &Preview) -> Vec<Risk> {
    let Some(recorded) = case.recorded.filter(|recorded| recorded.current.is_some()) else { return Vec::new() };
    let wanted = case.spec.instances.min(recorded.spec.instances);
    match preview.lowest_ready {
        _ if recorded.spec.instances == 0 => Vec::new(),
        _ if wanted == 0 => vec![Risk::Downtime],
        0 => vec![Risk::Downtime],
        lowest if lowest < wanted => vec![Risk::CapacityDip { lowest, wanted }],
        _ => Vec::new(),
    }
}
