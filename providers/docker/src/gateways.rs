//! Gateways: doors that send requests to the instances of services.

use crate::{
    door::Door,
    doors::{Doors, Reach, Wanted, WhenDown},
    format::{GatewayLabels, RECORDS, RouteLabel},
};
use std::{
    net::{IpAddr, SocketAddr},
    path::{Component, Path, PathBuf},
};
use wharf_gateway::Config;
use wharf_model::{GatewayName, GatewaySpec, InstanceId, RouteSpec, ServiceName};
use wharf_provider::{OpContext, ProviderError};

impl Doors {
    /// Makes the gateway, or brings it to `spec`; starts it when it does not run.
    pub(crate) async fn put_gateway(
        &self,
        gateway: &GatewayName,
        spec: &GatewaySpec,
        cx: &OpContext,
    ) -> Result<(), ProviderError> {
        let listen = SocketAddr::new(spec.address, spec.port);
        let listener = wharf_serving::listener(gateway, spec, (everywhere(spec.address), spec.port).into())?;
        let wanted = Wanted {
            listen: vec![listen],
            network: spec.network.as_ref(),
            fingerprint: spec.fingerprint().to_string(),
        };
        let door = Door::Gateway(gateway.clone());
        let traces = wharf_serving::traces(gateway, spec, &self.owner, &cx.secrets)?;
        let change = |config: &mut Config| {
            config.listeners = vec![listener];
            config.traces = traces;
        };
        self.bring(&door, wanted, change, cx).await
    }

    /// Sets a route; its endpoints stay as they are.
    pub(crate) async fn put_route(&self, spec: &RouteSpec, cx: &OpContext) -> Result<(), ProviderError> {
        let mut route = wharf_serving::route(spec, &cx.secrets)?;
        route.records = spec.records.as_ref().map(|file| wharf_serving::records(file, kept_at(&file.path)));
        let label = RouteLabel { operation: cx.operation.to_string(), fingerprint: spec.fingerprint().to_string() };
        let service = spec.service.to_string();
        let set = |config: &mut Config, labels: &mut GatewayLabels| {
            wharf_serving::set_route(config, route);
            labels.routes.insert(service, label);
        };
        self.change(&Door::Gateway(spec.gateway.clone()), WhenDown::Refuse, None, set).await
    }

    /// Removes a route. One that is gone is fine.
    pub(crate) async fn delete_route(&self, gateway: &GatewayName, service: &ServiceName) -> Result<(), ProviderError> {
        let remove = |config: &mut Config, labels: &mut GatewayLabels| {
            wharf_serving::remove_route(config, gateway, service);
            labels.routes.remove(service.as_str());
        };
        self.change(&Door::Gateway(gateway.clone()), WhenDown::Write, None, remove).await
    }

    /// Lets the gateway send requests to an instance.
    pub(crate) async fn serve(
        &self,
        gateway: &GatewayName,
        (instance, address): (&InstanceId, SocketAddr),
        probe: &wharf_gateway::Probe,
        cx: &OpContext,
    ) -> Result<(), ProviderError> {
        let mut found = false;
        let serve = |config: &mut Config, _: &mut GatewayLabels| {
            let endpoint = wharf_serving::endpoint(instance, address, probe.clone());
            found = wharf_serving::serve(config, gateway, instance, endpoint);
        };
        let reach = Reach { instance, address, operation: &cx.operation };
        self.change(&Door::Gateway(gateway.clone()), WhenDown::Refuse, Some(reach), serve).await?;
        if found {
            return Ok(());
        }
        let attempt = format!("cannot send requests to {instance}: gateway {gateway} has no route to its service");
        Err(ProviderError::Missing { attempt, help: "apply again: the route will be set again".to_owned() })
    }

    /// Sends an instance no new requests. A gateway that does not know it is fine.
    pub(crate) async fn drain(&self, gateway: &GatewayName, instance: &InstanceId) -> Result<(), ProviderError> {
        self.take_out(&Door::Gateway(gateway.clone()), |config| wharf_serving::drain(config, instance)).await
    }

    /// Forgets an instance.
    pub(crate) async fn forget(&self, gateway: &GatewayName, instance: &InstanceId) -> Result<(), ProviderError> {
        self.take_out(&Door::Gateway(gateway.clone()), |config| wharf_serving::forget(config, instance)).await
    }

    /// Changes a door so that it leads to less than before: one that is down takes that up when it is back.
    pub(crate) async fn take_out(&self, door: &Door, change: impl FnOnce(&mut Config)) -> Result<(), ProviderError> {
        self.change(door, WhenDown::Write, None, |config, _| change(config)).await
    }

    /// Whether the gateway has a route to the service.
    pub(crate) async fn has_route(&self, gateway: &GatewayName, service: &ServiceName) -> Result<bool, ProviderError> {
        let door = Door::Gateway(gateway.clone());
        let Some(found) = self.found(&door).await? else { return Ok(false) };
        let seen = self.seen(&door, &found).await?;
        let routes = seen.config.map(|config| config.routes).unwrap_or_default();
        Ok(routes.iter().any(|route| route.service == service.as_str()))
    }

    /// Whether there is a container of the door.
    pub(crate) async fn exists(&self, door: &Door) -> Result<bool, ProviderError> {
        Ok(self.found(door).await?.is_some())
    }
}

/// Every address that a container has, of the kind that is listened at outside.
pub(crate) fn everywhere(outside: IpAddr) -> IpAddr {
    match outside {
        IpAddr::V4(_) => IpAddr::from([0, 0, 0, 0]),
        IpAddr::V6(_) => IpAddr::from([0_u16; 8]),
    }
}

/// Where in a gateway's container a file of records is: always in the volume for them.
fn kept_at(file: &str) -> PathBuf {
    let named = Path::new(file).components().filter(|part| matches!(part, Component::Normal(_)));
    Path::new(RECORDS).join(named.collect::<PathBuf>())
}
