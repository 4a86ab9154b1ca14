//! The gateway's owner: it takes the folder, starts the workers, answers the control socket, obeys signals.
//!
//! One task owns everything that changes, so replacements happen one after the other. A replacement is judged wholly
//! before anything is touched; the order afterwards is: bind, store, serve, acknowledge.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Listener};
use crate::control::{self, Answer, Ask, Handed, Reply};
use crate::drains::Drains;
use crate::exposition::{self, Exposition};
use crate::folder::{self, Folder, FolderError};
use crate::handover::Predecessor;
use crate::listening::{Listening, Prepared};
use crate::live::{Live, Telling};
use crate::registry::Registry;
use crate::sink::{Rotated, Sink};
use crate::status::Status;
use crate::supervision::Supervision;
use crate::tracer::{Counts, Tracer};
use crate::worker::{Order, Shared, Worker};

/// How long open requests may go on after SIGTERM.
const GRACE: Duration = Duration::from_secs(30);

/// How long a predecessor may go on with what it has open.
const HANDOVER_GRACE: Duration = Duration::from_secs(600);

/// How long a predecessor may take to give up the folder.
const FOLDER_PATIENCE: Duration = Duration::from_secs(5);

/// How long the last spans may take to be sent.
const FLUSH: Duration = Duration::from_secs(2);

/// How often certificates are looked at.
const RENEWAL: Duration = Duration::from_secs(1);

/// So many threads at most wait for files that tell whether instances are ready.
const WAITERS: usize = 16;

/// A request takes up to this many file descriptors: the client's, the instance's, and that one once more.
const DESCRIPTORS: u64 = 3;

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
    /// The gateway that owns the folder does not let it go.
    #[error("cannot take over from the gateway that runs")]
    TakeOver(#[source] io::Error),
    /// A worker ended without having been told to.
    #[error("a worker ended unexpectedly")]
    WorkerEnded,
}

/// How a gateway is run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// How many threads serve requests; one for each processor when absent.
    pub workers: Option<usize>,
    /// Whether a gateway that owns the folder is taken over from, without refusing a connection. Else that is an error.
    pub take_over: bool,
}

/// Runs a gateway in `dir` until it is told to stop, by SIGTERM, SIGINT or a client. Blocks.
///
/// It takes the folder, serves the configuration stored there if there is one, and the one it is given from then on.
///
/// # Errors
///
/// The folder is taken or can't be used; its configuration is broken or can't be served; the system has no resources.
pub fn run(dir: &Path, settings: Settings) -> Result<(), GatewayError> {
    let files = raise_file_limit();
    let workers = settings.workers.or_else(|| std::thread::available_parallelism().ok().map(Into::into));
    let workers = workers.unwrap_or(1).max(1);
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().max_blocking_threads(WAITERS).build().map_err(GatewayError::Start)?;
    let ended = runtime.block_on(async {
        let met = if settings.take_over { Predecessor::meet(dir).await.map_err(GatewayError::TakeOver)? } else { None };
        let gateway = match met {
            None => Gateway::start(dir, workers, files)?.alone(Folder::own(dir)?).await?,
            Some((predecessor, sockets)) => {
                Gateway::start(dir, workers, files)?.after(dir, predecessor, sockets).await?
            }
        };
        gateway.serve().await
    });
    // Clients that wait for the end see it now: the folder has been given up. Whoever waits for a disk is not waited for.
    runtime.shutdown_background();
    ended
}

/// Each request takes several file descriptors, and the usual limit of 1024 is only there for programs that can't
/// take more. Returns how many files may be open.
fn raise_file_limit() -> u64 {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most).map(|()| most));
    match raised {
        Ok(most) => {
            tracing::debug!(most, "may open so many files");
            most
        }
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit of open files");
            1024
        }
    }
}

