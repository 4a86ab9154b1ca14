//! Files and nodes that are used again.

use super::*;

/// The types of inputs and parameters.
pub(crate) const KINDS: &[&str] = &["string", "integer", "number", "boolean", "duration", "size"];

/// What an input and a parameter are declared with.
pub(super) const DECLARED: &[Property] = &[
    property("type", Type::Word(KINDS), "what it must be; a whole text \"${input.NAME}\" is then of that type")
        .or("string"),
    property("default", Type::Literal, "the value when none is given; without it, one must be"),
];

pub(super) const ROWS: &[NodeSchema] = &[
    node("include", Many, "one more file of the project, relative to this one")
        .elsewhere(&["import"])
        .takes(&[value("path", Type::Literal)])
        .reuses(Reuse::Include),
    node("template", Many, "nodes of a service, for services that `use` it")
        .elsewhere(&["module", "component"])
        .takes(NAME)
        .like("service")
        .patched()
        .reuses(Reuse::Template),
    node("template.param", Many, "a value that `use` sets; used as ${param.NAME}").takes(NAME).has(DECLARED),
    node("template.param.description", Optional, "what it is for").takes(&[value("text", Type::Literal)]),
    node("template.param.allowed", Optional, "the values it may have").takes_many(&[value("value", Type::Literal)]),
    node("service.use", Many, "the nodes of a template; what stands beside it has the last word")
        .elsewhere(&["extends", "inherit", "from"])
        .takes(&[value("template", Type::Name)])
        .reuses(Reuse::Use),
    node("service.remove", Optional, "takes away what a template or the base brought").reuses(Reuse::Remove),
    node("gateway.remove", Optional, "takes away what the base brought").reuses(Reuse::Remove),
    node("network.remove", Optional, "takes away what the base brought").reuses(Reuse::Remove),
    node("nlb.remove", Optional, "takes away what the base brought").reuses(Reuse::Remove),
    node("environment.remove", Optional, "takes away whole services, gateways and other resources")
        .reuses(Reuse::Remove),
];
