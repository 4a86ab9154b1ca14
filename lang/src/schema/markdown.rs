//! The schema as the reference page of the documentation.

use super::{Count, NodeSchema, Overlay, Type, children, schema};
use std::fmt::Write;

const OPENING: &str = "\
# The language

Every node that a project's `*.kdl` files may hold. This page is made from the schema that wharf itself reads the files by:
`wharf schema --format markdown` prints it for the version at hand.

";

/// The schema as a Markdown page.
pub fn schema_markdown() -> String {
    let mut page = OPENING.to_owned();
    for row in children("") {
        let _ = writeln!(page, "- [`{}`](#{}): {}", row.name(), anchor(row.path), escaped(row.doc));
    }
    for row in schema() {
        node(&mut page, row);
    }
    page + "\n" + &types()
}

fn node(page: &mut String, row: &NodeSchema) {
    let level = "#".repeat((row.path.matches('.').count() + 2).min(6));
    let _ = write!(page, "\n<a id=\"{}\"></a>\n\n{level} `{}`\n\n", anchor(row.path), row.path.replace('.', " "));
    let _ = write!(page, "```kdl\n{}\n```\n\n{}. {}.", shape(row), capital(&escaped(row.doc)), count(row));
    if let Some(default) = row.default {
        let _ = write!(page, " Default: `{default}`.");
    }
    if row.overlay == Overlay::Patches && !row.path.starts_with("environment") {
        page.push_str(" An environment may change parts of it.");
    }
    page.push('\n');
    values(page, row);
    if let Some(entries) = row.entries {
        let _ = writeln!(
            page,
            "\nEach node of its block has a name of your choice and takes {}.",
            escaped(&entries.describe())
        );
    }
    links(page, row);
    if let Some(other) = row.like {
        let also = if row.own_children().next().is_some() { "also " } else { "" };
        let (name, anchor) = (other.replace('.', " "), anchor(other));
        let _ = writeln!(page, "\nIts block {also}takes what that of [`{name}`](#{anchor}) takes.");
    }
}

/// A table of the values and properties, if there are any.
fn values(page: &mut String, row: &NodeSchema) {
    if row.arguments.is_empty() && row.properties.is_empty() {
        return;
    }
    page.push_str("\n| value | takes | default | |\n| --- | --- | --- | --- |\n");
    for (index, argument) in row.arguments.iter().enumerate() {
        let repeats = if row.repeats && index + 1 == row.arguments.len() { "one or more" } else { "" };
        let _ = writeln!(page, "| *{}* | {} | | {repeats} |", argument.name, takes(argument.ty));
    }
    for property in row.properties {
        let default = property.default.map(|default| format!("`{default}`")).unwrap_or_default();
        let _ =
            writeln!(page, "| `{}=` | {} | {default} | {} |", property.name, takes(property.ty), escaped(property.doc));
    }
}

fn links(page: &mut String, row: &NodeSchema) {
    let links = row.own_children().map(|child| format!("[`{}`](#{})", child.name(), anchor(child.path)));
    let links: Vec<_> = links.collect();
    if !links.is_empty() {
        let _ = writeln!(page, "\nHolds {}.", links.join(", "));
    }
}

/// The node as it stands in a file.
fn shape(row: &NodeSchema) -> String {
    let arguments = row.arguments.iter().map(|argument| format!(" <{}>", argument.name)).collect::<String>();
    let repeats = if row.repeats { "…" } else { "" };
    let properties = row.properties.iter().map(|property| format!(" {}=<{}>", property.name, property.ty.word()));
    let block = if row.has_block() { " { … }" } else { "" };
    format!("{}{arguments}{repeats}{}{}{block}", row.name(), properties.collect::<String>(), row.rest())
}

fn count(row: &NodeSchema) -> String {
    match row.count {
        Count::Once => "Required".to_owned(),
        Count::Optional => "Optional".to_owned(),
        Count::Many => "Any number, told apart by the first value".to_owned(),
        Count::List => "Any number, in order".to_owned(),
        Count::Some => "At least one".to_owned(),
        Count::OneOf(choice) => {
            let same = children(row.parent()).iter().filter(|other| other.count == row.count);
            let names: Vec<_> = same.map(|other| format!("`{}`", other.name())).collect();
            format!("Exactly one {choice} is needed: {}", names.join(" or "))
        }
    }
}

fn takes(ty: Type) -> String {
    escaped(&ty.describe()).replace('|', "\\|")
}

/// What every type takes, once.
fn types() -> String {
    "## Values\n\nDurations take `ms`, `s`, `m`, `h` or `d`; sizes take `KiB`, `MiB`, `GiB` or `TiB`. `(secret)\"name\"` refers to a \
     declared [`secret`](#secret) and is never a value. `${input.name}` in a text is replaced by the value of that \
     [`input`](#input), `${param.name}` in a [`template`](#template) by that of its parameter. A text that is one of these \
     and nothing else takes its type.\n"
        .to_owned()
}

fn anchor(path: &str) -> String {
    path.replace('.', "-")
}

/// Angle brackets would be read as HTML.
fn escaped(text: &str) -> String {
    text.replace('<', "&lt;").replace('>', "&gt;").replace('*', "\\*")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
