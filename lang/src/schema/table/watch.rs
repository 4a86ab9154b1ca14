//! What is kept of a service's work, performance, labels, and keys of a runtime.

use super::*;

pub(super) const ROWS: &[NodeSchema] = &[
    node("service.weights", Optional, "instances of a machine share the weights that they have loaded from a mount")
        .elsewhere(&["mows", "weight-service"])
        .takes(&[value("path", Type::MountPath)])
        .has(&[property("memory", Type::Size, "how much memory of each machine is for them").must()]),
    node("service.router", Optional, "chooses an instance for each prompt of a language model")
        .elsewhere(&["llm-router", "llm-gateway"])
        .patched(),
    node("service.router.policy", Optional, "by what it chooses")
        .takes(&[value("policy", Type::Word(&["prefix-cache", "least-requests", "kv-cache", "round-robin"]))])
        .or("prefix-cache"),
    node("service.router.backend", Once, "what serves the model")
        .elsewhere(&["infer-backend", "engine"])
        .takes(&[value("backend", Type::Word(&["vllm", "sglang"]))]),
    node("service.router.instances", Optional, "how many copies of the router there are")
        .takes(&[value("count", Type::Integer { from: 1, to: 100 })])
        .or("2"),
    node("service.router.queue-size", Optional, "how many requests wait at most")
        .takes(&[value("count", Type::Integer { from: 1, to: 1_000_000 })]),
    node("service.router.retries", Optional, "how often a request that failed is tried again")
        .takes(&[value("times", Type::Integer { from: 0, to: 100 })]),
    node("service.router.patience", Optional, "how long a request waits for an instance")
        .elsewhere(&["wait", "wait-schedule-timeout"])
        .takes(SPAN),
    node("service.router.cpu", Optional, "the cores of each copy").takes(&[value("cores", Type::Decimal)]),
    node("service.router.memory", Optional, "the memory of each copy").takes(&[value("size", Type::Size)]),
    node("service.router.scheduler", Optional, "the program that chooses, which runs once").patched(),
    node("service.router.scheduler.cpu", Optional, "its cores").takes(&[value("cores", Type::Decimal)]),
    node("service.router.scheduler.memory", Optional, "its memory").takes(&[value("size", Type::Size)]),
    node("service.call-records", Optional, "keeps every request and its answer").elsewhere(&["sinker", "audit"]),
    node("service.call-records.maxcompute", OneOf("sink"), "in a table of MaxCompute").has(&[
        property("project", Type::Text, "the project").must(),
        property("table", Type::Text, "the table").must(),
    ]),
    node("service.call-records.sls", OneOf("sink"), "in a store of Simple Log Service").has(&[
        property("project", Type::Text, "the project").must(),
        property("logstore", Type::Text, "the store").must(),
    ]),
    node("service.call-records.file", OneOf("sink"), "in a file").takes(&[value("path", Type::Text)]),
    node("service.call-records.file.sample", Optional, "how many of the calls are kept")
        .elsewhere(&["sampling", "ratio"])
        .takes(&[value("share", Type::Sample)])
        .or("100%"),
    node("service.call-records.file.max-body", Optional, "how much of each body is kept")
        .takes(&[value("size", Type::Size)])
        .or("64KiB"),
    node("service.call-records.file.rotate", Optional, "when the file is full, and another is begun")
        .takes(&[value("size", Type::Size)])
        .has(&[property(
            "keep",
            Type::Integer { from: 1, to: 1_000 },
            "how many full ones are kept; 4 if it is not said",
        )])
        .or("64MiB"),
    node(
        "service.call-records.file.redact-headers",
        Optional,
        "headers whose values are not kept, beside those of tokens and cookies",
    )
    .elsewhere(&["redact"])
    .takes_many(&[value("header", Type::Text)]),
    node(
        "service.call-records.file.redact-fields",
        Optional,
        "what of JSON bodies is not kept: paths such as /messages/*/content",
    )
    .takes_many(&[value("pointer", Type::Text)]),
    node("service.tracing", Optional, "its calls are traced").takes(&[value("flag", Type::Flag)]),
    node("service.logs", Optional, "files in the instance that are logs beside what it prints")
        .elsewhere(&["log-paths", "logging"])
        .takes_many(&[value("path", Type::AbsolutePath)]),
    node("service.labels", Optional, "what people and tools find it by")
        .elsewhere(&["tags", "annotations", "metadata.labels"])
        .holds_any(Type::Literal)
        .patched(),
    node("service.raw", Many, "keys that a runtime knows and wharf does not, by their own path: metadata.rpc.batching")
        .takes(&[value("provider", Type::Word(PROVIDERS))])
        .holds_any(Type::Json)
        .patched(),
];
