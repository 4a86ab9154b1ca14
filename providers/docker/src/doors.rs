//! Doors as their containers and they themselves tell it, and how any of them is changed.
//!
//! A door has one configuration that is always replaced as a whole, so each change reads it, alters it and hands it
//! back, one at a time for each door. Where a door is down, what takes something out of service is written into the
//! configuration that it will take up again; what puts something into service is refused.

use crate::{
    addresses::Range,
    archive::{Member, first_file, pack},
    door::Door,
    engine::{Eyes, Hands},
    error::{self, disk},
    format::{CONFIG, FORMAT, GatewayLabels, HEALTH, LABELS, RECORDS, Seen},
    labels::{self, OfDoor},
    names,
    network::Place,
    program::{self, PROGRAM},
    request::{attachment, logs},
    start::labels_of,
    window::Windows,
};
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, EndpointSettings, HostConfig, PortBinding, RestartPolicy,
    RestartPolicyNameEnum, VolumeCreateRequest,
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use wharf_gateway::{Config, Status};
use wharf_model::{InstanceId, NetworkName, ObjectId, OperationId, ServiceName};
use wharf_provider::{OpContext, Owner, ProviderError};

/// How long a door may take to start.
const START: Duration = Duration::from_secs(15);

/// How many seconds open requests may go on when a door ends.
const GRACE: i32 = 3;

/// The doors of one environment, for those who change them.
pub(crate) struct Doors {
    pub(crate) hands: Hands,
    pub(crate) owner: Owner,
    pub(crate) program: PathBuf,
    pub(crate) windows: Windows,
    pub(crate) place: Arc<tokio::sync::Mutex<Place>>,
    turns: Mutex<HashMap<Door, Arc<tokio::sync::Mutex<()>>>>,
    /// The services whose doors were put into these networks.
    pub(crate) led: Mutex<HashSet<(ServiceName, ObjectId)>>,
    /// The balancers, once they were looked for.
    pub(crate) balancers: tokio::sync::Mutex<Option<BTreeSet<Door>>>,
    /// The supervisor, once it was looked for.
    pub(crate) supervisor: tokio::sync::Mutex<Option<Option<Door>>>,
}

/// Whether a change may wait until the door is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenDown {
    /// It is written into the configuration that the door takes up.
    Write,
    /// It is refused.
    Refuse,
}

/// An instance that a door is about to lead to.
pub(crate) struct Reach<'a> {
    pub(crate) instance: &'a InstanceId,
    pub(crate) address: SocketAddr,
    pub(crate) operation: &'a OperationId,
}

/// What a door is to be.
pub(crate) struct Wanted<'a> {
    /// Where the engine's machine listens for it.
    pub(crate) listen: Vec<SocketAddr>,
    /// The network that it is in, beside those that it leads to.
    pub(crate) network: Option<&'a NetworkName>,
    pub(crate) fingerprint: String,
}

/// A door's container.
pub(crate) struct Found {
    pub(crate) labels: OfDoor,
    pub(crate) runs: bool,
    pub(crate) nets: Vec<Attached>,
}

/// A network that a door is in.
#[derive(Debug, Clone)]
pub(crate) struct Attached {
    pub(crate) id: String,
    address: Option<Ipv4Addr>,
    /// Known of one that runs.
    range: Option<Range>,
}

impl Attached {
    pub(crate) fn of(endpoint: &EndpointSettings) -> Option<Self> {
        let address = crate::network::address(endpoint);
        let prefix = endpoint.ip_prefix_len.and_then(|bits| u32::try_from(bits).ok());
        let range = address.zip(prefix).and_then(|(address, prefix)| Range::around(address, prefix));
        Some(Self { id: endpoint.network_id.clone()?, address, range })
    }

    /// Whether the address is in it.
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        matches!((address, self.range), (IpAddr::V4(address), Some(range)) if range.holds(address))
    }
}

