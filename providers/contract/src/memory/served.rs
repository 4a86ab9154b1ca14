//! The runtime in memory behind a socket, so that it outlives whoever uses it: a test serves it, and the program that is
//! tested can be killed at any moment. A call is a line of JSON on a connection of its own, and so is the answer.
//!
//! Only what such a platform keeps goes over the socket: names, labels, fingerprints, where instances stand. Neither side
//! is told a secret.

use super::{
    MemoryProvider,
    errand::{Errand, Text},
};
use crate::{Execute, LogCursor, LogLine, Observe, OpContext, ProviderError, Resolution, Scope};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};
use wharf_model::{
    Address, Capabilities, ContentDigest, ContentRef, EndpointState, Exit, Fingerprint, GatewayName, InstanceId,
    Intent, IntentId, Lost, Marked, ObjectId, Observed, ObservedGateway, ObservedInstance, ObservedObject,
    ObservedRoute, Operation, OperationId, Outcome, Phase, ProbeAnswer, RevisionNumber, ServiceName, SourcePin,
    SourceRef, Supervised, Timestamp, Told, Verb,
};

/// A call.
#[derive(Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
enum Ask {
    Observe { services: Option<Vec<Text<ServiceName>>>, probe: bool, sources: Vec<String> },
    Execute { operation: String, errand: Errand },
    Resolve { verb: String, address: Text<Address>, object: String },
}

