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
use tokio::io::{AsyncReadExt, BufReader, Interest};
use tokio::net::UnixStream;

use crate::config::{Config, Listener};
use crate::control::{self, Ask, Handed, Reply};
use crate::folder;
use crate::status::Status;

/// So many sockets fit into one message.
const AT_ONCE: usize = 200;

/// How long a predecessor may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// The gateway that this one takes over from.
#[derive(Debug)]
pub(crate) struct Predecessor {
    stream: BufReader<UnixStream>,
}

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
            Ok(Some((Self { stream: BufReader::new(stream) }, listeners)))
        };
        tokio::time::timeout(PATIENCE, met).await?
    }

    /// Has it stop accepting and give up the folder. When this returns, both have happened.
    pub(crate) async fn leave(&mut self, grace: Duration) -> io::Result<()> {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        match self.ask(&Ask::Leave { grace_ms }).await? {
            Reply::Left => Ok(()),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Passes a configuration on. An error means that it has ended.
    pub(crate) async fn replace(&mut self, config: &Config) -> io::Result<()> {
        self.ask(&Ask::Replace { config: config.clone() }).await.map(|_| ())
    }

    /// What it still has to say. An error means that it has ended.
    pub(crate) async fn status(&mut self) -> io::Result<Status> {
        match self.ask(&Ask::Status).await? {
            Reply::Status { status } => Ok(status),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    async fn ask(&mut self, ask: &Ask) -> io::Result<Reply> {
        let asked = async {
            control::write(&mut self.stream, ask).await?;
            control::read(&mut self.stream).await?.ok_or(io::ErrorKind::UnexpectedEof.into())
        };
        tokio::time::timeout(PATIENCE, asked).await?
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
}
