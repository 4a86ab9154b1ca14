//! The rows. A new field is a row here and a line in `decode`.

use super::{Argument, Count, NodeSchema, Overlay, Property, Reuse, Type, last};
use Count::{Many, Once, OneOf, Optional, Some as AtLeastOne};

const fn node(path: &'static str, count: Count, doc: &'static str) -> NodeSchema {
    NodeSchema {
        path,
        name: last(path),
        count,
        arguments: &[],
        repeats: false,
        properties: &[],
        entries: None,
        like: None,
        reuse: None,
        elsewhere: &[],
        overlay: Overlay::Replaces,
        default: None,
        doc,
        since: "0.1",
    }
}

impl NodeSchema {
    const fn takes(mut self, arguments: &'static [Argument]) -> Self {
        self.arguments = arguments;
        self
    }

    const fn takes_many(mut self, arguments: &'static [Argument]) -> Self {
        self.arguments = arguments;
        self.repeats = true;
        self
    }

    const fn has(mut self, properties: &'static [Property]) -> Self {
        self.properties = properties;
        self
    }

    const fn holds_any(mut self, entries: Type) -> Self {
        self.entries = Some(entries);
        self
    }

    const fn like(mut self, path: &'static str) -> Self {
        self.like = Some(path);
        self
    }

    const fn reuses(mut self, reuse: Reuse) -> Self {
        self.reuse = Some(reuse);
        self
    }

    const fn elsewhere(mut self, words: &'static [&'static str]) -> Self {
        self.elsewhere = words;
        self
    }

    const fn patched(mut self) -> Self {
        self.overlay = Overlay::Patches;
        self
    }

    const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }
}

const fn value(name: &'static str, ty: Type) -> Argument {
    Argument { name, ty }
}

const fn property(name: &'static str, ty: Type, doc: &'static str) -> Property {
    Property { name, ty, default: None, doc }
}

impl Property {
    const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }
}

const NAME: &[Argument] = &[value("name", Type::Name)];
const PORT: Type = Type::Integer { from: 1, to: 65_535 };
/// More failures or passes in a row than anybody waits for.
const TIMES: &[Argument] = &[value("times", Type::Integer { from: 1, to: 1_000 })];
const SPAN: &[Argument] = &[value("duration", Type::Duration { zero: false })];
const SPAN_OR_ZERO: &[Argument] = &[value("duration", Type::Duration { zero: true })];

/// What an input and a parameter are declared with.
const DECLARED: &[Property] = &[
    property("type", Type::Word(KINDS), "what it must be; a whole text \"${input.NAME}\" is then of that type")
        .or("string"),
    property("default", Type::Literal, "the value when none is given; without it, one must be"),
];

/// The types of inputs and parameters.
pub(crate) const KINDS: &[&str] = &["string", "integer", "number", "boolean", "duration", "size"];

/// The providers that this build knows.
pub(crate) const PROVIDERS: &[&str] = &["local"];

