//! Renames. Where the runtime can call a resource otherwise, the plan is made as if that had happened, and one step makes
//! it so. Where it cannot, the resource is made anew under its new name and the old one goes after it; it is one change
//! all the same.

use super::{Input, Planner};
use crate::{Cause, Change, Notice, Risk, StepId, What};
use std::collections::BTreeMap;
use wharf_model::{
    Address, Call, Entry, Field, FieldPath, GatewayName, Kind, Observed, Pins, Record, ServiceName, compare,
};

/// A rename that is to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rename {
    pub(super) from: Address,
    /// Whether the runtime calls the object otherwise.
    pub(super) in_place: bool,
}

/// The renames that are not done yet, by what each resource is called now.
pub(super) fn pending(input: &Input) -> BTreeMap<Address, Rename> {
    let recorded = |address: &Address| is_recorded(input.recorded, address);
    let open = input.desired.renamed.iter().filter(|(to, from)| recorded(from) && !recorded(to));
    let rename = |(to, from): (&Address, &Address)| {
        let in_place = input.capabilities.renames(to.kind());
        (to.clone(), Rename { from: from.clone(), in_place })
    };
    open.map(rename).collect()
}

pub(super) fn is_recorded(record: &Record, address: &Address) -> bool {
    match address {
        Address::Gateway(name) => record.gateways.contains_key(name),
        Address::Service(name) => record.services.contains_key(name),
        address => record.objects.contains_key(address),
    }
}

/// The record and the look as they will be when those renames are done that the runtime can do.
pub(super) fn renamed(input: &Input, renames: &BTreeMap<Address, Rename>) -> (Record, Observed) {
    let (mut recorded, mut observed) = (input.recorded.clone(), input.observed.clone());
    for (to, rename) in renames.iter().filter(|(_, rename)| rename.in_place) {
        recorded.rename(&rename.from, to);
        observed.rename(&rename.from, to);
    }
    (recorded, observed)
}

impl<'a> Planner<'a> {
    /// Adds the steps that call resources otherwise.
    pub(super) fn renames(&mut self) {
        let in_place = self.renames.iter().filter(|(_, rename)| rename.in_place);
        let calls: Vec<_> = in_place.map(|(to, rename)| (to.clone(), rename.from.clone())).collect();
        for (to, from) in calls {
            let step = self.call(to.clone(), Call::Move { from, to: to.clone() });
            match &to {
                Address::Gateway(name) => drop(self.gateway_steps.insert(name.clone(), step)),
                Address::Service(_) => {}
                address => drop(self.objects.steps.insert(address.clone(), step)),
            }
            self.rename_steps.insert(to, step);
        }
    }

    /// The service that goes on in the place of one that is not declared any more, made anew.
    pub(super) fn heir(&self, gone: &ServiceName) -> Option<&ServiceName> {
        self.renames.iter().find_map(|(to, rename)| match (to, &rename.from) {
            (Address::Service(to), Address::Service(from)) if from == gone && !rename.in_place => Some(to),
            _ => None,
        })
    }

    /// Whether what goes is spoken of by the change of what takes its place.
    pub(super) fn is_moved_away(&self, gone: &Address) -> bool {
        self.renames.values().any(|rename| rename.from == *gone)
    }

    /// The gateways that can only come when another has gone: it listens where they will.
    pub(super) fn late_gateways(&self) -> BTreeMap<GatewayName, GatewayName> {
        let (desired, recorded) = (&self.input.desired.gateways, &self.input.recorded.gateways);
        let going: BTreeMap<_, _> = recorded
            .iter()
            .filter(|(name, _)| !desired.contains_key(*name))
            .map(|(name, known)| (known.spec.port, name.clone()))
            .collect();
        let coming = desired.iter().filter(|(name, _)| !recorded.contains_key(*name));
        let late = |(name, spec): (&GatewayName, &wharf_model::GatewaySpec)| {
            Some((name.clone(), going.get(&spec.port)?.clone()))
        };
        if going.is_empty() { BTreeMap::new() } else { coming.filter_map(late).collect() }
    }

