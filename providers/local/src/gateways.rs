//! Gateways as their folders and they themselves tell it, and every change of them.
//!
//! A gateway has one configuration that is always replaced as a whole, so each change reads it, alters it and hands it
//! back, one at a time for each gateway. Where a gateway is down, what takes something out of service is written into
//! the configuration that it will take up again; what puts something into service is refused.

use crate::{
    doors::{Door, WhenDown},
    error::disk,
    files,
    format::{FORMAT, RouteLabel, RouteLabels},
    labels::{self, OfGateway},
    layout::Layout,
};
use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use wharf_gateway::{Certificate, Config, Endpoint, Listener};
use wharf_model::{GatewayName, GatewaySpec, InstanceId, RouteSpec, ServiceName};
use wharf_provider::{OpContext, Owner, ProviderError};

/// The files that are ours in a gateway's folder; the others are its own.
fn labels_of(folder: &Path) -> PathBuf {
    folder.join("labels.json")
}

fn routes_of(folder: &Path) -> PathBuf {
    folder.join("routes.json")
}

/// What its routes were set from.
pub(crate) fn route_labels(folder: &Path) -> BTreeMap<String, RouteLabel> {
    labels::read::<RouteLabels>(&routes_of(folder)).map(|stored| stored.routes).unwrap_or_default()
}

/// The labels of the gateway of this folder.
pub(crate) fn gateway_labels(folder: &Path, gateway: &GatewayName, owner: &Owner) -> Option<OfGateway> {
    OfGateway::read(&labels_of(folder), gateway, owner)
}

/// The gateways of one environment, for those who change them.
pub(crate) struct Gateways {
    layout: Layout,
    owner: Owner,
    /// Files that the project names are found from here.
    project: PathBuf,
    program: PathBuf,
    turns: Mutex<HashMap<GatewayName, Arc<tokio::sync::Mutex<()>>>>,
}

impl Gateways {
    pub(crate) fn new(layout: Layout, owner: Owner, project: PathBuf, program: PathBuf) -> Self {
        Self { layout, owner, project, program, turns: Mutex::new(HashMap::new()) }
    }

