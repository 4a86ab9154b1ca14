//! What this runtime can honour, and what a change of it costs.

use wharf_model::{Capabilities, Cost, Field};

/// The table of this runtime.
pub(crate) fn capabilities(host_is_image: bool) -> Capabilities {
    Capabilities::of("local", |field| cost(field, host_is_image))
}

fn cost(field: Field, host_is_image: bool) -> Cost {
    match field {
        Field::Image if !host_is_image => Cost::Unsupported {
            why: "there are no images on this runtime; the host stands in for them".into(),
            help: "write `provider \"local\" { image \"host\" }` to let it".into(),
        },
        Field::MountOss | Field::MountS3 | Field::MountNfs | Field::MountDataset | Field::MountCodeSet => lacks(
            "it mounts folders of this host alone",
            "in this environment, mount a folder that holds the same files: `folder \"…\"`",
        ),
        Field::MountGit => lacks(
            "it does not read repositories",
            "clone it beside the project, and in this environment mount it: `folder \"…\" read-only=#true`",
        ),
        Field::MountImage => lacks(
            "there are no images on this runtime",
            "in this environment, mount a folder that holds the same files: `folder \"…\"`",
        ),
        Field::MountEmpty | Field::MountMemory => lacks(
            "instances use the host's own file system and memory",
            "in this environment, let the program use /tmp or /dev/shm of the host",
        ),
        Field::MountCache | Field::MountLabel => {
            lacks("a folder of this host is read as it is", "write it in the environments that run elsewhere")
        }
        Field::MountSecret => lacks("nothing that it mounts is opened by a secret", "mount a folder of this host"),
        Field::Cpu | Field::Memory | Field::Disk | Field::Shm | Field::CpuSharing => lacks(
            "instances share the host and are not limited",
            "write it in the environments that run elsewhere, or run this one on docker",
        ),
        Field::Gpu | Field::GpuMemory | Field::GpuCores | Field::GpuIsolation | Field::GpuDriver => lacks(
            "instances see every GPU of the host, and none is kept for them",
            "write it in the environments that run elsewhere; CUDA_VISIBLE_DEVICES in `env` chooses among them",
        ),
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
        Field::Unit => {
            lacks("an instance is one process of this host", "write it in the environments that run elsewhere")
        }
        Field::ReadinessExec => lacks("its gateway asks by HTTP or by a connection", "use `http` or `tcp`"),
        Field::ReadinessPort => lacks("each instance gets a port of its own, and only that one", "leave `port=` out"),
        Field::ReadinessDelay => {
            lacks("its gateway asks from the start", "leave it out: a failure before the first pass costs nothing")
        }
        Field::Startup | Field::Liveness | Field::Progress => lacks(
            "nothing restarts a program here but `wharf apply`",
            "write it in the environments that run elsewhere",
        ),
        Field::CrashBlock => lacks("a program that crashed always stays down here", "leave it out: it is as you wish"),
        Field::Batch | Field::Partition | Field::Paused | Field::Canary | Field::Gate => lacks(
            "its rollouts go as fast as `max-surge` and `max-unavailable` allow",
            "set those in this environment, and the steps in the others",
        ),
        Field::TimeoutConnect | Field::TimeoutFirstByte | Field::TimeoutBetweenBytes => {
            lacks("its gateway knows one limit for a request", "use `timeout` alone in this environment")
        }
        Field::Group | Field::GroupPolicy => lacks(
            "its gateway sends the requests of a path to one service",
            "give each service a path of its own with `expose`",
        ),
        Field::Image
        | Field::Program
        | Field::Port
        | Field::Packages
        | Field::Interpreter
        | Field::Env
        | Field::Mount
        | Field::Content
        | Field::Readiness => Cost::Roll,
        Field::Instances
        | Field::Rollout
        | Field::Shutdown
        | Field::Timeout
        | Field::Token
        | Field::Expose
        | Field::Listen
        | Field::MaxBody
        | Field::Path => Cost::InPlace,
    }
}

fn lacks(why: &'static str, help: &'static str) -> Cost {
    Cost::Unsupported { why: why.into(), help: help.into() }
}
