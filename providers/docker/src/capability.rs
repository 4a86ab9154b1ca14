//! What this runtime can honour, and what a change of it costs.

use wharf_model::{Capabilities, Cost, Field, Kind};

/// The table of this runtime.
pub(crate) fn capabilities() -> Capabilities {
    // Two balancers cannot listen at the same port of the engine's machine.
    Capabilities::of("docker", cost).fetching_images().exclusive(&[Kind::Nlb])
}

fn cost(field: Field) -> Cost {
    match field {
        Field::MountOss | Field::MountS3 | Field::MountWritable | Field::MountStream | Field::MountFuse => lacks(
            "it does not read buckets yet",
            "mount a folder of the engine's machine that holds the same files: `folder \"…\"`",
        ),
        Field::MountNfs => lacks(
            "it does not mount file servers yet",
            "mount the file server on the engine's machine, and that folder here: `folder \"…\"`",
        ),
        Field::MountDataset | Field::MountCodeSet | Field::MountModel => lacks(
            "datasets, code sets and models by name are things of EAS",
            "mount a folder that holds the same files: `folder \"…\" read-only=#true`",
        ),
        Field::MountGit => lacks(
            "it does not read repositories yet",
            "clone it beside the project, and mount it: `folder \"…\" read-only=#true`",
        ),
        Field::MountImage => lacks(
            "it does not take folders out of images yet",
            "copy the folder beside the project, and mount it: `folder \"…\" read-only=#true`",
        ),
        Field::MountCache | Field::MountLabel => {
            lacks("a mount is read as it is", "write it in the environments that run elsewhere")
        }
        Field::MountSecret => lacks("nothing that it mounts is opened by a secret", "mount a folder"),
        Field::Disk => lacks(
            "most storage drivers of an engine set no limit for one container",
            "leave it out, and watch the disk of the engine's machine",
        ),
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
        Field::Unit => lacks("an instance is one container", "write it in the environments that run elsewhere"),
        Field::ReadinessExec => lacks("its gateway asks by HTTP or by a connection", "use `http` or `tcp`"),
        Field::ReadinessPort => lacks("its gateway asks at the port of the service", "leave `port=` out"),
        Field::ReadinessDelay => {
            lacks("its gateway asks from the start", "leave it out: a failure before the first pass costs nothing")
        }
        Field::Startup | Field::Liveness | Field::Progress => lacks(
            "nothing restarts a program here but `wharf apply`",
            "write it in the environments that run elsewhere",
        ),
        Field::CrashBlock => lacks("a program that crashed always stays down here", "leave it out: it is as you wish"),
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
            "make one here: `network \"…\" cidr=\"10.20.0.0/24\"`, in the environments that run on docker",
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
        Field::Weights => {
            lacks("instances load their weights each for itself", "write it in the environments that run elsewhere")
        }
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
        | Field::MountFetch
        | Field::MountEmpty
        | Field::MountMemory
        | Field::MountData
        | Field::Content
        | Field::Readiness
        | Field::ReadinessGrpc
        | Field::Cpu
        | Field::Memory
        | Field::Shm
        | Field::Gpu
        | Field::GpuMemory
        | Field::GpuCores
        | Field::GpuDriver
        | Field::Network => Cost::Roll,
        Field::NetworkRange | Field::NetworkEgress | Field::NlbPublic => Cost::Replace,
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
        | Field::Expose
        | Field::Listen
        | Field::GatewayNetwork
        | Field::NlbListener
        | Field::NlbNetwork
        | Field::MaxBody
        | Field::RegistryLogin
        | Field::KeepOnDelete
        | Field::Was
        | Field::Path => Cost::InPlace,
    }
}

fn lacks(why: &'static str, help: &'static str) -> Cost {
    Cost::Unsupported { why: why.into(), help: help.into() }
}
