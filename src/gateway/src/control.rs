//! The control socket's language, and the side of it that listens.
//!
//! One JSON value per line, a question and its answer in turn. What a question means is for `server.rs`: here it is
//! read, passed on, and its answer written.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener as StdListener;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::config::{Config, Listener};
use crate::handover;
use crate::status::Status;

/// The longest line: a configuration of some hundred thousand endpoints.
const LINE_LIMIT: u64 = 64 << 20;

/// What a gateway can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub(crate) enum Ask {
    Replace {
        config: Config,
    },
    Status,
    Metrics,
    ShutDown {
        grace_ms: u64,
    },
    /// For a successor: the listening sockets, which follow the answer.
    HandOver,
    /// For a successor that accepts connections by now: stop accepting, give up the folder, and go on with what is open.
    /// Questions about that are answered on the same connection.
    Leave {
        grace_ms: u64,
    },
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub(crate) enum Reply {
    Replaced {
        generation: u64,
    },
    Status {
        status: Status,
    },
    Metrics {
        text: String,
    },
    /// The sockets follow, listener by listener.
    HandingOver {
        listeners: Vec<Handed>,
    },
    Left,
    /// The connection ends when the gateway has.
    Stopping,
    /// Nothing was changed.
    Refused {
        problems: Vec<String>,
    },
}

/// A listener that is handed over.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Handed {
    pub(crate) listener: Listener,
    pub(crate) sockets: usize,
}

/// A question on its way to the gateway's owner.
pub(crate) type Asked = (Ask, oneshot::Sender<Answer>);

/// An answer on its way back, with sockets to go behind it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    pub(crate) sockets: Vec<Vec<OwnedFd>>,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self { reply, sockets: Vec::new() }
    }
}

/// Serves the control socket until dropped.
pub(crate) async fn serve(listener: StdListener, asked: mpsc::Sender<Asked>) -> io::Result<()> {
    let listener = UnixListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, asked.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a control connection");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: UnixStream, asked: mpsc::Sender<Asked>) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let ended = async {
        loop {
            let answer: Answer = match read::<Ask>(&mut reader).await {
                Ok(Some(ask)) => pass_on(ask, &asked).await,
                Ok(None) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    Reply::Refused { problems: vec![format!("not understood: {error}")] }.into()
                }
                Err(error) => return Err(error),
            };
            write(&mut writer, &answer.reply).await?;
            for sockets in answer.sockets {
                handover::send(writer.as_ref(), &sockets).await?;
            }
        }
    };
    if let Err(error) = ended.await {
        tracing::debug!(%error, "a control connection broke");
    }
}

async fn pass_on(ask: Ask, asked: &mpsc::Sender<Asked>) -> Answer {
    let stopped = || Reply::Refused { problems: vec!["the gateway has stopped".to_owned()] }.into();
    let (reply, answered) = oneshot::channel();
    if asked.send((ask, reply)).await.is_err() {
        return stopped();
    }
    answered.await.unwrap_or_else(|_| stopped())
}

/// Reads one line. None: the other side has nothing more to say. A line that makes no sense is
/// [`io::ErrorKind::InvalidData`], and the next one can be read.
pub(crate) async fn read<T: DeserializeOwned>(
    reader: &mut (impl AsyncRead + AsyncBufReadExt + Unpin),
) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    let mut limited = reader.take(LINE_LIMIT);
    limited.read_until(b'\n', &mut line).await?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(serde_json::from_slice(&line)?)),
        Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Writes one line.
pub(crate) async fn write<T: Serialize>(writer: &mut (impl AsyncWrite + Unpin), value: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reply: &Reply, line: &str) {
        assert_eq!(serde_json::to_string(reply).unwrap(), line);
        let again: Reply = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), line);
    }

    #[test]
    fn replies_are_lines_with_a_tag() {
        check(&Reply::Replaced { generation: 3 }, r#"{"reply":"replaced","generation":3}"#);
        check(&Reply::Stopping, r#"{"reply":"stopping"}"#);
        check(&Reply::Refused { problems: vec!["no".into()] }, r#"{"reply":"refused","problems":["no"]}"#);
        let status = Status { pid: 7, ..Status::default() };
        let line = r#"{"reply":"status","status":{"pid":7,"generation":0,"listeners":[],"routes":[],"dropped_lines":0,"sent_spans":0,"dropped_spans":0}}"#;
        check(&Reply::Status { status }, line);
    }

    #[test]
    fn a_question_with_an_unknown_field_is_not_understood() {
        let line = r#"{"ask":"replace","config":{"format":1,"generation":1,"listeners":[],"routes":[],"x":1}}"#;
        assert!(serde_json::from_str::<Ask>(line).is_err());
    }
}
