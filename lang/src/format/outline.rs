//! A tree in one normal form: what a file says, one node a line, whatever way it was written.

use crate::syntax::{Entry, Node, Scalar, Word};
use std::fmt::Write;

/// The nodes with everything that makes a difference: names, types, values and properties in their order, blocks.
pub(crate) fn outline(nodes: &[Node]) -> String {
    let mut page = String::new();
    nodes.iter().for_each(|node| write_node(&mut page, node, 0));
    page
}

fn write_node(page: &mut String, node: &Node, depth: usize) {
    let _ = write!(page, "{}{}{:?}", "    ".repeat(depth), annotation(node.annotation.as_ref()), node.name.text);
    node.entries.iter().for_each(|entry| write_entry(page, entry));
    let Some(block) = &node.block else { return page.push('\n') };
    page.push_str(" {\n");
    block.iter().for_each(|node| write_node(page, node, depth + 1));
    let _ = writeln!(page, "{}}}", "    ".repeat(depth));
}

fn write_entry(page: &mut String, entry: &Entry) {
    let key = entry.key.as_ref().map(|key| format!("{:?}=", key.text)).unwrap_or_default();
    let _ = write!(page, " {key}{}", annotation(entry.annotation.as_ref()));
    let _ = match &entry.value {
        Scalar::Text(text) => write!(page, "{text:?}"),
        Scalar::Integer(number) => write!(page, "{number}"),
        Scalar::Float(number) => write!(page, "{number:?}"),
        Scalar::Boolean(value) => write!(page, "#{value}"),
        Scalar::Null => write!(page, "#null"),
    };
}

fn annotation(word: Option<&Word>) -> String {
    word.map(|word| format!("({:?})", word.text)).unwrap_or_default()
}
