//! The process behind a gateway or a balancer: how it is started, told what to serve, and ended.
//!
//! It has one configuration that is always replaced as a whole, so each change reads it, alters it and hands it back.
//! Whoever changes one sees to it that nobody else does so meanwhile.

use crate::{
    error::disk,
    files, labels, listen,
    lock::{self, Grip, Holder},
    roles,
};
use rustix::process::Signal;
use std::{
    ffi::OsStr,
    fmt::Display,
    fs::{self, OpenOptions},
    io,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};
use wharf_gateway::{Client, Config, ControlError, Listener, Status};
use wharf_provider::ProviderError;

/// How long a gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a gateway may take to start.
const START: Duration = Duration::from_secs(15);

/// How long open requests may go on when a gateway is deleted.
const GRACE: Duration = Duration::from_secs(3);

fn output_of(folder: &Path) -> PathBuf {
    folder.join("output")
}

fn config_of(folder: &Path) -> PathBuf {
    folder.join("config.json")
}

/// What a gateway answers; `None` when none runs there, or when it does not answer.
pub(crate) async fn status(folder: &Path) -> Option<Status> {
    let asked = async { Client::connect(folder).await?.status().await };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(status)) => Some(status),
        Ok(Err(ControlError::NotRunning { .. })) => None,
        Ok(Err(error)) => {
            tracing::warn!(folder = %folder.display(), %error, "a gateway does not answer");
            None
        }
        Err(_) => {
            tracing::warn!(folder = %folder.display(), "a gateway does not answer in time");
            None
        }
    }
}

/// The configuration that the gateway serves, or would take up again; `None` before it has one.
///
/// # Errors
///
/// There is one that cannot be read, or not by this release. It must not be taken for none: what is made from that is an
/// outage, and what is seen of it is not so.
pub(crate) fn config(folder: &Path) -> io::Result<Option<Config>> {
    let path = config_of(folder);
    let said = |why: &dyn Display| format!("cannot read {}: {why}", path.display());
    match fs::read(&path) {
        Ok(text) => match serde_json::from_slice(&text) {
            Ok(config) => Ok(Some(config)),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, said(&error))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io::Error::new(error.kind(), said(&error))),
    }
}

/// One such process, for those who change it.
pub(crate) struct Door<'a> {
    /// What people call it: `gateway public`.
    pub(crate) what: String,
    pub(crate) folder: PathBuf,
    pub(crate) program: &'a Path,
}

/// Whether a change may wait until the gateway is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenDown {
    /// It is written into the configuration that the gateway takes up.
    Write,
    /// It is refused.
    Refuse,
}

