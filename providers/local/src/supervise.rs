//! The supervisor of one instance: it holds the instance's lock, keeps its log, and writes down how it ended.
//!
//! It takes the lock before it is told what to run. So nothing ever runs without the lock, and a start that was cut off
//! half-way leaves a supervisor that hears the end of its input and goes. It never starts anything twice: whether an
//! instance that ended is replaced is for `apply` to say. It has one thread, because after the change of namespaces the
//! kernel allows no other.

use crate::{
    clock,
    dump::Undumped,
    files,
    format::{Document, End, FORMAT, Report, StoredExit, Word},
    isolate::{self, Refused, by_files},
    layout::InstanceFolder,
    lock::Lock,
    log::{self, Lines, Log},
    roles,
};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
    unistd::{dup2_stdin, dup2_stdout, setsid},
};
use std::{
    fs::OpenOptions,
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _, process::ExitStatusExt as _},
    },
    process::{Child, ChildStderr, ChildStdout, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};
use wharf_provider::LogStream;

/// How long a lock that an earlier, cut-off start still holds is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long pipes are read after everything that wrote to them was killed.
const AFTERMATH: Duration = Duration::from_secs(2);

/// Runs as the supervisor of the instance of this folder, until the instance has ended.
pub(crate) fn run(folder: InstanceFolder) -> ExitCode {
    match watch(folder) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever started it hears the end of its output and finds nothing in the folder.
        Err(_) => ExitCode::FAILURE,
    }
}

fn watch(folder: InstanceFolder) -> io::Result<()> {
    setsid()?;
    let undumped = Undumped::begin()?;
    let lock = patiently_locked(&folder)?;
    say(&Word::Locked)?;
    let document = hear()?;
    let signals = block_signals()?;
    let init = match start_init(&folder, &document, &undumped) {
        Ok(init) => init,
        Err(Refused { refuser, attempt, source }) => {
            return say(&Word::Refused { refuser, attempt, why: source.to_string() });
        }
    };
    drop(document);
    Supervisor::new(&folder, lock, init, signals).watch(&folder)
}

