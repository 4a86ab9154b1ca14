//! What this runtime can honour, what a change of it costs, and how many calls its host takes at once.

use crate::{client::Fuse, weights};
use std::collections::BTreeMap;
use wharf_model::{Capabilities, Cost, Field, Kind, Verb};
use wharf_provider::Limits;

/// How many contents are prepared at once for each core: copies wait for the disk, and installations for the network.
const PREPARED_PER_CORE: usize = 2;
/// How many programs are started at once for each core: while one loads, it has use for a whole one.
const STARTED_PER_CORE: usize = 4;
/// How many calls of any kind there are at once for each core. Most only wait for what somebody else does.
const CALLS_PER_CORE: usize = 32;

/// What a host with so many cores takes. More would only take longer, and make readiness probes wait in the meantime.
pub(crate) fn limits(cores: usize) -> Limits {
    let of_kind = [(Verb::Prepare, PREPARED_PER_CORE), (Verb::Start, STARTED_PER_CORE)];
    let of_kind: BTreeMap<Verb, usize> = of_kind.into_iter().map(|(verb, each)| (verb, each * cores)).collect();
    Limits { at_once: CALLS_PER_CORE * cores, of_kind }
}

/// The table of this runtime.
pub(crate) fn capabilities(host_is_image: bool, fuse: &Fuse, holds: bool) -> Capabilities {
    // Two balancers cannot listen on one port.
    Capabilities::of("local", |field| cost(field, host_is_image, fuse, holds))
        .exclusive(&[Kind::Nlb])
        .copying_buckets()
        .of_release(wharf_serving::own_release())
}

