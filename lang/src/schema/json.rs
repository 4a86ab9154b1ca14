//! The schema for machines: editors, and whoever generates files.

use super::{Argument, Count, NodeSchema, Overlay, Property, Reuse, Type, schema};
use serde_json::{Value, json};

/// The format of the JSON; grows when a reader of the old one would misunderstand the new one.
const FORMAT: u32 = 1;

/// The schema as JSON.
pub fn schema_json() -> String {
    let nodes: Vec<_> = schema().iter().copied().map(node).collect();
    format!("{:#}\n", json!({ "format": FORMAT, "nodes": nodes }))
}

fn node(row: &NodeSchema) -> Value {
    let (count, choice) = match row.count {
        Count::Once => ("once", None),
        Count::Optional => ("optional", None),
        Count::Many => ("many", None),
        Count::List => ("list", None),
        Count::Some => ("at-least-one", None),
        Count::OneOf(choice) => ("one-of", Some(choice)),
    };
    json!({
        "path": row.path,
        "count": count,
        "choice": choice,
        "arguments": row.arguments.iter().map(argument).collect::<Vec<_>>(),
        "repeats": row.repeats,
        "properties": row.properties.iter().map(property).collect::<Vec<_>>(),
        "entries": row.entries.map(ty),
        "like": row.like,
        "reuse": row.reuse.map(Reuse::word),
        "elsewhere": row.elsewhere,
        "overlay": if row.overlay == Overlay::Patches { "patches" } else { "replaces" },
        "default": row.default,
        "doc": row.doc,
        "since": row.since,
    })
}

fn argument(argument: &Argument) -> Value {
    json!({ "name": argument.name, "type": ty(argument.ty) })
}

fn property(property: &Property) -> Value {
    json!({ "name": property.name, "type": ty(property.ty), "default": property.default, "required": property.required, "doc": property.doc })
}

fn ty(ty: Type) -> Value {
    match ty {
        Type::Integer { from, to } => json!({ "is": ty.word(), "from": from, "to": to }),
        Type::Word(words) => json!({ "is": ty.word(), "words": words }),
        _ => json!({ "is": ty.word() }),
    }
}
