//! The file systems that clients serve for an instance, kept up beside its program and outside of its namespaces: a program
//! can do nothing to a client, and goes on when one has ended, as another takes its place.
//!
//! All of it is mounted where the supervisor alone sees it, and passed on from there to the instance's view, as it comes and
//! as it goes. So nothing stays mounted on the host when the supervisor ends, by whatever means that is.
//!
//! A thread for each of them starts its client, waits until that serves something that can be read, passes it on, and does
//! the same again when the client ends. What the clients say is for the instance's log.

use crate::{
    format::{FileSystem, Refuser},
    isolate::{Refused, by_files, own_mounts},
    roles, table,
};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use std::{
    collections::VecDeque,
    ffi::OsStr,
    fs,
    io::{self, Write as _},
    os::{
        fd::AsFd,
        unix::{fs::DirBuilderExt as _, net::UnixStream, process::CommandExt as _},
    },
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// How long a client may take until what it serves can be read.
const PATIENCE: Duration = Duration::from_secs(20);
/// How much longer is waited for it to be read, after which whoever starts the instance would hear nothing at all.
const READ: Duration = Duration::from_secs(5);
/// How often is looked whether it does.
const GLANCE: u16 = 20;
/// The longest pause before a client is started again. The first is none, and one that ran for longer than this begins anew.
const PAUSE: Duration = Duration::from_secs(30);
/// How many of its last lines are told when a client fails.
const LAST: usize = 3;

const NOTHING: Option<&str> = None;

/// The file systems of one instance.
pub(crate) struct FileSystems {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<Vec<State>>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How one of them is.
enum State {
    /// Not there yet, or not any more; what its client said last.
    Down(String),
    /// There.
    Up,
    /// It never came: the client said this.
    Failed(String),
}

/// That nothing is mounted anew as long as this is there.
pub(crate) struct Still<'a> {
    _held: MutexGuard<'a, Vec<State>>,
}

impl FileSystems {
    /// Brings all of them, and keeps them up from then on until this process ends. The caller has one thread; where there is
    /// something to bring, what it mounts from then on is not seen on the host. What the clients say goes to the line.
    pub(crate) fn bring(systems: &[FileSystem], line: &UnixStream) -> Result<Self, Refused> {
        let down = systems.iter().map(|_| State::Down(String::new())).collect();
        let shared = Arc::new(Shared { state: Mutex::new(down), changed: Condvar::new() });
        if systems.is_empty() {
            return Ok(Self { shared });
        }
        own_mounts()?;
        for (index, system) in systems.iter().enumerate() {
            let attempt = format!("cannot prepare {}", system.target.display());
            let keeper = Keeper::new(index, system.clone(), shared.clone(), line).map_err(by_files(&*attempt))?;
            let thread = thread::Builder::new().name("file system".to_owned());
            thread.spawn(move || keeper.keep()).map_err(by_files(attempt))?;
        }
        let brought = Self { shared };
        brought.wait(systems)?;
        Ok(brought)
    }

    /// Waits until all are there, or one has failed.
    fn wait(&self, systems: &[FileSystem]) -> Result<(), Refused> {
        let failed = |system: &FileSystem, said: &str| Refused {
            refuser: Refuser::Client,
            attempt: format!("cannot mount at {} what is in {}", system.target.display(), system.what),
            source: io::Error::other(said.to_owned()),
        };
        let (began, most) = (Instant::now(), PATIENCE + READ);
        let mut state = self.shared.lock();
        loop {
            let late = began.elapsed() >= most;
            for (system, state) in systems.iter().zip(state.iter()) {
                match state {
                    State::Failed(said) => return Err(failed(system, said)),
                    State::Down(_) if late => return Err(failed(system, "it is mounted, and cannot be read")),
                    _ => {}
                }
            }
            if late || state.iter().all(|state| matches!(state, State::Up)) {
                return Ok(());
            }
            let left = most.saturating_sub(began.elapsed());
            let waited = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
        }
    }

    /// Keeps them as they are while a view is made.
    ///
    /// # Errors
    /// When one is not there, in words.
    pub(crate) fn still(&self) -> Result<Still<'_>, String> {
        let held = self.shared.lock();
        let down = held.iter().find_map(|state| match state {
            State::Up => None,
            State::Down(said) | State::Failed(said) => Some(said.clone()),
        });
        down.map_or(Ok(Still { _held: held }), Err)
    }
}

/// Keeps one file system up.
struct Keeper {
    index: usize,
    system: FileSystem,
    shared: Arc<Shared>,
    line: UnixStream,
}

impl Keeper {
    /// Makes the place that passes the file system on.
    fn new(index: usize, system: FileSystem, shared: Arc<Shared>, line: &UnixStream) -> io::Result<Self> {
        let line = line.try_clone()?;
        for folder in [&system.served, &system.place] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let place = &system.place;
        mount(Some(place), place, NOTHING, MsFlags::MS_BIND, NOTHING)?;
        mount(NOTHING, place, NOTHING, MsFlags::MS_PRIVATE, NOTHING)?;
        mount(NOTHING, place, NOTHING, MsFlags::MS_SHARED, NOTHING)?;
        Ok(Self { index, system, shared, line })
    }