    /// Makes one change of each rename, and lets all that a resource takes part in wait until it is called otherwise.
    pub(super) fn finish_renames(&mut self) {
        if self.renames.is_empty() {
            return;
        }
        for (to, rename) in std::mem::take(&mut self.renames) {
            let origin = self.origin(&to, &FieldPath::of(Field::Was));
            let reason = Cause::Renamed { from: rename.from.clone(), origin };
            let known = self.changes.iter_mut().find(|change| change.address == to);
            match known {
                Some(change) => turn_into_move(change, reason, &rename),
                None => {
                    self.kept = self.kept.saturating_sub(1);
                    let (from, in_place) = (rename.from, rename.in_place);
                    let what = What::Move { because: vec![reason], from, in_place, preview: None };
                    self.changes.push(Change { address: to, what, risks: Vec::new() });
                }
            }
        }
        let steps: Vec<_> = std::mem::take(&mut self.rename_steps).into_iter().collect();
        for (to, rename) in steps {
            let later: Vec<StepId> = self
                .operations
                .steps()
                .filter(|(id, step)| {
                    *id != rename && crate::facts::relies_on(step).iter().any(|on| is_part_of(on, &to))
                })
                .map(|(id, _)| id)
                .collect();
            later.into_iter().for_each(|step| self.operations.order(rename, step));
        }
    }

    /// Points out what goes and comes as if it had been renamed, and renames that are done.
    pub(super) fn note_renames(&mut self) {
        for (to, from) in &self.input.desired.renamed {
            if is_recorded(self.actual.recorded, to) && !is_recorded(self.actual.recorded, from) {
                let notice = Notice::RenameDone { address: to.clone(), from: from.clone() };
                self.notices.push(notice);
            }
        }
        let of = |action: &str| -> Vec<Address> {
            let kind = |address: &Address| {
                matches!(address.kind(), Kind::Service | Kind::Gateway | Kind::Network | Kind::Nlb | Kind::Group)
            };
            let changes = self.changes.iter().filter(|change| change.what.action() == action);
            changes.map(|change| change.address.clone()).filter(kind).collect()
        };
        let (gone, come) = (of("delete"), of("create"));
        if gone.is_empty() || come.is_empty() {
            return;
        }
        let mut come: Vec<_> =
            come.into_iter().filter_map(|address| Some((self.desired_entries(&address)?, address))).collect();
        // Each is compared with each, which is only worth it for as many as a person would look at.
        let few = gone.len().saturating_mul(come.len()) <= 2_500;
        for from in gone.into_iter().filter(|_| few) {
            let Some(before) = self.recorded_entries(&from) else { continue };
            let unlike = |entries: &Vec<Entry>| compare(before.clone(), entries.clone()).len();
            let alike = come.iter().enumerate().filter(|(_, (_, to))| to.kind() == from.kind());
            let best = alike.map(|(at, (entries, _))| (unlike(entries), at)).min();
            if let Some((unlike, at)) = best
                && unlike * 5 <= before.len()
            {
                let (_, to) = come.swap_remove(at);
                self.notices.push(Notice::LooksRenamed { from, to, unlike });
            }
        }
    }

    fn desired_entries(&self, address: &Address) -> Option<Vec<Entry>> {
        match address {
            Address::Gateway(name) => self.input.desired.gateways.get(name).map(|spec| spec.entries()),
            Address::Service(name) => self.input.desired.services.get(name).map(|spec| spec.entries(&Pins::default())),
            address => self.objects.desired.get(address).map(wharf_model::ObjectSpec::entries),
        }
    }

    fn recorded_entries(&self, address: &Address) -> Option<Vec<Entry>> {
        match address {
            Address::Gateway(name) => self.input.recorded.gateways.get(name).map(|known| known.spec.entries()),
            Address::Service(name) => {
                self.input.recorded.services.get(name).map(|known| known.spec.entries(&Pins::default()))
            }
            address => self.input.recorded.objects.get(address).map(|known| known.spec.entries()),
        }
    }
}

fn turn_into_move(change: &mut Change, reason: Cause, rename: &Rename) {
    let mut because = vec![reason];
    let declared = matches!(change.what, What::Create { .. });
    because.extend(change.what.causes().iter().filter(|_| !declared).cloned());
    let preview = change.what.preview().cloned();
    if let (false, Address::Gateway(_)) = (rename.in_place, &change.address) {
        change.risks.push(Risk::Downtime);
    }
    change.what = What::Move { because, from: rename.from.clone(), in_place: rename.in_place, preview };
}

/// Whether the address is that of the resource, or of something that carries its name.
fn is_part_of(address: &Address, resource: &Address) -> bool {
    match (address, resource) {
        (Address::Route(gateway, _), Address::Gateway(name)) => gateway == name,
        (address, Address::Service(name)) => address.service() == Some(name),
        (address, resource) => address == resource,
    }
}
