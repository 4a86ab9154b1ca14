//! The resolved project as KDL. Read again, it asks for the same.

use super::{Resolved, is_part};
use crate::{
    block::{Block, Found},
    interpolate::escape,
    layer::{Annotation, Written},
    schema::{Count, NodeSchema, Type},
    syntax::Scalar,
    value::{self, Typed},
};
use std::fmt::Write;

/// A block that fits into a line of so many columns stands in one.
const COLUMNS: usize = 100;

/// Whether values that nobody wrote are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defaults {
    /// They are left out.
    Hidden,
    /// They are written down.
    Shown,
}

impl Resolved {
    /// The project as one text, without inputs, templates and overlays.
    pub fn text(&self, defaults: Defaults) -> String {
        let mut page = String::new();
        let mut last = None;
        for block in self.resources() {
            let printed = Printed::block(block, defaults);
            let own = printed.inner.as_ref().is_some_and(|inner| inner.len() > 1);
            if last.is_some_and(|(path, was)| path != block.row.path || was || own) {
                page.push('\n');
            }
            last = Some((block.row.path, own));
            printed.write(&mut page, 0);
        }
        page
    }
}

/// A node on its way to the page.
struct Printed {
    head: String,
    inner: Option<Vec<Printed>>,
}

impl Printed {
    fn block(block: &Block, defaults: Defaults) -> Self {
        let mut head = block.row.name().to_owned();
        let _ = write!(head, "{}{}", arguments(block, paragraph), properties(block, defaults));
        let mut inner = entries(block);
        for row in block.row.children().iter().copied().filter(|row| is_part(row)) {
            let mut there = block.children.iter().filter(|child| child.row.path == row.path).peekable();
            if there.peek().is_none() && defaults == Defaults::Shown && !is_moot(block, row) {
                inner.extend(default(row));
            }
            inner.extend(there.map(|child| Self::block(child, defaults)));
        }
        let is_block =
            !inner.is_empty() || (block.row.has_block() && !block.row.children().iter().any(|row| is_needed(row)));
        let empty_matters = block.row.arguments.is_empty() && !block.is_keyed();
        Self { head, inner: (is_block && (empty_matters || !inner.is_empty())).then_some(inner) }
    }

    fn write(&self, page: &mut String, depth: usize) {
        let indent = "    ".repeat(depth);
        let line = self.line();
        let short = line.chars().count() + indent.len() <= COLUMNS && !line.contains('\n');
        let inner = self.inner.as_deref().unwrap_or_default();
        if inner.is_empty() || (short && (depth > 0 || inner.len() == 1)) {
            let _ = writeln!(page, "{}", indented(&line, &indent));
            return;
        }
        let _ = writeln!(page, "{} {{", indented(&self.head, &indent));
        inner.iter().for_each(|node| node.write(page, depth + 1));
        let _ = writeln!(page, "{indent}}}");
    }

    fn line(&self) -> String {
        match self.inner.as_deref() {
            None => self.head.clone(),
            Some([]) => format!("{} {{}}", self.head),
            Some(inner) => {
                let inner: Vec<_> = inner.iter().map(Self::line).collect();
                format!("{} {{ {} }}", self.head, inner.join("; "))
            }
        }
    }
}