/// Everything that the owner owns.
struct Gateway {
    /// None once a successor has it.
    folder: Option<Folder>,
    live: Arc<Live>,
    registry: Registry,
    supervision: Supervision,
    drains: Drains,
    workers: Vec<Worker>,
    endings: JoinSet<()>,
    listening: Listening,
    exposition: Exposition,
    sink: Sink,
    access: Arc<Rotated>,
    spans: Arc<Counts>,
    config: Config,
    predecessor: Option<Predecessor>,
    stopping: bool,
}

impl Gateway {
    fn start(dir: &Path, workers: usize, files: u64) -> Result<Self, GatewayError> {
        let live = Arc::new(Live::new());
        let sink = Sink::start().map_err(GatewayError::Start)?;
        let cut = CancellationToken::new();
        let connections = usize::try_from(files / DESCRIPTORS).unwrap_or(usize::MAX) / workers;
        let shared = Shared {
            live: live.clone(),
            sink: sink.clone(),
            cut: cut.clone(),
            connections: connections.clamp(16, 1 << 20),
        };
        let mut endings = JoinSet::new();
        let mut started = Vec::new();
        for number in 0..workers {
            let seed = RandomState::new().hash_one(number);
            let (worker, ended) = Worker::start(number, shared.clone(), seed).map_err(GatewayError::Start)?;
            endings.spawn(ended);
            started.push(worker);
        }
        Ok(Self {
            folder: None,
            supervision: Supervision::new(live.clone()),
            drains: Drains::default(),
            live,
            registry: Registry::new(cut),
            workers: started,
            endings,
            listening: Listening::default(),
            exposition: Exposition::default(),
            sink,
            access: folder::access_log(dir),
            spans: Arc::default(),
            config: Config::empty(),
            predecessor: None,
            stopping: false,
        })
    }

    /// Owns the folder and serves what it holds.
    async fn alone(mut self, folder: Folder) -> Result<Self, GatewayError> {
        let stored = folder.config()?;
        self.folder = Some(folder);
        if let Some(config) = stored {
            self.take_up(config, Vec::new()).await?;
        }
        Ok(self)
    }

    /// Serves what the folder holds beside the one who owns it, then takes its place.
    async fn after(
        mut self,
        dir: &Path,
        mut predecessor: Predecessor,
        sockets: Vec<(Listener, Vec<TcpListener>)>,
    ) -> Result<Self, GatewayError> {
        if let Some(config) = Folder::stored(dir)? {
            self.take_up(config, sockets).await?;
        }
        predecessor.leave(HANDOVER_GRACE).await.map_err(GatewayError::TakeOver)?;
        // What it has open is known from now on, also while it says nothing. If it has ended, it has nothing.
        let left = predecessor.status().await;
        let owned = async {
            loop {
                match Folder::own(dir) {
                    Err(FolderError::Owned { .. }) => tokio::time::sleep(Duration::from_millis(1)).await,
                    owned => return owned,
                }
            }
        };
        let owned = tokio::time::timeout(FOLDER_PATIENCE, owned).await;
        let folder = owned.map_err(|late| GatewayError::TakeOver(late.into()))??;
        // It may have been given one more configuration before it left.
        if let Some(config) = folder.config()?
            && config != self.config
        {
            self.take_up(config, Vec::new()).await?;
        }
        self.folder = Some(folder);
        self.predecessor = left.is_ok().then_some(predecessor);
        Ok(self)
    }

    /// Serves a stored configuration.
    async fn take_up(
        &mut self,
        config: Config,
        sockets: Vec<(Listener, Vec<TcpListener>)>,
    ) -> Result<(), GatewayError> {
        let prepared = self.listening.prepare(&config, self.workers.len(), sockets);
        let exposed = self.exposition.prepare(config.metrics);
        let (prepared, exposed) = both(prepared, exposed).map_err(|problems| GatewayError::Stored { problems })?;
        self.adopt(config, prepared, exposed).await;
        Ok(())
    }

