//! How instances are replaced and stopped.

use super::*;

const GATE: &[Property] = &[
    property("error-rate", Type::Percent, "at most so many answers are errors"),
    property("latency-p99", Type::Duration { zero: false }, "99 of 100 answers begin within this time"),
    property(
        "restarts",
        Type::Integer { from: 0, to: 1_000 },
        "at most so many of the new instances end by themselves",
    ),
    property(
        "requests",
        Type::Integer { from: 1, to: 1_000_000 },
        "how many of the new instances it takes to judge them by; when not given, 100",
    ),
];

pub(super) const ROWS: &[NodeSchema] = &[
    node("service.rollout", Optional, "how instances are replaced by those of a new revision")
        .elsewhere(&["strategy", "rolling-update", "update", "rolling_strategy"])
        .implied()
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
        .elsewhere(&["progress-deadline"])
        .takes(SPAN)
        .or("10m"),
    node("service.rollout.on-failure", Optional, "what happens to a rollout that fails")
        .takes(&[value("action", Type::Word(&["rollback", "halt"]))])
        .or("rollback"),
    node("service.rollout.batch", Optional, "replaces so many at a time")
        .takes(&[value("share", Type::Share)])
        .has(&[property("interval", Type::Duration { zero: true }, "how long between two batches").or("0s")]),
    node("service.rollout.partition", Optional, "so many instances stay as they are")
        .takes(&[value("share", Type::Share)]),
    node("service.rollout.canary", Optional, "a few first, and more when they do well"),
    node("service.rollout.canary.step", Count::List, "how many instances are of the new revision")
        .takes(&[value("share", Type::Share)])
        .has(&[
            property("for", Type::Duration { zero: true }, "how long they are watched").or("5m"),
            property("pause", Type::Boolean, "then waits until `wharf rollout resume`").or("#false"),
        ]),
    node("service.rollout.canary.step.gate", Optional, "what must hold of it, in the stead of the common gate")
        .has(GATE),
    node(
        "service.rollout.canary.gate",
        Optional,
        "what must hold of the new instances, held against the old at the same time; when not given, readiness",
    )
    .has(GATE),
    node("service.rollout.canary.bake", Optional, "how long old instances go on beside all the new ones, at the end")
        .takes(SPAN),
    node("service.rollout.paused", Optional, "waits where it is until this is taken away")
        .elsewhere(&["pause"])
        .takes(&[value("flag", Type::Flag)]),
    node("service.crash-block", Optional, "a program that crashed stays down, so that somebody can look")
        .takes(&[value("flag", Type::Flag)]),
    node("service.shutdown", Optional, "how an instance is stopped").implied().patched(),
    node("service.shutdown.grace", Optional, "how long open requests may go on")
        .elsewhere(&["grace-period", "termination-grace-period", "timeout"])
        .takes(SPAN_OR_ZERO)
        .or("30s"),
    node("service.shutdown.sigterm", Optional, "whether the process gets SIGTERM as soon as it drains")
        .elsewhere(&["enable-sigterm"])
        .takes(&[value("flag", Type::Boolean)])
        .or("#false"),
];
