//! A node that fits the schema, and how its values are asked for. Defaults come from the table, so whoever asks need not
//! know whether a value is written.

use crate::{
    layer::{By, Written},
    schema::{Count, NodeSchema},
    source::Place,
    syntax::{Node, Word},
    value::{self, FromTyped, Typed},
};
use std::{borrow::Cow, mem, sync::Arc};

/// A value and where it is written; nowhere when it is a default.
#[derive(Debug, Clone)]
pub(crate) struct Found<T> {
    pub(crate) value: T,
    pub(crate) at: Option<Place>,
    /// What exactly was said, and by whom; nothing when it is a default, or was taken out of its block.
    pub(crate) written: Option<Arc<Written>>,
}

impl<T> Found<T> {
    fn default(value: T) -> Self {
        Self { value, at: None, written: None }
    }
}

impl Found<Typed> {
    fn of<T: FromTyped>(&self) -> Option<Found<T>> {
        T::from_typed(&self.value).map(|value| Found { value, at: self.at, written: None })
    }
}

/// The properties of a node; a few at most.
#[derive(Debug, Clone, Default)]
pub(crate) struct Properties(Vec<(&'static str, Found<Typed>)>);

impl Properties {
    pub(crate) fn get(&self, name: &str) -> Option<&Found<Typed>> {
        self.iter().find(|(known, _)| *known == name).map(|(_, found)| found)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Found<Typed>> {
        self.iter_mut().find(|(known, _)| *known == name).map(|(_, found)| found)
    }

    /// Puts a value in its place, and returns the one that it takes the place of.
    pub(crate) fn insert(&mut self, name: &'static str, value: Found<Typed>) -> Option<Found<Typed>> {
        match self.get_mut(name) {
            Some(present) => Some(mem::replace(present, value)),
            None => {
                self.0.reserve_exact(1);
                self.0.push((name, value));
                None
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(&'static str, Found<Typed>)> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut (&'static str, Found<Typed>)> {
        self.0.iter_mut()
    }
}

/// A node that fits its row in the schema, as far as it goes: what did not fit is left out, and has been reported.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) row: &'static NodeSchema,
    /// Where its name is written; nowhere when the block stands for a node that is not there.
    pub(crate) at: Option<Place>,
    /// Something in it could not be read, so what is not there need not have its default.
    pub(crate) lost: bool,
    pub(crate) arguments: Vec<Option<Found<Typed>>>,
    pub(crate) properties: Properties,
    pub(crate) children: Vec<Block>,
    /// What a block with names of the user's choice holds.
    pub(crate) entries: Vec<(Word, Found<Typed>)>,
    /// The node itself where its row says that the files know more of it.
    pub(crate) raw: Option<Arc<Node>>,
    /// The nodes and properties that somebody meant to write, and that have been reported.
    pub(crate) refused: Vec<&'static str>,
    /// Who said it.
    pub(crate) by: By,
    /// The node whose place it took.
    pub(crate) before: Option<Arc<Block>>,
}

impl Block {
    pub(crate) fn absent(row: &'static NodeSchema) -> Self {
        Self {
            row,
            at: None,
            lost: false,
            arguments: vec![],
            properties: Properties::default(),
            children: vec![],
            entries: vec![],
            raw: None,
            refused: vec![],
            by: None,
            before: None,
        }
    }

    /// The argument at `index`.
    pub(crate) fn argument<T: FromTyped>(&self, index: usize) -> Option<Found<T>> {
        self.arguments.get(index)?.as_ref()?.of()
    }

    /// All arguments; none if one of them did not fit.
    pub(crate) fn all<T: FromTyped>(&self) -> Option<Vec<T>> {
        let one = |found: &Option<Found<Typed>>| T::from_typed(&found.as_ref()?.value);
        self.arguments.iter().map(one).collect()
    }

    /// The property of that name, or its default.
    pub(crate) fn property<T: FromTyped>(&self, name: &str) -> Option<Found<T>> {
        if let Some(found) = self.properties.get(name) {
            return found.of();
        }
        let property = self.row.property(name).filter(|_| !self.lost)?;
        let value = value::read_default(name, property.ty, property.default?)?;
        T::from_typed(&value).map(Found::default)
    }

    /// The first node of that name in the block.
    pub(crate) fn child(&self, name: &str) -> Option<&Block> {
        self.children.iter().find(|block| block.row.name() == name)
    }

    /// The nodes of that name in the block.
    pub(crate) fn every<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Block> {
        self.children.iter().filter(move |block| block.row.name() == name)
    }

    /// The block of that name, or one that holds nothing but defaults.
    pub(crate) fn inside(&self, name: &str) -> Option<Cow<'_, Block>> {
        let absent = || self.row.child(name).map(|row| Cow::Owned(Block::absent(row)));
        self.child(name).map(Cow::Borrowed).or_else(absent)
    }

    /// The first argument of the node of that name, or its default.
    pub(crate) fn value<T: FromTyped>(&self, name: &str) -> Option<Found<T>> {
        if let Some(child) = self.child(name) {
            return child.argument(0);
        }
        let row = self.row.child(name).filter(|_| !self.lost)?;
        let value = value::read_default(name, row.arguments.first()?.ty, row.default?)?;
        T::from_typed(&value).map(Found::default)
    }

    /// What tells it apart from others of its kind.
    pub(crate) fn key(&self) -> Option<String> {
        value::key(&self.arguments.first()?.as_ref()?.value)
    }

    /// Whether there may be many of its kind, told apart by their keys.
    pub(crate) fn is_keyed(&self) -> bool {
        matches!(self.row.count, Count::Many | Count::Some)
    }

    /// Whether of the two only one can be there: the same node, or another choice.
    pub(crate) fn takes_place_of(&self, other: &Self) -> bool {
        match (self.row.count, other.row.count) {
            (Count::List, _) | (_, Count::List) => false,
            (Count::OneOf(this), Count::OneOf(that)) => this == that,
            (Count::Many | Count::Some, _) => self.row.path == other.row.path && self.key() == other.key(),
            _ => self.row.path == other.row.path,
        }
    }

    /// Where its first argument is written, else its name.
    pub(crate) fn title_at(&self) -> Option<Place> {
        self.arguments.first().and_then(|found| found.as_ref()?.at).or(self.at)
    }

    /// What to call it in texts: `service hello`.
    pub(crate) fn title(&self) -> String {
        match self.key() {
            Some(key) => format!("{} `{key}`", self.row.name()),
            None => format!("`{}`", self.row.name()),
        }
    }
}
