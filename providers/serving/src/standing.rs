//! What a gateway tells of an instance, in the model's words.

use wharf_gateway::EndpointStatus;
use wharf_model::{EndpointState, Figures, Times};

/// What a gateway does with an instance, by its configuration and, where it answers, by itself.
#[must_use]
pub fn endpoint_state(configured: wharf_gateway::EndpointState, live: Option<&EndpointStatus>) -> EndpointState {
    let in_flight = live.map_or(0, |live| live.in_flight);
    match configured {
        wharf_gateway::EndpointState::Serving => {
            EndpointState::Serving { ready: live.is_some_and(|live| live.ready), in_flight }
        }
        wharf_gateway::EndpointState::Draining => EndpointState::Draining { in_flight },
    }
}

/// What a gateway has counted about an instance's requests.
#[must_use]
pub fn figures(live: &EndpointStatus) -> Figures {
    let first_byte = Times { classes: live.first_byte.by_end().collect() };
    Figures { requests: live.requests(), errors: live.errors(), first_byte }
}
