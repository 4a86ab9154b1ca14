//! Gateways and routes.

use super::{
    Membership, RecordFile, Timeouts, TokenSpec, Traces, Traffic,
    words::{after, words},
};
use crate::{
    Bytes, Cidr, Entry, Field, GatewayName, NetworkName, SecretDigest, SecretName, ServiceName, entries::List,
};
use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

/// A gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewaySpec {
    /// The port it listens on.
    pub port: u16,
    /// The address it listens on.
    pub address: IpAddr,
    /// The largest request body it lets through.
    pub max_body: Option<Bytes>,
    /// An entry of the platform in its stead.
    pub managed: Option<ManagedGateway>,
    /// Under which name it is known, and the certificate for it.
    pub domain: Option<Domain>,
    /// From where it may be called; from everywhere when empty.
    pub allow: Vec<Cidr>,
    /// At most so many requests a second.
    pub rate_limit: Option<u32>,
    /// At most so many requests at once.
    pub concurrency_limit: Option<u32>,
    /// Whether it is reached from everywhere; the runtime's own rule when absent.
    pub reach: Option<Reach>,
    /// The network that it is in.
    pub network: Option<NetworkName>,
    /// Where requests are told of as spans.
    pub traces: Option<Traces>,
}

impl GatewaySpec {
    /// A gateway that listens on a port, without rules of its own.
    pub fn listening(address: IpAddr, port: u16) -> Self {
        Self {
            port,
            address,
            max_body: None,
            managed: None,
            domain: None,
            allow: Vec::new(),
            rate_limit: None,
            concurrency_limit: None,
            reach: None,
            network: None,
            traces: None,
        }
    }

    /// The secrets that it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        self.traces.iter().flat_map(Traces::secrets)
    }

    /// The same with the digests of its secrets, as far as `digests` has them.
    #[must_use]
    pub fn knowing(&self, digests: &BTreeMap<SecretName, SecretDigest>) -> Self {
        let mut spec = self.clone();
        if let (Some(traces), Some(before)) = (&mut spec.traces, &self.traces) {
            let known = |secret: &SecretName| digests.get(secret).map(|digest| (secret.clone(), *digest));
            traces.digests = before.secrets().filter_map(known).collect();
        }
        spec
    }

    /// Every field of the gateway.
    pub fn entries(&self) -> Vec<Entry> {
        let Self {
            port,
            address,
            max_body,
            managed,
            domain,
            allow,
            rate_limit,
            concurrency_limit,
            reach,
            network,
            traces,
        } = self;
        let mut list = List::default();
        match managed {
            None => list.text(Field::Listen, SocketAddr::new(*address, *port)),
            Some(ManagedGateway::Shared) => list.text(Field::GatewayShared, "yes"),
            Some(ManagedGateway::Dedicated(id)) => list.text(Field::GatewayDedicated, id),
            Some(ManagedGateway::Alb(id)) => list.text(Field::GatewayDedicated, format!("{id}, type alb")),
        }
        list.some(Field::MaxBody, *max_body);
        list.some(Field::Domain, domain.as_ref());
        let allow: Vec<_> = allow.iter().map(ToString::to_string).collect();
        list.some(Field::Allow, Some(allow.join(" ")).filter(|allow| !allow.is_empty()));
        list.some(Field::RateLimit, rate_limit.map(|limit| format!("{limit} a second")));
        list.some(Field::ConcurrencyLimit, *concurrency_limit);
        list.some(Field::Reach, reach.map(Reach::as_str));
        list.some(Field::GatewayNetwork, network.as_ref());
        if let Some(traces) = traces {
            traces.list(&mut list);
        }
        list.sorted()
    }
}

/// An entry that the platform runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManagedGateway {
    /// The one that everybody uses.
    Shared,
    /// One of one's own, by the platform's name for it.
    Dedicated(Arc<str>),
    /// One of one's own that is an Application Load Balancer.
    Alb(Arc<str>),
}

words! {
    /// From where a gateway is reached.
    Reach {
        /// From everywhere.
        Public => "public",
        /// From its network.
        Private => "private",
    }
}

/// The name of a gateway, and the certificate for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// The name.
    pub name: Arc<str>,
    /// The platform's name for the certificate, or the file that holds it; none without TLS.
    pub certificate: Option<Arc<str>>,
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, after(", certificate ", &self.certificate))
    }
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
    /// How long a request may take, from its arrival to the end of its answer.
    pub timeout: Duration,
    /// The largest request body.
    pub max_body: Option<Bytes>,
    /// How long the parts of a request may take.
    pub timeouts: Timeouts,
    /// How many requests are let through.
    pub traffic: Traffic,
    /// Whether instances are spoken to in gRPC.
    pub grpc: bool,
    /// The group through whose entry the service is reached as well, and its part of those requests.
    pub group: Option<Membership>,
    /// The file in which requests and answers are kept.
    pub records: Option<Box<RecordFile>>,
}
