//! How many instances there are.

use super::*;

pub(super) const ROWS: &[NodeSchema] =
    &[node("service.instances", Optional, "how many instances there should be; 0 stops the service")
        .elsewhere(&["replicas", "replica", "scale", "count", "instance"])
        .takes(&[value("count", Type::Integer { from: 0, to: 1_000 })])
        .or("1")];
