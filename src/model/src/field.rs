//! The fields of specs as a flat, sorted list, and the difference of two such lists.
//!
//! Each spec lists its own fields in `entries`. What a change of a field costs is a table of the provider, keyed by [`Field`].

use crate::{ContentDigest, SecretDigest, SecretName};
use std::{cmp::Ordering, fmt, sync::Arc};

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// A field of a resource, in the words of the file.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field { $($(#[$doc])* $name,)* }

        impl Field {
            /// Every field, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word of the file.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

fields! {
    /// The container image.
    Image => "image",
    /// What the image holds.
    ImageContent => "image.content",
    /// What runs.
    Program => "command",
    /// The image's own program, with arguments.
    Args => "args",
    /// A program of the platform.
    Processor => "processor",
    /// Where it listens.
    Port => "port",
    /// When the image is fetched.
    Pull => "pull",
    /// A list of third-party libraries.
    PackagesFile => "packages-file",
    /// A further container.
    Container => "container",
    /// A variable of a further container.
    ContainerEnv => "container.env",
    /// The network of instances.
    Network => "network",
    /// In whose name instances call the platform.
    Role => "role",
    /// Encrypted mounts.
    Confidential => "confidential",
    /// Pages for browsers.
    WebApp => "web-app",
    /// gRPC between gateway and instances.
    Grpc => "grpc",
    /// A registry of instances.
    Nacos => "nacos",
    /// A login for images.
    RegistryLogin => "registry",
    /// The addresses of a network.
    NetworkRange => "network.cidr",
    /// A network of the platform.
    NetworkExisting => "network.vpc",
    /// A network of the engine that somebody else made.
    NetworkAdopted => "network.id",
    /// What a network lets through.
    NetworkRules => "network.rules",
    /// Whether instances reach beyond their network.
    NetworkEgress => "network.egress",
    /// A port of a balancer.
    NlbListener => "nlb.listener",
    /// A balancer of the platform.
    NlbExisting => "nlb.id",
    /// A balancer that is reached from everywhere.
    NlbPublic => "nlb.public",
    /// The network of a balancer.
    NlbNetwork => "nlb.network",
    /// The socket of an engine that a supervisor holds.
    EngineSocket => "engine-socket",
    /// The gateway of the platform that everybody uses.
    GatewayShared => "gateway.shared",
    /// A gateway of the platform.
    GatewayDedicated => "gateway.dedicated",
    /// The name of a gateway.
    Domain => "gateway.domain",
    /// From where a gateway may be called.
    Allow => "gateway.allow",
    /// How many requests a second.
    RateLimit => "gateway.rate-limit",
    /// How many requests at once.
    ConcurrencyLimit => "gateway.concurrency-limit",
    /// From where a gateway is reached.
    Reach => "gateway.reach",
    /// The network of a gateway.
    GatewayNetwork => "gateway.network",
    /// Where a gateway tells of requests as spans.
    GatewayTraces => "gateway.traces",
    /// What else is said there.
    GatewayTraceHeader => "gateway.traces.headers",
    /// Shared weights.
    Weights => "weights",
    /// Weights that instances share in a mount of which this host has no copy, or each has its own.
    WeightsLive => "weights-live",
    /// Traced calls.
    Tracing => "tracing",
    /// Log files.
    LogPaths => "logs",
    /// A queue of requests.
    Queue => "queue",
    /// Instances as jobs.
    Job => "job",
    /// A count that follows the work.
    Autoscale => "autoscale",
    /// A count that follows the clock.
    Schedule => "schedule",
    /// Requests that are sent to others as well.
    Mirror => "mirror",
    /// When a service that does not run is removed.
    Expiry => "expiry",
    /// A router for prompts.
    Router => "router",
    /// Where on the platform requests and answers are kept.
    CallRecords => "call-records",
    /// The file in which requests and answers are kept.
    CallRecordsFile => "call-records.file",
    /// A label.
    Label => "labels",
    /// A key of a runtime.
    Raw => "raw",
    /// Who has a token.
    TokenName => "auth.token.name",
    /// Third-party libraries.
    Packages => "packages",
    /// The interpreter that the libraries are built for.
    Interpreter => "interpreter",
    /// One environment variable.
    Env => "env",
    /// One mount.
    Mount => "mount",
    /// A folder of an OSS bucket.
    MountOss => "mount.oss",
    /// A folder of an S3 bucket.
    MountS3 => "mount.s3",
    /// A folder of a bucket that instances write to.
    MountWritable => "mount.writable",
    /// A folder of a bucket that the program reads itself.
    MountStream => "mount.stream",
    /// A folder of a bucket as a file system of its own.
    MountFuse => "mount.fuse",
    /// What it takes to bring a folder of a bucket.
    MountFetch => "mount.fetch",
    /// A folder of a file server.
    MountNfs => "mount.nfs",
    /// The platform's resource group of a file server.
    MountResourceGroup => "mount.nfs.resource-group",
    /// A dataset.
    MountDataset => "mount.dataset",
    /// A repository.
    MountGit => "mount.git",
    /// A code set.
    MountCodeSet => "mount.code",
    /// A model of the platform.
    MountModel => "mount.model",
    /// A folder of an image.
    MountImage => "mount.image",
    /// An empty folder.
    MountEmpty => "mount.empty",
    /// A folder in memory.
    MountMemory => "mount.memory",
    /// Data that outlives instances.
    MountData => "mount.data",
    /// Whether data stays when nobody declares it any more.
    KeepOnDelete => "mount.data.keep-on-delete",
    /// A cache in front of a mount that instances see a copy of.
    MountCache => "mount.cache",
    /// A cache of a certain size in front of a mount.
    MountCacheSize => "mount.cache-size",
    /// A cache in front of a mount that is read where it is.
    MountCacheLive => "mount.cache-live",
    /// What a mount holds.
    MountLabel => "mount.label",
    /// A secret that opens a mount.
    MountSecret => "mount.secret",
    /// What stands in a snapshot mount.
    Content => "content",
    /// How many instances.
    Instances => "instances",
    /// The readiness probe.
    Readiness => "health.readiness",
    /// A readiness probe that runs a program.
    ReadinessExec => "health.readiness.exec",
    /// A readiness probe that asks the health service of gRPC.
    ReadinessGrpc => "health.readiness.grpc",
    /// A readiness probe that asks another port.
    ReadinessPort => "health.readiness.port",
    /// The port that one of the other probes asks.
    ProbePort => "health.port",
    /// A readiness probe that begins later.
    ReadinessDelay => "health.readiness.initial-delay",
    /// The startup probe.
    Startup => "health.startup",
    /// The liveness probe.
    Liveness => "health.liveness",
    /// The progress probe.
    Progress => "health.progress",
    /// Cores.
    Cpu => "resources.cpu",
    /// Memory.
    Memory => "resources.memory",
    /// Shared memory.
    Shm => "resources.shm",
    /// Disk.
    Disk => "resources.disk",
    /// Whole GPUs.
    Gpu => "resources.gpu",
    /// The memory of a share of a GPU.
    GpuMemory => "resources.gpu.memory",
    /// The cores of a share of a GPU.
    GpuCores => "resources.gpu.cores",
    /// How strictly shares of a GPU are kept apart.
    GpuIsolation => "resources.gpu.isolation",
    /// The driver of a GPU.
    GpuDriver => "resources.gpu.driver",
    /// The version of CUDA.
    GpuCuda => "resources.gpu.cuda",
    /// Kinds of machines, best first.
    InstanceType => "resources.instance-type",
    /// The first hour of spot instances.
    SpotProtection => "resources.spot-protection",
    /// Machines of one's own.
    Dedicated => "resources.dedicated",
    /// A quota.
    Quota => "resources.quota",
    /// Other machines when one's own are full.
    Burst => "resources.burst",
    /// Moves to better machines.
    Rebalance => "resources.rebalance",
    /// Shared cores.
    CpuSharing => "resources.cpu-sharing",
    /// How instances are spread.
    Spread => "resources.spread",
    /// Who is placed first.
    Priority => "resources.priority",
    /// Several machines as one instance.
    Unit => "unit",
    /// Machines of one instance that reach into each other's memory.
    UnitRdma => "unit.rdma",
    /// Machines of one instance that are tested before they are used.
    UnitCheck => "unit.check",
    /// A crashed program stays down.
    CrashBlock => "crash-block",
    /// How instances are replaced.
    Rollout => "rollout",
    /// So many at a time.
    Batch => "rollout.batch",
    /// So many stay as they are.
    Partition => "rollout.partition",
    /// A rollout that waits.
    Paused => "rollout.paused",
    /// The steps of a canary.
    Canary => "rollout.canary",
    /// What a canary must keep to.
    Gate => "rollout.canary.gate",
    /// How instances are stopped.
    Shutdown => "shutdown",
    /// How long a request may take.
    Timeout => "timeout",
    /// How long until a connection.
    TimeoutConnect => "timeout.connect",
    /// How long until the first byte.
    TimeoutFirstByte => "timeout.first-byte",
    /// How long between two pieces.
    TimeoutBetweenBytes => "timeout.between-bytes",
    /// How many requests a second.
    TrafficRate => "traffic.rate-limit",
    /// How many requests at once.
    TrafficConcurrency => "traffic.concurrency-limit",
    /// How many requests a second for each instance.
    TrafficInstanceRate => "traffic.instance-rate-limit",
    /// How many requests wait in an instance.
    TrafficQueue => "traffic.queue-size",
    /// A service's place in a group.
    Group => "group",
    /// How the requests of a group are divided.
    GroupPolicy => "group.policy",
    /// One token.
    Token => "auth.token",
    /// One way in.
    Expose => "expose",
    /// Port and address of a gateway.
    Listen => "listen",
    /// The largest body.
    MaxBody => "max-body",
    /// One prefix of a route.
    Path => "path",
    /// What it was called before.
    Was => "was",
    /// Which incarnation of an object it lies in.
    Incarnation => "incarnation",
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A field, or one entry of a field that has several: `env.LOG_LEVEL`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath {
    /// The field.
    pub field: Field,
    /// Which entry.
    pub key: Option<Arc<str>>,
}

impl FieldPath {
    /// The field as a whole.
    pub fn of(field: Field) -> Self {
        Self { field, key: None }
    }

    /// One entry of it.
    pub fn at(field: Field, key: impl Into<Arc<str>>) -> Self {
        Self { field, key: Some(key.into()) }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) if key.starts_with('/') => write!(f, "{} {key}", self.field),
            Some(key) => write!(f, "{}.{key}", self.field),
            None => write!(f, "{}", self.field),
        }
    }
}

