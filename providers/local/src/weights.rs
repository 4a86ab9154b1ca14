//! Weights that instances share: the one copy of them that this host has, held in memory, so that no instance waits for the
//! disk when it loads them and nothing else displaces them. The first to want them brings them into memory, and they stay
//! until the last is gone.
//!
//! `vmtouch` holds them, as nothing here maps memory. One is kept up beside each instance that wants them; pages that several
//! hold are in memory once. It is waited for before the program starts, but not for long: what is not held yet is then on
//! its way.

use crate::{
    client::find,
    format::{Held, MountPoint, Refuser},
    isolate::{Refused, by_files},
    launch::Surroundings,
    roles,
};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    io::{self, Read as _, Write as _},
    os::unix::{net::UnixStream, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use wharf_model::{Bytes, Launch, MountPath};
use wharf_provider::ProviderError;

/// What holds files in memory.
const PROGRAM: &str = "vmtouch";
/// How long is waited for everything to be held before the program starts.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often is looked whether it is.
const GLANCE: Duration = Duration::from_millis(10);
/// The longest pause before one that has ended is started again.
const PAUSE: Duration = Duration::from_secs(30);

/// Where on this host, for a user with this environment, `vmtouch` is.
pub fn vmtouch(environment: &BTreeMap<OsString, OsString>) -> Option<PathBuf> {
    find(OsStr::new(PROGRAM), environment)
}

/// Why nothing can be held on a host without it, and the way out.
pub(crate) const LACK: (&str, &str) = (
    "`vmtouch`, which holds weights in memory, is not on PATH",
    "install the package `vmtouch` on this host, or leave it out in this environment: instances that mount the same copy \
     read one file",
);

/// What is to be held for a launch whose mounts are these.
pub(crate) fn held(
    launch: &Launch,
    mounts: &[MountPoint],
    around: &Surroundings<'_>,
) -> Result<Option<Held>, ProviderError> {
    let template = &launch.revision.template;
    let Some(weights) = &template.weights else { return Ok(None) };
    // The plan refuses what is new; an older revision may want what the host has no more.
    let program = around.vmtouch.ok_or_else(|| ProviderError::Missing {
        attempt: format!("cannot start {}: {}", launch.instance, LACK.0),
        help: LACK.1.to_owned(),
    })?;
    let folder = |(at, _, below): (&MountPath, _, &str)| {
        let mount = mounts.iter().find(|mount| mount.target == Path::new(at.as_str()))?;
        Some((mount.source.clone(), PathBuf::from(below)))
    };
    Ok(Some(Held {
        program: program.to_owned(),
        folders: weights.within(&template.mounts).filter_map(folder).collect(),
        most: weights.memory.0,
        told: around.layout.instance(&launch.instance).held(),
        target: weights.path.to_string(),
    }))
}

/// Whether what is to be held has the room that it is to have. Blocks.
pub(crate) fn check(launch: &Launch, held: &Held) -> Result<(), ProviderError> {
    let attempt = |why: String| format!("cannot start {}: the weights at {} {why}", launch.instance, held.target);
    let needed: io::Result<u64> = places(held).and_then(|places| places.iter().map(|place| bytes_in(place)).sum());
    let needed = needed.map_err(|error| ProviderError::Missing {
        attempt: attempt(format!("cannot be looked at: {error}")),
        help: "see that what is mounted there has such a folder".to_owned(),
    })?;
    let rejected =
        |why, help: &str| ProviderError::Rejected { attempt: attempt(why), help: help.to_owned(), source: None };
    if needed > held.most {
        let why = format!("have {}, and `memory=` gives them {}", Bytes(needed).about(), Bytes(held.most));
        return Err(rejected(why, "raise `memory=`, or name a folder that holds less"));
    }
    match memory_of_host() {
        Some(whole) if needed > whole => {
            let why = format!("have {}, and this host has {} of memory", Bytes(needed).about(), Bytes(whole).about());
            Err(rejected(why, "leave `weights` out in this environment"))
        }
        _ => Ok(()),
    }
}

/// Where the files are: copies are links that lead to them, and no folder in a copy leads out of it.
fn places(held: &Held) -> io::Result<Vec<PathBuf>> {
    let place = |(copy, below): &(PathBuf, PathBuf)| {
        let root = fs::canonicalize(copy)?;
        let place = fs::canonicalize(root.join(below))?;
        if place.starts_with(&root) { Ok(place) } else { Err(io::Error::other("it leads out of what is mounted")) }
    };
    held.folders.iter().map(place).collect()
}

fn bytes_in(path: &Path) -> io::Result<u64> {
    let about = fs::symlink_metadata(path)?;
    if !about.is_dir() {
        return Ok(if about.is_file() { about.len() } else { 0 });
    }
    fs::read_dir(path)?.map(|entry| bytes_in(&entry?.path())).sum()
}

fn memory_of_host() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// What is on its way into memory.
pub(crate) struct Holding {
    held: Held,
    /// Where it says what becomes of it.
    line: UnixStream,
    child: Child,
    began: Instant,
}

impl Holding {
    /// Begins. Starts no thread.
    pub(crate) fn begin(held: &Held, line: &UnixStream) -> Result<Self, Refused> {
        let attempt = format!("cannot run {}", held.program.display());
        let line = line.try_clone().map_err(by_files(&*attempt))?;
        let child = start(held).map_err(by_files(attempt))?;
        Ok(Self { held: held.clone(), line, child, began: Instant::now() })
    }

    /// Waits until everything is held, or for long enough, and keeps it so until this process ends.
    pub(crate) fn keep(mut self) -> Result<(), Refused> {
        let attempt = || format!("cannot hold in memory what is mounted at {}", self.held.target);
        while !self.held.told.exists() && self.began.elapsed() < PATIENCE {
            if self.child.try_wait().map_err(by_files(attempt()))?.is_some() {
                let said = last_words(&mut self.child);
                return Err(Refused { refuser: Refuser::Memory, attempt: attempt(), source: io::Error::other(said) });
            }
            thread::sleep(GLANCE);
        }
        let (attempt, thread) = (attempt(), thread::Builder::new().name("weights".to_owned()));
        thread.spawn(move || self.go_on()).map(drop).map_err(by_files(attempt))
    }

    /// Starts it again whenever it ends.
    fn go_on(mut self) {
        let mut pause = Duration::from_secs(1);
        loop {
            let said = last_words(&mut self.child);
            drop(self.child.wait());
            self.say(&format!("{said}; what was held is not, and it is tried again in {} s", pause.as_secs()));
            loop {
                thread::sleep(pause);
                pause = (pause * 2).min(PAUSE);
                match start(&self.held) {
                    Ok(child) => break self.child = child,
                    Err(error) => self.say(&error.to_string()),
                }
            }
        }
    }

    /// Says something in the instance's log, as far as that is read.
    fn say(&mut self, words: &str) {
        drop(self.line.write_all(format!("{PROGRAM} {}: {words}\n", self.held.target).as_bytes()));
    }
}

/// Starts what ends with this process, by whatever means that dies.
fn start(held: &Held) -> io::Result<Child> {
    // It is there again once everything is held.
    match fs::remove_file(&held.told) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let holder = [held.program.as_os_str()].into_iter().chain(["-l", "-q", "-P"].map(OsStr::new));
    let mut child = Command::new("/proc/self/exe");
    child.arg0("wharf").args(roles::client(holder)).arg(&held.told).args(places(held)?).env_clear();
    child.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).current_dir("/").spawn()
}

/// What it says to its end.
fn last_words(child: &mut Child) -> String {
    let mut said = Vec::new();
    if let Some(lines) = &mut child.stderr {
        drop(lines.read_to_end(&mut said));
    }
    let said = String::from_utf8_lossy(&said)
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("; ");
    if said.is_empty() { format!("{PROGRAM} ended without a word") } else { said }
}