fn cost(field: Field, host_is_image: bool, fuse: &Fuse, holds: bool) -> Cost {
    match field {
        Field::Image | Field::RegistryLogin if !host_is_image => Cost::Unsupported {
            why: "there are no images on this runtime".into(),
            help: "write `provider \"local\" { image \"host\" }` in the environment, and the host stands in for it"
                .into(),
        },
        Field::MountNfs | Field::MountResourceGroup | Field::MountDataset | Field::MountCodeSet | Field::MountModel => {
            lacks(
                "it mounts folders of this host alone",
                "in this environment, mount a folder that holds the same files: `folder \"…\"`",
            )
        }
        Field::MountFuse => fuse.lack().map_or(Cost::Roll, |(why, help)| Cost::Unsupported { why, help }),
        Field::MountGit => lacks(
            "it does not read repositories",
            "clone it beside the project, and in this environment mount it: `folder \"…\" read-only=#true`",
        ),
        Field::MountImage => lacks(
            "there are no images on this runtime",
            "in this environment, mount a folder that holds the same files: `folder \"…\"`",
        ),
        Field::MountData | Field::KeepOnDelete => lacks(
            "it keeps no data of its own",
            "in this environment, mount a folder that instances write to: `folder \"…\"`",
        ),
        Field::MountEmpty | Field::MountMemory => lacks(
            "instances use the host's own file system and memory",
            "in this environment, let the program use /tmp or /dev/shm of the host",
        ),
        Field::MountCacheSize => lacks(
            "instances read one copy, and the kernel keeps what was read in memory that is idle, however much that is",
            "in this environment, leave `size` out",
        ),
        Field::MountCacheLive => lacks(
            "only of a copy is what was read kept for all who read it",
            "have it copied: `read-only=#true`, and for a bucket `mode=\"sync\"`; or leave `cache` out in this environment",
        ),
        Field::MountLabel => {
            lacks("a folder of this host is read as it is", "write it in the environments that run elsewhere")
        }
        Field::Cpu | Field::Memory | Field::Disk | Field::Shm | Field::CpuSharing => lacks(
            "instances share the host and are not limited",
            "write it in the environments that run elsewhere, or run this one on docker",
        ),
        Field::Gpu | Field::GpuMemory | Field::GpuCores | Field::GpuIsolation | Field::GpuDriver | Field::GpuCuda => {
            lacks(
                "instances see every GPU of the host, and none is kept for them",
                "write it in the environments that run elsewhere; CUDA_VISIBLE_DEVICES in `env` chooses among them",
            )
        }
        Field::InstanceType
        | Field::SpotProtection
        | Field::Dedicated
        | Field::Quota
        | Field::Burst
        | Field::Rebalance
        | Field::Spread
        | Field::Priority => lacks(
            "there is one machine, and it is this host",
            "write it in the environments that run elsewhere: `environment \"…\" { service \"…\" { resources { … } } }`",
        ),
        Field::Unit | Field::UnitRdma | Field::UnitCheck => {
            lacks("an instance is one process of this host", "write it in the environments that run elsewhere")
        }
        Field::ReadinessPort | Field::ProbePort => {
            lacks("each instance gets a port of its own, and only that one", "leave `port=` out")
        }
        Field::TrafficQueue => lacks(
            "its instances take as many requests at once as come, and none waits",
            "set `concurrency-limit` in this environment, and the queue in the others",
        ),
        Field::Args | Field::Pull | Field::Container | Field::ContainerEnv => lacks(
            "there are no images on this runtime; the host stands in for them",
            "write it in the environments that run images",
        ),
        Field::Processor => lacks("processors are programs of EAS", "run this service on eas, or write its `command`"),
        Field::PackagesFile => {
            lacks("libraries are prepared before there is an instance with that file", "list them with `packages`")
        }
        Field::WebApp => lacks("it opens no pages for browsers", "leave it out: `expose` leads browsers to it as well"),
        Field::Network
        | Field::NetworkRange
        | Field::NetworkExisting
        | Field::NetworkAdopted
        | Field::NetworkRules
        | Field::NetworkEgress
        | Field::GatewayNetwork
        | Field::NlbNetwork => {
            lacks("instances use the network of this host", "write it in the environments that run elsewhere")
        }
        Field::NlbExisting => {
            lacks("there is no platform whose balancer it could use", "leave `id` out: the balancer is made here")
        }
        Field::Nacos => lacks("instances are on loopback, where no other machine finds them", "write it for eas alone"),
        Field::GatewayShared | Field::GatewayDedicated => {
            lacks("there is no platform whose gateway it could use", "in this environment, write `listen 8600`")
        }
        Field::Reach => lacks(
            "its gateway is reached where it listens",
            "write it in the environments that run elsewhere; `listen` has `address=`",
        ),
        Field::Role => lacks("there is no platform that could lend a name", "give the program its keys as secrets"),
        Field::Confidential => lacks("this host cannot prove what it is", "write it for eas alone"),
        Field::Weights if !holds => lacks(weights::LACK.0, weights::LACK.1),
        Field::WeightsLive => lacks(
            "only a copy that cannot change is shared, and not every mount there is one",
            "mount a folder or a bucket `read-only=#true` there, without `live` and another `mode` than `sync`",
        ),
        Field::Tracing => lacks("there is nobody who would collect traces", "let the program send them itself"),
        Field::LogPaths => lacks("only what instances print is kept", "let the program print its logs"),
        Field::Queue | Field::Job => {
            lacks("there is no queue on this runtime", "write it in the environments that run elsewhere")
        }
        Field::Autoscale | Field::Schedule => lacks(
            "nothing runs between two applies that could change the count",
            "set `instances` in this environment, and this in the others",
        ),
        Field::Mirror => {
            lacks("its gateway sends each request once", "write it in the environments that run elsewhere")
        }
        Field::Expiry => {
            lacks("nothing runs between two applies that could remove it", "remove it with `wharf destroy`")
        }
        Field::Router => {
            lacks("its gateway does not look into requests", "write it in the environments that run elsewhere")
        }
        Field::CallRecords => lacks("its gateway keeps calls in files alone", "write `file \"calls.jsonl\"` here"),
        Field::Label => {
            lacks("nobody finds services of this host by labels", "write it in the environments that run elsewhere")
        }
        Field::Raw => lacks(
            "it has no keys beside those of the file",
            "write it in the overlay of the environment that knows them",
        ),
        Field::Image
        | Field::ImageContent
        | Field::Incarnation
        | Field::Program
        | Field::Port
        | Field::Packages
        | Field::Interpreter
        | Field::Env
        | Field::Mount
        | Field::MountOss
        | Field::MountWritable
        | Field::MountS3
        | Field::MountStream
        | Field::MountCache
        | Field::MountFetch
        | Field::MountSecret
        | Field::Content
        | Field::Readiness
        | Field::ReadinessExec
        | Field::ReadinessGrpc
        | Field::ReadinessDelay
        | Field::Startup
        | Field::Liveness
        | Field::Progress
        | Field::CrashBlock
        | Field::Weights
        | Field::Was => Cost::Roll,
        Field::Instances
        | Field::Rollout
        | Field::Batch
        | Field::Partition
        | Field::Paused
        | Field::Canary
        | Field::Gate
        | Field::Shutdown
        | Field::Timeout
        | Field::TimeoutConnect
        | Field::TimeoutFirstByte
        | Field::TimeoutBetweenBytes
        | Field::TrafficRate
        | Field::TrafficConcurrency
        | Field::TrafficInstanceRate
        | Field::Token
        | Field::TokenName
        | Field::Grpc
        | Field::Group
        | Field::CallRecordsFile
        | Field::NlbListener
        | Field::EngineSocket
        | Field::NlbPublic
        | Field::GroupPolicy
        | Field::Domain
        | Field::Allow
        | Field::RateLimit
        | Field::ConcurrencyLimit
        | Field::GatewayTraces
        | Field::GatewayTraceHeader
        | Field::Expose
        | Field::Listen
        | Field::MaxBody
        | Field::RegistryLogin
        | Field::Path => Cost::InPlace,
    }
}

fn lacks(why: &'static str, help: &'static str) -> Cost {
    Cost::Unsupported { why: why.into(), help: help.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_loads_a_host_is_bounded_by_its_cores_and_what_waits_is_not() {
        let (small, large) = (limits(1), limits(64));
        let of = |limits: &Limits| [Verb::Prepare, Verb::Start, Verb::Stop].map(|verb| limits.of(verb, usize::MAX));
        assert_eq!(of(&small), [2, 4, 32]);
        assert_eq!(of(&large), [128, 256, 2_048]);
    }
}
