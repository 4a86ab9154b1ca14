//! Where a value comes from: which layer of the files said it, what was filled in, and what it took the place of.
//!
//! A service is laid together from templates, from what it says itself, and from what the environment changes. Every
//! value remembers the layer that had the last word, and through it the values that were there before.

use crate::{block::Block, source::Place, syntax::Scalar};
use std::{mem, sync::Arc};

/// Who said something: a layer, or the project itself when there is none. Nearly everything is said by the project, so that
/// costs nothing, and threads do not count the users of one thing together.
pub(crate) type By = Option<Arc<Layer>>;

/// Who said something, beside the project itself.
#[derive(Debug, Clone)]
pub(crate) enum Layer {
    /// A template, through the `use` at this place, which another layer holds.
    Template { name: Arc<str>, used: Place, within: By },
    /// What an environment changes.
    Environment(Arc<str>),
}

/// A value as it was said, after everything was filled in.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) scalar: Scalar,
    /// Its type annotation, as it was admitted.
    pub(crate) annotation: Option<Annotation>,
    pub(crate) filled: Box<[Filled]>,
    pub(crate) by: By,
    pub(crate) at: Place,
    /// The value whose place it took; only where values have names of their own. For the values of a node see
    /// [`Block::before`].
    pub(crate) before: Option<Arc<Written>>,
}

/// A type annotation that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Annotation {
    Secret,
    Json,
}

impl Annotation {
    /// As it stands in front of a value.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "(secret)",
            Self::Json => "(json)",
        }
    }
}

/// An input or a parameter that was filled in.
#[derive(Debug, Clone)]
pub(crate) struct Filled {
    /// As it stands in the text: `input.tag`.
    pub(crate) name: Arc<str>,
    pub(crate) text: Arc<str>,
    pub(crate) by: Setting,
}

/// Who set an input or a parameter.
#[derive(Debug, Clone)]
pub(crate) enum Setting {
    /// `--input`
    Argument,
    /// A variable of the environment.
    Variable(Arc<str>),
    /// A file of values.
    File(Place),
    /// Its own default.
    Default(Place),
    /// The `use` of a template, where more may have been filled in.
    Use(Place, Box<[Filled]>),
}

impl Setting {
    /// Where it is written, unless it was set from outside.
    pub(crate) fn place(&self) -> Option<Place> {
        match self {
            Self::Argument | Self::Variable(_) => None,
            Self::File(at) | Self::Default(at) | Self::Use(at, _) => Some(*at),
        }
    }
}

impl Block {
    /// Notes that it takes the place of another node, and so does each value in it.
    pub(crate) fn follow(&mut self, mut old: Self) {
        for (name, found) in self.properties.iter_mut() {
            if let Some(was) = old.properties.get(name) {
                follow(&mut found.written, was.written.clone());
            }
        }
        for (name, found) in &mut self.entries {
            if let Some((_, was)) = old.entries.iter().find(|(known, _)| known.text == name.text) {
                follow(&mut found.written, was.written.clone());
            }
        }
        for child in mem::take(&mut old.children) {
            if let Some(own) = self.children.iter_mut().find(|own| own.takes_place_of(&child)) {
                own.follow(child);
            }
        }
        match self.before.as_mut() {
            Some(before) => {
                let (rest, before) = (Self { children: vec![], ..old }, Arc::make_mut(before));
                before.follow(rest);
            }
            None => self.before = Some(Arc::new(old)),
        }
    }
}

/// Notes that a value takes the place of `old`, beyond all that it took the place of already.
pub(crate) fn follow(written: &mut Option<Arc<Written>>, old: Option<Arc<Written>>) {
    match written {
        Some(written) => follow(&mut Arc::make_mut(written).before, old),
        None => *written = old,
    }
}
