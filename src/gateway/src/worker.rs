//! A worker: a thread with a runtime of its own that accepts connections and answers their requests.
//!
//! Workers share nothing but `live`: each has its own sockets, its own connections to instances, its own timers. The
//! gateway's owner gives them orders and waits for each to be carried out.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::choice::Random;
use crate::connection::{self, Arrival};
use crate::entrance::Entrance;
use crate::live::Live;
use crate::proxy::Proxy;
use crate::sink::Sink;
use crate::upstream::Pool;

/// How often idle connections to instances are looked through.
const SWEEP: Duration = Duration::from_secs(1);

/// How long streams that are ended at the end of a grace have to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// What the owner tells a worker.
#[derive(Debug)]
pub(crate) enum Order {
    /// Accept connections here. `id` is the owner's.
    Listen { id: u64, entrance: Arc<Entrance>, listener: std::net::TcpListener, done: oneshot::Sender<io::Result<()>> },
    /// Accept no more there; open requests go on.
    Unlisten { id: u64, done: oneshot::Sender<()> },
    /// Another process accepts now: accept nowhere, let connections move there as their clients next have something to
    /// ask, and end with the last, or when `grace` has run out.
    Leave { grace: Duration, done: oneshot::Sender<()> },
    /// Accept nowhere, let open requests end within `grace`, and end.
    Stop { grace: Duration },
}

/// The owner's end of a worker.
#[derive(Debug)]
pub(crate) struct Worker {
    orders: mpsc::UnboundedSender<Order>,
}

impl Worker {
    /// Starts a worker for at most so many connections at once. The future resolves when it has ended, which it should only after [`Order::Stop`].
    pub(crate) fn start(
        number: usize,
        shared: Shared,
        seed: u64,
    ) -> io::Result<(Self, impl Future<Output = ()> + Send + 'static)> {
        let (orders, received) = mpsc::unbounded_channel();
        let (ending, ended) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let work = move || {
            runtime.block_on(Floor::new(shared, seed).work(received));
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

/// What all workers share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) live: Arc<Live>,
    pub(crate) sink: Sink,
    /// Ends streams that are still open.
    pub(crate) cut: CancellationToken,
    /// So many connections at once for each worker.
    pub(crate) connections: usize,
}

/// What a worker works on.
struct Floor {
    proxy: Arc<Proxy>,
    listeners: HashMap<u64, Vec<Accepting>>,
    connections: TaskTracker,
    slots: Arc<Semaphore>,
    closing: CancellationToken,
    leaving: CancellationToken,
    cut: CancellationToken,
}

/// A task that accepts connections.
struct Accepting {
    /// Ends it.
    stop: CancellationToken,
    /// Lets its connections end, too.
    closing: CancellationToken,
    task: JoinHandle<()>,
}

impl Floor {
    fn new(shared: Shared, seed: u64) -> Self {
        let Shared { live, sink, cut, connections } = shared;
        let slots = Arc::new(Semaphore::new(connections));
        let connections = TaskTracker::new();
        let pool = Arc::new(Pool::default());
        let proxy = Arc::new(Proxy { live, pool, random: Random::seeded(seed), sink });
        let (closing, leaving) = (CancellationToken::new(), CancellationToken::new());
        Self { proxy, listeners: HashMap::new(), connections, slots, closing, leaving, cut }
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
                Some(Order::Listen { id, entrance, listener, done }) => {
                    let _ = done.send(self.listen(id, entrance, listener));
                }
                Some(Order::Unlisten { id, done }) => self.unlisten(id, done),
                Some(Order::Leave { grace, done }) => return self.leave(grace, done, orders).await,
                Some(Order::Stop { grace }) => return self.stop(grace, orders).await,
                None => return,
            }
        }
    }

    fn listen(&mut self, id: u64, entrance: Arc<Entrance>, listener: std::net::TcpListener) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        // Closing one entrance lets its connections end; stopping, those of all.
        let closing = self.closing.child_token();
        let arrival =
            Arrival { proxy: self.proxy.clone(), entrance, closing: closing.clone(), leaving: self.leaving.clone() };
        let stop = CancellationToken::new();
        let (connections, slots) = (self.connections.clone(), self.slots.clone());
        let door = Door { arrival, connections, slots, stop: stop.clone() };
        let task = tokio::spawn(door.accept(listener));
        self.listeners.entry(id).or_default().push(Accepting { stop, closing, task });
        Ok(())
    }

    fn unlisten(&mut self, id: u64, done: oneshot::Sender<()>) {
        let gone = self.listeners.remove(&id).unwrap_or_default();
        // The sockets are closed when the accepting tasks have ended.
        tokio::spawn(async move {
            for accepting in gone {
                accepting.closing.cancel();
                accepting.end().await;
            }
            let _ = done.send(());
        });
    }

    async fn end_accepting(&mut self) {
        for accepting in std::mem::take(&mut self.listeners).into_values().flatten() {
            accepting.end().await;
        }
    }

    async fn leave(mut self, grace: Duration, done: oneshot::Sender<()>, mut orders: mpsc::UnboundedReceiver<Order>) {
        self.leaving.cancel();
        self.end_accepting().await;
        let _ = done.send(());
        self.connections.close();
        let stopped = async {
            while let Some(order) = orders.recv().await {
                if let Order::Stop { grace } = order {
                    return grace;
                }
            }
            Duration::ZERO
        };
        let rest = tokio::select! {
            () = self.connections.wait() => return,
            () = tokio::time::sleep(grace) => GOODBYE,
            rest = stopped => rest,
        };
        self.stop(rest, orders).await;
    }

    /// A second order to stop, with less grace, cuts the first one short.
    async fn stop(mut self, grace: Duration, mut orders: mpsc::UnboundedReceiver<Order>) {
        self.end_accepting().await;
        self.closing.cancel();
        self.connections.close();
        let hurry = async {
            while let Some(order) = orders.recv().await {
                if let Order::Stop { grace } = order {
                    return tokio::time::sleep(grace).await;
                }
            }
            std::future::pending().await
        };
        tokio::select! {
            ended = timeout(grace, self.connections.wait()) => if ended.is_ok() { return },
            () = hurry => {}
        }
        tracing::warn!(connections = self.connections.len(), "connections are cut, the grace has run out");
        self.cut.cancel();
        let _ = timeout(GOODBYE, self.connections.wait()).await;
    }
}

/// One listener of one worker.
struct Door {
    arrival: Arrival,
    connections: TaskTracker,
    slots: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Accepting {
    async fn end(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

impl Door {
    async fn accept(self, listener: TcpListener) {
        loop {
            // With as many connections as there may be, the next ones wait in the kernel.
            let accepted = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                accepted = async {
                    let slot = self.slots.clone().acquire_owned().await;
                    (listener.accept().await, slot)
                } => accepted,
            };
            match accepted {
                (Ok((stream, peer)), slot) => {
                    if self.arrival.entrance.rules.load().admits(peer.ip()) {
                        let served = connection::serve(self.arrival.clone(), stream, peer);
                        self.connections.spawn(async move {
                            let _slot = slot;
                            served.await;
                        });
                    } else {
                        tracing::debug!(%peer, "may not come from there");
                    }
                }
                // Mostly that there are no more file descriptors: it passes when connections end.
                (Err(error), _) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}
