//! What is stored in a gateway's container, and the words that go in and out of it: one JSON value per line.

use crate::{
    book::{Health, Mark},
    labels::Question,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr};
use wharf_gateway::{Config, Status};
use wharf_model::Release;

/// The format that this build writes and reads.
pub(crate) const FORMAT: u32 = 1;

/// The folder in a gateway's container that is the gateway's, with the labels beside its own files.
pub(crate) const STATE: &str = "/state";
pub(crate) const CONFIG: &str = "/state/config.json";
pub(crate) const LABELS: &str = "/state/labels.json";

/// The folder in a gateway's container in which calls are kept: the environment's volume for them.
pub(crate) const RECORDS: &str = "/state/records";

/// The folder in the containers of doors and supervisors that is the environment's volume for what is known of instances.
pub(crate) const HEALTH: &str = "/health";

/// From what a gateway or balancer and its routes were made. A container's own labels cannot change; these can.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GatewayLabels {
    pub(crate) format: u32,
    /// The operation that last brought the gateway to its spec.
    pub(crate) operation: String,
    pub(crate) fingerprint: String,
    /// Whether it was brought there.
    pub(crate) settled: bool,
    pub(crate) routes: BTreeMap<String, RouteLabel>,
    /// The network that it was put into beside that of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<String>,
}

/// From what a route was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteLabel {
    pub(crate) operation: String,
    pub(crate) fingerprint: String,
}

/// What the desk of a gateway can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub(crate) enum Ask {
    /// How the gateway stands, and how these instances answer.
    Look { probes: Vec<ProbeOrder> },
    /// Serve this configuration.
    Replace { config: Config },
    /// Keep these labels.
    Label { labels: GatewayLabels },
}

/// An instance that is to be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProbeOrder {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) question: Question,
}

/// What it answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heard {
    pub(crate) name: String,
    pub(crate) passed: bool,
    pub(crate) words: String,
}

/// What the desk answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub(crate) enum Reply {
    Seen(Box<Seen>),
    Done,
    /// The gateway will not have it.
    Refused {
        problems: Vec<String>,
    },
    /// It did not come to the gateway.
    Failed {
        why: String,
    },
}

/// How a gateway stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// None while it does not answer.
    pub(crate) status: Option<Status>,
    pub(crate) config: Option<Config>,
    pub(crate) labels: Option<GatewayLabels>,
    pub(crate) heard: Vec<Heard>,
    /// What a supervisor knows; none of a door, and of one that does not watch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) health: Option<BTreeMap<String, Health>>,
    /// What applies have said of instances, where the volume is that says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) marks: Option<BTreeMap<String, Mark>>,
    /// Of which release of wharf the program is that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) release: Option<String>,
}

impl Seen {
    /// Whether the program that answers is of no earlier release than this one.
    pub(crate) fn is_up_to_date(&self) -> bool {
        let release = self.release.as_ref().and_then(|release| release.parse::<Release>().ok());
        release.is_some_and(|release| release >= wharf_serving::own_release())
    }
}