/// The value of a field, as a plan shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// One line.
    Text(String),
    /// Text of several lines, compared line by line.
    Lines(String),
    /// A secret: which one, and the digest of its value where it is known.
    Secret(SecretName, Option<SecretDigest>),
    /// The content of a folder.
    Content(ContentDigest),
}

impl Value {
    /// Whether both mean the same. A digest that is not known yet differs from none.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Secret(one, Some(before)), Self::Secret(two, Some(after))) => one == two && before == after,
            (Self::Secret(one, _), Self::Secret(two, _)) => one == two,
            _ => self == other,
        }
    }
}

impl Value {
    /// The value with nothing cut off; of a secret, its name.
    pub fn exact(&self) -> String {
        match self {
            Self::Content(digest) => digest.to_string(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Lines(text) => f.write_str(text),
            Self::Secret(name, _) => write!(f, "(secret){name}"),
            Self::Content(digest) => f.write_str(&digest.short()),
        }
    }
}

/// One field with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which field.
    pub path: FieldPath,
    /// What it is.
    pub value: Value,
}

/// A field that is unlike: at least one side is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which field.
    pub path: FieldPath,
    /// What it was.
    pub before: Option<Value>,
    /// What it is to be.
    pub after: Option<Value>,
}

/// The fields in which two specs differ, in the order of the fields. Both lists are sorted by path, as `entries` makes
/// them.
pub fn compare(before: Vec<Entry>, after: Vec<Entry>) -> Vec<Difference> {
    let (mut before, mut after) = (before.into_iter().peekable(), after.into_iter().peekable());
    let mut found = Vec::new();
    loop {
        let order = match (before.peek(), after.peek()) {
            (None, None) => return found,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.path.cmp(&new.path),
        };
        let old = if order.is_le() { before.next() } else { None };
        let new = if order.is_ge() { after.next() } else { None };
        let same = matches!((&old, &new), (Some(old), Some(new)) if old.value.same(&new.value));
        let path = old.as_ref().or(new.as_ref()).map(|entry| entry.path.clone());
        if let (false, Some(path)) = (same, path) {
            found.push(Difference { path, before: old.map(|entry| entry.value), after: new.map(|entry| entry.value) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, text: &str) -> Entry {
        Entry { path: FieldPath::at(Field::Env, key), value: Value::Text(text.to_owned()) }
    }

    #[test]
    fn compare_names_exactly_what_differs() {
        let found = compare(vec![entry("A", "1"), entry("B", "2")], vec![entry("B", "3"), entry("C", "4")]);
        let told: Vec<_> =
            found.iter().map(|one| (one.path.to_string(), one.before.is_some(), one.after.is_some())).collect();
        assert_eq!(
            told,
            [("env.A".to_owned(), true, false), ("env.B".to_owned(), true, true), ("env.C".to_owned(), false, true)]
        );
    }

    #[test]
    fn a_digest_that_is_not_known_is_no_difference() {
        let name: SecretName = "hf".parse().unwrap();
        let digest = crate::SecretKey::new([0; 32]).digest("hf", b"x");
        let other = crate::SecretKey::new([0; 32]).digest("hf", b"y");
        let secret =
            |digest| vec![Entry { path: FieldPath::at(Field::Env, "T"), value: Value::Secret(name.clone(), digest) }];
        assert!(compare(secret(None), secret(Some(digest))).is_empty());
        assert_eq!(compare(secret(Some(other)), secret(Some(digest))).len(), 1);
    }
}
