//! The gateway's owner: it takes the folder, starts the workers, answers the control socket, obeys signals.
//!
//! One task owns everything that changes, so replacements happen one after the other. A replacement is judged wholly
//! before anything is touched; the order afterwards is: bind, store, serve, acknowledge.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::config::{Config, Listener};
use crate::control::{self, Ask, Reply};
use crate::folder::{Folder, FolderError};
use crate::listen;
use crate::live::{Live, Registry};
use crate::status::{ListenerStatus, Status};
use crate::supervision::Supervision;
use crate::worker::{Order, Worker};

/// How long open requests may go on after SIGTERM.
const GRACE: Duration = Duration::from_secs(30);

/// Why a gateway does not run.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// Its folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The stored configuration can't be served.
    #[error("the stored configuration cannot be served: {}", problems.join("; "))]
    Stored {
        /// All reasons.
        problems: Vec<String>,
    },
    /// The system refuses a thread, a signal, a timer.
    #[error("cannot start the gateway")]
    Start(#[source] io::Error),
    /// A worker ended without having been told to.
    #[error("a worker ended unexpectedly")]
    WorkerEnded,
}

/// Runs a gateway in `dir` until it is told to stop, by SIGTERM, SIGINT or a client. Blocks.
///
/// It takes the folder, serves the configuration stored there if there is one, and the one it is given from then on.
/// `workers` is the number of threads that serve requests; by default one for each processor.
///
/// # Errors
///
/// The folder is taken or can't be used; its configuration is broken or can't be served; the system has no resources.
pub fn run(dir: &Path, workers: Option<usize>) -> Result<(), GatewayError> {
    raise_file_limit();
    let folder = Folder::own(dir)?;
    let stored = folder.config()?;
    let workers = workers.or_else(|| std::thread::available_parallelism().ok().map(Into::into)).unwrap_or(1).max(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(GatewayError::Start)?;
    let ended = runtime.block_on(async {
        let mut gateway = Gateway::start(folder, workers)?;
        if let Some(config) = stored {
            gateway.take_up(config).await?;
        }
        gateway.serve().await
    });
    // Clients that wait for the end see it now: the folder has been given up.
    drop(runtime);
    ended
}

/// Each request takes up to three file descriptors, and the usual limit of 1024 is only there for programs that can't
/// take more.
fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most).map(|()| most));
    match raised {
        Ok(most) => tracing::debug!(most, "may open so many files"),
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open files"),
    }
}

/// Everything that the owner owns.
struct Gateway {
    folder: Folder,
    live: Arc<Live>,
    registry: Registry,
    supervision: Supervision,
    workers: Vec<Worker>,
    endings: JoinSet<()>,
    bound: Vec<Bound>,
    next_listener: u64,
    config: Config,
    stopping: bool,
}

/// A listener that workers accept on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    id: u64,
    wanted: Listener,
    address: SocketAddr,
}

impl Gateway {
    fn start(folder: Folder, workers: usize) -> Result<Self, GatewayError> {
        let live = Arc::new(Live::new());
        let mut endings = JoinSet::new();
        let mut started = Vec::new();
        for number in 0..workers {
            let seed = RandomState::new().hash_one(number);
            let (worker, ended) = Worker::start(number, live.clone(), seed).map_err(GatewayError::Start)?;
            endings.spawn(ended);
            started.push(worker);
        }
        Ok(Self {
            folder,
            supervision: Supervision::new(live.clone()),
            live,
            registry: Registry::default(),
            workers: started,
            endings,
            bound: Vec::new(),
            next_listener: 0,
            config: Config::empty(),
            stopping: false,
        })
    }

    /// Serves what the folder holds.
    async fn take_up(&mut self, config: Config) -> Result<(), GatewayError> {
        let sockets = self.bind(&config).map_err(|problems| GatewayError::Stored { problems })?;
        self.adopt(config, sockets).await;
        Ok(())
    }