/// What came of it.
#[derive(Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
enum Answer {
    Seen(Seen),
    /// Done, or found to have been; with the endpoint of what was started.
    Done {
        endpoint: Option<SocketAddr>,
    },
    NotDone,
    Missing {
        attempt: String,
        help: String,
    },
    Conflict {
        attempt: String,
        help: String,
    },
    Other {
        attempt: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Seen {
    gateways: Vec<SeenGateway>,
    instances: Vec<SeenInstance>,
    objects: Vec<(Text<ObjectId>, Option<Text<Fingerprint>>)>,
    contents: Vec<Text<ContentRef>>,
    /// What the sources that were asked for hold, in the same order.
    sources: Vec<Text<ContentDigest>>,
}

#[derive(Serialize, Deserialize)]
struct SeenGateway {
    name: Text<GatewayName>,
    running: bool,
    listen: Option<SocketAddr>,
    fingerprint: Option<Text<Fingerprint>>,
    routes: Vec<SeenRoute>,
}

#[derive(Serialize, Deserialize)]
struct SeenRoute {
    service: Text<ServiceName>,
    fingerprint: Option<Text<Fingerprint>>,
    endpoints: Vec<SeenEndpoint>,
}

#[derive(Serialize, Deserialize)]
struct SeenEndpoint {
    instance: Text<InstanceId>,
    draining: bool,
    ready: bool,
    in_flight: u64,
}

#[derive(Serialize, Deserialize)]
struct SeenInstance {
    name: Text<InstanceId>,
    revision: u32,
    operation: Option<String>,
    fingerprint: Option<Text<Fingerprint>>,
    endpoint: SocketAddr,
    phase: SeenPhase,
    passed: Option<bool>,
    heard: String,
    last_lines: Vec<String>,
    routed: bool,
    drained: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SeenPhase {
    Running { since_ms: u64 },
    Code(i32),
    Signal(i32),
    Gone,
}

/// Serves the runtime on a socket, for as long as this is waited for.
///
/// # Errors
/// When no connection can be taken any more.
pub async fn serve(memory: Arc<MemoryProvider>, listener: UnixListener) -> io::Result<()> {
    loop {
        let (connection, _) = listener.accept().await?;
        let memory = memory.clone();
        // One that breaks off concerns nobody else: whoever called may have been killed.
        tokio::spawn(async move { drop(converse(&memory, connection).await) });
    }
}

async fn converse(memory: &MemoryProvider, mut connection: UnixStream) -> io::Result<()> {
    let mut line = String::new();
    BufReader::new(&mut connection).read_line(&mut line).await?;
    let ask = serde_json::from_str(&line)?;
    let answer = serde_json::to_string(&answer(memory, ask).await)?;
    connection.write_all(answer.as_bytes()).await
}

async fn answer(memory: &MemoryProvider, ask: Ask) -> Answer {
    match ask {
        Ask::Observe { services, probe, sources } => {
            let services = services.map(|services| services.into_iter().map(|Text(name)| name).collect());
            match memory.observe(&Scope { services, probe, sources: BTreeSet::new() }).await {
                Ok(observed) => Answer::Seen(seen(observed, &sources, memory)),
                Err(error) => refusal(&error),
            }
        }
        Ask::Execute { operation, errand } => match memory.world().carry_out(&errand, &OperationId(operation.into())) {
            Ok(outcome) => done(&outcome),
            Err(error) => refusal(&error),
        },
        Ask::Resolve { verb, address: Text(address), object } => {
            let Some(verb) = Verb::ALL.into_iter().find(|known| known.as_str() == verb) else {
                return Answer::Other { attempt: format!("nothing can be done by `{verb}`") };
            };
            let operation = OperationId(format!("{verb} {address} {object}").into());
            match memory.resolve(&Intent { id: IntentId(0), operation, address, verb, object, revision: None }).await {
                Ok(Resolution::Applied(outcome)) => done(&outcome),
                Ok(Resolution::NotApplied) => Answer::NotDone,
                Ok(Resolution::CannotTell(why)) => Answer::Other { attempt: why },
                Err(error) => refusal(&error),
            }
        }
    }
}

fn done(outcome: &Outcome) -> Answer {
    match outcome {
        Outcome::Done => Answer::Done { endpoint: None },
        Outcome::Started { endpoint } => Answer::Done { endpoint: Some(*endpoint) },
    }
}

fn refusal(error: &ProviderError) -> Answer {
    let (attempt, help) = (error.to_string(), error.help().unwrap_or_default().to_owned());
    match error {
        ProviderError::Missing { .. } => Answer::Missing { attempt, help },
        ProviderError::Conflict { .. } => Answer::Conflict { attempt, help },
        _ => Answer::Other { attempt },
    }
}

fn seen(observed: Observed, sources: &[String], memory: &MemoryProvider) -> Seen {
    // The runtime in memory has no balancers, and tells of no machine.
    let Observed { gateways, instances, objects, balanced: _, gpus: _, contents, .. } = observed;
    let endpoint = |(instance, state): (InstanceId, EndpointState)| {
        let (draining, ready, in_flight) = match state {
            EndpointState::Serving { ready, in_flight } => (false, ready, in_flight),
            EndpointState::Draining { in_flight } => (true, false, in_flight),
        };
        SeenEndpoint { instance: Text(instance), draining, ready, in_flight }
    };
    let route = |(service, route): (ServiceName, ObservedRoute)| SeenRoute {
        service: Text(service),
        fingerprint: route.fingerprint.map(Text),
        endpoints: route.endpoints.into_iter().map(endpoint).collect(),
    };
    let gateway = |(name, gateway): (GatewayName, ObservedGateway)| SeenGateway {
        name: Text(name),
        running: gateway.running,
        listen: gateway.listen,
        fingerprint: gateway.fingerprint.map(Text),
        routes: gateway.routes.into_iter().map(route).collect(),
    };
    let instance = |(name, one): (InstanceId, ObservedInstance)| SeenInstance {
        name: Text(name),
        revision: one.revision.0,
        operation: one.operation.map(|operation| operation.to_string()),
        fingerprint: one.fingerprint.map(Text),
        endpoint: one.endpoint,
        phase: match one.phase {
            Phase::Running { since } => SeenPhase::Running { since_ms: since.0 },
            Phase::Ended(Exit::Code(code)) => SeenPhase::Code(code),
            Phase::Ended(Exit::Signal(number)) => SeenPhase::Signal(number),
            Phase::Ended(_) => SeenPhase::Gone,
        },
        passed: one.answer.as_ref().map(|answer| answer.passed),
        heard: one.answer.map(|answer| answer.heard).unwrap_or_default(),
        last_lines: one.last_lines,
        routed: one.supervised.marked == Some(Marked::Routed),
        drained: one.supervised.marked == Some(Marked::Drained),
    };
    Seen {
        gateways: gateways.into_iter().map(gateway).collect(),
        instances: instances.into_iter().map(instance).collect(),
        objects: objects.into_iter().map(|(id, object)| (Text(id), object.fingerprint.map(Text))).collect(),
        contents: contents.into_iter().map(Text).collect(),
        sources: sources.iter().map(|source| Text(memory.world().content_of(source))).collect(),
    }
}

impl Seen {
    fn into_observed(self, asked: &BTreeSet<SourceRef>) -> Observed {
        let endpoint = |one: SeenEndpoint| {
            let SeenEndpoint { instance: Text(instance), draining, ready, in_flight } = one;
            let state = if draining {
                EndpointState::Draining { in_flight }
            } else {
                EndpointState::Serving { ready, in_flight }
            };
            (instance, state)
        };
        let route = |one: SeenRoute| {
            let endpoints = one.endpoints.into_iter().map(endpoint).collect();
            let (fingerprint, figures, told) = (inner(one.fingerprint), BTreeMap::new(), Told::default());
            (one.service.0, ObservedRoute { fingerprint, endpoints, figures, told })
        };
        let gateway = |one: SeenGateway| {
            let SeenGateway { name: Text(name), running, listen, fingerprint, routes } = one;
            let (fingerprint, routes) = (inner(fingerprint), routes.into_iter().map(route).collect());
            let (told, lost) = (Told::default(), Lost::default());
            (name, ObservedGateway { running, listen, fingerprint, routes, told, release: None, lost })
        };
        let pin = |Text(content)| Ok(SourcePin { content, files: 1, bytes: 1, fetch: None });
        Observed {
            gateways: self.gateways.into_iter().map(gateway).collect(),
            instances: self.instances.into_iter().map(SeenInstance::into_observed).collect(),
            objects: self
                .objects
                .into_iter()
                .map(|(Text(id), fingerprint)| (id, ObservedObject::made_from(inner(fingerprint))))
                .collect(),
            balanced: BTreeMap::new(),
            gpus: None,
            unlimited_disk: None,
            contents: self.contents.into_iter().map(|Text(content)| content).collect(),
            sources: asked.iter().cloned().zip(self.sources.into_iter().map(pin)).collect(),
        }
    }
}

fn inner<T>(text: Option<Text<T>>) -> Option<T> {
    text.map(|Text(value)| value)
}

impl SeenInstance {
    fn into_observed(self) -> (InstanceId, ObservedInstance) {
        let phase = match self.phase {
            SeenPhase::Running { since_ms } => Phase::Running { since: Timestamp(since_ms) },
            SeenPhase::Code(code) => Phase::Ended(Exit::Code(code)),
            SeenPhase::Signal(number) => Phase::Ended(Exit::Signal(number)),
            SeenPhase::Gone => Phase::Ended(Exit::Unseen),
        };
        let seen = ObservedInstance {
            revision: RevisionNumber(self.revision),
            operation: self.operation.map(|operation| OperationId(operation.into())),
            fingerprint: inner(self.fingerprint),
            endpoint: self.endpoint,
            phase,
            answer: self.passed.map(|passed| ProbeAnswer::once(passed, self.heard)),
            last_lines: self.last_lines,
            told: Told::default(),
            supervised: Supervised { marked: Some(Marked::of(self.routed, self.drained)), ..Supervised::default() },
        };
        (self.name.0, seen)
    }
}

/// The other end: a runtime that is served on a socket.
#[derive(Debug)]
pub struct ServedMemory {
    socket: PathBuf,
    capabilities: Capabilities,
}

impl ServedMemory {
    /// The runtime behind this socket.
    pub fn at(socket: PathBuf) -> Self {
        Self { socket, capabilities: MemoryProvider::default().capabilities }
    }

    async fn ask(&self, ask: &Ask) -> Result<Answer, ProviderError> {
        let unreachable = |source: io::Error| ProviderError::Unreachable {
            attempt: format!("cannot ask the runtime at {}", self.socket.display()),
            retry_after: None,
            source: Some(source.into()),
        };
        let line = serde_json::to_string(ask).map_err(io::Error::from).map_err(unreachable)?;
        let converse = async {
            let mut connection = UnixStream::connect(&self.socket).await?;
            connection.write_all(format!("{line}\n").as_bytes()).await?;
            let mut answer = Vec::new();
            connection.read_to_end(&mut answer).await?;
            Ok::<_, io::Error>(serde_json::from_slice(&answer)?)
        };
        match converse.await.map_err(unreachable)? {
            Answer::Missing { attempt, help } => Err(ProviderError::Missing { attempt, help }),
            Answer::Conflict { attempt, help } => Err(ProviderError::Conflict { attempt, help }),
            Answer::Other { attempt } => Err(unreachable(io::Error::other(attempt))),
            answer => Ok(answer),
        }
    }

    fn odd(&self) -> ProviderError {
        let attempt = format!("the runtime at {} answers something else than it was asked", self.socket.display());
        ProviderError::Unreachable { attempt, retry_after: None, source: None }
    }
}

fn outcome(endpoint: Option<SocketAddr>) -> Outcome {
    endpoint.map_or(Outcome::Done, |endpoint| Outcome::Started { endpoint })
}

#[async_trait]
impl Observe for ServedMemory {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn observe(&self, scope: &Scope) -> Result<Observed, ProviderError> {
        let Scope { services, probe, sources } = scope;
        let services = services.as_ref().map(|services| services.iter().cloned().map(Text).collect());
        let names = sources.iter().map(SourceRef::to_string).collect();
        match self.ask(&Ask::Observe { services, probe: *probe, sources: names }).await? {
            Answer::Seen(seen) => Ok(seen.into_observed(sources)),
            _ => Err(self.odd()),
        }
    }

    async fn logs(
        &self,
        _services: &BTreeSet<ServiceName>,
        _cursor: &mut LogCursor,
        _limit: usize,
    ) -> Result<Vec<LogLine>, ProviderError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Execute for ServedMemory {
    async fn execute(&self, operation: &Operation, cx: &OpContext) -> Result<Outcome, ProviderError> {
        let ask = Ask::Execute { operation: cx.operation.to_string(), errand: Errand::of(operation) };
        match self.ask(&ask).await? {
            Answer::Done { endpoint } => Ok(outcome(endpoint)),
            _ => Err(self.odd()),
        }
    }

    async fn resolve(&self, intent: &Intent) -> Result<Resolution, ProviderError> {
        let Intent { address, verb, object, .. } = intent;
        let ask = Ask::Resolve { verb: verb.to_string(), address: Text(address.clone()), object: object.clone() };
        match self.ask(&ask).await? {
            Answer::Done { endpoint } => Ok(Resolution::Applied(outcome(endpoint))),
            Answer::NotDone => Ok(Resolution::NotApplied),
            _ => Err(self.odd()),
        }
    }
}
