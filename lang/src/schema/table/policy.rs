//! Rules that a plan must keep to.

use super::*;

/// What a plan does to a resource; `any` stands for all of it.
const ACTIONS: &[Argument] = &[value("action", ACTION)];
const ACTION: Type = Type::Word(&["any", "create", "update", "roll", "replace", "move", "adopt", "forget", "delete"]);
const KIND: Property = property(
    "kind",
    Type::Word(&[
        "gateway",
        "packages",
        "image",
        "mount",
        "service",
        "instance",
        "route",
        "group",
        "network",
        "nlb",
        "registry",
        "supervisor",
        "content",
    ]),
    "only of this kind of resource",
);
const SERVICE: Property = property("service", Type::Name, "only of this service, and of what belongs to it");
const RISK: Property = property(
    "risk",
    Type::Word(&["data-loss", "downtime", "capacity-dip", "replacement"]),
    "only where the plan shows this risk",
);

pub(super) const ROWS: &[NodeSchema] = &[
    node("policy", Many, "rules that every plan must keep to, before it is carried out")
        .elsewhere(&["rules", "guard", "sentinel"])
        .takes(NAME)
        .has(&[property("environment", Type::Name, "only in this environment; when not given, in each")]),
    node("policy.deny", Count::List, "changes that are refused")
        .elsewhere(&["forbid", "prevent", "refuse"])
        .takes_many(ACTIONS)
        .has(&[KIND, SERVICE, RISK]),
    node("policy.warn", Count::List, "changes that are pointed out").takes_many(ACTIONS).has(&[KIND, SERVICE, RISK]),
    node("policy.require", Count::List, "what a plan must have: one of `min-ready`, `max-changes` and `approval`").has(
        &[
            property(
                "min-ready",
                Type::Integer { from: 1, to: 1_000 },
                "no rollout of a service that serves leaves fewer instances ready",
            ),
            property("max-changes", Type::Integer { from: 0, to: 1_000_000 }, "there are at most so many changes"),
            property("approval", ACTION, "such changes need `wharf apply --approve POLICY`"),
            KIND,
            SERVICE,
            RISK,
        ],
    ),
];