impl Door<'_> {
    /// Brings it to what `change` makes of its configuration; starts it when it does not run.
    pub(crate) async fn bring(&self, change: impl Fn(&mut Config)) -> Result<(), ProviderError> {
        match self.awake().await {
            Some(status) => {
                if wharf_serving::is_outdated(&status) {
                    self.succeed(status.pid).await?;
                }
                self.listen(change).await
            }
            None => self.start(change).await,
        }
    }

    /// What it serves, or would take up again; an empty one before it has any.
    fn config(&self) -> Result<Config, ProviderError> {
        let found = config(&self.folder).map_err(disk(format!("cannot change {}", self.what)))?;
        Ok(found.unwrap_or_else(Config::empty))
    }

    /// What it answers; one that runs and does not answer yet is waited for.
    async fn awake(&self) -> Option<Status> {
        let begin = Instant::now();
        loop {
            let status = status(&self.folder).await;
            let runs = matches!(lock::holder(&self.folder.join("lock")), Ok(holder) if holder != Holder::Nobody);
            if status.is_some() || !runs || begin.elapsed() > PATIENCE {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Changes one that runs. A process cannot listen on one address and on all addresses of a port at once, so a listener
    /// that stays on its port goes before its successor comes; else it goes afterwards.
    async fn listen(&self, change: impl Fn(&mut Config)) -> Result<(), ProviderError> {
        let before = self.config()?;
        let mut next = before.clone();
        change(&mut next);
        let before = before.listeners;
        let moves = |known: &Listener| {
            let same_port = |new: &&Listener| known.address.port() == new.address.port();
            next.listeners.iter().filter(same_port).any(|new| known.address != new.address)
        };
        let in_the_way = before.iter().any(moves);
        if in_the_way {
            self.replace(WhenDown::Refuse, |config| config.listeners.clear()).await?;
        }
        let moved = self.replace(WhenDown::Refuse, change).await;
        if in_the_way && moved.is_err() {
            // The first failure is the one to tell.
            drop(self.replace(WhenDown::Refuse, |config| config.listeners = before).await);
        }
        moved
    }

    async fn start(&self, change: impl Fn(&mut Config)) -> Result<(), ProviderError> {
        let before = self.config()?;
        let mut next = Config { generation: before.generation + 1, ..before };
        change(&mut next);
        for listener in &next.listeners {
            if let Err(error) = std::net::TcpListener::bind(listener.address) {
                return Err(self.cannot_listen(listener.address, &error.to_string()));
            }
        }
        let attempt = format!("cannot start {}", self.what);
        labels::write(&config_of(&self.folder), &next).map_err(disk(attempt.clone()))?;
        let mut child = self.spawn(roles::gateway(&self.folder)).map_err(disk(attempt.clone()))?;
        let begin = Instant::now();
        while begin.elapsed() < START {
            if status(&self.folder).await.is_some_and(|status| status.generation == next.generation) {
                return Ok(());
            }
            if let Ok(Some(_)) = child.try_wait() {
                // One that an earlier, cut-off call started may have been faster.
                if status(&self.folder).await.is_some() {
                    return self.replace(WhenDown::Refuse, change).await;
                }
                return Err(self.ended(&attempt));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(ProviderError::Unreachable { attempt: format!("{attempt}: no answer"), retry_after: None, source: None })
    }

    /// Has a gateway of this program take over from the one that runs as `before`. When this fails, that one goes on.
    async fn succeed(&self, before: u32) -> Result<(), ProviderError> {
        let attempt = format!("cannot take over from {}", self.what);
        let mut child = self.spawn(roles::successor(&self.folder)).map_err(disk(attempt.clone()))?;
        let begin = Instant::now();
        while begin.elapsed() < START {
            if status(&self.folder).await.is_some_and(|status| status.pid != before) {
                return Ok(());
            }
            if let Ok(Some(_)) = child.try_wait() {
                return Err(self.ended(&attempt));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(ProviderError::Unreachable { attempt: format!("{attempt}: no answer"), retry_after: None, source: None })
    }

    /// That a process of it ended at once, with its last words.
    fn ended(&self, attempt: &str) -> ProviderError {
        let words = fs::read_to_string(output_of(&self.folder)).unwrap_or_default();
        let words = words.lines().next_back().unwrap_or("it ended without a word").to_owned();
        let help = "look at the cause; when it is mended, apply again".to_owned();
        ProviderError::Rejected { attempt: format!("{attempt}: {words}"), help, source: None }
    }

    fn spawn(&self, role: [&OsStr; 3]) -> io::Result<Child> {
        let output = OpenOptions::new().append(true).create(true).mode(0o600).open(output_of(&self.folder))?;
        Command::new(self.program)
            .args(role)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
    }

    /// Ends it and removes its folder. One that is gone is fine.
    pub(crate) async fn remove(&self) -> Result<(), ProviderError> {
        let folder = &self.folder;
        let attempt = || format!("cannot stop {}", self.what);
        let asked = async { Client::connect(folder).await?.shut_down(GRACE).await };
        // What it answers matters little: the lock tells whether it is gone.
        drop(tokio::time::timeout(GRACE + PATIENCE, asked).await);
        let lock = folder.join("lock");
        let begin = Instant::now();
        while lock::holder(&lock).map_err(disk(attempt()))? != Holder::Nobody {
            // Without it, one that is killed is not started again.
            drop(fs::remove_file(config_of(folder)));
            if let Some(grip) = Grip::on(&lock).map_err(disk(attempt()))? {
                grip.signal(Signal::KILL).map_err(disk(attempt()))?;
            }
            if begin.elapsed() > PATIENCE {
                return Err(ProviderError::Unreachable { attempt: attempt(), retry_after: None, source: None });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        files::remove_tree(folder).map_err(disk(format!("cannot remove {}", self.what)))
    }

    /// Replaces the configuration, if the change changes anything.
    pub(crate) async fn replace(
        &self,
        when_down: WhenDown,
        change: impl FnOnce(&mut Config),
    ) -> Result<(), ProviderError> {
        let before = self.config()?;
        let mut next = before.clone();
        change(&mut next);
        let Some(status) = status(&self.folder).await else {
            return self.write(when_down, &before, next);
        };
        if next == before && status.generation >= before.generation {
            return Ok(());
        }
        next.generation = before.generation.max(status.generation) + 1;
        let asked = async { Client::connect(&self.folder).await?.replace(&next).await };
        match tokio::time::timeout(START, asked).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.refused(&next, error)),
            Err(_) => {
                let attempt = format!("{} did not take its configuration in time", self.what);
                Err(ProviderError::Unreachable { attempt, retry_after: None, source: None })
            }
        }
    }

    fn write(&self, when_down: WhenDown, before: &Config, mut next: Config) -> Result<(), ProviderError> {
        if when_down == WhenDown::Refuse {
            let attempt = format!("{} does not run", self.what);
            return Err(ProviderError::Missing { attempt, help: "apply again: it will be started".to_owned() });
        }
        if next == *before {
            return Ok(());
        }
        next.generation += 1;
        let attempt = format!("cannot write the configuration of {}", self.what);
        labels::write(&config_of(&self.folder), &next).map_err(disk(attempt))
    }

    fn cannot_listen(&self, address: SocketAddr, why: &str) -> ProviderError {
        let what = &self.what;
        let who = listen::listener_on(address.port());
        let why = who.as_ref().map_or_else(|| why.to_owned(), |who| format!("{who} listens there"));
        let help = match who {
            Some(who) => format!("stop {who}, or give {what} another port"),
            None => format!("give {what} another port or address"),
        };
        ProviderError::Conflict { attempt: format!("{what} cannot listen on {address}: {why}"), help }
    }

    fn refused(&self, config: &Config, error: ControlError) -> ProviderError {
        let attempt = format!("{} did not take its configuration", self.what);
        match error {
            ControlError::Refused { problems } => {
                let taken = problems.iter().find(|problem| problem.ends_with("is in use"));
                let named =
                    |listener: &&Listener| taken.is_some_and(|told| told.contains(&listener.address.to_string()));
                let listener = config.listeners.iter().find(named).or(config.listeners.first());
                match listener.filter(|_| taken.is_some()) {
                    Some(listener) => self.cannot_listen(listener.address, "the address is in use"),
                    None => {
                        let attempt = format!("{attempt}: {}", problems.join("; "));
                        let help = "correct what it names in the project's files".to_owned();
                        ProviderError::Rejected { attempt, help, source: None }
                    }
                }
            }
            error => ProviderError::Unreachable { attempt, retry_after: None, source: Some(Box::new(error)) },
        }
    }
}
