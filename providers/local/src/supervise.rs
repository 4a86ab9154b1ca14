//! The supervisor of one instance: it holds the instance's lock, keeps its log, starts its program again when that ends
//! or fails its checks, and writes down how it ended at last.
//!
//! It takes the lock before it is told what to run. So nothing ever runs without the lock, and a start that was cut off
//! half-way leaves a supervisor that hears the end of its input and goes. Each time that it starts the program is a life
//! of its own (`life`), watched here; whether there is another is for `healing` to say.

use crate::{
    asker, clock,
    dump::Undumped,
    file_systems::{FileSystems, Still},
    files,
    format::{Document, End, FORMAT, Order, Report, StoredExit, Wish, Word},
    healing::{self, Healing},
    isolate::{Refused, by_files},
    layout::InstanceFolder,
    lock::Lock,
    log::{self, Lines, Log},
    roles,
    weights::Holding,
};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
    unistd::{dup2_stdin, dup2_stdout, setsid},
};
use serde::Serialize;
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
    let beside = match Beside::bring(&document) {
        Ok(beside) => beside,
        Err(Refused { refuser, attempt, source }) => {
            return say(&Word::Refused { refuser, attempt, why: source.to_string() });
        }
    };
    let mut supervisor = Supervisor::new(&folder, lock, signals, &document, (&beside, undumped));
    loop {
        let began = Instant::now();
        let Some(end) = supervisor.see_a_life()? else { return Ok(()) };
        let pause = if supervisor.told { None } else { supervisor.healing.after(&folder, &end, began) };
        match pause {
            Some(pause) if supervisor.waits(pause)? => {}
            _ => return supervisor.bury(end),
        }
    }
}

/// What is kept up beside the program.
struct Beside {
    systems: FileSystems,
    /// Where those who do that say what becomes of it.
    line: UnixStream,
}

impl Beside {
    /// Brings all of it. The caller has one thread.
    fn bring(document: &Document) -> Result<Self, Refused> {
        let (line, theirs) = UnixStream::pair().map_err(by_files("cannot hear clients"))?;
        // A supervisor that does not come to read holds up nobody.
        theirs.set_nonblocking(true).map_err(by_files("cannot hear clients"))?;
        // While file systems come, weights are on their way already.
        let holding = document.weights.as_ref().map(|held| Holding::begin(held, &theirs)).transpose()?;
        let systems = FileSystems::bring(&document.systems, &theirs)?;
        holding.map_or(Ok(()), Holding::keep)?;
        Ok(Self { systems, line })
    }
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

/// A life, and the line to its first process.
struct Life {
    process: Child,
    line: UnixStream,
}

fn start_life(folder: &InstanceFolder, document: &Document, undumped: &Undumped) -> io::Result<Life> {
    let (mut line, theirs) = UnixStream::pair()?;
    let name = folder.path().file_name().unwrap_or_default();
    let mut life = Command::new("/proc/self/exe");
    life.arg0("wharf").args(roles::life(name)).env_clear();
    life.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::piped()).stderr(Stdio::piped());
    let process = undumped.start(|| life.spawn())?;
    // It holds the other end of the line.
    drop(life);
    let text = serde_json::to_vec(document)?;
    line.write_all(&(text.len() as u64).to_le_bytes())?;
    line.write_all(&text)?;
    Ok(Life { process, line })
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

/// The supervisor through all lives of its instance.
struct Supervisor<'a> {
    folder: &'a InstanceFolder,
    document: &'a Document,
    undumped: Undumped,
    lock: Lock,
    signals: SignalFd,
    beside: &'a Beside,
    healing: Healing,
    /// Whether the one who started it was told that it runs.
    said: bool,
    /// Whether the program was told to end, so that its end is no failure.
    told: bool,
}

