//! The listeners that workers accept on, as the owner knows them: bound once, opened at the workers, closed there.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_rustls::rustls::ServerConfig;

use crate::config::{Config, Listener};
use crate::entrance::Entrance;
use crate::listen;
use crate::status::ListenerStatus;
use crate::tls::{self, Stamp};
use crate::worker::{Order, Worker};

/// All listeners.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    bound: Vec<Bound>,
    next: u64,
}

/// A listener that workers accept on.
#[derive(Debug)]
struct Bound {
    id: u64,
    wanted: Listener,
    address: SocketAddr,
    entrance: Arc<Entrance>,
    /// The workers' sockets once more, to hand them over.
    sockets: Vec<TcpListener>,
    certificates: Stamp,
}

/// What a configuration's listeners need before they can be opened: everything that can fail.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    /// For each listener of the configuration.
    listeners: Vec<Ready>,
}

#[derive(Debug)]
struct Ready {
    tls: Option<Arc<ServerConfig>>,
    certificates: Stamp,
    /// None where it is bound already.
    sockets: Option<Vec<TcpListener>>,
}

impl Listening {
    /// Binds what is not bound yet, and reads certificates; all problems at once. `handed` are sockets that are bound.
    pub(crate) fn prepare(
        &self,
        config: &Config,
        workers: usize,
        mut handed: Vec<(Listener, Vec<TcpListener>)>,
    ) -> Result<Prepared, Vec<String>> {
        let (mut problems, mut listeners) = (Vec::new(), Vec::new());
        for wanted in &config.listeners {
            let certificates = Stamp::of(wanted);
            let tls = tls::server(wanted).map_err(|problem| problems.push(problem.to_string())).ok();
            let given = handed.iter().position(|(known, _)| same(known, wanted)).map(|place| handed.remove(place).1);
            let sockets = if self.find(wanted).is_some() {
                None
            } else {
                let bound = given.map_or_else(|| listen::bind(&wanted.name, wanted.address, workers), Ok);
                bound.map_err(|problem| problems.push(problem.to_string())).ok()
            };
            listeners.push(Ready { tls: tls.flatten(), certificates, sockets });
        }
        if problems.is_empty() { Ok(Prepared { listeners }) } else { Err(problems) }
    }

    /// Accepts on what the configuration says, with the rules it says, and nowhere else.
    pub(crate) async fn adopt(&mut self, config: &Config, prepared: Prepared, workers: &[Worker]) {
        let mut bound = Vec::new();
        for (wanted, ready) in config.listeners.iter().zip(prepared.listeners) {
            let known = self.bound.iter().position(|known| same(&known.wanted, wanted));
            match known.map(|place| self.bound.swap_remove(place)) {
                Some(known) => {
                    known.entrance.follow(wanted, ready.tls);
                    bound.push(Bound { wanted: wanted.clone(), certificates: ready.certificates, ..known });
                }
                None => bound.extend(self.open(wanted, ready, workers).await),
            }
        }
        for gone in std::mem::replace(&mut self.bound, bound) {
            close(gone, workers).await;
        }
    }

    /// Gives the workers their sockets and waits until all accept.
    async fn open(&mut self, wanted: &Listener, ready: Ready, workers: &[Worker]) -> Option<Bound> {
        let sockets = ready.sockets.unwrap_or_default();
        let address = sockets.first()?.local_addr().unwrap_or(wanted.address);
        let entrance = Entrance::new(wanted, ready.tls);
        let id = self.next;
        self.next += 1;
        let mut waiting = Vec::new();
        // Sockets that were handed over may be more than there are workers, or fewer.
        for place in 0..sockets.len().max(workers.len()) {
            let listener = match sockets[place % sockets.len()].try_clone() {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::error!(listener = wanted.name, %error, "a worker cannot listen");
                    continue;
                }
            };
            let (done, opened) = oneshot::channel();
            workers[place % workers.len()].order(Order::Listen { id, entrance: entrance.clone(), listener, done });
            waiting.push(opened);
        }
        for opened in waiting {
            if let Ok(Err(error)) = opened.await {
                tracing::error!(listener = wanted.name, %error, "a worker cannot listen");
            }
        }
        Some(Bound { id, wanted: wanted.clone(), address, entrance, sockets, certificates: ready.certificates })
    }

    /// The bound listener that already does what is wanted.
    fn find(&self, wanted: &Listener) -> Option<&Bound> {
        self.bound.iter().find(|bound| same(&bound.wanted, wanted))
    }

    /// Copies of all sockets, for a successor.
    pub(crate) fn sockets(&self) -> std::io::Result<Vec<(Listener, Vec<OwnedFd>)>> {
        let copy = |bound: &Bound| {
            let sockets = bound.sockets.iter().map(|socket| socket.try_clone().map(OwnedFd::from));
            Ok((bound.wanted.clone(), sockets.collect::<std::io::Result<_>>()?))
        };
        self.bound.iter().map(copy).collect()
    }

    /// Gives up all sockets; the workers have theirs still.
    pub(crate) fn forget(&mut self) {
        self.bound.clear();
    }

    /// Reads certificates again whose files have changed. Where they can't be used, those from before are shown on.
    pub(crate) fn renew(&mut self) {
        for bound in self.bound.iter_mut().filter(|bound| !bound.wanted.certificates.is_empty()) {
            let seen = Stamp::of(&bound.wanted);
            if seen == bound.certificates {
                continue;
            }
            bound.certificates = seen;
            match tls::server(&bound.wanted) {
                Ok(tls) => {
                    bound.entrance.follow(&bound.wanted, tls);
                    tracing::info!(listener = bound.wanted.name, "shows new certificates");
                }
                Err(error) => tracing::error!(%error, "the certificates from before are shown on"),
            }
        }
    }

    pub(crate) fn status(&self) -> Vec<ListenerStatus> {
        let status = |bound: &Bound| ListenerStatus {
            name: bound.wanted.name.clone(),
            address: bound.address,
            refused: bound.entrance.load.refused().map(|(reason, count)| (reason.to_owned(), count)).collect(),
        };
        self.bound.iter().map(status).collect()
    }
}

/// Has all workers accept no more there, and waits until the sockets are closed.
async fn close(gone: Bound, workers: &[Worker]) {
    drop(gone.sockets);
    let mut waiting = Vec::new();
    for worker in workers {
        let (done, closed) = oneshot::channel();
        worker.order(Order::Unlisten { id: gone.id, done });
        waiting.push(closed);
    }
    for closed in waiting {
        let _ = closed.await;
    }
}

/// Whether they want the same address. Where the kernel chose the port, the name says which it is.
fn same(known: &Listener, wanted: &Listener) -> bool {
    known.address == wanted.address && (wanted.address.port() != 0 || known.name == wanted.name)
}
