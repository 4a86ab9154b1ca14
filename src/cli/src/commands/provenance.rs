//! Who said a value, in words and as JSON.

use serde_json::{Value, json};
use std::borrow::Cow;
use wharf_lang::{FilledIn, ResolvedField, Said, SetBy, Speaker};
use wharf_model::{Address, Origin};

/// The name in the files of what a plan calls by an address of its own: a mount, a route, an instance.
pub(super) fn in_files(name: &str) -> Cow<'_, str> {
    match name.parse::<Address>() {
        Ok(Address::Mount(service, path)) => format!("service.{service}.mount:{path}").into(),
        Ok(Address::Packages(service)) => format!("service.{service}.packages").into(),
        Ok(Address::Route(gateway, service)) => format!("service.{service}.expose.{gateway}").into(),
        Ok(Address::Instance(service, _)) => format!("service.{service}").into(),
        Ok(_) | Err(_) => name.into(),
    }
}

/// A place with its column.
pub(super) fn place(origin: &Origin) -> String {
    format!("{origin}:{}", origin.column)
}

/// The layer in two words.
pub(super) fn speaker(by: &Speaker) -> String {
    match by {
        Speaker::Project => "project".to_owned(),
        Speaker::Template { name, .. } => format!("template {name}"),
        Speaker::Environment(name) => format!("environment {name}"),
    }
}

/// Where it is written and, from the inside out, where each template is used.
pub(super) fn places(said: &Said) -> String {
    let mut places = said.at.as_ref().map_or_else(String::new, place);
    let mut by = &said.by;
    while let Speaker::Template { used, within, .. } = by {
        places = format!("{places}, used at {}", place(used));
        by = within;
    }
    match by {
        Speaker::Environment(name) if !matches!(said.by, Speaker::Environment(_)) => {
            format!("{places} in environment {name}")
        }
        _ => places,
    }
}

/// Who set an input or a parameter.
pub(super) fn set_by(by: &SetBy) -> String {
    match by {
        SetBy::Argument => "set by --input".to_owned(),
        SetBy::Variable(name) => format!("set by the variable {name}"),
        SetBy::File(at) | SetBy::Use(at, _) => format!("set at {}", place(at)),
        SetBy::Default(at) => format!("the default at {}", place(at)),
    }
}

/// A value with all that is known of it.
pub(super) fn field_json(field: &ResolvedField) -> Value {
    let chain: Vec<_> = field.chain.iter().map(said_json).collect();
    json!({
        "address": field.address,
        "path": field.path,
        "value": field.value,
        "default": field.chain.is_empty(),
        "chain": chain,
    })
}

fn said_json(said: &Said) -> Value {
    json!({
        "value": said.value,
        "by": speaker_json(&said.by),
        "at": said.at.as_ref().map(place_json),
        "filled": said.filled.iter().map(filled_json).collect::<Vec<_>>(),
    })
}

/// A place for programs.
pub(super) fn place_json(origin: &Origin) -> Value {
    json!({ "file": &*origin.file, "line": origin.line, "column": origin.column })
}

fn speaker_json(by: &Speaker) -> Value {
    match by {
        Speaker::Project => json!({ "kind": "project" }),
        Speaker::Environment(name) => json!({ "kind": "environment", "name": &**name }),
        Speaker::Template { name, used, within } => json!({
            "kind": "template",
            "name": &**name,
            "used": place_json(used),
            "within": speaker_json(within),
        }),
    }
}

fn filled_json(filled: &FilledIn) -> Value {
    let (by, at) = match &filled.by {
        SetBy::Argument => ("argument", Value::Null),
        SetBy::Variable(name) => ("variable", json!(&**name)),
        SetBy::File(at) => ("file", place_json(at)),
        SetBy::Default(at) => ("default", place_json(at)),
        SetBy::Use(at, _) => ("use", place_json(at)),
    };
    let inner: &[FilledIn] = if let SetBy::Use(_, inner) = &filled.by { inner } else { &[] };
    json!({
        "name": &*filled.name,
        "value": &*filled.value,
        "by": by,
        "from": at,
        "filled": inner.iter().map(filled_json).collect::<Vec<_>>(),
    })
}
