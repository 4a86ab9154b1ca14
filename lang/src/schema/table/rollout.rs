//! How instances are replaced and stopped.

use super::*;

pub(super) const ROWS: &[NodeSchema] = &[
    node("service.rollout", Optional, "how instances are replaced by those of a new revision")
        .elsewhere(&["strategy", "rolling-update", "update", "rolling_strategy"])
        .patched(),
    node("service.rollout.max-surge", Optional, "how many instances there may be beyond the count; rounds up")
        .takes(&[value("share", Type::Share)])
        .or("1"),
    node("service.rollout.max-unavailable", Optional, "how many may be missing from the count; rounds down")
        .takes(&[value("share", Type::Share)])
        .or("0"),
    node("service.rollout.min-ready", Optional, "how long an instance must be ready before it gets requests")
        .takes(SPAN_OR_ZERO)
        .or("1s"),
    node("service.rollout.deadline", Optional, "how long a rollout may go on without one more ready instance")
        .takes(SPAN)
        .or("10m"),
    node("service.rollout.on-failure", Optional, "what happens to a rollout that fails")
        .takes(&[value("action", Type::Word(&["rollback", "halt"]))])
        .or("rollback"),
    node("service.shutdown", Optional, "how an instance is stopped").patched(),
    node("service.shutdown.grace", Optional, "how long open requests may go on")
        .elsewhere(&["grace-period", "termination-grace-period", "timeout"])
        .takes(SPAN_OR_ZERO)
        .or("30s"),
    node("service.shutdown.sigterm", Optional, "whether the process gets SIGTERM as soon as it drains")
        .takes(&[value("flag", Type::Boolean)])
        .or("#false"),
];
