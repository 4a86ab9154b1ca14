//! Services: how many instances there are, how they are kept, and who reaches them.

use super::{CallRecords, Elastic, Membership, Nacos, RolloutPolicy, Router, Shutdown, Template, Timeouts, Traffic};
use crate::{GatewayName, Json, SecretName, TokenName};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// A service: what one instance is, how many there are, and how they are kept, replaced and reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    /// What one instance is.
    pub template: Template,
    /// How many instances there should be.
    pub instances: u32,
    /// How instances are replaced.
    pub rollout: RolloutPolicy,
    /// How an instance is stopped.
    pub shutdown: Shutdown,
    /// How long a request may take, from its arrival to the end of its answer.
    pub timeout: Duration,
    /// Which tokens open the service; everybody may call it when there is none.
    pub tokens: Vec<TokenSpec>,
    /// Through which gateways it is reached, and under which paths.
    pub exposes: BTreeMap<GatewayName, Expose>,
    /// How long the parts of a request may take.
    pub timeouts: Timeouts,
    /// How many requests are let through.
    pub traffic: Traffic,
    /// The group that it belongs to.
    pub group: Option<Membership>,
    /// Whether its answers are pages for browsers.
    pub web_app: bool,
    /// Whether gateways speak gRPC to it.
    pub grpc: bool,
    /// The registries in which its instances are entered, by the platform's name for each.
    pub nacos: BTreeMap<Arc<str>, Nacos>,
    /// How it meets more or less work than usual.
    pub elastic: Elastic,
    /// Who chooses an instance for each prompt; the gateway when absent.
    pub router: Option<Router>,
    /// Where requests and answers are kept; nowhere when absent.
    pub call_records: Option<CallRecords>,
    /// What people and tools find it by.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// What a runtime knows and wharf does not: for each runtime, values by key.
    pub raw: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Json>>,
}

impl ServiceSpec {
    /// One instance of `template`, kept by the rules that hold when nobody says otherwise.
    pub fn of(template: Template) -> Self {
        Self {
            template,
            instances: 1,
            rollout: RolloutPolicy::default(),
            shutdown: Shutdown::default(),
            timeout: Duration::from_secs(5),
            tokens: Vec::new(),
            exposes: BTreeMap::new(),
            timeouts: Timeouts::default(),
            traffic: Traffic::default(),
            group: None,
            web_app: false,
            grpc: false,
            nacos: BTreeMap::new(),
            elastic: Elastic::default(),
            router: None,
            call_records: None,
            labels: BTreeMap::new(),
            raw: BTreeMap::new(),
        }
    }
}

/// A token that opens a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenSpec {
    /// Which secret holds it.
    pub secret: SecretName,
    /// Who is given it.
    pub name: Option<TokenName>,
}

impl TokenSpec {
    /// By what gateways know it: whoever is given it, or the secret that holds it.
    pub fn known_as(&self) -> &str {
        self.name.as_ref().map_or(self.secret.as_str(), TokenName::as_str)
    }
}

/// How a service is reached through a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expose {
    /// A path beside `/api/predict/<service>`, if one is given.
    pub path: Option<Arc<str>>,
}
