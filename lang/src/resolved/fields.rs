//! Every value of a resolved project under a name of its own, with the layers that said it.

use super::{
    Resolved, ResolvedField, Said, Speakers, is_part,
    text::{arguments, default_text, is_moot, quoted, written},
};
use crate::{
    block::Block,
    schema::{Count, NodeSchema, Type},
    source::Sources,
};

impl Resolved {
    /// Every value, resource by resource, in the order of the table.
    pub fn fields(&self) -> Vec<ResolvedField> {
        let speakers = Speakers(Sources::new(&self.files));
        let mut fields = Vec::new();
        for block in self.resources() {
            let name = block.row.name();
            let is_environment = name == "environment";
            let address = match block.key() {
                Some(key) if block.is_keyed() && !is_environment => format!("{name}.{key}"),
                _ => name.to_owned(),
            };
            let mut walk = Walk { speakers: &speakers, address, fields: &mut fields };
            walk.resource(block);
        }
        fields
    }
}

struct Walk<'a> {
    speakers: &'a Speakers<'a>,
    address: String,
    fields: &'a mut Vec<ResolvedField>,
}

impl Walk<'_> {
    /// Where it is declared, then what is in it.
    fn resource(&mut self, block: &Block) {
        let value = format!("{}{}", block.row.name(), arguments(block, quoted));
        let chain = self.layers(block, |block| format!("{}{}", block.row.name(), arguments(block, quoted)));
        self.push("", value, chain);
        self.inside(block, "");
    }

    fn push(&mut self, path: &str, value: String, chain: Vec<Said>) {
        let (address, path) = (self.address.clone(), path.to_owned());
        self.fields.push(ResolvedField { address, path, value, chain });
    }

    /// A node in the block of another. What is told apart by a key, and what has no value, is a value by being there.
    fn node(&mut self, block: &Block, path: &str) {
        let name = block.row.name();
        let print = |block: &Block| {
            let bare = block.is_keyed() || block.row.arguments.is_empty() || block.row.name() != name;
            let values = arguments(block, quoted);
            if bare { format!("{}{values}", block.row.name()) } else { values.trim_start().to_owned() }
        };
        let has_parts = !block.children.is_empty() || !block.entries.is_empty() || block.row.has_block();
        if block.is_keyed() || !block.row.arguments.is_empty() || !has_parts {
            self.push(path, print(block), self.layers(block, print));
        }
        self.inside(block, path);
    }

    fn inside(&mut self, block: &Block, way: &str) {
        self.properties(block, way);
        for (name, found) in &block.entries {
            let ty = block.row.entries.unwrap_or(Type::Variable);
            let chain = self.speakers.chain(found.written.as_ref(), |one| written(ty, one));
            let value = chain.first().map(|said| said.value.clone()).unwrap_or_default();
            self.push(&joined(way, &name.text), value, chain);
        }
        for row in block.row.children().iter().copied().filter(|row| is_part(row)) {
            let mut there = block.children.iter().filter(|child| child.row.path == row.path).peekable();
            if there.peek().is_none() && !is_moot(block, row) {
                self.default(row, way);
            }
            there.enumerate().for_each(|(index, child)| self.node(child, &join(way, child, index)));
        }
    }

    fn properties(&mut self, block: &Block, way: &str) {
        for property in block.row.properties {
            let given = block.properties.get(property.name).and_then(|found| found.written.as_ref());
            let chain = self.speakers.chain(given, |one| written(property.ty, one));
            let said = chain.first().map(|said| said.value.clone());
            let default = || default_text(property.ty, property.default?);
            if let Some(value) = said.or_else(default) {
                self.push(&joined(way, property.name), value, chain);
            }
        }
    }

    /// A node that is not there.
    fn default(&mut self, row: &'static NodeSchema, way: &str) {
        let path = joined(way, row.name());
        if let (Some(default), Some(argument)) = (row.default, row.arguments.first()) {
            if let Some(value) = default_text(argument.ty, default) {
                self.push(&path, value, vec![]);
            }
        } else if row.implied {
            row.children().iter().copied().filter(|row| is_part(row)).for_each(|row| self.default(row, &path));
        }
    }

    /// The layers that said the values of a node.
    fn layers(&self, block: &Block, print: impl Fn(&Block) -> String) -> Vec<Said> {
        let all = std::iter::successors(Some(block), |block| block.before.as_deref());
        let said = |block: &Block| {
            let values = block.arguments.iter().flatten().filter_map(|found| found.written.as_ref());
            let filled = values.flat_map(|written| self.speakers.filled(&written.filled)).collect();
            let at = block.title_at().map(|at| self.speakers.origin(at));
            Said { value: print(block), by: self.speakers.speaker(block.by.as_deref()), at, filled }
        };
        all.map(said).collect()
    }
}

/// The name of a value in a block: with its key, or else its number, where there may be several.
fn join(way: &str, block: &Block, index: usize) -> String {
    let path = joined(way, block.row.name());
    if block.row.count == Count::List {
        return format!("{path}.{index}");
    }
    match block.key().filter(|_| block.is_keyed()) {
        Some(key) if key.starts_with('/') => format!("{path}:{key}"),
        Some(key) => format!("{path}.{key}"),
        None => path,
    }
}

fn joined(way: &str, name: &str) -> String {
    let joint = if way.is_empty() { "" } else { "." };
    format!("{way}{joint}{name}")
}