    fn keep(mut self) {
        let mut pause = Duration::ZERO;
        let mut came = false;
        loop {
            let began = Instant::now();
            let mut said = VecDeque::new();
            let ended = self.serve(&mut said);
            let why = ended.unwrap_or_else(|error| error.to_string());
            let last = Vec::from(said).join("; ");
            let words = if last.is_empty() { why.clone() } else { format!("{why}: {last}") };
            {
                let mut state = self.shared.lock();
                came |= matches!(state[self.index], State::Up);
                let target = self.system.target.display();
                state[self.index] = match came {
                    true => State::Down(format!("the file system at {target} is not there: {words}")),
                    false => State::Failed(words),
                };
                self.shared.changed.notify_all();
            }
            if !came {
                return;
            }
            pause = if began.elapsed() > PAUSE { Duration::ZERO } else { pause };
            self.say(&format!("{why}; another is started in {} s", pause.as_secs()));
            thread::sleep(pause);
            pause = (pause * 2).clamp(Duration::from_secs(1), PAUSE);
        }
    }

    /// Has a client serve until it ends. Answers why it ended.
    fn serve(&mut self, said: &mut VecDeque<String>) -> io::Result<String> {
        let served = self.system.served.clone();
        uncover(&served, 0)?;
        let mut client = self.start()?;
        let attended = self.attend(&mut client, said);
        // Where it has ended, there is nobody to be killed.
        drop(client.kill());
        let status = client.wait()?;
        uncover(&served, 0)?;
        attended.map(|why| why.unwrap_or_else(|| format!("{} ended with {status}", self.program())))
    }

    fn program(&self) -> &str {
        self.system.command.first().map_or("", String::as_str)
    }

    fn start(&self) -> io::Result<Child> {
        let mut client = Command::new("/proc/self/exe");
        let words = self.system.command.iter().map(OsStr::new);
        client.arg0("wharf").args(roles::client(words)).env_clear().envs(&self.system.env);
        // By its end of this it knows whether its supervisor is still there.
        client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).current_dir("/");
        client.spawn()
    }

    /// Passes on what it serves once that can be read, and hears it to its end. Answers why it had to be ended, if so.
    fn attend(&mut self, client: &mut Child, said: &mut VecDeque<String>) -> io::Result<Option<String>> {
        let mut lines = client.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (until, mut up, mut ended) = (Instant::now() + PATIENCE, false, None);
        let mut partial = Vec::new();
        loop {
            let waits = !up && ended.is_none();
            let mut handles = [PollFd::new(lines.as_fd(), PollFlags::POLLIN)];
            let ready = match poll(&mut handles, if waits { PollTimeout::from(GLANCE) } else { PollTimeout::NONE }) {
                Err(nix::errno::Errno::EINTR) => false,
                polled => polled? > 0,
            };
            if ready && !self.hear(&mut lines, &mut partial, said)? {
                return Ok(ended);
            }
            if waits && table::layers(&self.system.served)? > 0 {
                match look(&self.system.served) {
                    Ok(false) if self.system.read_only => ended = Some("there is nothing in it".to_owned()),
                    Ok(_) => self.pass_on()?,
                    Err(error) => ended = Some(format!("it cannot be listed ({error})")),
                }
                up = ended.is_none();
            } else if waits && Instant::now() > until {
                ended = Some(format!("nothing is served after {} s", PATIENCE.as_secs()));
            }
            if waits && ended.is_some() {
                // What it said until then is heard to its end.
                client.kill()?;
            }
        }
    }

    /// Reads what the client says; false when it says nothing any more.
    fn hear(
        &mut self,
        lines: &mut impl io::Read,
        partial: &mut Vec<u8>,
        said: &mut VecDeque<String>,
    ) -> io::Result<bool> {
        let mut buffer = [0; 4 << 10];
        let count = lines.read(&mut buffer)?;
        partial.extend_from_slice(&buffer[..count]);
        while let Some(end) = partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = partial.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            self.say(&line);
            said.push_back(line);
            if said.len() > LAST {
                said.pop_front();
            }
        }
        // Nobody says so much in one line.
        if partial.len() > buffer.len() {
            partial.clear();
        }
        Ok(count > 0)
    }

    /// Lays what is served over the place, from where it reaches the view. What lay there before was served by a client that
    /// ended.
    fn pass_on(&self) -> io::Result<()> {
        let mut state = self.shared.lock();
        let FileSystem { served, place, .. } = &self.system;
        uncover(place, 1)?;
        mount(Some(served), place, NOTHING, MsFlags::MS_BIND, NOTHING)?;
        state[self.index] = State::Up;
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Says something in the instance's log, as far as that is read.
    fn say(&mut self, words: &str) {
        let line = format!("{} {}: {words}\n", self.program(), self.system.target.display());
        drop(self.line.write_all(line.as_bytes()));
    }
}

/// Sees whether there is anything in a folder.
fn look(folder: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(folder)?.next().transpose()?.is_some())
}

/// Takes away what is mounted at a folder, until so many layers are left.
pub(crate) fn uncover(folder: &Path, leave: usize) -> io::Result<()> {
    for _ in leave..table::layers(folder)? {
        umount2(folder, MntFlags::MNT_DETACH)?;
    }
    Ok(())
}
