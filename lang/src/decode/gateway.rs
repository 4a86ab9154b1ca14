//! Gateways.

use super::{Decode, name};
use crate::{
    block::Block,
    problem::{Code, Problem},
    source::Place,
};
use std::net::IpAddr;
use wharf_model::{Address, Bytes, Field, FieldPath, GatewayName, GatewaySpec};

impl Decode<'_> {
    pub(super) fn gateway(&mut self, block: &Block) -> Option<(GatewayName, GatewaySpec)> {
        let (at, gateway) = name::<GatewayName>(block)?;
        let address = Address::Gateway(gateway.clone());
        self.declare(address.clone(), at);
        let max_body = self.take(&address, Field::MaxBody, block.value::<Bytes>("max-body"));
        let listen = block.child("listen")?;
        let port = listen.argument::<u32>(0)?;
        let interface = listen.property::<IpAddr>("address")?;
        self.note(&address, FieldPath::of(Field::Listen), port.at);
        let spec = GatewaySpec { port: u16::try_from(port.value).ok()?, address: interface.value, max_body };
        self.check_listen(&gateway, &spec, port.at);
        self.listens.push((gateway.clone(), spec.clone(), port.at));
        Some((gateway, spec))
    }

    /// Two gateways cannot listen on one port, unless on different interfaces.
    fn check_listen(&mut self, gateway: &GatewayName, spec: &GatewaySpec, at: Option<Place>) {
        let clash = |one: IpAddr, two: IpAddr| one == two || one.is_unspecified() || two.is_unspecified();
        let other =
            self.listens.iter().find(|(_, other, _)| other.port == spec.port && clash(other.address, spec.address));
        if let Some((other, _, first)) = other {
            let message = format!("gateway `{gateway}` listens where gateway `{other}` does: port {}", spec.port);
            let problem = Problem::error(Code::ListenConflict, message).at(at, "taken").and(*first, "first taken here");
            self.report(problem.help("give each gateway a port of its own".to_owned()));
        }
    }
}