    /// Answers and obeys until all workers have ended.
    async fn serve(mut self) -> Result<(), GatewayError> {
        let (asked, mut asks) = mpsc::channel(16);
        let socket = self.folder.as_ref().map(Folder::listen).transpose()?;
        // Not polled to its end: it is dropped with the runtime, after the folder was given up.
        let control = socket.map(|socket| tokio::spawn(control::serve(socket, asked.clone())));
        self.exposition.asks(asked);
        let mut signals = Signals::new().map_err(GatewayError::Start)?;
        let mut renewal = tokio::time::interval(RENEWAL);
        tracing::info!(pid = std::process::id(), workers = self.workers.len(), "the gateway runs");
        // Without the folder, nobody but this one can reach its predecessor.
        while !self.endings.is_empty() || self.folder.is_none() && self.predecessor.is_some() {
            tokio::select! {
                Some((ask, reply)) = asks.recv() => {
                    let answer = self.answer(ask).await;
                    let _ = reply.send(answer);
                }
                () = signals.stop() => self.stop(if self.stopping { Duration::ZERO } else { GRACE }).await,
                _ = renewal.tick() => self.listening.renew(),
                () = ended(self.predecessor.as_ref()) => self.predecessor = None,
                Some(_) = self.endings.join_next() => if !self.stopping {
                    return Err(GatewayError::WorkerEnded);
                },
            }
        }
        drop(control);
        if let Some(tracer) = self.live.telling().tracer {
            tracer.flush(FLUSH).await;
        }
        if let Some(folder) = &self.folder
            && let Err(error) = folder.remove_socket()
        {
            tracing::warn!(%error, "cannot remove the control socket");
        }
        tracing::info!("the gateway has stopped");
        Ok(())
    }

    async fn answer(&mut self, ask: Ask) -> Answer {
        let reply = match ask {
            Ask::Replace { config } => match self.replace(config).await {
                Ok(generation) => Reply::Replaced { generation },
                Err(problems) => Reply::Refused { problems },
            },
            Ask::Status => Reply::Status { status: self.status().await },
            Ask::Metrics => Reply::Metrics { text: exposition::text(&self.status().await) },
            Ask::ShutDown { grace_ms } => {
                self.stop(Duration::from_millis(grace_ms)).await;
                Reply::Stopping
            }
            Ask::HandOver => return self.hand_over(),
            Ask::Leave { grace_ms } => self.leave(Duration::from_millis(grace_ms)).await,
        };
        reply.into()
    }

    fn hand_over(&self) -> Answer {
        let refuse = |problem: String| Reply::Refused { problems: vec![problem] }.into();
        if self.stopping {
            return refuse("the gateway is stopping".to_owned());
        }
        let sockets = match self.listening.sockets() {
            Ok(sockets) => sockets,
            Err(error) => return refuse(format!("the listening sockets cannot be copied: {error}")),
        };
        let handed =
            sockets.iter().map(|(listener, sockets)| Handed { listener: listener.clone(), sockets: sockets.len() });
        let reply = Reply::HandingOver { listeners: handed.collect() };
        Answer { reply, sockets: sockets.into_iter().map(|(_, sockets)| sockets).collect() }
    }

    /// A successor accepts by now. The workers end by themselves when their last connection does.
    async fn leave(&mut self, grace: Duration) -> Reply {
        if self.stopping {
            return Reply::Refused { problems: vec!["the gateway is stopping".to_owned()] };
        }
        self.stopping = true;
        let mut waiting = Vec::new();
        for worker in &self.workers {
            let (done, left) = oneshot::channel();
            worker.order(Order::Leave { grace, done });
            waiting.push(left);
        }
        for left in waiting {
            let _ = left.await;
        }
        self.listening.forget();
        self.exposition.close();
        self.supervision.follow(Vec::new());
        self.folder = None;
        tracing::info!(?grace, "a successor has taken over");
        Reply::Left
    }

