//! One gateway takes over from another without a moment in which nobody listens.
//!
//! The successor is given the very sockets on which the predecessor accepts, and accepts on them, too. Only then does the
//! predecessor stop accepting and give up the folder; connections that the kernel has queued are the successor's. What the
//! predecessor has open it goes on serving: an HTTP/1 client is told with its next answer that the connection ends, an
//! HTTP/2 client at once, streams go on until their end. As long as it does, the successor passes every configuration on
//! to it and adds its requests in flight to its own, so that whoever drains an instance sees them all.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Interest};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use crate::config::{Config, Listener};
use crate::control::{self, Ask, Handed, Reply};
use crate::folder;
use crate::status::Status;

/// So many sockets fit into one message.
const AT_ONCE: usize = 200;

/// How long a predecessor may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// It says that it stops before all its threads have heard of it.
const SETTLING: Duration = Duration::from_millis(100);

/// Sends sockets: each message is a byte with some of them.
pub(crate) async fn send(stream: &UnixStream, sockets: &[OwnedFd]) -> io::Result<()> {
    for some in sockets.chunks(AT_ONCE) {
        let some: Vec<_> = some.iter().map(AsFd::as_fd).collect();
        let once = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            control.push(SendAncillaryMessage::ScmRights(&some));
            Ok(sendmsg(stream, &[IoSlice::new(b"s")], &mut control, SendFlags::empty())?)
        };
        stream.async_io(Interest::WRITABLE, once).await?;
    }
    Ok(())
}

async fn receive(stream: &UnixStream, count: usize) -> io::Result<Vec<OwnedFd>> {
    let mut sockets = Vec::new();
    while sockets.len() < count {
        let once = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let read = recvmsg(stream, &mut [IoSliceMut::new(&mut [0])], &mut control, RecvFlags::CMSG_CLOEXEC)?;
            let messages = control.drain().filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
                _ => None,
            });
            Ok((read.bytes, messages.flatten().collect::<Vec<_>>()))
        };
        let (bytes, some) = stream.async_io(Interest::READABLE, once).await?;
        if bytes == 0 || some.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        sockets.extend(some);
    }
    Ok(sockets)
}

/// What a predecessor is asked, and where its answer goes.
type Asked = (Ask, oneshot::Sender<Reply>);

/// The gateway that this one takes over from.
///
/// Whoever waits for an answer gives up after a while; the conversation does not. So an answer that comes late is still the
/// answer to its own question, and nobody takes a predecessor that is slow for one that has ended.
#[derive(Debug)]
pub(crate) struct Predecessor {
    asks: mpsc::UnboundedSender<Asked>,
    patience: Duration,
    /// What it said last.
    said: Status,
}

/// It has ended, and nothing of it is open any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended;

