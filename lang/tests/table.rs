//! Whatever the table of the language holds is in projects that are sound, and these mean the same when they are formatted
//! and when they are expanded.

#![allow(clippy::disallowed_methods, reason = "the support reads files")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use support::{check_alone, check_expanded, check_format, check_meaning, generate, random::Random};
use wharf_lang::{NodeSchema, schema};

/// So many projects are made at least, and at most so many until every node was seen in a sound one.
const PROJECTS: std::ops::Range<usize> = 2_000..20_000;

/// Every node of a project's resources, and every property.
fn all() -> BTreeSet<String> {
    let is_told = |row: &&&'static NodeSchema| {
        let top = row.path.split('.').next().unwrap_or_default();
        row.reuse.is_none()
            && !["project", "input", "environment", "include", "template", "allow-warning"].contains(&top)
    };
    let rows = schema().iter().filter(is_told);
    let parts = rows.flat_map(|row| {
        let properties = row.properties.iter().map(|property| format!("{}={}", row.path, property.name));
        std::iter::once(row.path.to_owned()).chain(properties)
    });
    parts.collect()
}

#[test]
fn every_node_and_property_survives_being_formatted_and_expanded() {
    let (mut random, mut made, mut sound, mut missing) = (Random::new(7), 0, 0, all());
    while made < PROJECTS.start || (made < PROJECTS.end && !missing.is_empty()) {
        let generated = generate::project(&mut random);
        made += 1;
        let loaded = check_alone(&generated.text);
        check_format(&generated.text);
        if loaded.deployment.is_none() {
            continue;
        }
        check_meaning(&generated.text, &loaded);
        check_expanded(&loaded);
        sound += 1;
        missing.retain(|part| !generated.rows.contains(part));
    }
    assert!(missing.is_empty(), "{sound} of {made} are sound, and in none of them is {missing:#?}");
    assert!(sound > made / 5, "only {sound} of {made} are sound");
}
