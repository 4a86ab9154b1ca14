//! What people look for, and the rows that say it. Beside the table, since one feature may take several rows, and one row
//! may serve several features; the tests hold that every feature is shown by a project that asks for it.

/// Something that a project can ask for.
#[derive(Debug)]
pub struct Feature {
    /// What it is about.
    pub topic: &'static str,
    /// What it is.
    pub name: &'static str,
    /// How the files say it: the path of a row, with the name of a property behind a blank where that is what counts, and
    /// with its value where that does.
    pub syntax: &'static [&'static str],
}

impl Feature {
    /// The paths of its rows, each once.
    pub fn paths(&self) -> Vec<&'static str> {
        let mut paths: Vec<_> = self.syntax.iter().map(|said| said.split(' ').next().unwrap_or(said)).collect();
        paths.dedup();
        paths
    }
}

/// Every feature, topic by topic.
pub fn features() -> &'static [Feature] {
    FEATURES
}

const fn feature(topic: &'static str, name: &'static str, syntax: &'static [&'static str]) -> Feature {
    Feature { topic, name, syntax }
}

const PROGRAM: &str = "programs";
const MOUNT: &str = "mounts";
const RESOURCES: &str = "resources";
const NETWORK: &str = "network";
const ACCESS: &str = "access";
const STABILITY: &str = "stability";
const SPEED: &str = "performance";
const WATCH: &str = "observation";
const ELASTIC: &str = "queues and scaling";

