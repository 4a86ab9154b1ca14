//! What drift is not to be told of.

use super::*;

const RULE: &[Property] = &[
    property("reason", Type::Text, "why; every report repeats it").must(),
    property("until", Type::Day, "the last day on which it holds, in UTC; a rule that has run out fails `wharf drift`"),
];

pub(super) const ROWS: &[NodeSchema] = &[
    node("ignore", Many, "what `wharf drift` does not count: an address, or one with a field; `*` stands for anything")
        .elsewhere(&["ignore-changes", "ignore_changes", "lifecycle"])
        .takes(&[value("path", Type::Text)])
        .has(RULE),
    node(
        "service.ignore",
        Many,
        "what `wharf drift` does not count of this service: a field of whatever belongs to it",
    )
    .elsewhere(&["ignore-changes", "ignore_changes", "lifecycle"])
    .takes(&[value("field", Type::Text)])
    .has(RULE),
];
