//! Values and properties that do not stand where they belong: one too many, one without its name or with another one, one
//! that is a node. Each mistake is told once, so what seems to be missing because of it is not told again.

use crate::{
    admit::Admit,
    block::Block,
    count::example,
    problem::{Code, Problem},
    schema::{self, Argument, NodeSchema, Property, Reuse},
    source::Place,
    suggest::{did_you_mean, nearest},
    syntax::{Entry, Node, Word},
    words,
};

impl Admit<'_> {
    pub(crate) fn surplus(&mut self, row: &NodeSchema, entry: &Entry, strays: &Strays<'_>) {
        let help = match strays.only_unsaid() {
            Some(property) => Some(format!("it has a name: `{}=…`", property.name)),
            None if row.arguments.is_empty() && row.properties.len() == 1 => {
                Some(format!("it has a name: `{}=…`", row.properties[0].name))
            }
            None if row.entries.is_some() => Some(format!("what it holds stands in its block: `{}`", example(row))),
            None => None,
        };
        let message = match row.arguments.len() {
            0 => format!("`{}` takes no value", row.name()),
            1 => format!("`{}` takes one value", row.name()),
            more => format!("`{}` takes {more} values", row.name()),
        };
        self.problems.push(Problem::error(Code::Unexpected, message).at(entry.at, "one too many").help(help));
    }

    pub(crate) fn missing_value(&mut self, row: &NodeSchema, missing: &Argument, at: Place) {
        let article = if missing.name.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
        let message = format!("`{}` needs {article} {}", row.name(), missing.name);
        let help = format!("write `{}`", example(row));
        self.problems.push(Problem::error(Code::MissingValue, message).at(at, "nothing follows").help(help));
    }

    pub(crate) fn unknown_property(&mut self, row: &'static NodeSchema, key: &Word, strays: &Strays<'_>) {
        let known = || row.properties.iter().map(|property: &Property| property.name);
        let is_value = row.arguments.iter().any(|argument| argument.name == &*key.text);
        let near = nearest(&key.text, known()).is_some();
        let help = if is_value || strays.unnamed.is_some_and(|first| first.text == key.text) {
            Some(format!("its value follows without a name: `{}`", example(row)))
        } else if let Some(property) = strays.only_unsaid().filter(|_| !near && !strays.is_surplus) {
            Some(format!("did you mean `{}`?", property.name))
        } else if row.entries.is_some() {
            Some(format!("what it holds stands in its block: `{}`", example(row)))
        } else if let Some(child) =
            words::meant(&key.text, row.children()).filter(|child| *child != key.text.as_ref() && !near)
        {
            Some(format!("did you mean the node `{child}` in its block?"))
        } else if row.child(&key.text).is_some() {
            Some(format!("`{0}` is a node: write `{0} …` in its block", key.text))
        } else {
            did_you_mean(&key.text, row.properties.iter().map(|property| property.name))
        };
        let none = if known().next().is_none() { "takes no properties" } else { "has no such property" };
        let message = format!("`{}` {none}: `{}`", row.name(), key.text);
        self.problems.push(Problem::error(Code::UnknownProperty, message).at(key.at, "unknown property").help(help));
    }

    /// Reports the properties that must be there and are not. What stands there without its name, or with another one, has
    /// been reported.
    pub(crate) fn unsaid(&mut self, block: &Block, node: &Node, strays: &Strays<'_>) {
        let row = block.row;
        let bare = node.entries.is_empty() && !row.arguments.is_empty();
        if bare || strays.unsaid.len() <= strays.strange {
            return;
        }
        for property in &strays.unsaid {
            let message = format!("`{}` needs `{}=`", row.name(), property.name);
            let help = format!("`{}` is {}; it takes {}", property.name, property.doc, property.ty.describe());
            self.problems.push(Problem::error(Code::MissingValue, message).at(block.at, "incomplete").help(help));
        }
    }
}

/// What of a node does not stand where it belongs.
pub(crate) struct Strays<'n> {
    /// The name that was given to a value which has none.
    pub(crate) unnamed: Option<&'n Word>,
    /// Whether there are more values without a name than there may be.
    is_surplus: bool,
    /// How many values and properties there are that nobody knows.
    strange: usize,
    /// The properties that must be there and are not, not even misspelt.
    unsaid: Vec<&'static Property>,
}

impl<'n> Strays<'n> {
    pub(crate) fn of(row: &'static NodeSchema, node: &'n Node) -> Self {
        let keys = || node.entries.iter().filter_map(|entry| entry.key.as_ref());
        let values = node.entries.iter().filter(|entry| entry.key.is_none()).count();
        let names = || row.properties.iter().map(|property| property.name);
        let is_stray = |key: &&Word| row.property(&key.text).is_none() && nearest(&key.text, names()).is_none();
        let (is_use, is_surplus) = (row.reuse == Some(Reuse::Use), !row.repeats && values > row.arguments.len());
        let strays = || keys().filter(is_stray).filter(|_| !is_use);
        let unsaid = row.properties.iter().filter(|property| property.required && !said(property, node));
        Self {
            unnamed: strays().next().filter(|_| values < row.arguments.len()),
            is_surplus,
            strange: usize::from(is_surplus) + strays().count(),
            unsaid: unsaid.collect(),
        }
    }

    /// The one property that must be there and is not.
    fn only_unsaid(&self) -> Option<&'static Property> {
        self.unsaid.first().copied().filter(|_| self.unsaid.len() == 1)
    }
}

/// The way out for a property of the block's own node that is written as a node.
pub(crate) fn as_property(word: &str, rows: &[&'static NodeSchema]) -> Option<String> {
    let owner = schema::schema().iter().find(|row| row.path == rows.first().map_or("", |row| row.parent()))?;
    let property = owner.property(word)?.name;
    Some(format!("it is a property: write `{} {property}=…` before the block", owner.name()))
}

/// Whether a property that must be there is, if perhaps misspelt.
fn said(property: &Property, node: &Node) -> bool {
    let keys = || node.entries.iter().filter_map(|entry| entry.key.as_ref());
    if keys().any(|key| &*key.text == property.name) {
        return true;
    }
    let mut words = keys().chain(node.block.iter().flatten().map(|node| &node.name));
    words.any(|word| nearest(&word.text, [property.name]).is_some())
}
