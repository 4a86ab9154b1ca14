//! What a gateway tells of an instance, in the model's words.

use wharf_gateway::{EndpointStatus, Status};
use wharf_model::{EndpointState, Figures, Lost, Release, Times};

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

/// Of which release a gateway is that runs; none where it does not say.
#[must_use]
pub fn release(status: &Status) -> Option<Release> {
    status.release.as_ref()?.parse().ok()
}

/// Of which release a gateway is that is made from this program.
#[must_use]
pub fn own_release() -> Release {
    wharf_gateway::release().parse().unwrap_or(Release([0; 3]))
}

/// Whether a gateway is of an earlier release than this program.
#[must_use]
pub fn is_outdated(status: &Status) -> bool {
    release(status).is_some_and(|release| release < own_release())
}

/// What a gateway has counted about an instance's requests.
#[must_use]
pub fn figures(live: &EndpointStatus) -> Figures {
    let first_byte = Times { classes: live.first_byte.by_end().collect() };
    Figures { requests: live.requests(), errors: live.errors(), first_byte }
}

/// What a gateway that answers could not keep or send.
#[must_use]
pub fn lost(status: Option<&Status>) -> Lost {
    status.map_or_else(Lost::default, |status| Lost { lines: status.dropped_lines, spans: status.dropped_spans })
}
