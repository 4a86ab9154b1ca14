//! What the settings of a route are, as its gateway has them, in the model's words.

use crate::words::membership;
use std::{collections::BTreeSet, time::Duration};
use wharf_gateway::Route;
use wharf_model::{Bytes, Entry, Field, FieldPath, Told, Value, print_duration};

/// What a route is set to, whoever set it.
#[must_use]
pub fn told(route: &Route) -> Told {
    let entry = |path, value| Entry { path, value: Value::Text(value) };
    let mut entries = Vec::new();
    for path in &route.paths {
        entries.push(entry(FieldPath::at(Field::Path, path.as_str()), "served".to_owned()));
    }
    for token in &route.tokens {
        // Its digest is not keyed as those of records are, so it says nothing about whether the value is the same.
        let secret = token.name.parse().map(|name| Value::Secret(name, None));
        let value = secret.unwrap_or_else(|_| Value::Text(token.name.clone()));
        entries.push(Entry { path: FieldPath::at(Field::Token, token.name.as_str()), value });
    }
    let timeout = route.timeout_ms.map(|ms| print_duration(Duration::from_millis(ms)));
    entries.extend(timeout.map(|span| entry(FieldPath::of(Field::Timeout), span)));
    let limit = route.max_body.map(|limit| Bytes(limit).to_string());
    entries.extend(limit.map(|limit| entry(FieldPath::of(Field::MaxBody), limit)));
    let group = route
        .entry
        .as_ref()
        .map(|shared| membership(shared).map_or_else(|| shared.path.clone(), |member| member.to_string()));
    entries.extend(group.map(|group| entry(FieldPath::of(Field::Group), group)));
    entries.sort_by(|one, two| one.path.cmp(&two.path));
    Told { about: BTreeSet::from([Field::Path, Field::Token, Field::Timeout, Field::MaxBody, Field::Group]), entries }
}