    /// Answers and obeys until all workers have ended.
    async fn serve(mut self) -> Result<(), GatewayError> {
        let (asked, mut asks) = mpsc::channel(16);
        let control = control::serve(self.folder.listen()?, asked);
        // Not polled to its end: it is dropped with the runtime, after the folder was given up.
        let control = tokio::spawn(control);
        let mut signals = Signals::new().map_err(GatewayError::Start)?;
        tracing::info!(pid = std::process::id(), workers = self.workers.len(), "the gateway runs");
        while !self.endings.is_empty() {
            tokio::select! {
                Some((ask, reply)) = asks.recv() => {
                    let _ = reply.send(self.answer(ask).await);
                }
                () = signals.stop() => self.stop(if self.stopping { Duration::ZERO } else { GRACE }),
                Some(_) = self.endings.join_next() => if !self.stopping {
                    return Err(GatewayError::WorkerEnded);
                },
            }
        }
        drop(control);
        if let Err(error) = self.folder.remove_socket() {
            tracing::warn!(%error, "cannot remove the control socket");
        }
        tracing::info!("the gateway has stopped");
        Ok(())
    }

    async fn answer(&mut self, ask: Ask) -> Reply {
        match ask {
            Ask::Replace { config } => match self.replace(config).await {
                Ok(generation) => Reply::Replaced { generation },
                Err(problems) => Reply::Refused { problems },
            },
            Ask::Status => Reply::Status { status: self.status() },
            Ask::ShutDown { grace_ms } => {
                self.stop(Duration::from_millis(grace_ms));
                Reply::Stopping
            }
        }
    }

    async fn replace(&mut self, config: Config) -> Result<u64, Vec<String>> {
        match judge(&self.config, &config, self.stopping) {
            Verdict::Same => return Ok(self.config.generation),
            Verdict::Refuse(problems) => return Err(problems),
            Verdict::Take => {}
        }
        let sockets = self.bind(&config)?;
        self.folder.store(&config).map_err(|error| vec![with_cause(&error)])?;
        self.adopt(config, sockets).await;
        Ok(self.config.generation)
    }

    /// Binds what is not bound yet; all problems at once.
    fn bind(&self, config: &Config) -> Result<Vec<Vec<TcpListener>>, Vec<String>> {
        let new = config.listeners.iter().filter(|wanted| find(&self.bound, wanted).is_none());
        let mut problems = Vec::new();
        let mut sockets = Vec::new();
        for Listener { name, address } in new {
            match listen::bind(name, *address, self.workers.len()) {
                Ok(bound) => sockets.push(bound),
                Err(problem) => problems.push(problem.to_string()),
            }
        }
        if problems.is_empty() { Ok(sockets) } else { Err(problems) }
    }

    /// Serves a configuration that was judged good. `sockets` are those of its new listeners, in order.
    async fn adopt(&mut self, config: Config, sockets: Vec<Vec<TcpListener>>) {
        self.live.replace(&config, &mut self.registry);
        let mut sockets = sockets.into_iter();
        let mut bound = Vec::new();
        for wanted in &config.listeners {
            match find(&self.bound, wanted) {
                Some(known) => bound.push(Bound { wanted: wanted.clone(), ..known.clone() }),
                None => bound.extend(self.open(wanted, sockets.next().unwrap_or_default()).await),
            }
        }
        for gone in std::mem::take(&mut self.bound) {
            if !bound.iter().any(|kept| kept.id == gone.id) {
                self.close(gone.id).await;
            }
        }
        self.bound = bound;
        self.supervision.follow(self.live.probed());
        self.config = config;
    }

