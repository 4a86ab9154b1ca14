//! Gateways as their folders and they themselves tell it, and every change of them.
//!
//! A gateway has one configuration that is always replaced as a whole, so each change reads it, alters it and hands it
//! back, one at a time for each gateway. Where a gateway is down, what takes something out of service is written into
//! the configuration that it will take up again; what puts something into service is refused.

use crate::{
    error::disk,
    files,
    format::{FORMAT, RouteLabel, RouteLabels},
    labels::{self, OfGateway},
    layout::Layout,
    listen,
    lock::{self, Grip, Holder},
    roles,
};
use rustix::process::Signal;
use std::{
    collections::{BTreeMap, HashMap},
    fs::OpenOptions,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};
use wharf_gateway::{Certificate, Client, Config, ControlError, Listener, Status};
use wharf_model::{GatewayName, GatewaySpec, InstanceId, Probe, RouteSpec, ServiceName};
use wharf_provider::{OpContext, Owner, ProviderError};

/// How long a gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a gateway may take to start.
const START: Duration = Duration::from_secs(15);

/// How long open requests may go on when a gateway is deleted.
const GRACE: Duration = Duration::from_secs(3);

/// The files that are ours in a gateway's folder; the others are its own.
fn labels_of(folder: &Path) -> PathBuf {
    folder.join("labels.json")
}

fn routes_of(folder: &Path) -> PathBuf {
    folder.join("routes.json")
}

fn output_of(folder: &Path) -> PathBuf {
    folder.join("output")
}

/// What a gateway answers; `None` when none runs there, or when it does not answer.
pub(crate) async fn status(folder: &Path) -> Option<Status> {
    let asked = async { Client::connect(folder).await?.status().await };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(status)) => Some(status),
        Ok(Err(ControlError::NotRunning { .. })) => None,
        Ok(Err(error)) => {
            tracing::warn!(folder = %folder.display(), %error, "a gateway does not answer");
            None
        }
        Err(_) => {
            tracing::warn!(folder = %folder.display(), "a gateway does not answer in time");
            None
        }
    }
}

