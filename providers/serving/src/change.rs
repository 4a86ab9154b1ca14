//! The changes of a gateway's configuration. Each holds however often it is made.

use crate::words;
use std::{collections::BTreeSet, net::IpAddr};
use wharf_gateway::{Config, Endpoint, EndpointState, Listener, Route};
use wharf_model::{GatewayName, InstanceId, NlbName, NlbSpec, ServiceName};

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
pub fn serve(config: &mut Config, gateway: &GatewayName, instance: &InstanceId, endpoint: Endpoint) -> bool {
    let name = words::route_name(gateway, &instance.service);
    let Some(route) = config.routes.iter_mut().find(|route| route.name == name) else { return false };
    put(route, endpoint);
    true
}

fn put(route: &mut Route, endpoint: Endpoint) {
    route.endpoints.retain(|known| known.name != endpoint.name);
    route.endpoints.push(endpoint);
}

/// Lets a balancer join connections to an instance, wherever it leads to its service.
pub fn join(config: &mut Config, instance: &InstanceId, endpoint: &Endpoint) {
    let led_to = config.routes.iter_mut().filter(|route| route.service == instance.service.as_str());
    led_to.for_each(|route| put(route, endpoint.clone()));
}

/// Brings a balancer to its spec: a listener for each port, which joins connections to the instances of its service.
/// Those that are known to it stay as they are.
pub fn set_balancer(config: &mut Config, balancer: &NlbName, spec: &NlbSpec, address: IpAddr) {
    let joined = |(port, service): (&u16, &ServiceName)| Listener {
        joins: Some(words::route_name(balancer, service)),
        ..Listener::plain(format!("{balancer}:{port}"), (address, *port).into())
    };
    config.listeners = spec.listeners.iter().map(joined).collect();
    let targets: BTreeSet<&ServiceName> = spec.listeners.values().collect();
    let before = std::mem::take(&mut config.routes);
    let route = |service: &ServiceName| {
        let name = words::route_name(balancer, service);
        let known = before.iter().find(|route| route.name == name).cloned();
        known.unwrap_or_else(|| Route { name, service: service.to_string(), ..Route::default() })
    };
    config.routes = targets.into_iter().map(route).collect();
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
