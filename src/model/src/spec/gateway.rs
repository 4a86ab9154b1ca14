//! Gateways and routes.

use super::TokenSpec;
use crate::{Bytes, GatewayName, SecretDigest, SecretName, ServiceName};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

/// A gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewaySpec {
    /// The port it listens on.
    pub port: u16,
    /// The address it listens on.
    pub address: IpAddr,
    /// The largest request body it lets through.
    pub max_body: Option<Bytes>,
}

/// The way from a gateway to a service, as both together say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSpec {
    /// The gateway.
    pub gateway: GatewayName,
    /// The service.
    pub service: ServiceName,
    /// The prefixes under which the service is found; the longest that fits wins.
    pub paths: Vec<Arc<str>>,
    /// Which tokens open it.
    pub tokens: Vec<TokenSpec>,
    /// The keyed digests of those tokens, where they are known.
    pub token_digests: BTreeMap<SecretName, SecretDigest>,
    /// How long a request may take until its answer begins.
    pub timeout: Duration,
    /// The largest request body.
    pub max_body: Option<Bytes>,
}
