//! A project in one environment with everything laid together: what each value is, where it comes from, and the same as
//! one text.
//!
//! All of it is read from the blocks and the rows they fit, so a new row needs nothing here.

mod fields;
mod text;

pub use text::Defaults;
pub(crate) use text::quoted;

use crate::{
    SourceFile,
    block::Block,
    layer::{self, Layer, Written},
    schema::{NodeSchema, children},
    source::{Place, Sources},
};
use std::sync::Arc;
use wharf_model::{EnvironmentName, Origin};

/// A project in one environment.
#[derive(Debug)]
pub struct Resolved {
    pub(crate) blocks: Vec<Block>,
    pub(crate) files: Vec<SourceFile>,
    pub(crate) environment: EnvironmentName,
}

/// One value of a resource, written or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedField {
    /// The resource: `service.chat`.
    pub address: String,
    /// The way to the value inside of it: `rollout.max-surge`; empty for the value of the resource itself.
    pub path: String,
    /// The value as it would stand in a file.
    pub value: String,
    /// Who said it, the last word first; nobody when it is a default.
    pub chain: Vec<Said>,
}

/// One layer that said what a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What it said.
    pub value: String,
    /// Which layer it is.
    pub by: Speaker,
    /// Where that is written.
    pub at: Option<Origin>,
    /// What was filled in.
    pub filled: Vec<FilledIn>,
}

/// A layer of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speaker {
    /// The project itself.
    Project,
    /// A template.
    Template {
        /// Which one.
        name: Arc<str>,
        /// Where it is used.
        used: Origin,
        /// The layer that uses it.
        within: Box<Speaker>,
    },
    /// What an environment changes.
    Environment(Arc<str>),
}

/// An input or a parameter in a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilledIn {
    /// As it stands in the text: `input.tag`.
    pub name: Arc<str>,
    /// Its value.
    pub value: Arc<str>,
    /// Who set it.
    pub by: SetBy,
}

/// Who set an input or a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetBy {
    /// `--input`
    Argument,
    /// A variable of the environment.
    Variable(Arc<str>),
    /// A file of values.
    File(Origin),
    /// Its own default.
    Default(Origin),
    /// The use of a template, with what was filled in there.
    Use(Origin, Vec<FilledIn>),
}

impl ResolvedField {
    /// Address and path together: `service.chat.instances`.
    pub fn name(&self) -> String {
        let joint = if self.path.is_empty() { "" } else { "." };
        format!("{}{joint}{}", self.address, self.path)
    }
}

impl Resolved {
    /// The environment.
    pub fn environment(&self) -> &EnvironmentName {
        &self.environment
    }

    /// What is left when everything is laid together, with the row of each: kind by kind, in the order of the table.
    fn resources(&self) -> impl Iterator<Item = &Block> {
        let is_chosen = |block: &&Block| block.key().as_deref() == Some(self.environment.as_str());
        let elsewhere = |block: &Block| {
            let only = block.property::<Arc<str>>("environment");
            matches!(block.row.path, "policy" | "notify")
                && only.is_some_and(|only| *only.value != *self.environment.as_str())
        };
        let wanted = move |block: &&Block| match block.row.name() {
            "environment" => is_chosen(block),
            _ => !elsewhere(block),
        };
        let of = move |row: &'static NodeSchema| {
            self.blocks.iter().filter(move |block| block.row.path == row.path).filter(wanted)
        };
        children("").iter().filter(|row| is_result(row)).flat_map(move |row| of(row))
    }
}

/// Whether a top-level node still says something when everything is laid together.
fn is_result(row: &NodeSchema) -> bool {
    row.reuse.is_none() && row.name() != "input"
}

/// Whether a node in the block of another still says something when everything is laid together: what only says how the
/// files are put together, and what an environment changes, does not.
fn is_part(row: &NodeSchema) -> bool {
    let overlay = row.like.is_some() && row.parent() == "environment";
    row.reuse.is_none() && !overlay
}

/// Turns places into lines and columns.
struct Speakers<'a>(Sources<'a>);

impl Speakers<'_> {
    fn origin(&self, at: Place) -> Origin {
        self.0.origin(at)
    }

    fn speaker(&self, layer: Option<&Layer>) -> Speaker {
        match layer {
            None => Speaker::Project,
            Some(Layer::Environment(name)) => Speaker::Environment(Arc::clone(name)),
            Some(Layer::Template { name, used, within }) => Speaker::Template {
                name: Arc::clone(name),
                used: self.origin(*used),
                within: Box::new(self.speaker(within.as_deref())),
            },
        }
    }

    fn filled(&self, filled: &[layer::Filled]) -> Vec<FilledIn> {
        let one = |filled: &layer::Filled| FilledIn {
            name: Arc::clone(&filled.name),
            value: Arc::clone(&filled.text),
            by: self.set_by(&filled.by),
        };
        filled.iter().map(one).collect()
    }

    fn set_by(&self, setting: &layer::Setting) -> SetBy {
        match setting {
            layer::Setting::Argument => SetBy::Argument,
            layer::Setting::Variable(name) => SetBy::Variable(Arc::clone(name)),
            layer::Setting::File(at) => SetBy::File(self.origin(*at)),
            layer::Setting::Default(at) => SetBy::Default(self.origin(*at)),
            layer::Setting::Use(at, filled) => SetBy::Use(self.origin(*at), self.filled(filled)),
        }
    }

    /// The layers of a value with a name of its own.
    fn chain(&self, written: Option<&Arc<Written>>, print: impl Fn(&Written) -> String) -> Vec<Said> {
        let all = std::iter::successors(written, |written| written.before.as_ref());
        let said = |written: &Arc<Written>| Said {
            value: print(written),
            by: self.speaker(written.by.as_deref()),
            at: Some(self.origin(written.at)),
            filled: self.filled(&written.filled),
        };
        all.map(said).collect()
    }
}
