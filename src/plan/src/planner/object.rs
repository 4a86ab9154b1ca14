//! Objects of the platform beside gateways and instances: networks, balancers, groups, logins, and data that outlives
//! instances. What lies in one follows it when it is replaced; one goes only when nothing uses it any more.

use super::Planner;
use crate::{Cause, Change, Incarnation, Notice, ReplaceOrder, Risk, Step, StepId, What, facts::incarnations};
use std::collections::{BTreeMap, BTreeSet};
use wharf_model::{
    Address, Call, Cost, Effect, Generation, Kind, ObjectId, ObjectSpec, RecordedObject, RecordedService, ServiceSpec,
    compare,
};

/// What is known of the objects while a plan is made.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// What the files ask for.
    pub(super) desired: BTreeMap<Address, ObjectSpec>,
    /// Which incarnation of each will be there.
    pub(super) generations: BTreeMap<Address, Generation>,
    /// The step after which each is as it should be.
    pub(super) steps: BTreeMap<Address, StepId>,
    /// Those that give way to another incarnation.
    pub(super) replaced: BTreeSet<Address>,
    /// The steps that take an incarnation away, or let it go.
    retired: Vec<(Address, StepId)>,
}

/// What becomes of an object, and why.
enum Fate {
    Kept,
    Created(Cause),
    Adopted { is_as_wanted: bool, because: Vec<Cause> },
    Updated(Vec<Cause>),
    Replaced(Vec<Cause>),
}