    /// Gives each worker its socket and waits until all accept.
    async fn open(&mut self, wanted: &Listener, sockets: Vec<TcpListener>) -> Option<Bound> {
        let address = sockets.first()?.local_addr().unwrap_or(wanted.address);
        let id = self.next_listener;
        self.next_listener += 1;
        let mut waiting = Vec::new();
        for (worker, listener) in self.workers.iter().zip(sockets) {
            let (done, opened) = oneshot::channel();
            worker.order(Order::Listen { id, listener, done });
            waiting.push(opened);
        }
        for opened in waiting {
            if let Ok(Err(error)) = opened.await {
                tracing::error!(listener = wanted.name, %error, "a worker cannot listen");
            }
        }
        Some(Bound { id, wanted: wanted.clone(), address })
    }

    /// Has all workers accept no more there, and waits until the sockets are closed.
    async fn close(&self, id: u64) {
        let mut waiting = Vec::new();
        for worker in &self.workers {
            let (done, closed) = oneshot::channel();
            worker.order(Order::Unlisten { id, done });
            waiting.push(closed);
        }
        for closed in waiting {
            let _ = closed.await;
        }
    }

    fn stop(&mut self, grace: Duration) {
        tracing::info!(?grace, "the gateway stops");
        self.stopping = true;
        for worker in &self.workers {
            worker.order(Order::Stop { grace });
        }
    }

    fn status(&mut self) -> Status {
        let listeners = self.bound.iter();
        let listeners =
            listeners.map(|bound| ListenerStatus { name: bound.wanted.name.clone(), address: bound.address });
        Status {
            pid: std::process::id(),
            generation: self.config.generation,
            listeners: listeners.collect(),
            routes: self.live.status(&mut self.registry),
        }
    }
}

/// The bound listener that already does what is wanted. Where the kernel chose the port, the name says which it is.
fn find<'a>(bound: &'a [Bound], wanted: &Listener) -> Option<&'a Bound> {
    bound.iter().find(|bound| {
        let named = wanted.address.port() != 0 || bound.wanted.name == wanted.name;
        bound.wanted.address == wanted.address && named
    })
}

/// What to do with a configuration.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is served already.
    Same,
    Take,
    Refuse(Vec<String>),
}

fn judge(current: &Config, next: &Config, stopping: bool) -> Verdict {
    if stopping {
        Verdict::Refuse(vec!["the gateway is stopping".to_owned()])
    } else if next == current {
        Verdict::Same
    } else if let Err(problems) = next.check() {
        Verdict::Refuse(problems.iter().map(ToString::to_string).collect())
    } else if next.generation < current.generation {
        let (next, current) = (next.generation, current.generation);
        Verdict::Refuse(vec![format!("generation {next} is older than {current}, which is served")])
    } else if next.generation == current.generation {
        Verdict::Refuse(vec![format!("generation {} is served already, with other content", next.generation)])
    } else {
        Verdict::Take
    }
}

fn with_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// The signals that mean something here.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal to stop. That the terminal is gone is none.
    async fn stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges a configuration of generation `next` (with other content if `other`) while 5 is served.
    fn check(next: u64, other: bool, expected: &Verdict) {
        let current = Config { generation: 5, ..Config::empty() };
        let listeners = vec![Listener { name: "a".into(), address: ([127, 0, 0, 1], 1).into() }];
        let next = Config { generation: next, listeners: if other { listeners } else { vec![] }, ..Config::empty() };
        assert_eq!(&judge(&current, &next, false), expected);
    }

    fn refused(words: &str) -> Verdict {
        Verdict::Refuse(vec![words.to_owned()])
    }

    #[test]
    fn only_a_newer_generation_is_taken() {
        check(6, true, &Verdict::Take);
        check(6, false, &Verdict::Take);
        check(4, true, &refused("generation 4 is older than 5, which is served"));
        check(5, true, &refused("generation 5 is served already, with other content"));
    }

    #[test]
    fn the_same_again_is_acknowledged() {
        check(5, false, &Verdict::Same);
    }

    #[test]
    fn a_stopping_gateway_takes_nothing() {
        let next = Config { generation: 1, ..Config::empty() };
        assert_eq!(judge(&Config::empty(), &next, true), refused("the gateway is stopping"));
    }
}
