//! What is noted while nouns are decoded, and how services are decoded side by side.
//!
//! Services know of each other only what the project says of all, and what is noted here. Where two runs of them say
//! something of which only one can be true, they are decoded once more, one after the other: then the second is told of
//! the first, as if they had never been apart.

use super::{Decode, gateway, group};
use crate::{block::Block, problem::Problems, source::Place, threads::side_by_side};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use wharf_model::{Address, GatewayName, Ignore, Origins, SecretName, ServiceName, ServiceSpec};

/// Fewer nodes than this are not worth a thread.
const SHARE: usize = 2_000;

/// What is noted on the way.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) origins: Origins,
    /// Who is in each group.
    pub(super) members: BTreeMap<String, Vec<group::Member>>,
    /// What was called otherwise, and how.
    pub(super) renamed: BTreeMap<Address, Address>,
    /// Where each secret is used first.
    pub(super) used: BTreeMap<SecretName, Place>,
    /// Which service or group each path of a gateway leads to.
    pub(super) paths: BTreeMap<(GatewayName, Arc<str>), (Address, Option<Place>)>,
    /// The rules of services for drift.
    pub(super) ignores: Vec<Ignore>,
    /// The gateways so far, and where it is written on which port each listens.
    pub(super) listens: Vec<gateway::Listens>,
    /// The places that allow a warning which came up.
    pub(super) allowing: BTreeSet<Place>,
}

impl Notes {
    /// Whether all can be true together.
    fn agree(all: &[&Self]) -> bool {
        let (mut paths, mut old) = (BTreeMap::new(), BTreeSet::new());
        let once = |notes: &&Self| {
            // A path of a group is that of all its services.
            notes.paths.iter().all(|(path, (owner, _))| *paths.entry(path.clone()).or_insert(owner.clone()) == *owner)
                && notes.renamed.values().all(|was| old.insert(was.clone()))
        };
        all.iter().all(once)
    }

    /// Takes in what was noted of what comes after.
    fn absorb(&mut self, later: Self) {
        self.origins.absorb(later.origins);
        for (group, members) in later.members {
            self.members.entry(group).or_default().extend(members);
        }
        self.renamed.extend(later.renamed);
        for (secret, at) in later.used {
            self.used.entry(secret).or_insert(at);
        }
        for (path, claim) in later.paths {
            self.paths.entry(path).or_insert(claim);
        }
        self.ignores.extend(later.ignores);
        self.listens.extend(later.listens);
        self.allowing.extend(later.allowing);
    }
}

type Services = Vec<Option<(ServiceName, ServiceSpec)>>;

impl Decode<'_> {
    /// Decodes the services.
    pub(super) fn services(&mut self, blocks: &[&Block]) -> Services {
        let costs: Vec<_> = blocks.iter().map(|block| block.children.len()).collect();
        let runs = self.threads.runs(&costs, SHARE);
        if runs.len() > 1 {
            let this = &*self;
            let read = side_by_side(runs, |run| this.some(&blocks[run]));
            if Notes::agree(&read.iter().map(|(_, _, notes)| notes).collect::<Vec<_>>()) {
                let mut services = Vec::with_capacity(blocks.len());
                for (mut some, problems, notes) in read {
                    services.append(&mut some);
                    self.problems.absorb(problems, None);
                    self.notes.absorb(notes);
                }
                return services;
            }
        }
        blocks.iter().map(|block| self.allowing(block, Self::service)).collect()
    }

    /// Some of the services, as if there were no others.
    fn some(&self, blocks: &[&Block]) -> (Services, Problems, Notes) {
        let mut problems = Problems::default();
        let (known, before) = (Arc::clone(&self.known), Some(&self.notes));
        let Self { sources, threads, .. } = *self;
        let mut decode = Decode { sources, problems: &mut problems, known, notes: Notes::default(), before, threads };
        let services = blocks.iter().map(|block| decode.allowing(block, Decode::service)).collect();
        let notes = decode.notes;
        (services, problems, notes)
    }
}
