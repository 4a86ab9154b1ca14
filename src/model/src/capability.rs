//! What a runtime can honour, as data: for every field, what a change of it costs there.

use crate::{Field, Kind};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// What a change of a field costs on a runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cost {
    /// Nothing that runs is disturbed.
    InPlace,
    /// New instances, by a rollout.
    Roll,
    /// The object goes away and comes back.
    Replace,
    /// The runtime cannot honour the field at all: setting it is an error of the plan.
    Unsupported {
        /// Why not.
        why: Cow<'static, str>,
        /// The way out.
        help: Cow<'static, str>,
    },
}

/// The table of one runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    provider: &'static str,
    costs: BTreeMap<Field, Cost>,
    renames: BTreeSet<Kind>,
    exclusive: BTreeSet<Kind>,
    fetches_images: bool,
    copies_buckets: bool,
}

impl Capabilities {
    /// Makes the table by asking `cost` about every field there is, so none can be forgotten.
    pub fn of(provider: &'static str, cost: impl Fn(Field) -> Cost) -> Self {
        Self {
            provider,
            costs: Field::ALL.iter().map(|field| (*field, cost(*field))).collect(),
            renames: BTreeSet::new(),
            exclusive: BTreeSet::new(),
            fetches_images: false,
            copies_buckets: false,
        }
    }

    /// The same of a runtime that can give resources of these kinds another name while they go on.
    pub fn renaming(self, kinds: &[Kind]) -> Self {
        Self { renames: kinds.iter().copied().collect(), ..self }
    }

    /// The same of a runtime on which two incarnations of a resource of these kinds cannot be there at once.
    pub fn exclusive(self, kinds: &[Kind]) -> Self {
        Self { exclusive: kinds.iter().copied().collect(), ..self }
    }

    /// The same of a runtime that looks up what an image's name stands for, and fetches images before they are needed.
    pub fn fetching_images(self) -> Self {
        Self { fetches_images: true, ..self }
    }

    /// The same of a runtime that lists the folders of buckets that are mounted, and copies them before they are needed.
    pub fn copying_buckets(self) -> Self {
        Self { copies_buckets: true, ..self }
    }

    /// Whether a resource of the kind can be given another name while it goes on.
    pub fn renames(&self, kind: Kind) -> bool {
        self.renames.contains(&kind)
    }

    /// Whether an old incarnation must be gone before a new one can be there.
    pub fn is_exclusive(&self, kind: Kind) -> bool {
        self.exclusive.contains(&kind)
    }

    /// Whether images are looked up and fetched.
    pub fn fetches_images(&self) -> bool {
        self.fetches_images
    }

    /// Whether folders of buckets are listed and copied.
    pub fn copies_buckets(&self) -> bool {
        self.copies_buckets
    }

    /// The runtime's name in the file.
    pub fn provider(&self) -> &'static str {
        self.provider
    }

    /// What a change of `field` costs.
    pub fn cost(&self, field: Field) -> &Cost {
        self.costs.get(&field).expect("the table was made from every field")
    }
}
