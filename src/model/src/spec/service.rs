//! Services: how many instances there are, how they are kept, and who reaches them.

use super::{RolloutPolicy, Shutdown, Template};
use crate::{GatewayName, SecretName};
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
    /// How long a request may take until its answer begins.
    pub timeout: Duration,
    /// Which tokens open the service; everybody may call it when there is none.
    pub tokens: Vec<TokenSpec>,
    /// Through which gateways it is reached, and under which paths.
    pub exposes: BTreeMap<GatewayName, Expose>,
}

/// A token that opens a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenSpec {
    /// Which secret holds it.
    pub secret: SecretName,
}

/// How a service is reached through a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expose {
    /// A path beside `/api/predict/<service>`, if one is given.
    pub path: Option<Arc<str>>,
}
