//! A worker: a thread with a runtime of its own that accepts connections and answers their requests.
//!
//! Workers share nothing but `live`: each has its own sockets, its own connections to instances, its own timers. The
//! gateway's owner gives them orders and waits for each to be carried out.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::choice::Random;
use crate::live::Live;
use crate::proxy::Proxy;
use crate::upstream::Pool;

/// How long a client may take for a request's head.
const HEAD_LIMIT: Duration = Duration::from_secs(30);

/// How often idle connections to instances are looked through.
const SWEEP: Duration = Duration::from_secs(1);

/// How long, and for how much, a client that was refused may go on sending before the connection is cut.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: u64 = 64 << 20;

/// What the owner tells a worker.
#[derive(Debug)]
pub(crate) enum Order {
    /// Accept connections here. `id` is the owner's.
    Listen { id: u64, listener: std::net::TcpListener, done: oneshot::Sender<io::Result<()>> },
    /// Accept no more there; open requests go on.
    Unlisten { id: u64, done: oneshot::Sender<()> },
    /// Accept nowhere, let open requests end within `grace`, and end.
    Stop { grace: Duration },
}

/// The owner's end of a worker.
#[derive(Debug)]
pub(crate) struct Worker {
    orders: mpsc::UnboundedSender<Order>,
}

impl Worker {
    /// Starts a worker. The future resolves when it has ended, which it should only after [`Order::Stop`].
    pub(crate) fn start(
        number: usize,
        live: Arc<Live>,
        seed: u64,
    ) -> io::Result<(Self, impl Future<Output = ()> + Send + 'static)> {
        let (orders, received) = mpsc::unbounded_channel();
        let (ending, ended) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let work = move || {
            runtime.block_on(Floor::new(live, seed).work(received));
            drop(runtime);
            drop(ending);
        };
        let thread = std::thread::Builder::new().name(format!("worker-{number}")).spawn(work)?;
        let ended = async move {
            // Closed without a message, by the end of the thread or by its panic.
            let _ = ended.await;
            let _ = thread.join();
        };
        Ok((Self { orders }, ended))
    }

    /// Gives an order. A worker that has ended takes none.
    pub(crate) fn order(&self, order: Order) {
        let _ = self.orders.send(order);
    }
}

/// What a worker works on.
struct Floor {
    proxy: Arc<Proxy>,
    listeners: HashMap<u64, (CancellationToken, tokio::task::JoinHandle<()>)>,
    connections: TaskTracker,
}

impl Floor {
    fn new(live: Arc<Live>, seed: u64) -> Self {
        let connections = TaskTracker::new();
        let pool = Arc::new(Pool::default());
        let upgrades = connections.clone();
        let proxy = Arc::new(Proxy { live, pool, random: Random::seeded(seed), upgrades });
        Self { proxy, listeners: HashMap::new(), connections }
    }

    async fn work(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            let order = tokio::select! {
                order = orders.recv() => order,
                _ = sweep.tick() => {
                    self.proxy.pool.sweep();
                    continue;
                }
            };
            match order {
                Some(Order::Listen { id, listener, done }) => {
                    let _ = done.send(self.listen(id, listener));
                }
                Some(Order::Unlisten { id, done }) => self.unlisten(id, done),
                Some(Order::Stop { grace }) => return self.stop(grace, orders).await,
                None => return,
            }
        }
    }

    fn listen(&mut self, id: u64, listener: std::net::TcpListener) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        let closing = CancellationToken::new();
        let door = Door { proxy: self.proxy.clone(), connections: self.connections.clone(), closing: closing.clone() };
        let accepting = tokio::spawn(door.accept(listener));
        self.listeners.insert(id, (closing, accepting));
        Ok(())
    }

    fn unlisten(&mut self, id: u64, done: oneshot::Sender<()>) {
        let Some((closing, accepting)) = self.listeners.remove(&id) else { return };
        closing.cancel();
        // The socket is closed when the accepting task has ended.
        tokio::spawn(async move {
            let _ = accepting.await;
            let _ = done.send(());
        });
    }

    /// A second order to stop, with less grace, cuts the first one short.
    async fn stop(self, grace: Duration, mut orders: mpsc::UnboundedReceiver<Order>) {
        self.listeners.values().for_each(|(closing, _)| closing.cancel());
        self.connections.close();
        let connections = self.connections.clone();
        let idle = async move {
            for (_, accepting) in self.listeners.into_values() {
                let _ = accepting.await;
            }
            connections.wait().await;
        };
        let hurry = async {
            while let Some(order) = orders.recv().await {
                if let Order::Stop { grace } = order {
                    return tokio::time::sleep(grace).await;
                }
            }
            std::future::pending().await
        };
        tokio::select! {
            ended = timeout(grace, idle) => if ended.is_err() {
                tracing::warn!(connections = self.connections.len(), "connections are cut, the grace has run out");
            },
            () = hurry => {}
        }
    }
}

/// One listener of one worker.
struct Door {
    proxy: Arc<Proxy>,
    connections: TaskTracker,
    closing: CancellationToken,
}

impl Door {
    async fn accept(self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.closing.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let client = HeaderValue::try_from(peer.ip().to_canonical().to_string());
                    let client = client.unwrap_or_else(|_| HeaderValue::from_static("unknown"));
                    let served = serve(self.proxy.clone(), stream, client, self.closing.clone());
                    self.connections.spawn(served);
                }
                // Mostly that there are no more file descriptors: it passes when connections end.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

/// Answers the requests of one connection.
async fn serve(proxy: Arc<Proxy>, stream: TcpStream, client: HeaderValue, closing: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let refused = Arc::new(AtomicBool::new(false));
    let seen = refused.clone();
    let service = service_fn(move |request| {
        let (proxy, client, refused) = (proxy.clone(), client.clone(), seen.clone());
        async move {
            let response = proxy.answer(request, &client).await;
            if response.headers().contains_key(CONNECTION) {
                refused.store(true, Ordering::Relaxed);
            }
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT);
    let mut connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = closing.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a client's connection broke");
    }
    if refused.load(Ordering::Relaxed)
        && let Some(parts) = connection.into_parts()
    {
        linger(parts.io.into_inner()).await;
    }
}

/// Reads what a refused client still sends. Closing a socket with unread input resets the connection, and the reset
/// can overtake the answer, which the client then never sees.
async fn linger(stream: TcpStream) {
    let mut rest = stream.take(LINGER_BYTES);
    let mut sink = tokio::io::sink();
    let _ = timeout(LINGER, tokio::io::copy(&mut rest, &mut sink)).await;
}
