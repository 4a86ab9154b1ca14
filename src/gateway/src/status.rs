//! What a gateway says about itself. These types go over the control socket; a newer gateway may add fields, so unlike
//! the configuration they tolerate what they do not know.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use crate::config::EndpointState;
use crate::endpoint::LiveEndpoint;
use crate::figures::Times;

/// A gateway's answer to "how are you".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The gateway's process.
    pub pid: u32,
    /// The generation that it serves; 0 before the first.
    pub generation: u64,
    /// Where it listens.
    pub listeners: Vec<ListenerStatus>,
    /// Its routes, and those removed that still have requests in flight.
    pub routes: Vec<RouteStatus>,
    /// Lines of logs and records that could not be kept.
    #[serde(default)]
    pub dropped_lines: u64,
    /// Spans that a collector took.
    #[serde(default)]
    pub sent_spans: u64,
    /// Spans that could not be sent.
    #[serde(default)]
    pub dropped_spans: u64,
    /// Of which release of wharf its program is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Where it really listens: with the port that the kernel chose, if it was asked to.
    pub address: SocketAddr,
    /// How often requests were refused before they had a route, by the reason.
    #[serde(default)]
    pub refused: BTreeMap<String, u64>,
}

/// One route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStatus {
    /// Its name in the configuration.
    pub name: String,
    /// The service behind it; empty for a route that is gone.
    #[serde(default)]
    pub service: String,
    /// Its endpoints, and those removed that still have requests in flight: these are shown as draining.
    pub endpoints: Vec<EndpointStatus>,
    /// How often the gateway itself answered, by the reason: the value of `x-wharf-reason`.
    #[serde(default)]
    pub refused: BTreeMap<String, u64>,
    /// Requests that wait because all instances have as much as they take.
    #[serde(default)]
    pub queued: u64,
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
    /// Whether it is passed over because requests to it went badly.
    #[serde(default)]
    pub ejected: bool,
    /// What it runs, if the configuration says.
    #[serde(default)]
    pub revision: Option<String>,
    /// Answers by the hundreds of their status, 1xx first.
    #[serde(default)]
    pub statuses: [u64; 5],
    /// How long requests took until their answers began.
    #[serde(default)]
    pub first_byte: Times,
    /// How long they took until their answers had ended.
    #[serde(default)]
    pub whole: Times,
    /// Bytes of requests' bodies.
    #[serde(default)]
    pub bytes_in: u64,
    /// Bytes of answers' bodies.
    #[serde(default)]
    pub bytes_out: u64,
}

impl EndpointStatus {
    /// Requests sent its way that have been answered, or will not be.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.served.saturating_add(self.failed)
    }

    /// Those of them that were answered with a status of the 500s, or not at all.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.statuses[4].saturating_add(self.failed)
    }

    /// The same, as if nothing had ended.
    fn open(self) -> Self {
        let (first_byte, whole) = (Times::default(), Times::default());
        Self { served: 0, failed: 0, statuses: [0; 5], first_byte, whole, bytes_in: 0, bytes_out: 0, ..self }
    }

    pub(crate) fn of(endpoint: &LiveEndpoint, state: EndpointState) -> Self {
        Self {
            name: endpoint.name.clone(),
            address: endpoint.address,
            state,
            ready: endpoint.ready(),
            in_flight: endpoint.in_flight(),
            last_answer: endpoint.last_answer(),
            served: endpoint.served(),
            failed: endpoint.failed(),
            ejected: endpoint.ejected().is_some(),
            revision: endpoint.revision.clone(),
            statuses: endpoint.figures.statuses(),
            first_byte: endpoint.figures.first_byte.times(),
            whole: endpoint.figures.whole.times(),
            bytes_in: endpoint.figures.bytes_in.load(Ordering::Relaxed),
            bytes_out: endpoint.figures.bytes_out.load(Ordering::Relaxed),
        }
    }
}

impl Status {
    /// Adds what a predecessor still has open. What it counted goes with it: added now, it would be missing when it has ended,
    /// and every count of its successor would seem to begin anew.
    pub(crate) fn add(&mut self, before: Self) {
        for RouteStatus { name, service, endpoints, queued, refused: _ } in before.routes {
            let endpoints = endpoints.into_iter().map(EndpointStatus::open);
            let Some(known) = self.routes.iter_mut().find(|known| known.name == name) else {
                let (endpoints, refused) = (endpoints.collect(), BTreeMap::new());
                self.routes.push(RouteStatus { name, service, endpoints, queued, refused });
                continue;
            };
            known.queued += queued;
            for endpoint in endpoints {
                let same =
                    |known: &&mut EndpointStatus| known.name == endpoint.name && known.address == endpoint.address;
                match known.endpoints.iter_mut().find(same) {
                    Some(known) => known.in_flight += endpoint.in_flight,
                    None => known.endpoints.push(endpoint),
                }
            }
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn status(route: &str, in_flight: u64) -> Status {
        let endpoint = EndpointStatus {
            name: "a".to_owned(),
            address: ([127, 0, 0, 1], 1).into(),
            state: EndpointState::Serving,
            ready: true,
            in_flight,
            last_answer: None,
            served: 9,
            failed: 1,
            ejected: false,
            revision: None,
            statuses: [0, 7, 0, 0, 2],
            first_byte: Times::default(),
            whole: Times::default(),
            bytes_in: 5,
            bytes_out: 6,
        };
        let refused = [("no-token".to_owned(), 3)].into();
        let route =
            RouteStatus { name: route.into(), endpoints: vec![endpoint], refused, queued: 1, ..RouteStatus::default() };
        Status { routes: vec![route], ..Status::default() }
    }

    #[test]
    fn of_a_predecessor_counts_what_is_open_and_nothing_else() {
        let mut both = status("known", 2);
        both.add(status("known", 3));
        let mut expected = status("known", 5);
        expected.routes[0].queued = 2;
        assert_eq!(both, expected);
        // What only the predecessor has.
        both.add(status("gone", 4));
        let gone = &both.routes[1];
        assert_eq!((gone.queued, gone.refused.len()), (1, 0));
        let gone = &gone.endpoints[0];
        assert_eq!((gone.in_flight, gone.requests(), gone.errors(), gone.bytes_in), (4, 0, 0, 0));
    }
}
