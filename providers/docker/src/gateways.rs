//! Gateways as their containers and they themselves tell it, and every change of them.
//!
//! A gateway has one configuration that is always replaced as a whole, so each change reads it, alters it and hands it
//! back, one at a time for each gateway. Where a gateway is down, what takes something out of service is written into
//! the configuration that it will take up again; what puts something into service is refused.

use crate::{
    archive::{Member, first_file, pack},
    engine::{Eyes, Hands},
    error::{self, disk},
    format::{CONFIG, FORMAT, GatewayLabels, LABELS, RECORDS, RouteLabel, Seen},
    labels::{self, OfGateway},
    names,
    network::Place,
    program::{self, PROGRAM},
    request::{attachment, logs},
    start::labels_of,
    window::Windows,
};
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, HostConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum,
    VolumeCreateRequest,
};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use wharf_gateway::{Config, Status};
use wharf_model::{GatewayName, GatewaySpec, InstanceId, Probe, RouteSpec, ServiceName};
use wharf_provider::{OpContext, Owner, ProviderError};

/// How long a gateway may take to start.
const START: Duration = Duration::from_secs(15);

/// How many seconds open requests may go on when a gateway ends.
const GRACE: i32 = 3;

/// The gateways of one environment, for those who change them.
pub(crate) struct Gateways {
    hands: Hands,
    owner: Owner,
    program: PathBuf,
    windows: Windows,
    place: Arc<tokio::sync::Mutex<Place>>,
    turns: Mutex<HashMap<GatewayName, Arc<tokio::sync::Mutex<()>>>>,
}

/// Whether a change may wait until the gateway is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WhenDown {
    /// It is written into the configuration that the gateway takes up.
    Write,
    /// It is refused.
    Refuse,
}

/// A gateway's container.
struct Found {
    labels: OfGateway,
    runs: bool,
}

/// What a gateway that does not run would take up again.
pub(crate) async fn stored(eyes: &Eyes, owner: &Owner, gateway: &GatewayName) -> Result<Seen, ProviderError> {
    let container = names::gateway(owner, gateway);
    let attempt = || format!("cannot read the configuration of gateway {gateway}");
    let read = async |path| {
        let archive = eyes.download(&container, path).await.map_err(error::engine(attempt()))?;
        let file = archive.map(|archive| first_file(&archive)).transpose().map_err(disk(attempt()))?;
        Ok(file.flatten())
    };
    let (config, labels) = (read(CONFIG).await?, read(LABELS).await?);
    Ok(Seen {
        config: config.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
        labels: labels.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
        ..Seen::default()
    })
}

impl Gateways {
    pub(crate) fn new(
        hands: Hands,
        owner: Owner,
        program: PathBuf,
        windows: Windows,
        place: Arc<tokio::sync::Mutex<Place>>,
    ) -> Self {
        Self { hands, owner, program, windows, place, turns: Mutex::new(HashMap::new()) }
    }

