//! Speaking to a running gateway. How long to wait is the caller's choice: every call may be dropped half-way, and then
//! the client must be dropped too.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::config::Config;
use crate::control::{self, Ask, Reply};
use crate::folder;
use crate::status::Status;

/// Why a gateway did not do what it was asked.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Nobody listens: it was never started, or it has ended.
    #[error("no gateway runs in {}", dir.display())]
    NotRunning {
        /// The folder.
        dir: PathBuf,
        /// What connecting said.
        source: io::Error,
    },
    /// It is there but can't be reached.
    #[error("cannot reach the gateway in {}", dir.display())]
    Unreachable {
        /// The folder.
        dir: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It refuses, and nothing was changed.
    #[error("the gateway refuses: {}", problems.join("; "))]
    Refused {
        /// All reasons.
        problems: Vec<String>,
    },
    /// It closed the connection without an answer. What was asked may or may not have been done; asking again is safe.
    #[error("the gateway in {} ended before it answered", dir.display())]
    Ended {
        /// The folder.
        dir: PathBuf,
    },
    /// It answered something else than was asked.
    #[error("the gateway in {} speaks another language than this build", dir.display())]
    Misunderstood {
        /// The folder.
        dir: PathBuf,
    },
}

/// A connection to a running gateway.
#[derive(Debug)]
pub struct Client {
    dir: PathBuf,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Client {
    /// Connects to the gateway that owns `dir`.
    ///
    /// # Errors
    ///
    /// [`ControlError::NotRunning`] if there is none, [`ControlError::Unreachable`] if the socket can't be used.
    #[expect(clippy::unused_async, reason = "must be called within a runtime, and may have to wait later")]
    pub async fn connect(dir: &Path) -> Result<Self, ControlError> {
        let stream = folder::connect(dir).and_then(UnixStream::from_std).map_err(|source| {
            let dir = dir.to_owned();
            match source.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ControlError::NotRunning { dir, source },
                _ => ControlError::Unreachable { dir, source },
            }
        })?;
        let (reader, writer) = stream.into_split();
        Ok(Self { dir: dir.to_owned(), reader: BufReader::new(reader), writer })
    }

    /// Has the gateway serve `config` from now on; returns the generation that it serves. When this returns, the
    /// configuration is stored, and no request is sent any more to an endpoint that it takes out of service once
    /// [`Client::status`] has shown that endpoint with nothing in flight. Asking twice for the same configuration
    /// succeeds and changes nothing.
    ///
    /// # Errors
    ///
    /// [`ControlError::Refused`] if the configuration has problems, its listeners can't be bound, it can't be stored, or
    /// it is not newer than what is served; nothing is changed then.
    pub async fn replace(&mut self, config: &Config) -> Result<u64, ControlError> {
        match self.ask(Ask::Replace { config: config.clone() }).await? {
            Reply::Replaced { generation } => Ok(generation),
            other => Err(self.unexpected(other)),
        }
    }

    /// What the gateway says about itself.
    ///
    /// # Errors
    ///
    /// The gateway ended meanwhile, or can't be reached.
    pub async fn status(&mut self) -> Result<Status, ControlError> {
        match self.ask(Ask::Status).await? {
            Reply::Status { status } => Ok(status),
            other => Err(self.unexpected(other)),
        }
    }

    /// The gateway's figures, in the text format of Prometheus.
    ///
    /// # Errors
    ///
    /// The gateway ended meanwhile, or can't be reached.
    pub async fn metrics(&mut self) -> Result<String, ControlError> {
        match self.ask(Ask::Metrics).await? {
            Reply::Metrics { text } => Ok(text),
            other => Err(self.unexpected(other)),
        }
    }

    /// Ends the gateway: it accepts nothing more, lets open requests end within `grace`, cuts the rest. Returns when it
    /// has given up its folder. Asked twice, the shorter grace counts.
    ///
    /// # Errors
    ///
    /// The gateway can't be reached; it goes on running then.
    pub async fn shut_down(&mut self, grace: Duration) -> Result<(), ControlError> {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        match self.ask(Ask::ShutDown { grace_ms }).await? {
            Reply::Stopping => {}
            other => return Err(self.unexpected(other)),
        }
        // It says nothing more; the connection ends with it.
        let _ = control::read::<Reply>(&mut self.reader).await;
        Ok(())
    }

    async fn ask(&mut self, ask: Ask) -> Result<Reply, ControlError> {
        let asked = async {
            control::write(&mut self.writer, &ask).await?;
            control::read(&mut self.reader).await
        };
        let dir = self.dir.clone();
        match asked.await {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(ControlError::Ended { dir }),
            Err(source) => Err(match source.kind() {
                io::ErrorKind::InvalidData => ControlError::Misunderstood { dir },
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => {
                    ControlError::Ended { dir }
                }
                _ => ControlError::Unreachable { dir, source },
            }),
        }
    }

    fn unexpected(&self, reply: Reply) -> ControlError {
        match reply {
            Reply::Refused { problems } => ControlError::Refused { problems },
            _ => ControlError::Misunderstood { dir: self.dir.clone() },
        }
    }
}