/// What a door that does not run would take up again. A configuration that this release cannot read is an error.
pub(crate) async fn stored(eyes: &Eyes, owner: &Owner, door: &Door) -> Result<Seen, ProviderError> {
    let container = door.container(owner);
    let attempt = || format!("cannot read the configuration of {door}");
    let read = async |path| {
        let archive = eyes.download(&container, path).await.map_err(error::engine(attempt()))?;
        let file = archive.map(|archive| first_file(&archive)).transpose().map_err(disk(attempt()))?;
        Ok(file.flatten())
    };
    let (config, labels) = (read(CONFIG).await?, read(LABELS).await?);
    // It must not be taken for none: what is made from that is an outage.
    let unreadable = |error: serde_json::Error| ProviderError::Rejected {
        attempt: attempt(),
        help: "a newer wharf may have written it: use that one. If it is damaged, put back what it was".to_owned(),
        source: Some(Box::new(error)),
    };
    Ok(Seen {
        config: config.map(|bytes| serde_json::from_slice(&bytes)).transpose().map_err(unreadable)?,
        labels: labels.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
        ..Seen::default()
    })
}

impl Doors {
    pub(crate) fn new(
        hands: Hands,
        owner: Owner,
        program: PathBuf,
        windows: Windows,
        place: Arc<tokio::sync::Mutex<Place>>,
    ) -> Self {
        Self {
            hands,
            owner,
            program,
            windows,
            place,
            turns: Mutex::default(),
            led: Mutex::default(),
            balancers: tokio::sync::Mutex::default(),
            supervisor: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) async fn turn(&self, door: &Door) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.entry(door.clone()).or_default().clone()
        };
        turn.lock_owned().await
    }

    pub(crate) async fn found(&self, door: &Door) -> Result<Option<Found>, ProviderError> {
        let container = door.container(&self.owner);
        let attempt = format!("cannot look at {door}");
        let found = self.hands.container(&container).await.map_err(error::engine(attempt))?;
        let Some(found) = found else { return Ok(None) };
        let labels = labels_of(&found).and_then(|labels| OfDoor::read(labels, &self.owner));
        let labels = labels.ok_or_else(|| ProviderError::Conflict {
            attempt: format!("container {container} is somebody else's"),
            help: format!("if nothing needs it, remove it: `docker rm -f {container}`"),
        })?;
        let networks = found.network_settings.iter().flat_map(|settings| settings.networks.iter().flatten());
        let nets = networks.filter_map(|(_, endpoint)| Attached::of(endpoint)).collect();
        Ok(Some(Found { labels, runs: runs(&found), nets }))
    }

    /// What is known of a door: from itself when it runs, else from its files.
    pub(crate) async fn seen(&self, door: &Door, found: &Found) -> Result<Seen, ProviderError> {
        if found.runs {
            return self.windows.look(door, Vec::new()).await;
        }
        stored(&self.hands, &self.owner, door).await
    }

    /// Makes the door, or brings it to what is wanted; starts it when it does not run.
    pub(crate) async fn bring(
        &self,
        door: &Door,
        wanted: Wanted<'_>,
        change: impl FnOnce(&mut Config),
        cx: &OpContext,
    ) -> Result<(), ProviderError> {
        let _turn = self.turn(door).await;
        let found = self.found(door).await?;
        let seen = match &found {
            Some(found) => self.seen(door, found).await?,
            None => Seen::default(),
        };
        let mut labels = GatewayLabels {
            format: FORMAT,
            operation: cx.operation.to_string(),
            fingerprint: wanted.fingerprint,
            settled: true,
            network: wanted.network.map(ToString::to_string),
            ..seen.labels.clone().unwrap_or_default()
        };
        let before = seen.config.unwrap_or_else(Config::empty);
        let mut config = before.clone();
        change(&mut config);
        let within = self.within(&config, wanted.network).await?;
        let stays = found.as_ref().filter(|found| found.runs && found.labels.listen == wanted.listen);
        if let (Some(found), Some(status)) = (stays, &seen.status) {
            if wharf_serving::is_outdated(status) {
                self.succeed(door, status.pid).await?;
            }
            self.settle(door, found, &within, &cx.operation).await?;
            self.take(door, config, &before, status).await?;
            return self.windows.label(&self.hands, door, &labels).await;
        }
        config.generation = before.generation + 1;
        // Before anything is taken away.
        let image = program::image(&self.hands, &self.program, &self.owner, &cx.operation).await?;
        if found.is_some() {
            self.remove(door).await?;
        }
        let made = self.make(door, image, (wanted.listen, &config, &labels), &within, cx).await;
        if made.is_err() && found.is_none() {
            // The first failure is the one to tell.
            drop(self.remove(door).await);
        } else if made.is_err() {
            // It keeps what it knew of its routes for the next try.
            labels.settled = false;
            drop(self.write(door, &config, &labels).await);
        }
        made
    }

    /// Makes a new container for a door that has none, and starts it.
    async fn make(
        &self,
        door: &Door,
        image: String,
        (listen, config, labels): (Vec<SocketAddr>, &Config, &GatewayLabels),
        within: &[ObjectId],
        cx: &OpContext,
    ) -> Result<(), ProviderError> {
        let attempt = || format!("cannot start {door}");
        // It outlives the container: a gateway that moves goes on in the same files.
        let records = VolumeCreateRequest {
            name: Some(names::records(&self.owner)),
            labels: Some(labels::shared(&self.owner, &cx.operation)),
            ..VolumeCreateRequest::default()
        };
        self.hands.create_volume(records).await.map_err(error::engine(attempt()))?;
        self.health_volume(&cx.operation).await?;
        let (net, ip) = self.place.lock().await.take(&self.hands, &self.owner, &cx.operation, None).await?;
        let first = listen.first().map_or(0, SocketAddr::port);
        let ports = listen.iter().map(|listen| (port(*listen), Some(vec![binding(*listen)]))).collect();
        let exposed = listen.iter().map(|listen| port(*listen)).collect();
        let own = OfDoor {
            door: door.clone(),
            listen,
            endpoint: (ip, first).into(),
            operation: cx.operation.clone(),
            fingerprint: None,
        };
        let body = ContainerCreateBody {
            image: Some(image),
            entrypoint: Some(vec![PROGRAM.to_owned()]),
            cmd: Some(["gateway", "--dir", crate::format::STATE].map(str::to_owned).to_vec()),
            labels: Some(own.write(&self.owner)),
            exposed_ports: Some(exposed),
            host_config: Some(HostConfig {
                network_mode: Some(net.id.clone()),
                binds: Some(vec![
                    format!("{}:{RECORDS}", names::records(&self.owner)),
                    format!("{}:{HEALTH}:ro", names::health(&self.owner)),
                ]),
                port_bindings: Some(ports),
                log_config: Some(logs()),
                // It serves on when wharf is gone, and comes back when the engine does.
                restart_policy: Some(RestartPolicy {
                    name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
                    ..RestartPolicy::default()
                }),
                ..HostConfig::default()
            }),
            networking_config: Some(attachment(&net, ip, &[door.name()])),
            ..ContainerCreateBody::default()
        };
        let container = door.container(&self.owner);
        self.hands.create(&container, body).await.map_err(error::engine(attempt()))?;
        for object in within {
            self.join(door, &[], Some(object), &cx.operation).await?;
        }
        self.write(door, config, labels).await?;
        self.hands.start(&container).await.map_err(error::engine(attempt()))?;
        self.awake(door, config.generation).await
    }

    async fn awake(&self, door: &Door, generation: u64) -> Result<(), ProviderError> {
        let begin = Instant::now();
        loop {
            let looked = self.windows.look(door, Vec::new()).await;
            let status = looked.as_ref().ok().and_then(|seen| seen.status.as_ref());
            if status.is_some_and(|status| status.generation >= generation) {
                return Ok(());
            }
            let attempt = format!("cannot start {door}");
            let found = self.found(door).await?;
            if found.is_none_or(|found| !found.runs) || begin.elapsed() > START {
                let container = door.container(&self.owner);
                let words = crate::logs::last(&self.hands, &container, 1).await.unwrap_or_default();
                let words = words.into_iter().next_back().unwrap_or_else(|| "it does not answer".to_owned());
                let help = "look at the cause; when it is mended, apply again".to_owned();
                return Err(ProviderError::Rejected { attempt: format!("{attempt}: {words}"), help, source: None });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Has a gateway of this program take over from the one that runs in the door's container, as `before`. The program is
    /// put in the place of the other, so that the container goes on with it when it is started again. Afterwards its own desk
    /// answers: that of an earlier release understands nothing that is newer than itself. When this fails, the other goes on.
    async fn succeed(&self, door: &Door, before: u32) -> Result<(), ProviderError> {
        let (attempt, container) = (format!("cannot take over from {door}"), door.container(&self.owner));
        let files = program::packed(&self.hands, &self.program, &attempt).await?;
        self.hands.upload(&container, "/", files).await.map_err(error::engine(attempt.clone()))?;
        self.windows.forget(door).await;
        let words = [PROGRAM, "gateway", "--take-over", "--dir", crate::format::STATE];
        self.hands.set_going(&container, &words).await.map_err(error::engine(attempt.clone()))?;
        let begin = Instant::now();
        while begin.elapsed() < START {
            let seen = self.windows.look(door, Vec::new()).await;
            let succeeded = |seen: &Seen| seen.status.as_ref().is_some_and(|status| status.pid != before);
            if seen.is_ok_and(|seen| succeeded(&seen) && seen.is_up_to_date()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(ProviderError::Unreachable { attempt: format!("{attempt}: no answer"), retry_after: None, source: None })
    }

    /// Writes what a door that does not run takes up.
    async fn write(&self, door: &Door, config: &Config, labels: &GatewayLabels) -> Result<(), ProviderError> {
        let attempt = || format!("cannot write the configuration of {door}");
        let text = |error: serde_json::Error| disk(attempt())(error.into());
        let (config, labels) = (serde_json::to_vec(config).map_err(text)?, serde_json::to_vec(labels).map_err(text)?);
        let member = |path: &'static str, bytes| Member { path: path.trim_start_matches('/'), mode: 0o600, bytes };
        let archive = pack(&[member(CONFIG, &config), member(LABELS, &labels)]).map_err(disk(attempt()))?;
        self.hands.upload(&door.container(&self.owner), "/", archive).await.map_err(error::engine(attempt()))
    }

    /// Stops the door and removes what belongs to it. One that is gone is fine.
    pub(crate) async fn delete(&self, door: &Door) -> Result<(), ProviderError> {
        let _turn = self.turn(door).await;
        self.remove(door).await
    }

    pub(crate) async fn remove(&self, door: &Door) -> Result<(), ProviderError> {
        let Some(found) = self.found(door).await? else { return Ok(()) };
        let container = door.container(&self.owner);
        let attempt = || format!("cannot stop {door}");
        self.hands.stop(&container, GRACE).await.map_err(error::engine(attempt()))?;
        self.hands.remove(&container).await.map_err(error::engine(attempt()))?;
        let mut place = self.place.lock().await;
        if let IpAddr::V4(ip) = found.labels.endpoint.ip() {
            place.give_back(ip);
        }
        found.nets.iter().filter_map(|net| net.address).for_each(|address| place.give_back(address));
        Ok(())
    }

    /// Replaces the configuration and the labels, if the change changes anything. A door that is about to lead to an
    /// instance is put into its network before.
    pub(crate) async fn change(
        &self,
        door: &Door,
        when_down: WhenDown,
        reach: Option<Reach<'_>>,
        change: impl FnOnce(&mut Config, &mut GatewayLabels),
    ) -> Result<(), ProviderError> {
        let _turn = self.turn(door).await;
        let missing = || {
            let attempt = format!("{door} does not run");
            ProviderError::Missing { attempt, help: "apply again: it will be started".to_owned() }
        };
        let Some(found) = self.found(door).await? else {
            return if when_down == WhenDown::Write { Ok(()) } else { Err(missing()) };
        };
        if let Some(reach) = reach.filter(|_| found.runs) {
            self.reach(door, &found, &reach).await?;
        }
        let seen = self.seen(door, &found).await?;
        let before = (seen.config.unwrap_or_else(Config::empty), seen.labels.unwrap_or_default());
        let (mut config, mut labels) = before.clone();
        change(&mut config, &mut labels);
        let Some(status) = seen.status else {
            if when_down == WhenDown::Refuse {
                return Err(missing());
            }
            if (&config, &labels) != (&before.0, &before.1) {
                config.generation += 1;
                self.write(door, &config, &labels).await?;
            }
            return Ok(());
        };
        self.take(door, config, &before.0, &status).await?;
        if labels != before.1 {
            self.windows.label(&self.hands, door, &labels).await?;
        }
        Ok(())
    }

    /// Makes a door that runs take a configuration, if that is another than it has.
    async fn take(
        &self,
        door: &Door,
        mut config: Config,
        before: &Config,
        status: &Status,
    ) -> Result<(), ProviderError> {
        if config == *before && status.generation >= before.generation {
            return Ok(());
        }
        config.generation = before.generation.max(status.generation) + 1;
        let taken = self.windows.replace(&self.hands, door, &config).await?;
        taken.map_err(|problems| ProviderError::Rejected {
            attempt: format!("{door} did not take its configuration: {}", problems.join("; ")),
            help: "correct what it names in the project's files".to_owned(),
            source: None,
        })
    }
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