    async fn turn(&self, gateway: &GatewayName) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.entry(gateway.clone()).or_default().clone()
        };
        turn.lock_owned().await
    }

    async fn found(&self, gateway: &GatewayName) -> Result<Option<Found>, ProviderError> {
        let container = names::gateway(&self.owner, gateway);
        let attempt = format!("cannot look at gateway {gateway}");
        let found = self.hands.container(&container).await.map_err(error::engine(attempt))?;
        let Some(found) = found else { return Ok(None) };
        let labels = labels_of(&found).and_then(|labels| OfGateway::read(labels, &self.owner));
        let labels = labels.ok_or_else(|| ProviderError::Conflict {
            attempt: format!("container {container} is somebody else's"),
            help: format!("if nothing needs it, remove it: `docker rm -f {container}`"),
        })?;
        Ok(Some(Found { labels, runs: runs(&found) }))
    }

    /// What is known of a gateway: from itself when it runs, else from its files.
    async fn seen(&self, gateway: &GatewayName, found: &Found) -> Result<Seen, ProviderError> {
        if found.runs {
            return self.windows.look(gateway, Vec::new()).await;
        }
        stored(&self.hands, &self.owner, gateway).await
    }

    /// Makes the gateway, or brings it to `spec`; starts it when it does not run.
    pub(crate) async fn put(
        &self,
        gateway: &GatewayName,
        spec: &GatewaySpec,
        cx: &OpContext,
    ) -> Result<(), ProviderError> {
        let _turn = self.turn(gateway).await;
        let listen = SocketAddr::new(spec.address, spec.port);
        let found = self.found(gateway).await?;
        let seen = match &found {
            Some(found) => self.seen(gateway, found).await?,
            None => Seen::default(),
        };
        let mut labels = GatewayLabels {
            format: FORMAT,
            operation: cx.operation.to_string(),
            fingerprint: spec.fingerprint().to_string(),
            settled: true,
            ..seen.labels.clone().unwrap_or_default()
        };
        let before = seen.config.unwrap_or_else(Config::empty);
        let everywhere = match listen {
            SocketAddr::V4(_) => IpAddr::from([0, 0, 0, 0]),
            SocketAddr::V6(_) => IpAddr::from([0_u16; 8]),
        };
        let listener = wharf_serving::listener(gateway, spec, (everywhere, listen.port()).into())?;
        let stays = found.as_ref().is_some_and(|found| found.runs && found.labels.listen == listen);
        if let (true, Some(status)) = (stays, &seen.status) {
            let config = Config { listeners: vec![listener], ..before.clone() };
            self.take(gateway, config, &before, status).await?;
            return self.windows.label(&self.hands, gateway, &labels).await;
        }
        let config = Config { generation: before.generation + 1, listeners: vec![listener], ..before };
        // Before anything is taken away.
        let image = program::image(&self.hands, &self.program, &self.owner, &cx.operation).await?;
        if found.is_some() {
            self.remove(gateway).await?;
        }
        let made = self.make(gateway, image, (listen, &config, &labels), cx).await;
        if made.is_err() && found.is_none() {
            // The first failure is the one to tell.
            drop(self.remove(gateway).await);
        } else if made.is_err() {
            // It keeps what it knew of its routes for the next try.
            labels.settled = false;
            drop(self.write(gateway, &config, &labels).await);
        }
        made
    }

    /// Makes a new container for a gateway that has none, and starts it.
    async fn make(
        &self,
        gateway: &GatewayName,
        image: String,
        (listen, config, labels): (SocketAddr, &Config, &GatewayLabels),
        cx: &OpContext,
    ) -> Result<(), ProviderError> {
        let attempt = || format!("cannot start gateway {gateway}");
        // It outlives the container: a gateway that moves goes on in the same files.
        let records = VolumeCreateRequest {
            name: Some(names::records(&self.owner)),
            labels: Some(labels::shared(&self.owner, &cx.operation)),
            ..VolumeCreateRequest::default()
        };
        self.hands.create_volume(records).await.map_err(error::engine(attempt()))?;
        let (net, ip) = self.place.lock().await.take(&self.hands, &self.owner, &cx.operation).await?;
        let own = OfGateway {
            gateway: gateway.clone(),
            listen,
            endpoint: (ip, listen.port()).into(),
            operation: cx.operation.clone(),
        };
        let body = ContainerCreateBody {
            image: Some(image),
            entrypoint: Some(vec![PROGRAM.to_owned()]),
            cmd: Some(["gateway", "--dir", crate::format::STATE].map(str::to_owned).to_vec()),
            labels: Some(own.write(&self.owner)),
            exposed_ports: Some(vec![port(listen)]),
            host_config: Some(HostConfig {
                network_mode: Some(net.id.clone()),
                binds: Some(vec![format!("{}:{RECORDS}", names::records(&self.owner))]),
                port_bindings: Some(HashMap::from([(port(listen), Some(vec![binding(listen)]))])),
                log_config: Some(logs()),
                // It serves on when wharf is gone, and comes back when the engine does.
                restart_policy: Some(RestartPolicy {
                    name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
                    ..RestartPolicy::default()
                }),
                ..HostConfig::default()
            }),
            networking_config: Some(attachment(&net, ip, &[gateway.as_str()])),
            ..ContainerCreateBody::default()
        };
        let container = names::gateway(&self.owner, gateway);
        self.hands.create(&container, body).await.map_err(error::engine(attempt()))?;
        self.write(gateway, config, labels).await?;
        self.hands.start(&container).await.map_err(error::engine(attempt()))?;
        self.awake(gateway, config.generation).await
    }

    async fn awake(&self, gateway: &GatewayName, generation: u64) -> Result<(), ProviderError> {
        let begin = Instant::now();
        loop {
            let looked = self.windows.look(gateway, Vec::new()).await;
            let status = looked.as_ref().ok().and_then(|seen| seen.status.as_ref());
            if status.is_some_and(|status| status.generation >= generation) {
                return Ok(());
            }
            let attempt = format!("cannot start gateway {gateway}");
            let found = self.found(gateway).await?;
            if found.is_none_or(|found| !found.runs) || begin.elapsed() > START {
                let container = names::gateway(&self.owner, gateway);
                let words = crate::logs::last(&self.hands, &container, 1).await.unwrap_or_default();
                let words = words.into_iter().next_back().unwrap_or_else(|| "it does not answer".to_owned());
                let help = "look at the cause; when it is mended, apply again".to_owned();
                return Err(ProviderError::Rejected { attempt: format!("{attempt}: {words}"), help, source: None });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Writes what a gateway that does not run takes up.
    async fn write(&self, gateway: &GatewayName, config: &Config, labels: &GatewayLabels) -> Result<(), ProviderError> {
        let attempt = || format!("cannot write the configuration of gateway {gateway}");
        let text = |error: serde_json::Error| disk(attempt())(error.into());
        let (config, labels) = (serde_json::to_vec(config).map_err(text)?, serde_json::to_vec(labels).map_err(text)?);
        let member = |path: &'static str, bytes| Member { path: path.trim_start_matches('/'), mode: 0o600, bytes };
        let archive = pack(&[member(CONFIG, &config), member(LABELS, &labels)]).map_err(disk(attempt()))?;
        let container = names::gateway(&self.owner, gateway);
        self.hands.upload(&container, "/", archive).await.map_err(error::engine(attempt()))
    }

    /// Stops the gateway and removes what belongs to it. One that is gone is fine.
    pub(crate) async fn delete(&self, gateway: &GatewayName) -> Result<(), ProviderError> {
        let _turn = self.turn(gateway).await;
        self.remove(gateway).await
    }

    async fn remove(&self, gateway: &GatewayName) -> Result<(), ProviderError> {
        let Some(found) = self.found(gateway).await? else { return Ok(()) };
        let container = names::gateway(&self.owner, gateway);
        let attempt = || format!("cannot stop gateway {gateway}");
        self.hands.stop(&container, GRACE).await.map_err(error::engine(attempt()))?;
        self.hands.remove(&container).await.map_err(error::engine(attempt()))?;
        if let IpAddr::V4(ip) = found.labels.endpoint.ip() {
            self.place.lock().await.give_back(ip);
        }
        Ok(())
    }

    /// Sets a route; its endpoints stay as they are.
    pub(crate) async fn put_route(&self, spec: &RouteSpec, cx: &OpContext) -> Result<(), ProviderError> {
        let mut route = wharf_serving::route(spec, &cx.secrets)?;
        route.records = spec.records.as_ref().map(|file| wharf_serving::records(kept_at(file)));
        let label = RouteLabel { operation: cx.operation.to_string(), fingerprint: spec.fingerprint().to_string() };
        let service = spec.service.to_string();
        let set = |config: &mut Config, labels: &mut GatewayLabels| {
            wharf_serving::set_route(config, route);
            labels.routes.insert(service, label);
        };
        self.change(&spec.gateway, WhenDown::Refuse, set).await
    }

    /// Removes a route. One that is gone is fine.
    pub(crate) async fn delete_route(&self, gateway: &GatewayName, service: &ServiceName) -> Result<(), ProviderError> {
        let remove = |config: &mut Config, labels: &mut GatewayLabels| {
            wharf_serving::remove_route(config, gateway, service);
            labels.routes.remove(service.as_str());
        };
        self.change(gateway, WhenDown::Write, remove).await
    }

    /// Lets the gateway send requests to an instance.
    pub(crate) async fn serve(
        &self,
        gateway: &GatewayName,
        instance: &InstanceId,
        address: SocketAddr,
        probe: &Probe,
    ) -> Result<(), ProviderError> {
        let mut found = false;
        let serve = |config: &mut Config, _: &mut GatewayLabels| {
            found = wharf_serving::serve(config, gateway, instance, address, probe);
        };
        self.change(gateway, WhenDown::Refuse, serve).await?;
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
        self.change(gateway, WhenDown::Write, |config, _| change(config)).await
    }

    /// Replaces the configuration and the labels, if the change changes anything.
    async fn change(
        &self,
        gateway: &GatewayName,
        when_down: WhenDown,
        change: impl FnOnce(&mut Config, &mut GatewayLabels),
    ) -> Result<(), ProviderError> {
        let _turn = self.turn(gateway).await;
        let missing = || {
            let attempt = format!("gateway {gateway} does not run");
            ProviderError::Missing { attempt, help: "apply again: it will be started".to_owned() }
        };
        let Some(found) = self.found(gateway).await? else {
            return if when_down == WhenDown::Write { Ok(()) } else { Err(missing()) };
        };
        let seen = self.seen(gateway, &found).await?;
        let before = (seen.config.unwrap_or_else(Config::empty), seen.labels.unwrap_or_default());
        let (mut config, mut labels) = before.clone();
        change(&mut config, &mut labels);
        let Some(status) = seen.status else {
            if when_down == WhenDown::Refuse {
                return Err(missing());
            }
            if (&config, &labels) != (&before.0, &before.1) {
                config.generation += 1;
                self.write(gateway, &config, &labels).await?;
            }
            return Ok(());
        };
        self.take(gateway, config, &before.0, &status).await?;
        if labels != before.1 {
            self.windows.label(&self.hands, gateway, &labels).await?;
        }
        Ok(())
    }

    /// Makes a gateway that runs take a configuration, if that is another than it has.
    async fn take(
        &self,
        gateway: &GatewayName,
        mut config: Config,
        before: &Config,
        status: &Status,
    ) -> Result<(), ProviderError> {
        if config == *before && status.generation >= before.generation {
            return Ok(());
        }
        config.generation = before.generation.max(status.generation) + 1;
        let taken = self.windows.replace(&self.hands, gateway, &config).await?;
        taken.map_err(|problems| ProviderError::Rejected {
            attempt: format!("gateway {gateway} did not take its configuration: {}", problems.join("; ")),
            help: "correct what it names in the project's files".to_owned(),
            source: None,
        })
    }

    /// Whether the gateway has a route to the service.
    pub(crate) async fn has_route(&self, gateway: &GatewayName, service: &ServiceName) -> Result<bool, ProviderError> {
        let Some(found) = self.found(gateway).await? else { return Ok(false) };
        let seen = self.seen(gateway, &found).await?;
        let routes = seen.config.map(|config| config.routes).unwrap_or_default();
        Ok(routes.iter().any(|route| route.service == service.as_str()))
    }

    /// Whether there is a container of the gateway.
    pub(crate) async fn exists(&self, gateway: &GatewayName) -> Result<bool, ProviderError> {
        Ok(self.found(gateway).await?.is_some())
    }
}

/// Where in a gateway's container a file of records is: always in the volume for them.
fn kept_at(file: &str) -> PathBuf {
    let named = Path::new(file).components().filter(|part| matches!(part, Component::Normal(_)));
    Path::new(RECORDS).join(named.collect::<PathBuf>())
}

fn runs(found: &ContainerInspectResponse) -> bool {
    found.state.as_ref().and_then(|state| state.running).unwrap_or(false)
}

fn port(listen: SocketAddr) -> String {
    format!("{}/tcp", listen.port())
}

fn binding(listen: SocketAddr) -> PortBinding {
    PortBinding { host_ip: Some(listen.ip().to_string()), host_port: Some(listen.port().to_string()) }
}
