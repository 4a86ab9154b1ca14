//! Connections to instances: one worker's own, kept for the next request for a short while.
//!
//! An instance may close an idle connection at any moment, and a request sent into that moment is lost. So connections
//! are kept for less than the servers people use wait (5 s is the shortest common one), and a request that can't be
//! repeated gets only one that was in use a moment ago and that the kernel knows to be open. What happens when it goes
//! wrong all the same is for `retry.rs`.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::body::RequestBody;
use crate::endpoint::{InFlight, LiveEndpoint};

/// How long a connection is kept for requests that can be repeated, and for those that can't.
const KEPT: Duration = Duration::from_secs(4);
const KEPT_FOR_UNREPEATABLE: Duration = Duration::from_secs(1);

/// So many connections are kept for one endpoint by one worker.
const KEPT_AT_MOST: usize = 256;

/// How long a connection may take to come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// One worker's idle connections.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    /// By the endpoint's id: a new endpoint at an old address must not get the old one's connections.
    idle: Mutex<HashMap<u64, Vec<Idle>>>,
}

#[derive(Debug)]
struct Idle {
    endpoint: Arc<LiveEndpoint>,
    link: Link,
    since: Instant,
}

/// A connection to an instance. Its task ends with it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) sender: SendRequest<RequestBody>,
    /// The same socket again, to ask it directly whether it is still open.
    socket: std::net::TcpStream,
}

impl Link {
    /// Whether the instance has closed the connection, or sent something that nobody asked for. The connection's task
    /// would learn it too, but only when the runtime next looks for events.
    fn spoilt(&self) -> bool {
        let quiet = self.socket.peek(&mut [0]);
        !quiet.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// A connection in use for one request, which is counted as in flight.
#[derive(Debug)]
pub(crate) struct Lent {
    link: Link,
    pub(crate) in_flight: InFlight,
    pool: Arc<Pool>,
}

impl Lent {
    pub(crate) fn new(link: Link, in_flight: InFlight, pool: Arc<Pool>) -> Self {
        Self { link, in_flight, pool }
    }

    /// Ends the request and keeps the connection for the next one, if it has a next one in it.
    pub(crate) fn give_back(self) {
        self.pool.put(self.in_flight.endpoint(), self.link);
    }
}

impl Pool {
    /// An idle connection to the endpoint, most recently used first.
    pub(crate) fn take(&self, endpoint: &LiveEndpoint, repeatable: bool) -> Option<Link> {
        let kept = if repeatable { KEPT } else { KEPT_FOR_UNREPEATABLE };
        loop {
            let mut idle = self.lock();
            let shelf = idle.get_mut(&endpoint.id)?;
            shelf.retain(|idle| !idle.link.sender.is_closed());
            let place = shelf.iter().rposition(|idle| idle.link.sender.is_ready())?;
            if shelf[place].since.elapsed() > kept {
                return None;
            }
            let link = shelf.remove(place).link;
            drop(idle);
            // A request that can be repeated costs less if the question is left to its sending.
            if repeatable || !link.spoilt() {
                return Some(link);
            }
        }
    }

    fn put(&self, endpoint: &Arc<LiveEndpoint>, link: Link) {
        if endpoint.retired() || link.sender.is_closed() {
            return;
        }
        let mut idle = self.lock();
        let shelf = idle.entry(endpoint.id).or_default();
        if shelf.len() < KEPT_AT_MOST {
            shelf.push(Idle { endpoint: endpoint.clone(), link, since: Instant::now() });
        }
    }

    /// Closes what was kept too long or leads to an endpoint that gets no requests any more. Called now and then.
    pub(crate) fn sweep(&self) {
        self.lock().retain(|_, shelf| {
            shelf.retain(|idle| {
                idle.since.elapsed() <= KEPT && !idle.link.sender.is_closed() && !idle.endpoint.retired()
            });
            !shelf.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Vec<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a new connection to an endpoint.
pub(crate) async fn connect(endpoint: &LiveEndpoint) -> io::Result<Link> {
    let stream = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(endpoint.address)).await??;
    stream.set_nodelay(true)?;
    let stream = stream.into_std()?;
    let socket = stream.try_clone()?;
    let stream = TokioIo::new(TcpStream::from_std(stream)?);
    let (sender, connection) = http1::handshake(stream).await.map_err(io::Error::other)?;
    let address = endpoint.address;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%address, %error, "a connection to an instance broke");
        }
    });
    Ok(Link { sender, socket })
}