impl Planner<'_> {
    pub(super) fn objects(&mut self) {
        let desired = self.input.objects();
        for (address, spec) in &desired {
            self.object(address, spec);
        }
        self.objects.desired = desired;
    }

    fn object(&mut self, address: &Address, spec: &ObjectSpec) {
        let seen: Vec<_> = incarnations(self.input.observed, address).map(|(id, _)| id.generation).collect();
        let recorded = self.input.recorded.objects.get(address);
        let newest = seen.iter().copied().chain(recorded.map(|known| known.generation)).max();
        let fate = self.fate(address, spec, recorded);
        let generation = match (&fate, recorded, newest) {
            (Fate::Replaced(_), _, Some(newest)) => Generation(newest.0 + 1),
            (_, Some(known), _) => known.generation,
            (_, None, newest) => newest.unwrap_or(Generation(1)),
        };
        let object = ObjectId { address: address.clone(), generation };
        self.objects.generations.insert(address.clone(), generation);
        let old: Vec<_> = seen.into_iter().filter(|known| *known != generation).collect();
        let step = match &fate {
            Fate::Kept => None,
            Fate::Adopted { is_as_wanted: true, .. } => {
                let effect = Effect::ObjectUp { object: object.clone() };
                Some(self.operations.add(Step::Note(address.clone(), effect)))
            }
            _ => Some(self.call(address.clone(), Call::PutObject { object: object.clone(), spec: spec.clone() })),
        };
        if let Some(step) = step {
            let within = spec.lies_in().and_then(|network| self.objects.steps.get(&network).copied());
            within.into_iter().for_each(|network| self.operations.order(network, step));
            self.objects.steps.insert(address.clone(), step);
            self.wanted.objects.insert(address.clone(), RecordedObject { spec: spec.clone(), generation });
        }
        if let (ObjectSpec::Supervisor(spec), Fate::Created(Cause::Declared(_))) = (spec, &fate) {
            self.notices.push(Notice::HoldsSocket { address: address.clone(), socket: spec.socket.clone() });
        }
        self.take_old_away(address, &old, step);
        self.note_object(address, spec, fate, &old);
    }

    fn fate(&self, address: &Address, spec: &ObjectSpec, recorded: Option<&RecordedObject>) -> Fate {
        let seen = |field, saw: &str| Cause::Seen { field, saw: saw.to_owned() };
        let Some(known) = recorded else {
            let Some((_, object)) = incarnations(self.input.observed, address).last() else {
                return Fate::Created(Cause::Declared(self.declared(address)));
            };
            let is_as_wanted = object.fingerprint == Some(spec.fingerprint());
            let because = vec![seen("object", "there, and nobody wrote it down")];
            return Fate::Adopted { is_as_wanted, because };
        };
        let differences = compare(known.spec.entries(), spec.entries());
        let cost = |field| matches!(self.input.capabilities.cost(field), Cost::Replace);
        let mut replaced = differences.iter().any(|difference| cost(difference.path.field));
        let mut because = self.written(address, differences);
        if let Some(network) = spec.lies_in().filter(|network| self.objects.replaced.contains(network)) {
            because.push(Cause::Follows(network));
            replaced |= cost(wharf_model::Field::NlbNetwork);
        }
        if replaced {
            return Fate::Replaced(because);
        }
        let id = ObjectId { address: address.clone(), generation: known.generation };
        match self.input.observed.objects.get(&id) {
            None => return Fate::Created(seen("object", "missing")),
            Some(object) if object.fingerprint != Some(known.spec.fingerprint()) => {
                let before = self.actual.recorded.objects.get(address).map(|known| known.spec.entries());
                because.extend(self.stale_label(address, before, spec.entries()));
            }
            Some(object) => because.extend(self.outdated(address.kind(), object.release)),
        }
        if because.is_empty() { Fate::Kept } else { Fate::Updated(because) }
    }

    /// Incarnations that another has taken the place of go, before it comes where only one can be there.
    fn take_old_away(&mut self, address: &Address, old: &[Generation], step: Option<StepId>) {
        for generation in old {
            let object = ObjectId { address: address.clone(), generation: *generation };
            let end = self.call(address.clone(), Call::DeleteObject { object });
            match step {
                Some(step) if self.is_exclusive(address) => self.operations.order(end, step),
                Some(step) => {
                    self.operations.order(step, end);
                    self.objects.retired.push((address.clone(), end));
                }
                None => self.objects.retired.push((address.clone(), end)),
            }
        }
    }

    fn is_exclusive(&self, address: &Address) -> bool {
        self.input.capabilities.is_exclusive(address.kind())
    }

    fn note_object(&mut self, address: &Address, spec: &ObjectSpec, fate: Fate, old: &[Generation]) {
        let order = if self.is_exclusive(address) { ReplaceOrder::DeleteFirst } else { ReplaceOrder::CreateFirst };
        let from = |generation: Generation| Incarnation::Of(address.clone(), generation);
        let mut risks = Vec::new();
        let what = match fate {
            Fate::Kept => match old.first() {
                None => {
                    self.kept += 1;
                    return;
                }
                Some(left) => {
                    let because =
                        vec![Cause::Unfinished("an incarnation that it took the place of is there".to_owned())];
                    What::Replace { because, from: from(*left), order: ReplaceOrder::CreateFirst }
                }
            },
            Fate::Created(because) => What::Create { because, entries: spec.entries(), preview: None },
            Fate::Adopted { because, .. } => What::Adopt { because },
            Fate::Updated(because) => {
                risks.extend(self.moves(address, spec).then_some(Risk::Downtime));
                What::Update { because, preview: None }
            }
            Fate::Replaced(because) => {
                self.objects.replaced.insert(address.clone());
                risks.extend(data_loss(address, spec));
                risks.extend((order == ReplaceOrder::DeleteFirst).then_some(Risk::Downtime));
                risks.push(Risk::Replacement);
                let was = self.input.recorded.objects.get(address).map_or(Generation(1), |known| known.generation);
                What::Replace { because, from: from(was), order }
            }
        };
        self.changes.push(Change { address: address.clone(), what, risks });
    }

    /// Whether a balancer leaves a port, or is to listen at other ports on a runtime that makes it anew for that.
    fn moves(&self, address: &Address, spec: &ObjectSpec) -> bool {
        let before = self.input.recorded.objects.get(address).and_then(|known| nlb(&known.spec));
        before.zip(nlb(spec)).is_some_and(|(before, after)| {
            let (before, after) = (&before.listeners, &after.listeners);
            let leaves = before.keys().any(|port| !after.contains_key(port));
            leaves || self.input.capabilities.remakes(address.kind()) && !before.keys().eq(after.keys())
        })
    }

    /// Takes away what nobody declares any more, or lets it go where it is to be kept.
    pub(super) fn removed_objects(&mut self) {
        let recorded = self.input.recorded.objects.keys();
        let seen = self.input.observed.objects.keys().map(|id| &id.address);
        let known: BTreeSet<&Address> = recorded.chain(seen).collect();
        let gone: Vec<Address> =
            known.into_iter().filter(|address| !self.objects.desired.contains_key(*address)).cloned().collect();
        for address in gone {
            self.removed_object(&address);
        }
    }

    fn removed_object(&mut self, address: &Address) {
        let recorded = self.input.recorded.objects.get(address);
        if recorded.is_some_and(|known| known.spec.is_kept()) {
            let effect = Effect::Forgotten { address: address.clone() };
            let step = self.operations.add(Step::Note(address.clone(), effect));
            self.objects.retired.push((address.clone(), step));
            let what = What::Forget { because: Cause::KeptOnDelete };
            self.changes.push(Change { address: address.clone(), what, risks: Vec::new() });
            return;
        }
        // Data that is in no record was let go, and nobody but its owner may take it away.
        if recorded.is_none() && address.kind() == Kind::Mount {
            return;
        }
        let seen = incarnations(self.input.observed, address).map(|(id, _)| id.clone());
        let own = recorded.map(|known| ObjectId { address: address.clone(), generation: known.generation });
        let all: BTreeSet<ObjectId> = seen.chain(own).collect();
        for object in all {
            let end = self.call(address.clone(), Call::DeleteObject { object });
            self.objects.retired.push((address.clone(), end));
        }
        if self.is_moved_away(address) {
            return;
        }
        let loss = recorded.and_then(|known| data_loss(address, &known.spec));
        let risks = loss.into_iter().chain((address.kind() == Kind::Nlb).then_some(Risk::Downtime)).collect();
        self.changes.push(Change {
            address: address.clone(),
            what: What::Delete { because: Cause::NotDeclared },
            risks,
        });
    }

    /// The steps that must be done before an instance of the service can be there.
    pub(super) fn objects_of(&self, spec: &ServiceSpec, data: impl Iterator<Item = Address>) -> Vec<StepId> {
        let network = spec.template.network.clone().map(Address::Network);
        let group = spec.group.as_ref().map(|member| Address::Group(member.group.clone()));
        let login = |address: &&Address| match (address, &spec.template.image) {
            (Address::Registry(host), Some(image)) => {
                image.strip_prefix(host.as_str()).is_some_and(|rest| rest.starts_with('/'))
            }
            _ => false,
        };
        let logins = self.input.desired.shared.registries.keys().cloned().map(Address::Registry);
        let logins: Vec<_> = logins.filter(|address| login(&address)).collect();
        let supervisor = spec.template.is_supervised().then(|| self.input.supervisor());
        let all = network.into_iter().chain(group).chain(data).chain(logins).chain(supervisor);
        all.filter_map(|address| self.objects.steps.get(&address).copied()).collect()
    }

    /// Orders what can only be ordered when every step is there: balancers come after the services that they lead to and
    /// before those that go, and an object goes after all that used it.
    pub(super) fn order_objects(&mut self) {
        self.order_balancers();
        if self.objects.retired.is_empty() {
            return;
        }
        let users = self.users_of_objects();
        for (address, end) in std::mem::take(&mut self.objects.retired) {
            for step in users.get(&address).into_iter().flatten().filter(|step| **step != end) {
                self.operations.order(*step, end);
            }
        }
    }

    fn order_balancers(&mut self) {
        let recorded = &self.input.recorded.objects;
        let wanted = self.objects.desired.iter().filter_map(|(address, spec)| Some((address, nlb(spec)?)));
        let wanted: Vec<_> = wanted.map(|(address, nlb)| (address.clone(), nlb.clone())).collect();
        for (address, spec) in wanted {
            let Some(step) = self.objects.steps.get(&address).copied() else { continue };
            for target in spec.listeners.values() {
                let serves = self.input.recorded.services.get(target).is_some_and(|known| known.current.is_some());
                if let (false, Some(rollout)) = (serves, self.service_steps.get(target)) {
                    self.operations.order(*rollout, step);
                }
                if let Some(rename) = self.rename_steps.get(&Address::Service(target.clone())) {
                    self.operations.order(*rename, step);
                }
            }
        }
        // A gateway that takes over a port comes after all that the one before it served has gone, and what it leads to
        // comes after it: a balancer cannot lead there before the old services go.
        if !self.late_gateways().is_empty() {
            return;
        }
        for (address, known) in recorded {
            let Some(spec) = nlb(&known.spec) else { continue };
            let ends = self.objects.retired.iter().filter(|(retired, _)| retired == address).map(|(_, end)| *end);
            let steps: Vec<StepId> = ends.chain(self.objects.steps.get(address).copied()).collect();
            let goes = |target: &&wharf_model::ServiceName| !self.input.desired.services.contains_key(*target);
            let removals: Vec<_> = spec
                .listeners
                .values()
                .filter(goes)
                .filter_map(|target| self.service_steps.get(target))
                .copied()
                .collect();
            for (step, removal) in steps.iter().flat_map(|step| removals.iter().map(move |removal| (step, removal))) {
                self.operations.order(*step, *removal);
            }
        }
    }

    /// The steps after which each object is used no more by those that used it.
    fn users_of_objects(&self) -> BTreeMap<Address, Vec<StepId>> {
        let mut users: BTreeMap<Address, Vec<StepId>> = BTreeMap::new();
        for (name, known) in &self.input.recorded.services {
            let Some(step) = self.service_steps.get(name) else { continue };
            let supervised = known.revisions.values().any(|revision| revision.template.is_supervised());
            let supervisor = supervised.then(|| self.input.supervisor());
            for address in used_by(known).into_iter().chain(supervisor) {
                users.entry(address).or_default().push(*step);
            }
        }
        for (name, known) in &self.input.recorded.gateways {
            let step = self.gateway_steps.get(name).or_else(|| self.gateway_ends.get(name));
            if let (Some(network), Some(step)) = (&known.spec.network, step) {
                users.entry(Address::Network(network.clone())).or_default().push(*step);
            }
        }
        for (address, known) in &self.input.recorded.objects {
            let ends = self.objects.retired.iter().filter(|(retired, _)| retired == address).map(|(_, end)| *end);
            let steps = ends.chain(self.objects.steps.get(address).copied());
            if let Some(network) = known.spec.lies_in() {
                users.entry(network).or_default().extend(steps);
            }
        }
        users
    }
}

fn nlb(spec: &ObjectSpec) -> Option<&wharf_model::NlbSpec> {
    match spec {
        ObjectSpec::Nlb(spec) => Some(spec),
        _ => None,
    }
}

/// The objects that a service uses, by what was recorded of it.
fn used_by(known: &RecordedService) -> BTreeSet<Address> {
    let revisions = known.revisions.values();
    let networks = revisions.clone().filter_map(|revision| revision.template.network.clone()).map(Address::Network);
    let group = known.spec.group.as_ref().map(|member| Address::Group(member.group.clone()));
    let pinned = revisions.flat_map(|revision| revision.pins.objects.keys().cloned());
    networks.chain(group).chain(pinned).collect()
}

/// What is lost when an object goes.
fn data_loss(address: &Address, spec: &ObjectSpec) -> Option<Risk> {
    let what = || format!("all that instances have written to {address}");
    matches!(spec, ObjectSpec::Data(_)).then(|| Risk::DataLoss { what: what() })
}