impl<'a> Supervisor<'a> {
    fn new(
        folder: &'a InstanceFolder,
        lock: Lock,
        signals: SignalFd,
        document: &'a Document,
        (beside, undumped): (&'a Beside, Undumped),
    ) -> Self {
        let healing = Healing::new(document.care.stays_down);
        Self { folder, document, undumped, lock, signals, beside, healing, said: false, told: false }
    }

    /// Lives through one life of the program; `None` where the host does not let us, and nobody was told otherwise yet.
    fn see_a_life(&mut self) -> io::Result<Option<End>> {
        let still = match self.beside.systems.still() {
            Ok(still) => still,
            Err(words) => return Ok(Some(End::NotStarted(words))),
        };
        let life = start_life(self.folder, self.document, &self.undumped)?;
        let asker = asker::start(self.folder, &self.document.care, self.document.port)?;
        Watch::new(self, life, asker, still)?.watch()
    }

    /// Waits before the next life. Answers whether there is to be one.
    fn waits(&mut self, pause: Duration) -> io::Result<bool> {
        let until = Instant::now() + pause;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if self.told || left.is_zero() {
                return Ok(!self.told && healing::is_wanted(self.folder));
            }
            let mut handles = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            match poll(&mut handles, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            while let Some(signal) = self.signals.read_signal()? {
                self.told |= signal.ssi_signo == Signal::SIGTERM as u32;
            }
        }
    }

    /// Notes in the locked file when the program was started. Nothing but the time is in it: who holds the lock is for
    /// the kernel to say.
    fn note_start(&mut self) -> io::Result<()> {
        self.lock.write(&clock::now().0.to_string())
    }

    /// Says once that the instance runs, and lets go of the one who started it.
    fn say_started(&mut self) -> io::Result<()> {
        if !self.said {
            self.said = true;
            say(&Word::Started)?;
            detach()?;
        }
        Ok(())
    }

    /// Writes down how the instance ended.
    fn bury(&mut self, end: End) -> io::Result<()> {
        let stored = StoredExit { format: FORMAT, end, at: clock::now().0 };
        files::write_durably(&self.folder.exit(), &serde_json::to_vec(&stored)?)?;
        self.say_started()
    }
}

/// What there is to do after a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Signal,
    Report,
    Wish,
    Out,
    Err,
    Client,
}

/// A line on which whole lines of JSON come.
struct Spoken {
    stream: Option<UnixStream>,
    partial: Vec<u8>,
}

impl Spoken {
    fn new(stream: Option<UnixStream>) -> Self {
        Self { stream, partial: Vec::new() }
    }

    /// What came; at the end, lets go of it.
    fn read(&mut self) -> Vec<Vec<u8>> {
        let mut buffer = [0; 4 << 10];
        let count = self.stream.as_mut().map_or(Ok(0), |stream| stream.read(&mut buffer)).unwrap_or(0);
        if count == 0 {
            self.stream = None;
        }
        self.partial.extend_from_slice(&buffer[..count]);
        let mut lines = Vec::new();
        while let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
            lines.push(self.partial.drain(..=end).collect());
        }
        lines
    }

    /// Says something. Where nobody is there any more, that shows elsewhere.
    fn say(&mut self, what: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(what)?;
        text.push(b'\n');
        if let Some(stream) = &mut self.stream {
            drop(stream.write_all(&text));
        }
        Ok(())
    }
}

/// One life of the program, watched.
struct Watch<'w, 's> {
    supervisor: &'w mut Supervisor<'s>,
    life: Child,
    init: Spoken,
    asker: Spoken,
    out: Pipe<ChildStdout>,
    err: Pipe<ChildStderr>,
    clients: Pipe<UnixStream>,
    /// Held until the view is made, or is not to be any more.
    still: Option<Still<'s>>,
    log: Log,
    /// How the main process ended, once that is known.
    end: Option<End>,
    refused: bool,
    /// Since when the life is over.
    gone: Option<Instant>,
}

