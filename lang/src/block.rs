//! A node that fits the schema, and how its values are asked for. Defaults come from the table, so whoever asks need not
//! know whether a value is written.

use crate::{
    schema::NodeSchema,
    source::Place,
    syntax::Word,
    value::{self, FromTyped, Typed},
};
use std::collections::BTreeMap;

/// A value and where it is written; nowhere when it is a default.
#[derive(Debug, Clone)]
pub(crate) struct Found<T> {
    pub(crate) value: T,
    pub(crate) at: Option<Place>,
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
    pub(crate) properties: BTreeMap<&'static str, Found<Typed>>,
    pub(crate) children: Vec<Block>,
    /// What a block with names of the user's choice holds.
    pub(crate) entries: Vec<(Word, Found<Typed>)>,
}

impl Block {
    pub(crate) fn absent(row: &'static NodeSchema) -> Self {
        Self {
            row,
            at: None,
            lost: false,
            arguments: vec![],
            properties: BTreeMap::new(),
            children: vec![],
            entries: vec![],
        }
    }

    /// The argument at `index`.
    pub(crate) fn argument<T: FromTyped>(&self, index: usize) -> Option<Found<T>> {
        let found = self.arguments.get(index)?.as_ref()?;
        T::from_typed(&found.value).map(|value| Found { value, at: found.at })
    }

    /// All arguments; none if one of them did not fit.
    pub(crate) fn all<T: FromTyped>(&self) -> Option<Vec<T>> {
        let one = |found: &Option<Found<Typed>>| T::from_typed(&found.as_ref()?.value);
        self.arguments.iter().map(one).collect()
    }

    /// The property of that name, or its default.
    pub(crate) fn property<T: FromTyped>(&self, name: &str) -> Option<Found<T>> {
        if let Some(found) = self.properties.get(name) {
            return T::from_typed(&found.value).map(|value| Found { value, at: found.at });
        }
        let property = self.row.property(name).filter(|_| !self.lost)?;
        let value = value::read_default(name, property.ty, property.default?)?;
        T::from_typed(&value).map(|value| Found { value, at: None })
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
    pub(crate) fn inside(&self, name: &str) -> Option<Block> {
        self.child(name).cloned().or_else(|| self.row.child(name).map(Block::absent))
    }

    /// The first argument of the node of that name, or its default.
    pub(crate) fn value<T: FromTyped>(&self, name: &str) -> Option<Found<T>> {
        if let Some(child) = self.child(name) {
            return child.argument(0);
        }
        let row = self.row.child(name).filter(|_| !self.lost)?;
        let value = value::read_default(name, row.arguments.first()?.ty, row.default?)?;
        T::from_typed(&value).map(|value| Found { value, at: None })
    }

    /// What tells it apart from others of its kind.
    pub(crate) fn key(&self) -> Option<String> {
        match &self.arguments.first()?.as_ref()?.value {
            Typed::Text(text) => Some(text.to_string()),
            Typed::MountPath(path) => Some(path.to_string()),
            Typed::Secret(name) => Some(name.to_string()),
            _ => None,
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
