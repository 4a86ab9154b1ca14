//! Groups: who is in each, and with which weight.

use super::{Decode, found, name};
use crate::{
    block::Block,
    problem::{Code, Problem},
    source::Place,
    suggest::did_you_mean,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use wharf_model::{Address, Field, FieldPath, GroupName, GroupPolicy, GroupSpec, Membership};

/// A group that is declared.
pub(super) struct Group {
    weighted: bool,
    at: Option<Place>,
}

/// A service of a group: the weight that it named, and where it stands.
pub(super) struct Member {
    weight: Option<u32>,
    at: Option<Place>,
}

/// The groups that are declared.
pub(super) fn declared(blocks: &[Block]) -> BTreeMap<String, Group> {
    let groups = blocks.iter().filter(|block| block.row.path == "group");
    let group = |block: &Block| Group { weighted: policy(block) == GroupPolicy::Weights, at: block.title_at() };
    groups.filter_map(|block| Some((block.key()?, group(block)))).collect()
}

fn policy(block: &Block) -> GroupPolicy {
    let word = found::<Arc<str>>(block, "policy");
    word.and_then(|word| GroupPolicy::of_word(&word)).unwrap_or(GroupPolicy::Instances)
}

impl Decode<'_> {
    pub(super) fn group(&mut self, block: &Block) -> Option<(GroupName, GroupSpec)> {
        let (at, group) = name::<GroupName>(block)?;
        let address = Address::Group(group.clone());
        self.declare(address.clone(), at);
        self.was(block, &address, Address::Group);
        let written = block.properties.get("policy").and_then(|found| found.at);
        self.note(&address, FieldPath::of(Field::GroupPolicy), written);
        Some((group, GroupSpec { policy: policy(block) }))
    }

    pub(super) fn membership(&mut self, service: &Block, address: &Address) -> Option<Membership> {
        let block = service.child("group")?;
        let (at, group) = name::<GroupName>(block)?;
        self.note(address, FieldPath::of(Field::Group), at);
        let weight = block.property::<u32>("weight");
        let Some(weighted) = self.known.groups.get(group.as_str()).map(|known| known.weighted) else {
            self.unknown_group(&group, at);
            return None;
        };
        let member = Member { weight: weight.as_ref().map(|weight| weight.value), at };
        self.notes.members.entry(group.to_string()).or_default().push(member);
        match &weight {
            None if weighted => self.needs(block, "weight", "the group divides its requests by weights"),
            Some(weight) if !weighted => {
                let message = format!("group `{group}` divides its requests by instances, so a weight means nothing");
                let problem = Problem::error(Code::Contradiction, message).at(weight.at, "a weight");
                self.report(problem.help(format!("declare it with weights: `group \"{group}\" policy=\"weights\"`")));
            }
            _ => {}
        }
        Some(Membership { group, weight: weight.map(|weight| weight.value) })
    }

    fn unknown_group(&mut self, group: &GroupName, at: Option<Place>) {
        if self.known.incomplete {
            return;
        }
        let help = did_you_mean(group.as_str(), self.known.groups.keys().map(String::as_str))
            .unwrap_or_else(|| format!("declare it: `group \"{group}\"`"));
        let problem = Problem::error(Code::UnknownGroup, format!("there is no group `{group}`"));
        self.report(problem.at(at, "not declared").help(help));
    }

    /// Weights that are all nothing would leave a group's requests without a way.
    pub(super) fn check_weights(&mut self) {
        let idle = |(name, members): (&String, &Vec<Member>)| {
            let group = self.known.groups.get(name).filter(|group| group.weighted)?;
            let all = members.iter().all(|member| member.weight == Some(0));
            Some((name.clone(), group.at, members.first().filter(|_| all)?.at))
        };
        let found: Vec<_> = self.notes.members.iter().filter_map(idle).collect();
        for (group, at, member) in found {
            let message = format!("no service of group `{group}` gets its requests: all weights are 0");
            let problem = Problem::error(Code::Contradiction, message).at(at, "leads nowhere").and(member, "weight 0");
            self.report(problem.help("give one of its services a weight".to_owned()));
        }
    }

    /// A group has one door: who may go in must not depend on which of its services gets the request.
    pub(super) fn check_doors(&mut self, services: &[&Block]) {
        let mut doors: BTreeMap<String, (&Block, BTreeSet<String>)> = BTreeMap::new();
        for service in services.iter().filter(|service| service.child("expose").is_some()) {
            let Some(membership) = service.child("group") else { continue };
            let Some(group) = membership.key() else { continue };
            let tokens = service.child("auth").into_iter().flat_map(|auth| auth.every("token"));
            let tokens: BTreeSet<String> = tokens.filter_map(Block::key).collect();
            let Some((first, known)) = doors.get(&group) else {
                doors.insert(group, (service, tokens));
                continue;
            };
            if *known == tokens {
                continue;
            }
            let message =
                format!("{} and {} share group `{group}`, but not their tokens", first.title(), service.title());
            let problem = Problem::error(Code::Contradiction, message).at(membership.title_at(), "in the same group");
            let at = first.child("group").and_then(Block::title_at);
            self.report(problem.and(at, "as this one").help("write the same `auth` for both".to_owned()));
        }
    }
}
