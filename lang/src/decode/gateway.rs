//! Gateways.

use super::{Decode, found, name, plain};
use crate::{
    block::Block,
    problem::{Code, Problem},
    source::Place,
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};
use wharf_model::{Address, Bytes, Domain, Field, FieldPath, GatewayName, GatewaySpec, ManagedGateway, Reach};

/// Where gateways of platforms listen.
const HTTPS: u16 = 443;
const FIELDS: &[(&str, Field)] = &[
    ("shared", Field::GatewayShared),
    ("dedicated", Field::GatewayDedicated),
    ("domain", Field::Domain),
    ("allow", Field::Allow),
    ("rate-limit", Field::RateLimit),
    ("concurrency-limit", Field::ConcurrencyLimit),
    ("reach", Field::Reach),
];

impl Decode<'_> {
    pub(super) fn gateway(&mut self, block: &Block) -> Option<(GatewayName, GatewaySpec)> {
        let (at, gateway) = name::<GatewayName>(block)?;
        let address = Address::Gateway(gateway.clone());
        self.declare(address.clone(), at);
        self.was(block, &address, Address::Gateway);
        let max_body = self.take(&address, Field::MaxBody, block.value::<Bytes>("max-body"));
        self.note_each(&address, block, FIELDS);
        let network = self.in_network(block, &address, Field::GatewayNetwork);
        self.check_managed(block);
        self.check_eas_gateway(block);
        let domain = block.child("domain");
        let rules = GatewaySpec {
            max_body,
            domain: domain.and_then(|node| {
                Some(Domain { name: node.argument(0)?.value, certificate: found(node, "certificate") })
            }),
            allow: block.every("allow").filter_map(|node| Some(node.argument(0)?.value)).collect(),
            rate_limit: plain(block, "rate-limit"),
            concurrency_limit: plain(block, "concurrency-limit"),
            reach: plain::<Arc<str>>(block, "reach").and_then(|word| Reach::of_word(&word)),
            network,
            traces: self.traces(block, &address),
            ..GatewaySpec::listening(IpAddr::V4(Ipv4Addr::UNSPECIFIED), HTTPS)
        };
        let Some(listen) = block.child("listen") else {
            return Some((gateway, GatewaySpec { managed: Some(managed(block)?), ..rules }));
        };
        let port = listen.argument::<u32>(0)?;
        let interface = listen.property::<IpAddr>("address")?;
        self.note(&address, FieldPath::of(Field::Listen), port.at);
        let spec = GatewaySpec { port: u16::try_from(port.value).ok()?, address: interface.value, ..rules };
        self.check_listen(&gateway, &spec, port.at);
        self.notes.listens.push((gateway.clone(), spec.clone(), port.at));
        Some((gateway, spec))
    }

    /// What a gateway of the platform cannot be told.
    fn check_managed(&mut self, block: &Block) {
        if let (Some(shared), Some(domain)) = (block.child("shared"), block.child("domain")) {
            self.exclusive(shared, domain, "everybody uses the shared gateway, so it has a name already");
        }
        if let (Some(dedicated), None, true) = (block.child("dedicated"), block.child("network"), self.known.eas) {
            self.requires(dedicated, "network", "on eas, a gateway of one's own reaches instances through a network");
        }
        let alb = block.child("dedicated").filter(|dedicated| kind(dedicated) == Kind::Alb);
        if let (Some(alb), Some(limit)) = (alb, block.child("concurrency-limit")) {
            self.exclusive(alb, limit, "an ALB does not count the requests that are under way");
        }
    }

    /// What a service asks for that an ALB on the way to it would not do.
    pub(super) fn check_alb(&mut self, service: &Block) {
        let is_alb =
            |expose: &&Block| expose.key().is_some_and(|name| self.known.dedicated.get(&name) == Some(&Kind::Alb));
        let Some(expose) = service.every("expose").find(is_alb) else { return };
        let limit = service.child("traffic").and_then(|traffic| traffic.child("concurrency-limit"));
        // The default, written or not, asks for nothing in particular.
        let default = Block::absent(service.row).value::<Duration>("timeout");
        let asked = |node: &&Block| {
            node.argument::<Duration>(0).map(|span| span.value) != default.as_ref().map(|span| span.value)
        };
        for node in [service.child("timeout").filter(asked), limit].into_iter().flatten() {
            let message = format!("`{}` has no effect behind an ALB", node.row.name());
            let problem = Problem::error(Code::Contradiction, message).at(node.title_at(), "not honoured there");
            let problem = problem.and(expose.title_at(), "a gateway of type alb");
            self.report(problem.help("remove it, or use a gateway of another type".to_owned()));
        }
    }

    /// Two gateways cannot listen on one port, unless on different interfaces.
    fn check_listen(&mut self, gateway: &GatewayName, spec: &GatewaySpec, at: Option<Place>) {
        let clash = |one: IpAddr, two: IpAddr| one == two || one.is_unspecified() || two.is_unspecified();
        let other = self
            .notes
            .listens
            .iter()
            .find(|(_, other, _)| other.port == spec.port && clash(other.address, spec.address));
        if let Some((other, _, first)) = other {
            let message = format!("gateway `{gateway}` listens where gateway `{other}` does: port {}", spec.port);
            let problem = Problem::error(Code::ListenConflict, message).at(at, "taken").and(*first, "first taken here");
            self.report(problem.help("give each gateway a port of its own".to_owned()));
        }
    }
}

fn managed(block: &Block) -> Option<ManagedGateway> {
    match block.child("dedicated") {
        Some(dedicated) => {
            let id = dedicated.argument(0)?.value;
            Some(match kind(dedicated) {
                Kind::Managed => ManagedGateway::Dedicated(id),
                Kind::Alb => ManagedGateway::Alb(id),
            })
        }
        None => block.child("shared").map(|_| ManagedGateway::Shared),
    }
}

/// A gateway, and where it is written on which port it listens.
pub(super) type Listens = (GatewayName, GatewaySpec, Option<Place>);

/// Of which kind a gateway of one's own is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Managed,
    /// An Application Load Balancer, which has limits of its own.
    Alb,
}

fn kind(dedicated: &Block) -> Kind {
    let word = found::<Arc<str>>(dedicated, "type");
    if word.as_deref() == Some("alb") { Kind::Alb } else { Kind::Managed }
}

/// The gateways that are of one's own on a platform.
pub(super) fn dedicated(blocks: &[Block]) -> BTreeMap<String, Kind> {
    let gateways = blocks.iter().filter(|block| block.row.path == "gateway");
    gateways.filter_map(|block| Some((block.key()?, kind(block.child("dedicated")?)))).collect()
}
