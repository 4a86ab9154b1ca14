//! What this runtime can honour, and what a change of it costs.

use wharf_model::{Capabilities, Cost, Field};

/// The table of this runtime.
pub(crate) fn capabilities(host_is_image: bool) -> Capabilities {
    Capabilities::of("local", |field| cost(field, host_is_image))
}

fn cost(field: Field, host_is_image: bool) -> Cost {
    match field {
        Field::Image if !host_is_image => Cost::Unsupported {
            why: "there are no images on this runtime".into(),
            help: "write `provider \"local\" { image \"host\" }` in the environment, and the host stands in for it"
                .into(),
        },
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
