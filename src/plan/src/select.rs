//! Some services of a plan, with all that they need; and what is left out, and why.

use crate::{Plan, Step, StepId, What, part::step_of};
use std::collections::{BTreeMap, BTreeSet};
use wharf_model::{Address, ServiceName, Verb};

/// Which services a plan is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// These, with what they need; all when empty.
    pub only: BTreeSet<ServiceName>,
    /// Not these, nor what needs them.
    pub except: BTreeSet<ServiceName>,
}

impl Selection {
    /// Whether it leaves nothing out.
    pub fn is_all(&self) -> bool {
        self.only.is_empty() && self.except.is_empty()
    }
}

/// A change that the files ask for and a plan does not make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// To which resource.
    pub address: Address,
    /// Which action.
    pub action: &'static str,
    /// Why not.
    pub why: WhyLeftOut,
}

/// Why a change is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyLeftOut {
    /// It belongs to no service that was named, and none of those needs it.
    NotSelected,
    /// Its service was named as one to leave alone.
    Excepted,
    /// It comes after a change that is left out.
    Needs(Address),
}

impl Plan {
    /// Leaves out what the selection does not cover. What is left needs nothing that is left out.
    pub fn select(self, selection: &Selection) -> Self {
        if selection.is_all() {
            return self;
        }
        let all: BTreeSet<StepId> = self.operations().steps().map(|(id, _)| id).collect();
        let (only, except) = (self.by_all_names(&selection.only), self.by_all_names(&selection.except));
        let chosen = if only.is_empty() { all } else { self.with_needs(&only) };
        let without = self.with_dependents(&except);
        let kept = chosen.iter().copied().filter(|id| !without.contains_key(id)).collect();
        let blocked: BTreeMap<Address, Address> = without
            .iter()
            .filter_map(|(id, root)| Some((self.operations().step(*id)?.address(), root.clone())))
            .collect();
        let (plan, left) = self.part(&kept);
        let why = |address: &Address| match blocked.get(&step_of(address)) {
            _ if address.service().is_some_and(|service| except.contains(service)) => WhyLeftOut::Excepted,
            Some(root) => WhyLeftOut::Needs(root.clone()),
            None => WhyLeftOut::NotSelected,
        };
        let left_out = left.iter().map(|change| LeftOut {
            address: change.address.clone(),
            action: change.what.action(),
            why: why(&change.address),
        });
        Self { selection: selection.clone(), left_out: left_out.collect(), ..plan }
    }

    /// The services, each by its old name and its new one: a rename is one change, whether one goes on under the other
    /// name or goes when the other has come.
    fn by_all_names(&self, services: &BTreeSet<ServiceName>) -> BTreeSet<ServiceName> {
        let moves = self.changes().iter().filter_map(|change| match (&change.address, &change.what) {
            (Address::Service(to), What::Move { from: Address::Service(from), .. }) => Some([to, from]),
            _ => None,
        });
        let named = moves.filter(|both| both.iter().any(|name| services.contains(*name)));
        services.iter().chain(named.flatten()).cloned().collect()
    }

    /// For each name of a service that is made anew under another, the steps of the other name.
    fn by_other_name(&self) -> BTreeMap<ServiceName, Vec<StepId>> {
        let mut others = BTreeMap::new();
        for change in self.changes() {
            if let (Address::Service(to), What::Move { from: Address::Service(from), .. }) =
                (&change.address, &change.what)
            {
                others.extend([(to.clone(), from.clone()), (from.clone(), to.clone())]);
            }
        }
        let mut steps: BTreeMap<ServiceName, Vec<StepId>> = BTreeMap::new();
        for (id, step) in self.operations().steps() {
            if let Some(other) = step.address().service().and_then(|service| others.get(service)) {
                steps.entry(other.clone()).or_default().push(id);
            }
        }
        steps
    }

    /// The steps that go with this one, as they are of the same change. Each is told once.
    fn takes_along(&self, id: StepId, others: &mut BTreeMap<ServiceName, Vec<StepId>>) -> Vec<StepId> {
        let step = self.operations().step(id).filter(|_| !others.is_empty());
        let address = step.map(Step::address);
        address.and_then(|address| others.remove(address.service()?)).unwrap_or_default()
    }

    /// The steps of the services, with all that they wait for, and the contents that nobody else needs afterwards.
    fn with_needs(&self, services: &BTreeSet<ServiceName>) -> BTreeSet<StepId> {
        let mut chosen = BTreeSet::new();
        let mut others = self.by_other_name();
        let mut front: Vec<StepId> = self.steps_of(services).collect();
        while let Some(id) = front.pop() {
            if chosen.insert(id) {
                front.extend(self.operations().before(id));
                front.extend(self.takes_along(id, &mut others));
            }
        }
        let only_theirs = |id: StepId| {
            let mut before = self.operations().before(id).peekable();
            before.peek().is_some() && before.all(|earlier| chosen.contains(&earlier))
        };
        let contents = self.operations().steps().filter(|(_, step)| matches!(step.address(), Address::Content(_)));
        let contents: Vec<_> = contents.map(|(id, _)| id).filter(|id| only_theirs(*id)).collect();
        chosen.extend(contents);
        chosen
    }

    /// The steps of the services, with all that wait for them; each with the address that it all began with.
    fn with_dependents(&self, services: &BTreeSet<ServiceName>) -> BTreeMap<StepId, Address> {
        let mut found = BTreeMap::new();
        let own = self.steps_of(services).filter_map(|id| Some((id, self.operations().step(id)?.address())));
        // A content that is prepared may be for another service as well.
        let (mut contents, roots): (Vec<_>, Vec<_>) = own.partition(|(id, _)| self.prepares(*id));
        let mut others = self.by_other_name();
        let mut front: Vec<(StepId, Address)> = roots;
        while let Some((id, root)) = front.pop() {
            if found.contains_key(&id) {
                continue;
            }
            front.extend(self.operations().after(id).map(|later| (later, root.clone())));
            let along = self.takes_along(id, &mut others).into_iter().map(|along| (along, root.clone()));
            let (prepared, along): (Vec<_>, Vec<_>) = along.partition(|(id, _)| self.prepares(*id));
            contents.extend(prepared);
            front.extend(along);
            found.insert(id, root);
        }
        for (id, root) in contents {
            if self.operations().after(id).all(|later| found.contains_key(&later)) {
                found.insert(id, root);
            }
        }
        found
    }

    fn prepares(&self, id: StepId) -> bool {
        let step = self.operations().step(id);
        matches!(step, Some(Step::Call(operation)) if operation.call.verb() == Verb::Prepare)
    }

    fn steps_of(&self, services: &BTreeSet<ServiceName>) -> impl Iterator<Item = StepId> {
        let of = move |address: &Address| address.service().is_some_and(|service| services.contains(service));
        self.operations().steps().filter(move |(_, step)| of(&step.address())).map(|(id, _)| id)
    }
}