impl Predecessor {
    /// Asks the gateway in `dir` for its sockets. None: there is no gateway.
    pub(crate) async fn meet(dir: &Path) -> io::Result<Option<(Self, Vec<(Listener, Vec<TcpListener>)>)>> {
        let stream = match folder::connect(dir).and_then(UnixStream::from_std) {
            Ok(stream) => stream,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let met = async {
            let mut stream = stream;
            control::write(&mut stream, &Ask::HandOver).await?;
            // What follows the line must stay in the kernel until it is asked for with its sockets.
            let mut line = Vec::new();
            while line.last() != Some(&b'\n') {
                line.push(stream.read_u8().await?);
            }
            let handed = match serde_json::from_slice(&line)? {
                Reply::HandingOver { listeners } => listeners,
                Reply::Refused { problems } => return Err(io::Error::other(problems.join("; "))),
                _ => return Err(io::ErrorKind::InvalidData.into()),
            };
            let mut listeners = Vec::new();
            for Handed { listener, sockets } in handed {
                let sockets = receive(&stream, sockets).await?;
                listeners.push((listener, sockets.into_iter().map(TcpListener::from).collect()));
            }
            Ok(Some((Self::on(stream, PATIENCE), listeners)))
        };
        tokio::time::timeout(PATIENCE, met).await?
    }

    fn on(stream: UnixStream, patience: Duration) -> Self {
        let (asks, asked) = mpsc::unbounded_channel();
        tokio::spawn(converse(BufReader::new(stream), asked));
        Self { asks, patience, said: Status::default() }
    }

    /// Has it stop accepting and give up the folder. When this returns, both have happened.
    pub(crate) async fn leave(&mut self, grace: Duration) -> io::Result<()> {
        match self.ask(Ask::Leave { grace_ms: millis(grace) }).await {
            Ok(Some(Reply::Left)) => Ok(()),
            Ok(Some(Reply::Refused { problems })) => Err(io::Error::other(problems.join("; "))),
            Ok(Some(_)) => Err(io::ErrorKind::InvalidData.into()),
            Ok(None) => Err(io::ErrorKind::TimedOut.into()),
            Err(Ended) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Passes a configuration on. Where it does not take that, it begins no request any more, lest it goes by an older one;
    /// what it has open may end within `grace`.
    pub(crate) async fn replace(&mut self, config: &Config, grace: Duration) -> Result<(), Ended> {
        match self.ask(Ask::Replace { config: config.clone() }).await? {
            None | Some(Reply::Replaced { .. }) => Ok(()),
            Some(refused) => {
                tracing::warn!(
                    ?refused,
                    "the predecessor does not take the configuration, and begins nothing any more"
                );
                self.stop(grace).await?;
                tokio::time::sleep(SETTLING).await;
                Ok(())
            }
        }
    }

    /// Has it begin nothing any more, and end what it has open within `grace`.
    pub(crate) async fn stop(&mut self, grace: Duration) -> Result<(), Ended> {
        self.ask(Ask::ShutDown { grace_ms: millis(grace) }).await.map(|_| ())
    }

    /// What it has open. While it says nothing, each instance that it spoke to last may still be sent something by it, and
    /// counts as if it were.
    pub(crate) async fn status(&mut self) -> Result<Status, Ended> {
        match self.ask(Ask::Status).await? {
            Some(Reply::Status { status }) => self.said = status,
            _ => {
                let endpoints = self.said.routes.iter_mut().flat_map(|route| &mut route.endpoints);
                endpoints.for_each(|endpoint| endpoint.in_flight = endpoint.in_flight.max(1));
            }
        }
        Ok(self.said.clone())
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&self) {
        self.asks.closed().await;
    }

    /// None: no answer yet. It will do what it is asked all the same, in its turn.
    async fn ask(&mut self, ask: Ask) -> Result<Option<Reply>, Ended> {
        let (reply, answered) = oneshot::channel();
        self.asks.send((ask, reply)).map_err(|_| Ended)?;
        match tokio::time::timeout(self.patience, answered).await {
            Ok(answered) => answered.map(Some).map_err(|_| Ended),
            Err(_) => Ok(None),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Asks and hears the answers, in turn, until either side has gone.
async fn converse(mut stream: BufReader<UnixStream>, mut asked: mpsc::UnboundedReceiver<Asked>) {
    loop {
        let (ask, answered) = tokio::select! {
            next = asked.recv() => match next {
                Some(next) => next,
                None => return,
            },
            // It says nothing unasked.
            _ = stream.fill_buf() => return,
        };
        if control::write(&mut stream, &ask).await.is_err() {
            return;
        }
        let reply = match control::read(&mut stream).await {
            Ok(Some(reply)) => reply,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Reply::Refused { problems: vec![format!("not understood: {error}")] }
            }
            Ok(None) | Err(_) => return,
        };
        let _ = answered.send(reply);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sockets_arrive_however_many_there_are() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let bind = |_| TcpListener::bind("127.0.0.1:0").unwrap();
        let sockets: Vec<TcpListener> = (0..AT_ONCE + 3).map(bind).collect();
        let addresses: Vec<_> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
        let owned: Vec<OwnedFd> = sockets.into_iter().map(OwnedFd::from).collect();
        send(&ours, &owned).await.unwrap();
        drop((ours, owned));
        let received = receive(&theirs, addresses.len()).await.unwrap();
        let seen = received.into_iter().map(|socket| TcpListener::from(socket).local_addr().unwrap());
        assert_eq!(seen.collect::<Vec<_>>(), addresses);
        let error = receive(&theirs, 1).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    /// A predecessor, and its end of the conversation. Waits for an answer only briefly.
    fn met() -> (Predecessor, BufReader<UnixStream>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Predecessor::on(ours, Duration::from_millis(20)), BufReader::new(theirs))
    }

    async fn hears(stream: &mut BufReader<UnixStream>) -> String {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        let ask: serde_json::Value = serde_json::from_str(&line).unwrap();
        ask["ask"].as_str().unwrap().to_owned()
    }

    fn holds(in_flight: u64) -> Reply {
        let endpoint = serde_json::json!({ "name": "a", "address": "127.0.0.1:1", "state": "draining", "ready": true,
            "in_flight": in_flight, "last_answer": null, "served": 0, "failed": 0 });
        let route = serde_json::json!({ "name": "public/a", "endpoints": [endpoint] });
        let status = serde_json::json!({ "pid": 1, "generation": 1, "listeners": [], "routes": [route] });
        Reply::Status { status: serde_json::from_value(status).unwrap() }
    }

    #[tokio::test]
    async fn whoever_refuses_a_configuration_is_stopped() {
        let (mut predecessor, mut end) = met();
        let config = Config::empty();
        let (followed, heard) = tokio::join!(predecessor.replace(&config, Duration::from_secs(9)), async {
            let mut heard = vec![hears(&mut end).await];
            control::write(&mut end, &Reply::Refused { problems: vec!["what is that?".into()] }).await.unwrap();
            heard.push(hears(&mut end).await);
            control::write(&mut end, &Reply::Stopping).await.unwrap();
            heard
        });
        assert_eq!((followed, heard), (Ok(()), vec!["replace".into(), "shut-down".into()]));
    }

    #[tokio::test]
    async fn whoever_is_late_is_not_forgotten() {
        let (mut predecessor, mut end) = met();
        let (said, _) = tokio::join!(predecessor.status(), async {
            hears(&mut end).await;
            control::write(&mut end, &holds(0)).await.unwrap();
        });
        assert_eq!(said.unwrap().in_flight("a"), 0);
        // It is asked, and says nothing in time: nobody knows what it has open.
        predecessor.replace(&Config::empty(), Duration::ZERO).await.unwrap();
        assert_eq!(predecessor.status().await.unwrap().in_flight("a"), 1);
        // Its answers come, each to its question.
        let (said, _) = tokio::join!(predecessor.status(), async {
            assert_eq!(hears(&mut end).await, "replace");
            control::write(&mut end, &Reply::Replaced { generation: 0 }).await.unwrap();
            for in_flight in [5, 0] {
                assert_eq!(hears(&mut end).await, "status");
                control::write(&mut end, &holds(in_flight)).await.unwrap();
            }
        });
        assert_eq!(said.unwrap().in_flight("a"), 0);
        drop(end);
        predecessor.ended().await;
        assert_eq!(predecessor.status().await.unwrap_err(), Ended);
    }
}
