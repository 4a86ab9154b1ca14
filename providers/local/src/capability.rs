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