impl<'w, 's> Watch<'w, 's> {
    fn new(
        supervisor: &'w mut Supervisor<'s>,
        life: Life,
        asker: Option<UnixStream>,
        still: Still<'s>,
    ) -> io::Result<Self> {
        let Life { mut process, line } = life;
        let log = Log::open(supervisor.folder.clone(), log::LIMIT);
        let clients = Some(supervisor.beside.line.try_clone()?);
        Ok(Self {
            supervisor,
            init: Spoken::new(Some(line)),
            asker: Spoken::new(asker),
            out: Pipe::new(process.stdout.take(), LogStream::Out),
            err: Pipe::new(process.stderr.take(), LogStream::Err),
            clients: Pipe::new(clients, LogStream::Err),
            still: Some(still),
            log,
            end: None,
            refused: false,
            gone: None,
            life: process,
        })
    }

    /// Watches until nothing is left of the life, and says how it ended; `None` where it was refused at the first start.
    fn watch(mut self) -> io::Result<Option<End>> {
        while !self.over() {
            for event in self.wait()? {
                self.take(event)?;
            }
        }
        if self.refused && !self.supervisor.said {
            return Ok(None);
        }
        let status = self.life.wait()?;
        let end = self.end.take().unwrap_or_else(|| match status.signal() {
            Some(number) => End::Signal(number),
            None => End::NotStarted("its first process ended without a word".to_owned()),
        });
        if !self.supervisor.said {
            self.supervisor.note_start()?;
        }
        Ok(Some(end))
    }

    fn over(&self) -> bool {
        let silent = self.out.source.is_none() && self.err.source.is_none() && self.init.stream.is_none();
        self.gone.is_some_and(|since| silent || since.elapsed() > AFTERMATH)
    }

    fn wait(&self) -> io::Result<Vec<Event>> {
        let mut events = vec![Event::Signal];
        let mut handles = vec![PollFd::new(self.supervisor.signals.as_fd(), PollFlags::POLLIN)];
        let sources = [
            (Event::Report, self.init.stream.as_ref().map(AsFd::as_fd)),
            (Event::Wish, self.asker.stream.as_ref().map(AsFd::as_fd)),
            (Event::Out, self.out.source.as_ref().map(AsFd::as_fd)),
            (Event::Err, self.err.source.as_ref().map(AsFd::as_fd)),
            (Event::Client, self.clients.source.as_ref().map(AsFd::as_fd)),
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
            Event::Report => {
                for line in self.init.read() {
                    self.heed(serde_json::from_slice(&line)?)?;
                }
            }
            Event::Wish => {
                for line in self.asker.read() {
                    self.grant(serde_json::from_slice(&line)?)?;
                }
            }
            Event::Out => self.out.read(&mut self.log),
            Event::Err => self.err.read(&mut self.log),
            Event::Client => self.clients.read(&mut self.log),
        }
        Ok(())
    }

    fn take_signals(&mut self) -> io::Result<()> {
        while let Some(signal) = self.supervisor.signals.read_signal()? {
            if signal.ssi_signo == Signal::SIGTERM as u32 {
                self.supervisor.told = true;
                self.init.say(&Order::Terminate)?;
            }
        }
        if self.gone.is_none() && self.life.try_wait()?.is_some() {
            self.gone = Some(Instant::now());
            self.still = None;
        }
        Ok(())
    }

    fn heed(&mut self, report: Report) -> io::Result<()> {
        // Whatever it says, its view is made or never will be.
        self.still = None;
        match report {
            Report::Started => {
                self.supervisor.note_start()?;
                self.supervisor.say_started()
            }
            Report::Refused { refuser, attempt, why } => {
                self.refused = true;
                self.end = Some(End::NotStarted(format!("{attempt}: {why}")));
                if self.supervisor.said {
                    return Ok(());
                }
                say(&Word::Refused { refuser, attempt, why })
            }
            Report::Ended(end) => {
                if self.end.is_none() {
                    self.end = Some(end);
                }
                Ok(())
            }
            Report::Ran(ran) => self.asker.say(&ran),
        }
    }

    fn grant(&mut self, wish: Wish) -> io::Result<()> {
        match wish {
            Wish::Run(check) => self.init.say(&Order::Run(check)),
            Wish::End { why } => {
                self.end = Some(End::Unhealthy(why));
                self.init.say(&Order::End)
            }
        }
    }
}
