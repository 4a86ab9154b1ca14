//! The changes of a gateway's configuration. Each holds however often it is made.

use crate::words;
use std::net::SocketAddr;
use wharf_gateway::{Config, Endpoint, EndpointState, Route};
use wharf_model::{GatewayName, InstanceId, Probe, ServiceName};

/// Sets a route; the endpoints of one that is known stay as they are.
pub fn set_route(config: &mut Config, mut route: Route) {
    match config.routes.iter_mut().find(|known| known.name == route.name) {
        Some(known) => {
            route.endpoints = std::mem::take(&mut known.endpoints);
            *known = route;
        }
        None => config.routes.push(route),
    }
}

/// Removes the route to a service, with its endpoints.
pub fn remove_route(config: &mut Config, gateway: &GatewayName, service: &ServiceName) {
    let name = words::route_name(gateway, service);
    config.routes.retain(|route| route.name != name);
}

/// Lets the route to its service send requests to an instance. Answers whether there is such a route.
#[must_use]
pub fn serve(
    config: &mut Config,
    gateway: &GatewayName,
    instance: &InstanceId,
    address: SocketAddr,
    probe: &Probe,
) -> bool {
    let name = words::route_name(gateway, &instance.service);
    let Some(route) = config.routes.iter_mut().find(|route| route.name == name) else { return false };
    let probe = Some(words::probe(probe));
    let endpoint = Endpoint { probe, ..Endpoint::serving(instance.to_string(), address) };
    route.endpoints.retain(|known| known.name != endpoint.name);
    route.endpoints.push(endpoint);
    true
}

/// Sends an instance no new requests; its open ones go on.
pub fn drain(config: &mut Config, instance: &InstanceId) {
    let name = instance.to_string();
    let endpoints = config.routes.iter_mut().flat_map(|route| &mut route.endpoints);
    endpoints.filter(|endpoint| endpoint.name == name).for_each(|endpoint| endpoint.state = EndpointState::Draining);
}

/// Forgets an instance.
pub fn forget(config: &mut Config, instance: &InstanceId) {
    let name = instance.to_string();
    config.routes.iter_mut().for_each(|route| route.endpoints.retain(|endpoint| endpoint.name != name));
}
