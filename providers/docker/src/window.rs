//! The other side of the desk of a gateway or balancer: a conversation through the engine's API that stays open as long as
//! it is used. Whoever looks gets to [`Windows::look`] alone; what changes a gateway takes hands.

use crate::{
    door::Door,
    engine::{Eyes, Hands},
    error,
    format::{Ask, GatewayLabels, ProbeOrder, Reply, Seen},
    program::PROGRAM,
    roles::DESK,
};
use bollard::{container::LogOutput, errors::Error as EngineError, exec::StartExecResults};
use bytes::BytesMut;
use futures_util::{Stream, StreamExt as _};
use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use wharf_gateway::Config;
use wharf_provider::{Owner, ProviderError};

/// How long a desk may take to answer beyond what the probes it was given may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A conversation, once there is one; whoever holds the lock has the word.
type Open = Arc<tokio::sync::Mutex<Option<Conversation>>>;

/// The conversations with the doors of one environment.
#[derive(Clone)]
pub(crate) struct Windows {
    eyes: Eyes,
    owner: Owner,
    open: Arc<Mutex<HashMap<Door, Open>>>,
}

impl Windows {
    pub(crate) fn new(eyes: Eyes, owner: Owner) -> Self {
        Self { eyes, owner, open: Arc::default() }
    }

    /// How a door stands, and how these instances answer it.
    pub(crate) async fn look(&self, door: &Door, probes: Vec<ProbeOrder>) -> Result<Seen, ProviderError> {
        let slowest = probes.iter().map(|order| order.question.timeout()).max().unwrap_or_default();
        match self.ask(door, &Ask::Look { probes }, PATIENCE + slowest).await? {
            Reply::Seen(seen) => Ok(*seen),
            other => Err(unexpected(door, other)),
        }
    }

    /// Has a door serve a configuration. The problems are those that it has with it.
    pub(crate) async fn replace(
        &self,
        _: &Hands,
        door: &Door,
        config: &Config,
    ) -> Result<Result<(), Vec<String>>, ProviderError> {
        match self.ask(door, &Ask::Replace { config: config.clone() }, PATIENCE).await? {
            Reply::Done => Ok(Ok(())),
            Reply::Refused { problems } => Ok(Err(problems)),
            other => Err(unexpected(door, other)),
        }
    }

    /// Keeps labels beside a door's configuration.
    pub(crate) async fn label(&self, _: &Hands, door: &Door, labels: &GatewayLabels) -> Result<(), ProviderError> {
        match self.ask(door, &Ask::Label { labels: labels.clone() }, PATIENCE).await? {
            Reply::Done => Ok(()),
            other => Err(unexpected(door, other)),
        }
    }

    /// Ends the conversation with a door whose program was replaced. The next question is for a desk of the new one.
    pub(crate) async fn forget(&self, door: &Door) {
        *self.slot(door).lock().await = None;
    }

    fn slot(&self, door: &Door) -> Open {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.entry(door.clone()).or_default().clone()
    }

    /// Asks; once more through a new conversation when the old one turns out to have ended. Asking twice is safe.
    async fn ask(&self, door: &Door, ask: &Ask, patience: Duration) -> Result<Reply, ProviderError> {
        let slot = self.slot(door);
        let mut slot = slot.lock().await;
        let attempt = || format!("cannot speak to {door}");
        if let Some(conversation) = slot.as_mut() {
            if let Ok(Ok(reply)) = tokio::time::timeout(patience, conversation.ask(ask)).await {
                return Ok(reply);
            }
            *slot = None;
        }
        let asked = async {
            let mut conversation = Conversation::begin(&self.eyes, &door.container(&self.owner)).await?;
            let reply = conversation.ask(ask).await?;
            Ok((conversation, reply))
        };
        match tokio::time::timeout(patience, asked).await {
            Ok(Ok((conversation, reply))) => {
                *slot = Some(conversation);
                Ok(reply)
            }
            Ok(Err(error)) => Err(error::engine(attempt())(error)),
            Err(_) => Err(ProviderError::Unreachable { attempt: attempt(), retry_after: None, source: None }),
        }
    }
}

fn unexpected(door: &Door, reply: Reply) -> ProviderError {
    let why = match reply {
        Reply::Failed { why } => why,
        _ => "it speaks another language than this build".to_owned(),
    };
    let attempt = format!("{door} did not do what it was asked: {why}");
    ProviderError::Unreachable { attempt, retry_after: None, source: None }
}

struct Conversation {
    output: Pin<Box<dyn Stream<Item = Result<LogOutput, EngineError>> + Send>>,
    input: Pin<Box<dyn AsyncWrite + Send>>,
    heard: BytesMut,
}

impl Conversation {
    async fn begin(eyes: &Eyes, container: &str) -> Result<Self, EngineError> {
        let words = [&[PROGRAM], DESK.as_slice()].concat();
        match eyes.converse(container, &words).await? {
            StartExecResults::Attached { output, input } => Ok(Self { output, input, heard: BytesMut::new() }),
            StartExecResults::Detached => Err(ended("nobody listens")),
        }
    }

    async fn ask(&mut self, ask: &Ask) -> Result<Reply, EngineError> {
        let mut line = serde_json::to_vec(ask)?;
        line.push(b'\n');
        self.input.write_all(&line).await?;
        self.input.flush().await?;
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                return Ok(serde_json::from_slice(&self.heard.split_to(end + 1))?);
            }
            match self.output.next().await {
                Some(Ok(LogOutput::StdErr { message })) => return Err(ended(&String::from_utf8_lossy(&message))),
                Some(Ok(output)) => self.heard.extend_from_slice(&output.into_bytes()),
                Some(Err(error)) => return Err(error),
                None => return Err(ended("it ended before it answered")),
            }
        }
    }
}

fn ended(why: &str) -> EngineError {
    std::io::Error::other(why.trim().to_owned()).into()
}