    fn door(&self, gateway: &GatewayName) -> Door<'_> {
        let (what, folder) = (format!("gateway {gateway}"), self.layout.gateway(gateway));
        Door { what, folder, program: &self.program }
    }

    async fn turn(&self, gateway: &GatewayName) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            turns.entry(gateway.clone()).or_default().clone()
        };
        turn.lock_owned().await
    }

    /// Makes the gateway, or brings it to `spec`; starts it when it does not run.
    pub(crate) async fn put(
        &self,
        gateway: &GatewayName,
        spec: &GatewaySpec,
        cx: &OpContext,
    ) -> Result<(), ProviderError> {
        let _turn = self.turn(gateway).await;
        let new = !self.layout.gateway(gateway).exists();
        let brought = self.bring(gateway, spec, cx).await;
        if new && brought.is_err() {
            // The first failure is the one to tell.
            drop(self.door(gateway).remove().await);
        }
        brought
    }

    async fn bring(&self, gateway: &GatewayName, spec: &GatewaySpec, cx: &OpContext) -> Result<(), ProviderError> {
        // What is refused leaves everything as it is, the label too.
        let listener = self.listener(gateway, spec)?;
        let traces = wharf_serving::traces(gateway, spec, &self.owner, &cx.secrets)?;
        let folder = self.layout.gateway(gateway);
        let mut labels = OfGateway {
            owner: self.owner.clone(),
            gateway: gateway.clone(),
            operation: cx.operation.clone(),
            fingerprint: spec.fingerprint(),
            settled: false,
        };
        let made = files::private_folder(&folder).and_then(|()| labels.write(&labels_of(&folder)));
        made.map_err(disk(format!("cannot create gateway {gateway}")))?;
        let change = |config: &mut Config| {
            config.listeners = vec![listener.clone()];
            config.traces = traces.clone();
        };
        self.door(gateway).bring(change).await?;
        labels.settled = true;
        labels.write(&labels_of(&folder)).map_err(disk(format!("cannot label gateway {gateway}")))
    }

    fn listener(&self, gateway: &GatewayName, spec: &GatewaySpec) -> Result<Listener, ProviderError> {
        // The certificate's key is in the same file.
        let certificate = |domain: &wharf_model::Domain| {
            let file = self.project.join(&**domain.certificate.as_ref()?);
            Some(Certificate { domain: domain.name.to_string(), chain: file.clone(), key: file })
        };
        Ok(Listener {
            certificates: spec.domain.iter().filter_map(certificate).collect(),
            ..wharf_serving::listener(gateway, spec, SocketAddr::new(spec.address, spec.port))?
        })
    }

    /// Stops the gateway and removes what belongs to it. One that is gone is fine.
    pub(crate) async fn delete(&self, gateway: &GatewayName) -> Result<(), ProviderError> {
        let _turn = self.turn(gateway).await;
        self.door(gateway).remove().await
    }

    /// Sets a route; its endpoints stay as they are.
    pub(crate) async fn put_route(&self, spec: &RouteSpec, cx: &OpContext) -> Result<(), ProviderError> {
        let gateway = &spec.gateway;
        let _turn = self.turn(gateway).await;
        let mut route = wharf_serving::route(spec, &cx.secrets)?;
        route.records = spec.records.as_ref().map(|file| wharf_serving::records(file, self.project.join(&*file.path)));
        self.door(gateway).replace(WhenDown::Refuse, |config| wharf_serving::set_route(config, route)).await?;
        let label = RouteLabel { operation: cx.operation.to_string(), fingerprint: spec.fingerprint().to_string() };
        self.label_route(gateway, &spec.service, Some(label))
    }

    /// Removes a route. One that is gone is fine.
    pub(crate) async fn delete_route(&self, gateway: &GatewayName, service: &ServiceName) -> Result<(), ProviderError> {
        let _turn = self.turn(gateway).await;
        if !self.layout.gateway(gateway).exists() {
            return Ok(());
        }
        let remove = |config: &mut Config| wharf_serving::remove_route(config, gateway, service);
        self.door(gateway).replace(WhenDown::Write, remove).await?;
        self.label_route(gateway, service, None)
    }

    fn label_route(
        &self,
        gateway: &GatewayName,
        service: &ServiceName,
        label: Option<RouteLabel>,
    ) -> Result<(), ProviderError> {
        let folder = self.layout.gateway(gateway);
        let mut routes = route_labels(&folder);
        match label {
            Some(label) => drop(routes.insert(service.to_string(), label)),
            None => drop(routes.remove(service.as_str())),
        }
        let stored = RouteLabels { format: FORMAT, routes };
        let attempt = format!("cannot label route {gateway}/{service}");
        labels::write(&routes_of(&folder), &stored).map_err(disk(attempt))
    }

    /// Lets the gateway send requests to an instance.
    pub(crate) async fn serve(
        &self,
        gateway: &GatewayName,
        instance: &InstanceId,
        endpoint: &Endpoint,
    ) -> Result<(), ProviderError> {
        let _turn = self.turn(gateway).await;
        let mut found = false;
        let serve = |config: &mut Config| found = wharf_serving::serve(config, gateway, instance, endpoint.clone());
        self.door(gateway).replace(WhenDown::Refuse, serve).await?;
        if found {
            return Ok(());
        }
        let attempt = format!("cannot send requests to {instance}: gateway {gateway} has no route to its service");
        Err(ProviderError::Missing { attempt, help: "apply again: the route will be set again".to_owned() })
    }

    /// Sends an instance no new requests. A gateway that does not know it is fine.
    pub(crate) async fn drain(&self, gateway: &GatewayName, instance: &InstanceId) -> Result<(), ProviderError> {
        self.take_out(gateway, |config| wharf_serving::drain(config, instance)).await
    }

    /// Forgets an instance.
    pub(crate) async fn forget(&self, gateway: &GatewayName, instance: &InstanceId) -> Result<(), ProviderError> {
        self.take_out(gateway, |config| wharf_serving::forget(config, instance)).await
    }

    async fn take_out(&self, gateway: &GatewayName, change: impl FnOnce(&mut Config)) -> Result<(), ProviderError> {
        let _turn = self.turn(gateway).await;
        if !self.layout.gateway(gateway).exists() {
            return Ok(());
        }
        self.door(gateway).replace(WhenDown::Write, change).await
    }
}
