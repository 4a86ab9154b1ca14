//! What a runtime can honour, as data: for every field, what a change of it costs there.

use crate::{Field, Kind, Release};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
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
    copies: BTreeSet<Field>,
    engine_socket: Option<Arc<str>>,
    remakes: BTreeSet<Kind>,
    shows_env: Option<&'static str>,
    release: Option<Release>,
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
            copies: BTreeSet::from([Field::Mount]),
            engine_socket: None,
            remakes: BTreeSet::new(),
            shows_env: None,
            release: None,
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

    /// The same of a runtime that finds out what mounts of these kinds hold, beside folders, and copies them before they are
    /// needed.
    pub fn copying(mut self, kinds: &[Field]) -> Self {
        self.copies.extend(kinds);
        self
    }

    /// The same of a runtime that makes resources of these kinds anew when they are to listen at other ports.
    pub fn remaking(self, kinds: &[Kind]) -> Self {
        Self { remakes: kinds.iter().copied().collect(), ..self }
    }

    /// The same of a runtime whose own command shows the variables of instances to whoever may use it.
    pub fn showing_env(self, command: &'static str) -> Self {
        Self { shows_env: Some(command), ..self }
    }

    /// The same of a runtime that lists the folders of buckets that are mounted, and copies them before they are needed.
    pub fn copying_buckets(self) -> Self {
        self.copying(&[Field::MountOss, Field::MountS3, Field::MountWritable])
    }

    /// The same of a runtime whose instances are supervised by something beside them, which holds this socket.
    pub fn supervising(self, socket: impl Into<Arc<str>>) -> Self {
        Self { engine_socket: Some(socket.into()), ..self }
    }

    /// The same of a runtime whose gateways are programs of this release of wharf.
    pub fn of_release(self, release: Release) -> Self {
        Self { release: Some(release), ..self }
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

    /// Whether a resource of the kind is out of reach for a moment when it is to listen at other ports.
    pub fn remakes(&self, kind: Kind) -> bool {
        self.remakes.contains(&kind)
    }

    /// The command that shows the variables of instances, if there is one.
    pub fn shows_env(&self) -> Option<&'static str> {
        self.shows_env
    }

    /// Whether it is found out what mounts of this kind hold, and instances see a copy of that.
    pub fn copies(&self, kind: Field) -> bool {
        self.copies.contains(&kind)
    }

    /// The socket that a supervisor holds; none where instances need nobody beside them.
    pub fn engine_socket(&self) -> Option<&Arc<str>> {
        self.engine_socket.as_ref()
    }

    /// Of which release of wharf the programs are that it makes; none where it makes none.
    pub fn release(&self) -> Option<Release> {
        self.release
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
