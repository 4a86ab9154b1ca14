//! What a gateway says about itself. These types go over the control socket; a newer gateway may add fields, so unlike
//! the configuration they tolerate what they do not know.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::config::EndpointState;

/// A gateway's answer to "how are you".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The gateway's process.
    pub pid: u32,
    /// The generation that it serves; 0 before the first.
    pub generation: u64,
    /// Where it listens.
    pub listeners: Vec<ListenerStatus>,
    /// Its routes, and those removed that still have requests in flight.
    pub routes: Vec<RouteStatus>,
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Where it really listens: with the port that the kernel chose, if it was asked to.
    pub address: SocketAddr,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Its endpoints, and those removed that still have requests in flight: these are shown as draining.
    pub endpoints: Vec<EndpointStatus>,
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointStatus {
    /// The instance's name.
    pub name: String,
    /// Where the instance listens.
    pub address: SocketAddr,
    /// Whether it may get new requests.
    pub state: EndpointState,
    /// Whether its probes say that it is ready. Only serving endpoints are probed.
    pub ready: bool,
    /// Requests, response bodies and upgraded connections that have not ended. Once a replacement that took the
    /// endpoint out of service is acknowledged and this was seen at 0, the endpoint gets nothing any more.
    pub in_flight: u64,
    /// The last probe's answer.
    pub last_answer: Option<String>,
    /// Requests that it answered, whatever the status.
    pub served: u64,
    /// Requests sent its way that ended without an answer: no connection, connection lost, out of time, or the client
    /// left first.
    pub failed: u64,
}

impl Status {
    /// Requests in flight at an instance, which may stand in several routes: there they are counted together.
    #[must_use]
    pub fn in_flight(&self, endpoint: &str) -> u64 {
        let all = self.routes.iter().flat_map(|route| &route.endpoints);
        // The same name at two addresses are two endpoints; at one address they are one, seen twice.
        let mut seen: Vec<(SocketAddr, u64)> = Vec::new();
        for found in all.filter(|found| found.name == endpoint) {
            if !seen.iter().any(|(address, _)| *address == found.address) {
                seen.push((found.address, found.in_flight));
            }
        }
        seen.iter().map(|(_, count)| count).sum()
    }
}
