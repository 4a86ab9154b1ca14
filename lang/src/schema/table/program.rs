//! Services: what runs in an instance.

use super::*;

const TEXT: &[Argument] = &[value("text", Type::Text)];
const THREADS: &[Argument] = &[value("count", Type::Integer { from: 1, to: 100_000 })];

pub(super) const ROWS: &[NodeSchema] = &[
    node("service", Many, "a program that answers requests, in any number of instances")
        .elsewhere(&["deployment", "app", "workload"])
        .takes(NAME)
        .patched(),
    node("service.was", Optional, WAS_DOC).takes(WAS),
    node("service.image", Optional, "the container image").takes(&[value("image", Type::Image)]),
    node("service.command", OneOf("program"), "what runs, without a shell")
        .elsewhere(&["cmd", "entrypoint", "exec", "run"])
        .takes_many(&[value("word", Type::Text)]),
    node("service.script", OneOf("program"), "what runs, as text for /bin/sh")
        .elsewhere(&["shell"])
        .takes(&[value("text", Type::Text)]),
    node("service.args", OneOf("program"), "arguments for the program that the image runs by itself")
        .elsewhere(&["arguments"])
        .takes_many(&[value("word", Type::Text)]),
    node(
        "service.processor",
        OneOf("program"),
        "a program of the platform that loads a model; \"own\" for one of one's own",
    )
    .takes(&[value("code", Type::Text)]),
    node("service.processor.model", Once, "where the model lies")
        .elsewhere(&["model-path", "model_path"])
        .takes(TEXT)
        .has(&[
            property("endpoint", Type::Text, "where its store answers; when not given, in the region itself"),
            property("entry", Type::Text, "its main file"),
            property("config", Type::Text, "a text that the processor is given"),
        ]),
    node("service.processor.own", Optional, "a processor of one's own, and where it lies")
        .elsewhere(&["path", "processor-path"])
        .takes(TEXT)
        .has(&[
            property("type", Type::Word(&["cpp", "java", "python"]), "its language").must(),
            property("entry", Type::Text, "its main file, in C++ and Python"),
            property("main-class", Type::Text, "its main class, in Java"),
        ]),
    node("service.processor.warm-up", Optional, "a stored request that is answered before an instance gets others")
        .takes(TEXT),
    node("service.processor.batching", Optional, "several requests are answered together").has(&[
        property("max-size", Type::Integer { from: 2, to: 100_000 }, "at most so many").or("16"),
        property("timeout", Type::Duration { zero: false }, "after at most so long").or("50ms"),
    ]),
    node("service.processor.worker-threads", Optional, "how many requests are worked on at once").takes(THREADS),
    node("service.processor.io-threads", Optional, "how many threads read and write").takes(THREADS),
    node("service.processor.queue-size", Optional, "how many requests wait at most").takes(THREADS),
    node("service.pull", Optional, "when the image is fetched")
        .elsewhere(&["pull-policy", "imagePullPolicy"])
        .takes(&[value("when", Type::Word(&["always", "missing", "never"]))]),
    node("service.web-app", Optional, "its answers are pages for browsers")
        .elsewhere(&["enable-webservice", "webapp"])
        .takes(&[value("flag", Type::Flag)]),
    node(
        "service.port",
        Optional,
        "where the program listens; 8080 and 9090 are reserved; left out when it answers nobody",
    )
    .elsewhere(&["ports", "containerPort"])
    .takes(&[value("port", PORT)]),
    node("service.packages", Optional, "third-party libraries, one pip requirement each")
        .elsewhere(&["requirements", "dependencies", "pip"])
        .takes_many(&[value("requirement", Type::Requirement)]),
    node("service.packages-file", Optional, "a file in the image or a mount that lists third-party libraries")
        .elsewhere(&["requirements-file", "requirements.txt"])
        .takes(&[value("path", Type::AbsolutePath)]),
    node("service.container", Many, "a further container of each instance, with the same network and mounts")
        .elsewhere(&["sidecar", "containers"])
        .takes(NAME)
        .patched(),
    node("service.container.image", Once, "its image").takes(&[value("image", Type::Image)]),
    node("service.container.command", Optional, "what runs, without a shell; when not given, what the image runs")
        .takes_many(&[value("word", Type::Text)]),
    node("service.container.script", Optional, "what runs, as text for /bin/sh").takes(TEXT),
    node("service.container.args", Optional, "arguments for the program that the image runs by itself")
        .takes_many(&[value("word", Type::Text)]),
    node("service.container.port", Optional, "where it listens").takes(&[value("port", PORT)]),
    node("service.container.env", Optional, "environment variables").holds_any(Type::Variable).patched(),
    node("service.env", Optional, "environment variables")
        .elsewhere(&["environment", "variables", "vars"])
        .holds_any(Type::Variable)
        .patched(),
];