/// Every line of a text, further in; KDL takes away from each what its last line has.
fn indented(text: &str, indent: &str) -> String {
    let line = |line: &str| if line.is_empty() { String::new() } else { format!("{indent}{line}") };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// A node that is not there, with its default. A block is written down where it is implied.
fn default(row: &'static NodeSchema) -> Option<Printed> {
    if let (Some(default), Some(argument)) = (row.default, row.arguments.first()) {
        let head = format!("{} {}", row.name(), default_text(argument.ty, default)?);
        return Some(Printed { head, inner: None });
    }
    if !row.implied {
        return None;
    }
    let inner = row.children().iter().filter(|row| is_part(row)).filter_map(|row| default(row)).collect();
    Some(Printed { head: row.name().to_owned(), inner: Some(inner) })
}

/// Whether the default of a node says nothing beside what else is in the block: a count that follows the work begins
/// where its range does.
pub(super) fn is_moot(block: &Block, row: &NodeSchema) -> bool {
    row.path == "service.instances" && block.child("autoscale").is_some()
}

fn is_needed(row: &NodeSchema) -> bool {
    matches!(row.count, Count::Once | Count::Some | Count::OneOf(_))
}

/// A default of the table, as it would stand in a file.
pub(super) fn default_text(ty: Type, default: &str) -> Option<String> {
    value::read_default("", ty, default)?;
    let scalar = value::default_scalar(default);
    Some(scalar_text(ty, &scalar, quoted))
}

/// The values after the name of a node, each with a space before it.
pub(super) fn arguments(block: &Block, quote: Quote) -> String {
    let ty =
        |index: usize| block.row.arguments.get(index).or(block.row.arguments.last()).map_or(Type::Text, |one| one.ty);
    let one = |(index, found): (usize, &Option<Found<Typed>>)| {
        let written = found.as_ref()?.written.as_ref()?;
        Some(format!(" {}{}", annotation(written), scalar_text(ty(index), &written.scalar, quote)))
    };
    block.arguments.iter().enumerate().filter_map(one).collect()
}

/// The properties of a node, each with a space before it.
fn properties(block: &Block, defaults: Defaults) -> String {
    let mut text = String::new();
    for property in block.row.properties {
        let given = block.properties.get(property.name).and_then(|found| found.written.as_ref());
        let given = given.map(|given| written(property.ty, given));
        let default = property.default.filter(|_| defaults == Defaults::Shown);
        if let Some(value) = given.or_else(|| default_text(property.ty, default?)) {
            let _ = write!(text, " {}={value}", property.name);
        }
    }
    text
}

fn entries(block: &Block) -> Vec<Printed> {
    let ty = block.row.entries.unwrap_or(Type::Variable);
    let one = |(name, found): &(crate::syntax::Word, Found<Typed>)| {
        let value = written(ty, found.written.as_ref()?);
        Some(Printed { head: format!("{} {value}", identifier(&name.text)), inner: None })
    };
    block.entries.iter().filter_map(one).collect()
}

/// A value that was written, as it would stand in a file with nothing left to fill in.
pub(super) fn written(ty: Type, written: &Written) -> String {
    format!("{}{}", annotation(written), scalar_text(ty, &written.scalar, quoted))
}

fn annotation(written: &Written) -> &'static str {
    written.annotation.map_or("", Annotation::as_str)
}

/// How a text is put between quotes.
type Quote = fn(&str) -> String;

fn scalar_text(ty: Type, scalar: &Scalar, quote: Quote) -> String {
    match scalar {
        Scalar::Text(text) if ty == Type::Literal => quote(text),
        Scalar::Text(text) => quote(&escape(text)),
        Scalar::Integer(number) => number.to_string(),
        Scalar::Float(number) => format!("{number:?}"),
        Scalar::Boolean(true) => "#true".to_owned(),
        Scalar::Boolean(false) => "#false".to_owned(),
        Scalar::Null => "#null".to_owned(),
    }
}

fn identifier(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let starts = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
    let keyword = ["true", "false", "null", "inf", "nan"].contains(&name);
    if starts && !keyword && name.chars().all(plain) { name.to_owned() } else { quoted(name) }
}

/// A text of several lines stands on lines of its own, where none of them would lose anything by that.
fn paragraph(text: &str) -> String {
    let is_blank = |line: &str| !line.is_empty() && line.chars().all(char::is_whitespace);
    if !text.contains('\n') || text.split('\n').any(is_blank) || text.contains(must_be_escaped_inside) {
        return quoted(text);
    }
    let escaped = text.replace('\\', "\\\\").replace("\"\"\"", "\\\"\\\"\\\"");
    format!("\"\"\"\n{escaped}\n\"\"\"")
}

fn must_be_escaped_inside(letter: char) -> bool {
    !matches!(letter, '\n' | '\t') && must_be_escaped(letter)
}

pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ if must_be_escaped(letter) => {
                let _ = write!(quoted, "\\u{{{:x}}}", u32::from(letter));
            }
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// Letters that KDL does not allow as they are, and those that end a line.
fn must_be_escaped(letter: char) -> bool {
    let direction = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    letter.is_control() || direction || matches!(letter, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}