pub(super) const TABLE: &[NodeSchema] = &[
    node("project", Once, "the project: all files of a folder, planned as one").takes(NAME).has(&[property(
        "requires-wharf",
        Type::Versions,
        "the versions of wharf that may plan it",
    )]),
    node("input", Many, "a value that the caller may set with --input; used as ${input.NAME}")
        .elsewhere(&["variable", "parameter", "arg"])
        .takes(NAME)
        .has(DECLARED),
    node("input.description", Optional, "what it is for").takes(&[value("text", Type::Literal)]),
    node("input.allowed", Optional, "the values it may have").takes_many(&[value("value", Type::Literal)]),
    node("secret", Many, "a value that is never shown or stored, and where it comes from").takes(NAME),
    node("secret.env", OneOf("source"), "the environment variable that holds it")
        .takes(&[value("variable", Type::Text)]),
    node("secret.file", OneOf("source"), "the file that holds it, relative to the project's folder")
        .takes(&[value("path", Type::Text)]),
    node("secret.command", OneOf("source"), "the command that prints it, run without a shell")
        .takes_many(&[value("word", Type::Text)]),
    node("environment", Many, "a place where the project runs; when none is given, `default` on this host").takes(NAME),
    node("environment.provider", Once, "the runtime").takes(&[value("provider", Type::Word(PROVIDERS))]),
    node("environment.provider.image", Optional, "\"host\" lets the host stand in for the image that a service names")
        .takes(&[value("image", Type::Word(&["host"]))]),
    node("environment.gateway", Many, "changes a gateway in this environment").takes(NAME).like("gateway").patched(),
    node("environment.service", Many, "changes a service in this environment").takes(NAME).like("service").patched(),
    node("gateway", Many, "an entry that services share").elsewhere(&["ingress", "loadbalancer"]).takes(NAME).patched(),
    node("gateway.listen", Once, "the port it listens on").takes(&[value("port", PORT)]).has(&[property(
        "address",
        Type::Address,
        "the address it listens on",
    )
    .or("127.0.0.1")]),
    node("gateway.max-body", Optional, "the largest request body it lets through")
        .takes(&[value("size", Type::Size)])
        .or("1MiB"),
    node("service", Many, "a program that answers requests, in any number of instances")
        .elsewhere(&["deployment", "app", "workload"])
        .takes(NAME)
        .patched(),
    node("service.image", Optional, "the container image").takes(&[value("image", Type::Image)]),
    node("service.command", OneOf("program"), "what runs, without a shell")
        .elsewhere(&["cmd", "entrypoint", "args", "exec", "run"])
        .takes_many(&[value("word", Type::Text)]),
    node("service.script", OneOf("program"), "what runs, as text for /bin/sh")
        .elsewhere(&["shell"])
        .takes(&[value("text", Type::Text)]),
    node("service.port", Once, "where the program listens; 8080 and 9090 are reserved")
        .elsewhere(&["ports", "containerPort"])
        .takes(&[value("port", PORT)]),
    node("service.packages", Optional, "third-party libraries, one pip requirement each")
        .elsewhere(&["requirements", "dependencies", "pip"])
        .takes_many(&[value("requirement", Type::Requirement)]),
    node("service.env", Optional, "environment variables")
        .elsewhere(&["environment", "variables", "vars"])
        .holds_any(Type::Variable)
        .patched(),
    node("service.mount", Many, "something that instances see as a folder")
        .elsewhere(&["volume", "volumes", "storage"])
        .takes(&[value("path", Type::MountPath)]),
    node("service.mount.folder", Once, "a folder of this host, relative to the project's folder")
        .takes(&[value("folder", Type::Text)])
        .has(&[
            property("read-only", Type::Boolean, "instances may only read it").or("#false"),
            property("live", Type::Boolean, "instances see later changes; when not given, only if they may write"),
        ]),
    node("service.instances", Optional, "how many instances there should be; 0 stops the service")
        .elsewhere(&["replicas", "replica", "scale", "count", "instance"])
        .takes(&[value("count", Type::Integer { from: 0, to: 1_000 })])
        .or("1"),
    node("service.health", Optional, "how instances are checked")
        .elsewhere(&["healthcheck", "health-check", "probe", "probes", "readinessProbe"])
        .patched(),
    node("service.health.readiness", Optional, "decides whether an instance gets requests")
        .elsewhere(&["ready", "readinessProbe", "health_check"])
        .patched(),
    node("service.health.readiness.http", OneOf("check"), "GET of a path; a status from 200 to 399 passes")
        .takes(&[value("path", Type::UrlPath { query: true })]),
    node("service.health.readiness.tcp", OneOf("check"), "a connection to the port passes"),
    node("service.health.readiness.every", Optional, "the time between two checks")
        .elsewhere(&["period", "interval", "period-seconds"])
        .takes(SPAN)
        .or("1s"),
    node("service.health.readiness.timeout", Optional, "how long an answer may take").takes(SPAN).or("1s"),
    node("service.health.readiness.failures", Optional, "so many failures in a row end readiness")
        .elsewhere(&["failure-threshold", "retries", "threshold"])
        .takes(TIMES)
        .or("3"),
    node("service.health.readiness.successes", Optional, "so many passes in a row begin it")
        .elsewhere(&["success-threshold"])
        .takes(TIMES)
        .or("1"),
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
    node("service.timeout", Optional, "how long a request may take until its answer begins")
        .elsewhere(&["keepalive"])
        .takes(SPAN)
        .or("5s"),
    node("service.auth", Optional, "who may call; without it, everybody who reaches the gateway"),
    node("service.auth.token", AtLeastOne, "a token that opens the service").takes(&[value("secret", Type::Secret)]),
    node("service.expose", Many, "opens the service through a gateway, under /api/predict/NAME")
        .elsewhere(&["route", "routes", "ingress", "gateway"])
        .takes(&[value("gateway", Type::Name)])
        .has(&[property("path", Type::UrlPath { query: false }, "one more path that leads to it")]),
    node("include", Many, "one more file of the project, relative to this one")
        .elsewhere(&["import", "source"])
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
    node("environment.remove", Optional, "takes away whole services and gateways").reuses(Reuse::Remove),
];