/// What a gateway answers, as [`status`]; one that runs and does not answer yet is waited for.
async fn awake(folder: &Path) -> Option<Status> {
    let begin = Instant::now();
    loop {
        let status = status(folder).await;
        let runs = matches!(lock::holder(&folder.join("lock")), Ok(holder) if holder != Holder::Nobody);
        if status.is_some() || !runs || begin.elapsed() > PATIENCE {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The configuration that the gateway serves, or would take up again.
pub(crate) fn config(folder: &Path) -> Option<Config> {
    labels::read(&folder.join("config.json"))
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

/// Whether a change may wait until the gateway is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WhenDown {
    /// It is written into the configuration that the gateway takes up.
    Write,
    /// It is refused.
    Refuse,
}

impl Gateways {
    pub(crate) fn new(layout: Layout, owner: Owner, project: PathBuf, program: PathBuf) -> Self {
        Self { layout, owner, project, program, turns: Mutex::new(HashMap::new()) }
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
            drop(self.remove(gateway).await);
        }
        brought
    }

    async fn bring(&self, gateway: &GatewayName, spec: &GatewaySpec, cx: &OpContext) -> Result<(), ProviderError> {
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
        let listener = self.listener(gateway, spec);
        match awake(&folder).await {
            Some(_) => self.listen(gateway, listener).await?,
            None => self.start(gateway, listener).await?,
        }
        labels.settled = true;
        labels.write(&labels_of(&folder)).map_err(disk(format!("cannot label gateway {gateway}")))
    }

    fn listener(&self, gateway: &GatewayName, spec: &GatewaySpec) -> Listener {
        // The certificate's key is in the same file.
        let certificate = |domain: &wharf_model::Domain| {
            let file = self.project.join(&**domain.certificate.as_ref()?);
            Some(Certificate { domain: domain.name.to_string(), chain: file.clone(), key: file })
        };
        Listener {
            certificates: spec.domain.iter().filter_map(certificate).collect(),
            ..wharf_serving::listener(gateway, spec, SocketAddr::new(spec.address, spec.port))
        }
    }

    /// Makes a gateway that runs listen there. A process cannot listen on one address and on all addresses of a port at
    /// once, so a listener that stays on its port goes before its successor comes; else it goes afterwards.
    async fn listen(&self, gateway: &GatewayName, listener: Listener) -> Result<(), ProviderError> {
        let before = config(&self.layout.gateway(gateway)).unwrap_or_else(Config::empty).listeners;
        let moves =
            |known: &Listener| known.address.port() == listener.address.port() && known.address != listener.address;
        let in_the_way = before.iter().any(moves);
        if in_the_way {
            self.replace(gateway, WhenDown::Refuse, |config| config.listeners.clear()).await?;
        }
        let moved = self.replace(gateway, WhenDown::Refuse, |config| config.listeners = vec![listener]).await;
        if in_the_way && moved.is_err() {
            // The first failure is the one to tell.
            drop(self.replace(gateway, WhenDown::Refuse, |config| config.listeners = before).await);
        }
        moved
    }

    async fn start(&self, gateway: &GatewayName, listener: Listener) -> Result<(), ProviderError> {
        let folder = self.layout.gateway(gateway);
        if let Err(error) = std::net::TcpListener::bind(listener.address) {
            return Err(cannot_listen(gateway, listener.address, &error.to_string()));
        }
        let before = config(&folder).unwrap_or_else(Config::empty);
        let next = Config { generation: before.generation + 1, listeners: vec![listener], ..before };
        let attempt = format!("cannot start gateway {gateway}");
        labels::write(&folder.join("config.json"), &next).map_err(disk(attempt.clone()))?;
        let mut child = self.spawn(&folder).map_err(disk(attempt.clone()))?;
        let begin = Instant::now();
        while begin.elapsed() < START {
            if status(&folder).await.is_some_and(|status| status.generation == next.generation) {
                return Ok(());
            }
            if let Ok(Some(_)) = child.try_wait() {
                // One that an earlier, cut-off call started may have been faster.
                if status(&folder).await.is_some() {
                    return self.replace(gateway, WhenDown::Refuse, |config| config.listeners = next.listeners).await;
                }
                let words = std::fs::read_to_string(output_of(&folder)).unwrap_or_default();
                let words = words.lines().next_back().unwrap_or("it ended without a word").to_owned();
                let help = "look at the cause; when it is mended, apply again".to_owned();
                return Err(ProviderError::Rejected { attempt: format!("{attempt}: {words}"), help, source: None });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(ProviderError::Unreachable { attempt: format!("{attempt}: no answer"), retry_after: None, source: None })
    }

    fn spawn(&self, folder: &Path) -> std::io::Result<Child> {
        let output = OpenOptions::new().append(true).create(true).mode(0o600).open(output_of(folder))?;
        Command::new(&self.program)
            .args(roles::gateway(folder))
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
    }

    /// Stops the gateway and removes what belongs to it. One that is gone is fine.
    pub(crate) async fn delete(&self, gateway: &GatewayName) -> Result<(), ProviderError> {
        let _turn = self.turn(gateway).await;
        self.remove(gateway).await
    }

    async fn remove(&self, gateway: &GatewayName) -> Result<(), ProviderError> {
        let folder = self.layout.gateway(gateway);
        let attempt = || format!("cannot stop gateway {gateway}");
        let asked = async { Client::connect(&folder).await?.shut_down(GRACE).await };
        // What it answers matters little: the lock tells whether it is gone.
        drop(tokio::time::timeout(GRACE + PATIENCE, asked).await);
        let lock = folder.join("lock");
        let begin = Instant::now();
        while lock::holder(&lock).map_err(disk(attempt()))? != Holder::Nobody {
            // Without it, one that is killed is not started again.
            drop(std::fs::remove_file(folder.join("config.json")));
            if let Some(grip) = Grip::on(&lock).map_err(disk(attempt()))? {
                grip.signal(Signal::KILL).map_err(disk(attempt()))?;
            }
            if begin.elapsed() > PATIENCE {
                return Err(ProviderError::Unreachable { attempt: attempt(), retry_after: None, source: None });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        files::remove_tree(&folder).map_err(disk(format!("cannot remove gateway {gateway}")))
    }

    /// Sets a route; its endpoints stay as they are.
    pub(crate) async fn put_route(&self, spec: &RouteSpec, cx: &OpContext) -> Result<(), ProviderError> {
        let gateway = &spec.gateway;
        let _turn = self.turn(gateway).await;
        let route = wharf_serving::route(spec, &cx.secrets)?;
        self.replace(gateway, WhenDown::Refuse, |config| wharf_serving::set_route(config, route)).await?;
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
        self.replace(gateway, WhenDown::Write, remove).await?;
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
        address: SocketAddr,
        probe: &Probe,
    ) -> Result<(), ProviderError> {
        let _turn = self.turn(gateway).await;
        let mut found = false;
        let serve = |config: &mut Config| found = wharf_serving::serve(config, gateway, instance, address, probe);
        self.replace(gateway, WhenDown::Refuse, serve).await?;
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
        self.replace(gateway, WhenDown::Write, change).await
    }

    /// Replaces the configuration, if the change changes anything. The caller has the turn.
    async fn replace(
        &self,
        gateway: &GatewayName,
        when_down: WhenDown,
        change: impl FnOnce(&mut Config),
    ) -> Result<(), ProviderError> {
        let folder = self.layout.gateway(gateway);
        let before = config(&folder).unwrap_or_else(Config::empty);
        let mut next = before.clone();
        change(&mut next);
        let Some(status) = status(&folder).await else {
            return self.write(gateway, when_down, &before, next);
        };
        if next == before && status.generation >= before.generation {
            return Ok(());
        }
        next.generation = before.generation.max(status.generation) + 1;
        let asked = async { Client::connect(&folder).await?.replace(&next).await };
        match tokio::time::timeout(START, asked).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(refused(gateway, &next, error)),
            Err(_) => {
                let attempt = format!("gateway {gateway} did not take its configuration in time");
                Err(ProviderError::Unreachable { attempt, retry_after: None, source: None })
            }
        }
    }

    fn write(
        &self,
        gateway: &GatewayName,
        when_down: WhenDown,
        before: &Config,
        mut next: Config,
    ) -> Result<(), ProviderError> {
        if when_down == WhenDown::Refuse {
            let attempt = format!("gateway {gateway} does not run");
            return Err(ProviderError::Missing { attempt, help: "apply again: it will be started".to_owned() });
        }
        if next == *before {
            return Ok(());
        }
        next.generation += 1;
        let path = self.layout.gateway(gateway).join("config.json");
        labels::write(&path, &next).map_err(disk(format!("cannot write the configuration of gateway {gateway}")))
    }
}

fn cannot_listen(gateway: &GatewayName, address: SocketAddr, why: &str) -> ProviderError {
    let who = listen::listener_on(address.port());
    let why = who.as_ref().map_or_else(|| why.to_owned(), |who| format!("{who} listens there"));
    let help = match who {
        Some(who) => format!("stop {who}, or give gateway {gateway} another port"),
        None => format!("give gateway {gateway} another port or address"),
    };
    ProviderError::Conflict { attempt: format!("gateway {gateway} cannot listen on {address}: {why}"), help }
}

fn refused(gateway: &GatewayName, config: &Config, error: ControlError) -> ProviderError {
    let attempt = format!("gateway {gateway} did not take its configuration");
    match error {
        ControlError::Refused { problems } => {
            let taken = problems.iter().any(|problem| problem.ends_with("is in use"));
            match config.listeners.first() {
                Some(listener) if taken => cannot_listen(gateway, listener.address, "the address is in use"),
                _ => {
                    let attempt = format!("{attempt}: {}", problems.join("; "));
                    let help = "correct what it names in the project's files".to_owned();
                    ProviderError::Rejected { attempt, help, source: None }
                }
            }
        }
        error => ProviderError::Unreachable { attempt, retry_after: None, source: Some(Box::new(error)) },
    }
}