const FEATURES: &[Feature] = &[
    feature(PROGRAM, "a service of several instances", &["service", "service.instances"]),
    feature(PROGRAM, "an image", &["service.image"]),
    feature(PROGRAM, "when the image is fetched", &["service.pull"]),
    feature(PROGRAM, "a login for private images", &["registry", "registry username", "registry password"]),
    feature(PROGRAM, "a command without a shell", &["service.command"]),
    feature(PROGRAM, "a script for the shell", &["service.script"]),
    feature(PROGRAM, "arguments for the image's own program", &["service.args"]),
    feature(PROGRAM, "the port of the program", &["service.port"]),
    feature(
        PROGRAM,
        "further containers in an instance",
        &["service.container", "service.container.image", "service.container.port", "service.container.env"],
    ),
    feature(
        PROGRAM,
        "a processor of the platform, with its model",
        &["service.processor", "service.processor.model", "service.processor.model entry"],
    ),
    feature(PROGRAM, "a processor of one's own", &["service.processor.own", "service.processor.own type"]),
    feature(
        PROGRAM,
        "batching and threads of a processor",
        &["service.processor.batching", "service.processor.worker-threads", "service.processor.queue-size"],
    ),
    feature(PROGRAM, "requests that warm a model up", &["service.processor.warm-up"]),
    feature(PROGRAM, "third-party libraries, listed", &["service.packages"]),
    feature(PROGRAM, "third-party libraries, from a file", &["service.packages-file"]),
    feature(PROGRAM, "environment variables", &["service.env"]),
    feature(PROGRAM, "a web app", &["service.web-app"]),
    feature(PROGRAM, "removal of a service that has not run for long", &["service.expiry"]),
    feature(PROGRAM, "another name, while it goes on", &["service.was", "gateway.was", "network.was"]),
    feature(PROGRAM, "labels", &["service.labels"]),
    feature(PROGRAM, "keys that only the runtime knows", &["service.raw"]),
    feature(
        MOUNT,
        "a folder, as a copy or live",
        &["service.mount.folder", "service.mount.folder read-only", "service.mount.folder live"],
    ),
    feature(MOUNT, "a bucket of OSS", &["service.mount.oss"]),
    feature(
        MOUNT,
        "a bucket that speaks S3",
        &["service.mount.s3", "service.mount.s3 endpoint", "service.mount.s3 access-key"],
    ),
    feature(MOUNT, "a bucket that is copied before the start", &["service.mount.s3 mode=sync"]),
    feature(MOUNT, "a bucket that the program reads itself", &["service.mount.oss mode=stream"]),
    feature(MOUNT, "a bucket as a file system of its own", &["service.mount.s3 mode=fuse"]),
    feature(MOUNT, "a bucket that instances write to", &["service.mount.s3 read-only=#false"]),
    feature(MOUNT, "a bucket whose later content changes no service", &["service.mount.s3 live"]),
    feature(MOUNT, "a file server", &["service.mount.nfs"]),
    feature(MOUNT, "a dataset with a version", &["service.mount.dataset", "service.mount.dataset version"]),
    feature(
        MOUNT,
        "a repository at a branch or a commit",
        &["service.mount.git", "service.mount.git branch", "service.mount.git commit", "service.mount.git password"],
    ),
    feature(MOUNT, "a code set", &["service.mount.code"]),
    feature(MOUNT, "a model of the platform", &["service.mount.model", "service.mount.model version"]),
    feature(MOUNT, "a folder of an image", &["service.mount.image"]),
    feature(MOUNT, "an empty folder", &["service.mount.empty"]),
    feature(MOUNT, "data that outlives instances", &["service.mount.data", "service.mount.data keep-on-delete"]),
    feature(MOUNT, "memory as a folder", &["service.mount.memory"]),
    feature(MOUNT, "a label for a model or code", &["service.mount.label"]),
    feature(RESOURCES, "cores and memory", &["service.resources.cpu", "service.resources.memory"]),
    feature(RESOURCES, "machines of the platform, in order", &["service.resources.instance-type"]),
    feature(
        RESOURCES,
        "a cap for each kind of machine",
        &["service.resources.instance-type cap", "service.resources.dedicated cap"],
    ),
    feature(
        RESOURCES,
        "bids for spare capacity",
        &["service.resources.instance-type.spot", "service.resources.instance-type.spot max-price"],
    ),
    feature(RESOURCES, "the first hour of a bid without protection", &["service.resources.spot-protection"]),
    feature(RESOURCES, "machines of one's own", &["service.resources.dedicated"]),
    feature(RESOURCES, "a quota", &["service.resources.quota", "service.resources.quota type"]),
    feature(RESOURCES, "who is placed first", &["service.resources.priority"]),
    feature(RESOURCES, "whole GPUs", &["service.resources.gpu"]),
    feature(
        RESOURCES,
        "a share of a GPU",
        &["service.resources.gpu.memory", "service.resources.gpu.cores", "service.resources.gpu.isolation"],
    ),
    feature(RESOURCES, "the driver of the GPU", &["service.resources.gpu.driver"]),
    feature(RESOURCES, "CUDA that the platform mounts", &["service.resources.gpu.cuda"]),
    feature(RESOURCES, "cores that instances share", &["service.resources.cpu-sharing"]),
    feature(RESOURCES, "instances spread over hosts or zones", &["service.resources.spread"]),
    feature(RESOURCES, "disk", &["service.resources.disk"]),
    feature(RESOURCES, "overflow to machines of the platform", &["service.resources.burst"]),
    feature(RESOURCES, "moving to better machines", &["service.resources.rebalance"]),
    feature(RESOURCES, "shared memory", &["service.resources.shm"]),
    feature(
        RESOURCES,
        "one instance of several machines",
        &["service.unit", "service.unit size", "service.unit.rdma", "service.unit.check"],
    ),
    feature(NETWORK, "a gateway that wharf runs", &["gateway.listen", "gateway.listen address", "service.expose"]),
    feature(NETWORK, "a path of one's own at a gateway", &["service.expose path"]),
    feature(NETWORK, "the shared gateway of the platform", &["gateway.shared"]),
    feature(
        NETWORK,
        "a gateway of one's own on the platform",
        &["gateway.dedicated", "gateway.dedicated type", "gateway.network"],
    ),
    feature(NETWORK, "a domain with its certificate", &["gateway.domain", "gateway.domain certificate"]),
    feature(NETWORK, "lists of who may call", &["gateway.allow"]),
    feature(NETWORK, "a public or a private address", &["gateway.reach"]),
    feature(NETWORK, "the largest body of a request", &["gateway.max-body"]),
    feature(NETWORK, "limits of rate and concurrency", &["gateway.rate-limit", "gateway.concurrency-limit"]),
    feature(
        NETWORK,
        "the same limits for one service and for each instance",
        &["service.traffic.rate-limit", "service.traffic.concurrency-limit", "service.traffic.instance-rate-limit"],
    ),
    feature(NETWORK, "how many requests wait in an instance", &["service.traffic.queue-size"]),
    feature(NETWORK, "a network with its addresses", &["network", "network cidr", "service.network"]),
    feature(NETWORK, "a network that exists", &["network.vpc", "network.vswitches", "network.security-group"]),
    feature(NETWORK, "a network that somebody else made on the engine", &["network.id"]),
    feature(NETWORK, "what may connect in and out", &["network.allow-in", "network.allow-out"]),
    feature(NETWORK, "no way out of a network", &["network.egress"]),
    feature(NETWORK, "a balancer of connections", &["nlb", "nlb.listener", "nlb.network"]),
    feature(NETWORK, "a balancer that exists, or is public", &["nlb.id", "nlb.public"]),
    feature(NETWORK, "entries in a registry of instances", &["service.nacos", "service.nacos namespace"]),
    feature(NETWORK, "gRPC", &["service.grpc"]),
    feature(ACCESS, "values that stay secret", &["secret", "secret.env", "secret.file", "secret.command"]),
    feature(ACCESS, "tokens for callers, each with a name", &["service.auth.token", "service.auth.token name"]),
    feature(
        ACCESS,
        "encrypted mounts",
        &["service.confidential", "service.confidential trustee", "service.confidential key"],
    ),
    feature(ACCESS, "a role on the platform", &["service.role"]),
    feature(STABILITY, "one entry for several services", &["group", "service.group"]),
    feature(STABILITY, "gradual release by weights", &["group policy", "service.group weight"]),
    feature(STABILITY, "a limit on the time of a request", &["service.timeout"]),
    feature(
        STABILITY,
        "limits on connecting and on silence",
        &["service.timeout.connect", "service.timeout.first-byte", "service.timeout.between-bytes"],
    ),
    feature(STABILITY, "when an instance is ready", &["service.health.readiness"]),
    feature(STABILITY, "restart of what no longer lives", &["service.health.liveness"]),
    feature(STABILITY, "patience while a program starts", &["service.health.startup"]),
    feature(STABILITY, "patience while a start gets on", &["service.health.progress"]),
    feature(
        STABILITY,
        "checks by request, connection or program",
        &["service.health.readiness.http", "service.health.liveness.tcp", "service.health.startup.exec"],
    ),
    feature(STABILITY, "time for open requests when an instance stops", &["service.shutdown.grace"]),
    feature(STABILITY, "SIGTERM when an instance stops", &["service.shutdown.sigterm"]),
    feature(
        STABILITY,
        "rolling updates within bounds",
        &["service.rollout.max-surge", "service.rollout.max-unavailable", "service.rollout.min-ready"],
    ),
    feature(STABILITY, "what a failed rollout does", &["service.rollout.deadline", "service.rollout.on-failure"]),
    feature(STABILITY, "rollouts in batches", &["service.rollout.batch", "service.rollout.batch interval"]),
    feature(STABILITY, "instances that stay at the old revision", &["service.rollout.partition"]),
    feature(
        STABILITY,
        "canaries",
        &["service.rollout.canary.step", "service.rollout.canary.gate", "service.rollout.canary.step.gate"],
    ),
    feature(STABILITY, "a rollout that waits", &["service.rollout.paused"]),
    feature(STABILITY, "a crash that stays to be looked at", &["service.crash-block"]),
    feature(SPEED, "a cache in front of a mount", &["service.mount.cache"]),
    feature(SPEED, "a cache of a certain size", &["service.mount.cache size"]),
    feature(SPEED, "weights that instances share", &["service.weights"]),
    feature(
        SPEED,
        "a router for language models",
        &["service.router", "service.router.backend", "service.router.policy", "service.router.instances"],
    ),
    feature(WATCH, "calls kept in MaxCompute", &["service.call-records.maxcompute"]),
    feature(WATCH, "calls kept in Simple Log Service", &["service.call-records.sls"]),
    feature(WATCH, "calls kept in a file", &["service.call-records.file"]),
    feature(
        WATCH,
        "a part of the calls, without what nobody should read",
        &[
            "service.call-records.file.sample",
            "service.call-records.file.max-body",
            "service.call-records.file.rotate",
            "service.call-records.file.rotate keep",
            "service.call-records.file.redact-headers",
            "service.call-records.file.redact-fields",
        ],
    ),
    feature(WATCH, "tracing", &["service.tracing"]),
    feature(
        WATCH,
        "traces of requests, by OTLP",
        &["gateway.traces", "gateway.traces.otlp", "gateway.traces.sample", "gateway.traces.headers"],
    ),
    feature(WATCH, "files that are logs", &["service.logs"]),
    feature(
        ELASTIC,
        "a queue of requests and answers",
        &["service.queue", "service.queue.instances", "service.queue.max-delivery", "service.queue.workers"],
    ),
    feature(ELASTIC, "what a full queue drops", &["service.queue.evict-input", "service.queue.evict-output"]),
    feature(ELASTIC, "jobs", &["service.job"]),
    feature(
        ELASTIC,
        "a count that follows the work",
        &["service.autoscale.min", "service.autoscale.max", "service.autoscale.metric"],
    ),
    feature(
        ELASTIC,
        "windows, sleep and waking of that count",
        &[
            "service.autoscale.up-window",
            "service.autoscale.down-window",
            "service.autoscale.idle",
            "service.autoscale.wake",
        ],
    ),
    feature(
        ELASTIC,
        "a count by the clock",
        &["service.schedule", "service.schedule timezone", "service.schedule.except"],
    ),
    feature(ELASTIC, "requests mirrored to another service", &["service.mirror"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::schema;
    use std::collections::BTreeSet;

    #[test]
    fn features_are_said_by_rows_that_there_are() {
        let mut names = BTreeSet::new();
        for feature in features() {
            assert!(names.insert(feature.name), "{} is there twice", feature.name);
            for said in feature.syntax {
                let (path, property) = said.split_once(' ').map_or((*said, None), |(path, name)| (path, Some(name)));
                let property = property.map(|name| name.split('=').next().unwrap_or(name));
                let row = schema().iter().find(|row| row.path == path);
                let row = row.unwrap_or_else(|| panic!("there is no {path}"));
                assert!(property.is_none_or(|name| row.property(name).is_some()), "there is no {said}");
            }
        }
    }

    #[test]
    fn what_a_runtime_does_is_part_of_a_feature() {
        let told: Vec<_> = features().iter().flat_map(Feature::paths).collect();
        let within = |path: &str| told.iter().any(|known| *known == path || known.starts_with(&format!("{path}.")));
        let nouns = schema().iter().filter(|row| row.parent() == "service" && row.reuse.is_none());
        let left: Vec<_> = nouns.map(|row| row.path).filter(|path| !within(path)).collect();
        assert_eq!(left, ["service.ignore", "service.allow-warning"]);
    }
}
