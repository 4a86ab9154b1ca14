//! The schema in KDL, the language it describes.

use super::{Argument, Count, NodeSchema, Overlay, Property, Type, children};
use std::fmt::Write;

/// The schema as a KDL document.
pub fn schema_kdl() -> String {
    let mut page = "schema version=1 {\n".to_owned();
    children("").iter().for_each(|row| node(&mut page, row, 1));
    page + "}\n"
}

fn node(page: &mut String, row: &NodeSchema, depth: usize) {
    let indent = "    ".repeat(depth);
    let _ = writeln!(page, "{indent}node {} {} since={} {{", quoted(row.name()), count(row.count), quoted(row.since));
    let mut line = |text: String| {
        let _ = writeln!(page, "{indent}    {text}");
    };
    line(format!("doc {}", quoted(row.doc)));
    row.arguments.iter().for_each(|value| line(argument(value, row.repeats)));
    row.properties.iter().for_each(|value| line(property(value)));
    if let Some(default) = row.default {
        line(format!("default {}", quoted(default)));
    }
    if let Some(entries) = row.entries {
        line(format!("entries type={}", ty(entries)));
    }
    if row.overlay == Overlay::Patches {
        line("overlay patches".to_owned());
    }
    if let Some(reuse) = row.reuse {
        line(format!("reuse {}", reuse.word()));
    }
    if let Some(other) = row.like {
        line(format!("like {}", quoted(other)));
    }
    row.own_children().for_each(|child| node(page, child, depth + 1));
    let _ = writeln!(page, "{indent}}}");
}

fn argument(argument: &Argument, repeats: bool) -> String {
    let repeats = if repeats { " repeats=#true" } else { "" };
    format!("argument {} type={}{repeats}", quoted(argument.name), ty(argument.ty))
}

fn property(property: &Property) -> String {
    let default = property.default.map(|default| format!(" default={}", quoted(default))).unwrap_or_default();
    format!("property {} type={}{default} {{ doc {} }}", quoted(property.name), ty(property.ty), quoted(property.doc))
}

fn count(count: Count) -> String {
    match count {
        Count::Once => "count=once".to_owned(),
        Count::Optional => "count=optional".to_owned(),
        Count::Many => "count=many".to_owned(),
        Count::List => "count=list".to_owned(),
        Count::Some => "count=at-least-one".to_owned(),
        Count::OneOf(choice) => format!("count=one-of choice={}", quoted(choice)),
    }
}

/// A type, with what it allows as further properties.
fn ty(ty: Type) -> String {
    match ty {
        Type::Integer { from, to } => format!("{} from={from} to={to}", ty.word()),
        Type::Word(words) => format!("{} words={}", ty.word(), quoted(&words.join(" "))),
        _ => ty.word().to_owned(),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SourceFile, format};

    #[test]
    fn it_is_well_formed() {
        let file = SourceFile { name: "schema.kdl".into(), text: schema_kdl().into() };
        // Only where lines are longer than the formatter leaves them may it have something to say.
        assert!(format(&file).is_ok_and(|text| text.starts_with("schema version=1 {\n    node \"project\"")));
    }
}
