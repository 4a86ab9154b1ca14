//! Connections to instances: one worker's own, kept for the next request for a short while.
//!
//! In HTTP/1.1 a connection carries one request at a time. An instance may close an idle one at any moment, and a request
//! sent into that moment is lost. So a request that can't be repeated gets only one that was in use a moment ago and that
//! the kernel knows to be open. Any other gets whatever is open, however long it was idle: what the instance closes is
//! noticed and thrown away, and who was faster than the notice is sent again. Opening connections anew for a crowd that
//! comes back after a pause is what its slowest requests would wait for. What happens when it goes wrong all the same is
//! for `retry.rs`. In HTTP/2 requests share a connection until it has as many as it takes; closing is announced there.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::body::RequestBody;
use crate::endpoint::{InFlight, LiveEndpoint};

/// How long a connection is kept for requests that can be repeated, and for those that can't.
const KEPT: Duration = Duration::from_secs(60);
const KEPT_FOR_UNREPEATABLE: Duration = Duration::from_secs(1);

/// So many connections are kept for one endpoint by one worker.
const KEPT_AT_MOST: usize = 256;

/// So many requests share an HTTP/2 connection. Where the instance takes fewer at once, the rest waits in line.
const STREAMS: usize = 100;

/// So much of one answer, and of all answers of a connection, may be on its way in HTTP/2, in bytes.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// How long a connection may take to come about, where the route says nothing.
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// One worker's connections.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    /// By the endpoint's id: a new endpoint at an old address must not get the old one's connections.
    idle: Mutex<HashMap<u64, Vec<Idle>>>,
    shared: Mutex<HashMap<u64, Vec<Shared>>>,
}

#[derive(Debug)]
struct Idle {
    endpoint: Arc<LiveEndpoint>,
    link: Exclusive,
    since: Instant,
}

/// A connection for one request at a time, and nothing that was read from it.
#[derive(Debug)]
pub(crate) struct Exclusive {
    pub(crate) stream: TcpStream,
}

impl Exclusive {
    /// Whether the instance has closed the connection, or sent something that nobody asked for, as far as the runtime
    /// knows. It learns that when it next looks for events.
    fn stirs(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.stream.poll_read_ready(&mut cx).is_ready() && self.spoilt()
    }

    /// The same as the kernel knows it.
    fn spoilt(&self) -> bool {
        let quiet = SockRef::from(&self.stream).peek(&mut [MaybeUninit::uninit()]);
        !quiet.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// A connection for many requests. Its task ends with it.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    endpoint: Arc<LiveEndpoint>,
    sender: SendRequest<RequestBody>,
    /// Counts those who have it.
    users: Arc<()>,
}

impl Shared {
    /// Sends a request. The error has it back if nothing of it was sent.
    pub(crate) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
        self.sender.try_send_request(request).await
    }

    fn usable(&self) -> bool {
        self.sender.is_ready() && !self.sender.is_closed() && !self.endpoint.retired()
    }

    /// Whether one more request fits. The pool is a user, too.
    fn has_room(&self) -> bool {
        Arc::strong_count(&self.users) <= STREAMS
    }
}

/// A request on a connection, which is counted as in flight.
#[derive(Debug)]
pub(crate) struct Lent {
    pub(crate) in_flight: InFlight,
    pool: Arc<Pool>,
    /// Where it is one of many.
    _shared: Option<Shared>,
}

impl Lent {
    pub(crate) fn new(in_flight: InFlight, pool: Arc<Pool>, shared: Option<Shared>) -> Self {
        Self { in_flight, pool, _shared: shared }
    }

    /// Counts what went up and came down.
    pub(crate) fn count(&self, up: u64, down: u64) {
        let figures = &self.in_flight.endpoint().figures;
        figures.bytes_out.fetch_add(down, Ordering::Relaxed);
        if up > 0 {
            figures.bytes_in.fetch_add(up, Ordering::Relaxed);
        }
    }

    /// Ends the request and keeps its connection for the next one, if it is `spare`.
    pub(crate) fn give_back(self, spare: Option<Exclusive>) {
        if let Some(link) = spare {
            self.pool.put(self.in_flight.endpoint(), link);
        }
    }
}

impl Pool {
    /// A connection for many requests that was made before.
    pub(crate) fn take_shared(&self, endpoint: &LiveEndpoint) -> Option<Shared> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.get(&endpoint.id)?.iter().find(|link| link.usable() && link.has_room()).cloned()
    }

    /// A connection for one request that was made before, most recently used first.
    pub(crate) fn take_idle(&self, endpoint: &LiveEndpoint, repeatable: bool) -> Option<Exclusive> {
        let kept = if repeatable { KEPT } else { KEPT_FOR_UNREPEATABLE };
        let mut idle = self.idle();
        let shelf = idle.get_mut(&endpoint.id)?;
        loop {
            if shelf.last()?.since.elapsed() > kept {
                return None;
            }
            let link = shelf.pop()?.link;
            // A request that can be repeated costs less if the question is left to its sending.
            let spoilt = if repeatable { link.stirs() } else { link.spoilt() };
            if !spoilt {
                return Some(link);
            }
        }
    }

    fn put(&self, endpoint: &Arc<LiveEndpoint>, link: Exclusive) {
        if endpoint.retired() {
            return;
        }
        let mut idle = self.idle();
        let shelf = idle.entry(endpoint.id).or_default();
        if shelf.len() < KEPT_AT_MOST {
            shelf.push(Idle { endpoint: endpoint.clone(), link, since: Instant::now() });
        }
    }

    /// Lets others use a connection, too.
    pub(crate) fn share(&self, link: &Shared) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.entry(link.endpoint.id).or_default().push(link.clone());
    }

    /// Closes what was kept too long, was closed by the instance, or leads to an endpoint that gets no requests any more.
    /// Called now and then.
    pub(crate) fn sweep(&self) {
        self.idle().retain(|_, shelf| {
            shelf.retain(|idle| idle.since.elapsed() <= KEPT && !idle.link.stirs() && !idle.endpoint.retired());
            !shelf.is_empty()
        });
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, shelf| {
            shelf.retain(Shared::usable);
            !shelf.is_empty()
        });
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<u64, Vec<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a new connection for one request at a time.
pub(crate) async fn connect(endpoint: &LiveEndpoint, limit: Duration) -> io::Result<Exclusive> {
    let stream = tokio::time::timeout(limit, TcpStream::connect(endpoint.address)).await??;
    stream.set_nodelay(true)?;
    Ok(Exclusive { stream })
}

/// Makes a new connection for many requests.
pub(crate) async fn connect_shared(endpoint: &Arc<LiveEndpoint>, limit: Duration) -> io::Result<Shared> {
    let Exclusive { stream } = connect(endpoint, limit).await?;
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(10));
    let made = tokio::time::timeout(limit, http.handshake(TokioIo::new(stream))).await?;
    let (sender, connection) = made.map_err(io::Error::other)?;
    let address = endpoint.address;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%address, %error, "a connection to an instance broke");
        }
    });
    Ok(Shared { endpoint: endpoint.clone(), sender, users: Arc::new(()) })
}
