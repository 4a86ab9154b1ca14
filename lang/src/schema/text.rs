//! The schema for people: every node in the shape it has in a file, with what it is for beside it.

use super::{Count, NodeSchema, children};
use std::fmt::Write;

/// The column at which the descriptions begin, if there is room for them.
const DESCRIPTIONS: usize = 40;
/// The narrowest description.
const NARROW: usize = 24;

/// The schema as a page of `width` columns.
pub fn schema_text(width: usize) -> String {
    let mut page = String::new();
    for row in children("") {
        block(&mut page, row, 0, width);
        page.push('\n');
    }
    page.pop();
    page
}

fn block(page: &mut String, row: &NodeSchema, depth: usize, width: usize) {
    let indent = "    ".repeat(depth);
    let open = row.entries.is_some() || row.own_children().next().is_some();
    let head = format!("{indent}{}{}", shape(row), if open { " {" } else { "" });
    let like = row.like.map(|other| format!("; takes what `{other}` takes"));
    let notes = [count(row.count).map(|count| format!(" ({count})")), default(row), like];
    let notes: String = notes.into_iter().flatten().collect();
    line(page, &head, &format!("{}{notes}", row.doc), width);
    for property in row.properties {
        let default = property.default.map(|default| format!(" (default {default})"));
        let default = default.or_else(|| property.required.then(|| " (required)".to_owned())).unwrap_or_default();
        let head = format!("{indent}  {}=<{}>", property.name, property.ty.word());
        line(page, &head, &format!("{}{default}", property.doc), width);
    }
    if !open {
        return;
    }
    if let Some(entries) = row.entries {
        line(page, &format!("{indent}    NAME <{}>", entries.word()), &entries.describe(), width);
    }
    for child in row.own_children() {
        block(page, child, depth + 1, width);
    }
    let _ = writeln!(page, "{indent}}}");
}

fn shape(row: &NodeSchema) -> String {
    let arguments = row.arguments.iter().map(|argument| format!(" <{}>", argument.name)).collect::<String>();
    format!("{}{arguments}{}{}", row.name(), if row.repeats { "…" } else { "" }, row.rest())
}

fn count(count: Count) -> Option<String> {
    match count {
        Count::Once => Some("required".to_owned()),
        Count::Optional => None,
        Count::Many => Some("any number".to_owned()),
        Count::List => Some("any number, in order".to_owned()),
        Count::Some => Some("at least one".to_owned()),
        Count::OneOf(choice) => Some(format!("one {choice}")),
    }
}

fn default(row: &NodeSchema) -> Option<String> {
    row.default.map(|default| format!(" (default {default})"))
}

/// Writes `head`, and `text` beside it or below it, wrapped.
fn line(page: &mut String, head: &str, text: &str, width: usize) {
    let column = DESCRIPTIONS.min(width.saturating_sub(NARROW)).max(4);
    let mut at = head.chars().count();
    page.push_str(head);
    if at + 2 > column {
        page.push('\n');
        at = 0;
    }
    let mut first = true;
    for word in text.split_whitespace() {
        let len = word.chars().count();
        if !first && at + 1 + len > width {
            page.push('\n');
            (at, first) = (0, true);
        }
        let gap = if first { column.saturating_sub(at) } else { 1 };
        let _ = write!(page, "{}{word}", " ".repeat(gap));
        at += gap + len;
        first = false;
    }
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_to_the_width() {
        for width in [60, 80, 120] {
            for line in schema_text(width).lines() {
                assert!(line.chars().count() <= width, "{line}");
            }
        }
    }
}
