//! What this runtime can honour, and what a change of it costs.

use wharf_model::{Capabilities, Cost, Field, Kind};

/// The table of this runtime, with an engine that has this socket on its machine, which is this one or another, and with or
/// without a volume driver that mounts folders of buckets.
pub(crate) fn capabilities(socket: &str, is_here: bool, mounts: bool) -> Capabilities {
    // Two balancers cannot listen at the same port of the engine's machine, and two supervisors would both start what ended.
    let exclusive = [Kind::Nlb, Kind::Supervisor];
    let copied = [Field::MountGit, Field::MountImage];
    Capabilities::of("docker", |field| cost(field, is_here, mounts))
        .fetching_images()
        .copying(&copied)
        .copying_buckets()
        .exclusive(&exclusive)
        // Ports are published when a container is made.
        .remaking(&[Kind::Nlb])
        .showing_env("docker inspect")
        .supervising(socket)
        .of_release(wharf_serving::own_release())
}

fn cost(field: Field, is_here: bool, mounts: bool) -> Cost {
    match field {
        Field::MountOss | Field::MountS3 | Field::MountWritable if !is_here => lacks(
            "copies of folders of buckets are kept on the machine that runs wharf, and the engine is on another",
            "run wharf on the engine's machine, with `host=\"unix:///var/run/docker.sock\"`",
        ),
        Field::MountFuse if !mounts => lacks(
            "no volume driver is named that would mount it",
            "install one, `docker plugin install rclone/docker-volume-rclone --alias rclone`, and write \
             `provider \"docker\" { fuse \"rclone\" }` in the environment; or leave `mode` out, and the folder is copied before \
             instances start",
        ),
        Field::MountResourceGroup => {
            lacks("resource groups are things of EAS", "write it in the environments that run there")
        }
        Field::MountDataset | Field::MountCodeSet | Field::MountModel => lacks(
            "datasets, code sets and models by name are things of EAS",
            "mount a folder that holds the same files: `folder \"…\" read-only=#true`",
        ),
        Field::MountCacheSize => lacks(
            "instances read one copy, and the kernel keeps what was read in memory that is idle, however much that is",
            "in this environment, leave `size` out",
        ),
        Field::MountCacheLive => lacks(
            "only of a copy is what was read kept for all who read it",
            "have it copied: `read-only=#true`, and for a bucket `mode=\"sync\"`; or leave `cache` out in this environment",
        ),
        Field::MountLabel => lacks("a mount is read as it is", "write it in the environments that run elsewhere"),
        Field::CpuSharing => lacks("`cpu` is the most that an instance may use, and never more", "leave it out"),
        Field::GpuIsolation => lacks(
            "shares of a card are counted, and nothing here keeps an instance to its own",
            "leave it out, and have the program keep to its share",
        ),
        Field::GpuCuda => lacks("CUDA comes with the image here", "choose an image with it"),
        Field::TrafficQueue => lacks(
            "its instances take as many requests at once as come, and none waits",
            "set `concurrency-limit` in this environment, and the queue in the others",
        ),
        Field::InstanceType
        | Field::SpotProtection
        | Field::Dedicated
        | Field::Quota
        | Field::Burst
        | Field::Rebalance
        | Field::Spread
        | Field::Priority => lacks(
            "there is one machine, and it is the engine's",
            "write it in the environments that run elsewhere: `environment \"…\" { service \"…\" { resources { … } } }`",
        ),
        Field::UnitRdma | Field::UnitCheck => lacks(
            "the containers of an instance are all on the engine's machine",
            "leave it out here, and write it in the environments that run elsewhere",
        ),
        Field::Container | Field::ContainerEnv => {
            lacks("an instance is one container", "make it a service of its own, or put it into the image")
        }
        Field::Processor => lacks("processors are programs of EAS", "run this service on eas, or write its `command`"),
        Field::PackagesFile => {
            lacks("libraries are prepared before there is an instance with that file", "list them with `packages`")
        }
        Field::WebApp => lacks("it opens no pages for browsers", "leave it out: `expose` leads browsers to it as well"),
        Field::NetworkExisting => lacks(
            "VPCs and their switches are things of EAS",
            "in the environments that run on docker, make one with `cidr=\"10.20.0.0/24\"`, or name one with `id \"…\"`",
        ),
        Field::NetworkRules => lacks(
            "an engine keeps networks apart as a whole, and filters nothing within or behind them",
            "put those who may not reach each other into networks of their own; `egress \"off\"` closes the way out",
        ),
        Field::NlbExisting => {
            lacks("there is no platform whose balancer it could use", "leave `id` out: the balancer is made here")
        }
        Field::Nacos => lacks("the addresses of instances are the engine's own", "write it for eas alone"),
        Field::GatewayShared | Field::GatewayDedicated => {
            lacks("there is no platform whose gateway it could use", "in this environment, write `listen 8600`")
        }
        Field::Domain => lacks(
            "the files of certificates stay on the machine that runs wharf",
            "end TLS in front of the gateway, and write the domain in the environments that run elsewhere",
        ),
        Field::Allow => lacks(
            "callers come through the engine's own forwarding of ports, which may hide where they come from",
            "guard the port with the firewall of the engine's machine, and write it in the environments that run elsewhere",
        ),
        Field::Reach => lacks(
            "its gateway is reached where it listens",
            "write it in the environments that run elsewhere; `listen` has `address=`",
        ),
        Field::Role => lacks("there is no platform that could lend a name", "give the program its keys as secrets"),
        Field::Confidential => lacks("an engine cannot prove what it runs on", "write it for eas alone"),
        Field::Weights | Field::WeightsLive => lacks(
            "nothing holds memory beside the engine's containers",
            "leave it out in this environment: instances that mount the same copy read one file, which is in memory once",
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
        Field::Label => lacks(
            "the labels of its containers are those that wharf finds them by",
            "write it in the environments that run elsewhere",
        ),
        Field::Raw => lacks(
            "it has no keys beside those of the file",
            "write it in the overlay of the environment that knows them",
        ),
        Field::Image
        | Field::Program
        | Field::Args
        | Field::Port
        | Field::Pull
        | Field::Packages
        | Field::Interpreter
        | Field::Env
        | Field::Mount
        | Field::ImageContent
        | Field::Incarnation
        | Field::MountOss
        | Field::MountWritable
        | Field::MountS3
        | Field::MountStream
        | Field::MountFuse
        | Field::MountCache
        | Field::MountFetch
        | Field::MountEmpty
        | Field::MountNfs
        | Field::MountGit
        | Field::MountImage
        | Field::MountSecret
        | Field::MountMemory
        | Field::MountData
        | Field::Content
        | Field::Readiness
        | Field::ReadinessExec
        | Field::ReadinessGrpc
        | Field::ReadinessPort
        | Field::ProbePort
        | Field::ReadinessDelay
        | Field::Startup
        | Field::Liveness
        | Field::Progress
        | Field::CrashBlock
        | Field::Was
        | Field::Cpu
        | Field::Memory
        | Field::Shm
        | Field::Disk
        | Field::Gpu
        | Field::GpuMemory
        | Field::GpuCores
        | Field::GpuDriver
        | Field::Unit
        | Field::Network => Cost::Roll,
        Field::NetworkRange | Field::NetworkAdopted | Field::NetworkEgress | Field::NlbPublic => Cost::Replace,
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
        | Field::GroupPolicy
        | Field::RateLimit
        | Field::ConcurrencyLimit
        | Field::GatewayTraces
        | Field::GatewayTraceHeader
        | Field::Expose
        | Field::Listen
        | Field::GatewayNetwork
        | Field::NlbListener
        | Field::EngineSocket
        | Field::NlbNetwork
        | Field::MaxBody
        | Field::RegistryLogin
        | Field::KeepOnDelete
        | Field::Path => Cost::InPlace,
    }
}

fn lacks(why: &'static str, help: &'static str) -> Cost {
    Cost::Unsupported { why: why.into(), help: help.into() }
}