fn patiently_locked(folder: &InstanceFolder) -> io::Result<Lock> {
    let begin = Instant::now();
    loop {
        if let Some(lock) = Lock::take(&folder.lock())? {
            return Ok(lock);
        }
        if begin.elapsed() > PATIENCE {
            return Err(io::Error::other("the instance has a supervisor already"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Says a word to the one who started it. Where nobody listens any more, that is no failure.
fn say(word: &Word) -> io::Result<()> {
    let mut line = serde_json::to_vec(word)?;
    line.push(b'\n');
    let mut output = io::stdout().lock();
    match output.write_all(&line).and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Hears what to run. A document that was cut off does not read.
fn hear() -> io::Result<Document> {
    let mut text = Vec::new();
    io::stdin().lock().read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// From here on signals are read, not suffered. SIGHUP is among them to be ignored.
fn block_signals() -> io::Result<SignalFd> {
    let mut watched = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD] {
        watched.add(signal);
    }
    watched.thread_block()?;
    Ok(SignalFd::with_flags(&watched, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

/// An init and the line to it.
struct Init {
    process: Child,
    line: UnixStream,
}

fn start_init(folder: &InstanceFolder, document: &Document, undumped: &Undumped) -> Result<Init, Refused> {
    isolate::isolate()?;
    spawn_init(folder, document, undumped).map_err(by_files("cannot start the first process of the instance"))
}

fn spawn_init(folder: &InstanceFolder, document: &Document, undumped: &Undumped) -> io::Result<Init> {
    let (mut line, theirs) = UnixStream::pair()?;
    let name = folder.path().file_name().unwrap_or_default();
    let mut init = Command::new("/proc/self/exe");
    init.arg0("wharf").args(roles::init(name)).env_clear();
    init.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::piped()).stderr(Stdio::piped());
    let process = undumped.start(|| init.spawn())?;
    // It holds the other end of the line.
    drop(init);
    let text = serde_json::to_vec(document)?;
    line.write_all(&(text.len() as u64).to_le_bytes())?;
    line.write_all(&text)?;
    Ok(Init { process, line })
}

/// Lets go of the one who started it. Standard error stays: it is the reservation of the instance's port.
fn detach() -> io::Result<()> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    Ok(())
}

/// A pipe that the instance writes to.
struct Pipe<R> {
    source: Option<R>,
    lines: Lines,
}

impl<R: io::Read + AsFd> Pipe<R> {
    fn new(source: Option<R>, stream: LogStream) -> Self {
        Self { source, lines: Lines::new(stream) }
    }

    /// Reads what is there; at the end, lets go of the pipe.
    fn read(&mut self, log: &mut Log) {
        let mut buffer = [0; 64 << 10];
        match self.source.as_mut().map(|source| source.read(&mut buffer)) {
            Some(Ok(count)) if count > 0 => self.lines.take(&buffer[..count], log),
            Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => {
                self.lines.finish(log);
                self.source = None;
            }
        }
    }
}

/// What there is to do after a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Signal,
    Report,
    Out,
    Err,
}

struct Supervisor {
    lock: Lock,
    init: Child,
    line: Option<UnixStream>,
    /// What of a report has come so far.
    partial: Vec<u8>,
    signals: SignalFd,
    out: Pipe<ChildStdout>,
    err: Pipe<ChildStderr>,
    log: Log,
    /// How the main process ended, once init said so.
    end: Option<End>,
    refused: bool,
    /// Whether the lock says that the start came to its end.
    noted: bool,
    /// Since when init is gone.
    gone: Option<Instant>,
}

impl Supervisor {
    fn new(folder: &InstanceFolder, lock: Lock, init: Init, signals: SignalFd) -> Self {
        let Init { mut process, line } = init;
        Self {
            lock,
            line: Some(line),
            partial: Vec::new(),
            signals,
            out: Pipe::new(process.stdout.take(), LogStream::Out),
            err: Pipe::new(process.stderr.take(), LogStream::Err),
            log: Log::open(folder.clone(), log::LIMIT),
            end: None,
            refused: false,
            noted: false,
            gone: None,
            init: process,
        }
    }

    /// Watches until nothing is left of the instance, and writes down how it ended.
    fn watch(mut self, folder: &InstanceFolder) -> io::Result<()> {
        while !self.over() {
            for event in self.wait()? {
                self.take(event)?;
            }
        }
        if self.refused {
            return Ok(());
        }
        self.note_start()?;
        let status = self.init.wait()?;
        let end = self.end.take().unwrap_or_else(|| match status.signal() {
            Some(number) => End::Signal(number),
            None => End::NotStarted("its first process ended without a word".to_owned()),
        });
        let stored = StoredExit { format: FORMAT, end, at: clock::now().0 };
        files::write_durably(&folder.exit(), &serde_json::to_vec(&stored)?)?;
        say(&Word::Started)
    }

    fn over(&self) -> bool {
        let silent = self.out.source.is_none() && self.err.source.is_none() && self.line.is_none();
        self.gone.is_some_and(|since| silent || since.elapsed() > AFTERMATH)
    }

    fn wait(&self) -> io::Result<Vec<Event>> {
        let mut events = vec![Event::Signal];
        let mut handles = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        let sources = [
            (Event::Report, self.line.as_ref().map(AsFd::as_fd)),
            (Event::Out, self.out.source.as_ref().map(AsFd::as_fd)),
            (Event::Err, self.err.source.as_ref().map(AsFd::as_fd)),
        ];
        for (event, source) in sources {
            if let Some(source) = source {
                events.push(event);
                handles.push(PollFd::new(source, PollFlags::POLLIN));
            }
        }
        let patience = if self.gone.is_some() { PollTimeout::from(100_u8) } else { PollTimeout::NONE };
        match poll(&mut handles, patience) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |handle: &PollFd| handle.revents().is_some_and(|seen| !seen.is_empty());
        Ok(events.into_iter().zip(handles).filter(|(_, handle)| ready(handle)).map(|(event, _)| event).collect())
    }

    fn take(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::Signal => return self.take_signals(),
            Event::Report => self.take_report()?,
            Event::Out => self.out.read(&mut self.log),
            Event::Err => self.err.read(&mut self.log),
        }
        Ok(())
    }

    fn take_signals(&mut self) -> io::Result<()> {
        while let Some(signal) = self.signals.read_signal()? {
            if signal.ssi_signo == Signal::SIGTERM as u32
                && let Some(line) = &mut self.line
            {
                // Where init is gone there is nobody to tell.
                drop(line.write_all(b"t"));
            }
        }
        if self.gone.is_none() && self.init.try_wait()?.is_some() {
            self.gone = Some(Instant::now());
        }
        Ok(())
    }

    fn take_report(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4 << 10];
        let count = self.line.as_mut().map_or(Ok(0), |line| line.read(&mut buffer)).unwrap_or(0);
        if count == 0 {
            self.line = None;
        }
        self.partial.extend_from_slice(&buffer[..count]);
        while let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            self.heed(serde_json::from_slice(&line)?)?;
        }
        Ok(())
    }

    fn heed(&mut self, report: Report) -> io::Result<()> {
        match report {
            Report::Started => {
                self.note_start()?;
                say(&Word::Started)?;
                detach()
            }
            Report::Refused { refuser, attempt, why } => {
                self.refused = true;
                say(&Word::Refused { refuser, attempt, why })
            }
            Report::Ended(end) => {
                self.end = Some(end);
                self.note_start()
            }
        }
    }

    /// Notes in the locked file that the start came to its end. Nothing but the time is in it: who holds the lock is
    /// for the kernel to say.
    fn note_start(&mut self) -> io::Result<()> {
        if !self.noted {
            self.lock.write(&clock::now().0.to_string())?;
            self.noted = true;
        }
        Ok(())
    }
}