    async fn replace(&mut self, config: Config) -> Result<u64, Vec<String>> {
        match judge(&self.config, &config, self.stopping && self.folder.is_some()) {
            Verdict::Same => return Ok(self.config.generation),
            Verdict::Refuse(problems) => return Err(problems),
            Verdict::Take => {}
        }
        let Some(folder) = &self.folder else {
            // What is open here is served by the successor's rules.
            let telling = Telling {
                access: config.access_log.then(|| self.access.clone()),
                tracer: self.live.telling().tracer.filter(|_| config.traces.is_some()),
            };
            self.live.replace(&config, telling, &mut self.registry);
            self.drains.follow(self.live.draining());
            self.config = config;
            self.pass_on().await;
            return Ok(self.config.generation);
        };
        let prepared = self.listening.prepare(&config, self.workers.len(), Vec::new());
        let (prepared, exposed) = both(prepared, self.exposition.prepare(config.metrics))?;
        folder.store(&config).map_err(|error| vec![with_cause(&error)])?;
        self.adopt(config, prepared, exposed).await;
        self.pass_on().await;
        Ok(self.config.generation)
    }

    /// Has the predecessor follow what is served here.
    async fn pass_on(&mut self) {
        if let Some(predecessor) = &mut self.predecessor
            && predecessor.replace(&self.config, HANDOVER_GRACE).await.is_err()
        {
            self.predecessor = None;
        }
    }

    /// Serves a configuration that was judged good.
    async fn adopt(&mut self, config: Config, prepared: Prepared, exposed: Option<TcpListener>) {
        let telling = Telling { access: config.access_log.then(|| self.access.clone()), tracer: self.tracer(&config) };
        self.live.replace(&config, telling, &mut self.registry);
        self.listening.adopt(&config, prepared, &self.workers).await;
        self.exposition.adopt(config.metrics, exposed);
        self.supervision.follow(self.live.probed());
        self.drains.follow(self.live.draining());
        self.config = config;
    }

    /// The way to the collector of `config`: the one there is, where that stays.
    fn tracer(&self, config: &Config) -> Option<Arc<Tracer>> {
        let traces = config.traces.as_ref()?;
        let known = self.live.telling().tracer.filter(|_| self.config.traces.as_ref() == Some(traces));
        known.or_else(|| {
            let started = Tracer::start(traces, self.spans.clone());
            started.inspect_err(|error| tracing::error!(%error, "no spans are sent")).ok()
        })
    }

    async fn stop(&mut self, grace: Duration) {
        tracing::info!(?grace, "the gateway stops");
        self.stopping = true;
        self.listening.forget();
        for worker in &self.workers {
            worker.order(Order::Stop { grace });
        }
        if let Some(predecessor) = &mut self.predecessor
            && predecessor.stop(grace).await.is_err()
        {
            self.predecessor = None;
        }
    }

    async fn status(&mut self) -> Status {
        let mut status = Status {
            pid: std::process::id(),
            generation: self.config.generation,
            listeners: self.listening.status(),
            routes: self.live.status(&mut self.registry),
            dropped_lines: self.sink.dropped(),
            sent_spans: self.spans.read().0,
            dropped_spans: self.spans.read().1,
            release: Some(crate::release().to_owned()),
        };
        if let Some(predecessor) = &mut self.predecessor {
            match predecessor.status().await {
                Ok(before) => status.add(before),
                Err(_) => self.predecessor = None,
            }
        }
        status
    }
}

/// Waits until a predecessor has ended; for ever where there is none.
async fn ended(predecessor: Option<&Predecessor>) {
    match predecessor {
        Some(predecessor) => predecessor.ended().await,
        None => std::future::pending().await,
    }
}

fn both<A, B>(first: Result<A, Vec<String>>, second: Result<B, Vec<String>>) -> Result<(A, B), Vec<String>> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (first, second) => {
            let problems = [first.err(), second.err()].into_iter().flatten().flatten();
            Err(problems.collect())
        }
    }
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
        let listeners = vec![Listener::plain("a", ([127, 0, 0, 1], 1).into())];
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
