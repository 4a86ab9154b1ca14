//! The first process of an instance's namespace: it makes the view of the file system, starts the main process, buries
//! the orphans, and ends with the main process; with it everything in the namespace ends.
//!
//! It also ends with its supervisor, by whatever means that dies.

use crate::{
    checks::Checks,
    dump::Undumped,
    format::{Document, End, Order, Report},
    isolate::{self, Refused, by_kernel},
    view,
};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        prctl::set_pdeathsig,
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
    unistd::{dup2_stdin, setsid},
};
use rustix::process::{Pid, WaitOptions, kill_process, wait};
use std::{
    env,
    fs::File,
    io::{self, Read as _, Write as _},
    os::{
        fd::AsFd,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
};

/// Runs as the first process of an instance, until its main process has ended.
pub(crate) fn run() -> ExitCode {
    match attend() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn attend() -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    let undumped = Undumped::begin()?;
    let mut line = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let document = hear(&mut line)?;
    // A supervisor that died before the call above is not noticed by it, but has left the line.
    if left(&line)? {
        return Ok(());
    }
    dup2_stdin(File::open("/dev/null")?)?;
    if let Err(Refused { refuser, attempt, source }) = prepare(&document) {
        return say(&mut line, &Report::Refused { refuser, attempt, why: source.to_string() });
    }
    let signals = watch_children()?;
    match start(&document, &undumped) {
        Ok(main) => {
            say(&mut line, &Report::Started)?;
            let end = wait_for(main, &document, &undumped, &mut line, &signals)?;
            end.map_or(Ok(()), |end| say(&mut line, &Report::Ended(end)))
        }
        Err(error) => say(&mut line, &Report::Ended(End::NotStarted(not_started(&document, &error)))),
    }
}

/// Hears what to run.
pub(crate) fn hear(line: &mut UnixStream) -> io::Result<Document> {
    let mut length = [0; 8];
    line.read_exact(&mut length)?;
    let mut text = Vec::new();
    line.take(u64::from_le_bytes(length)).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Whether nobody holds the other end any more.
pub(crate) fn left(line: &impl AsFd) -> io::Result<bool> {
    let mut handles = [PollFd::new(line.as_fd(), PollFlags::POLLIN)];
    poll(&mut handles, PollTimeout::ZERO)?;
    Ok(handles[0].revents().is_some_and(|seen| seen.contains(PollFlags::POLLHUP)))
}

/// Tells the supervisor something.
pub(crate) fn say(line: &mut UnixStream, report: &Report) -> io::Result<()> {
    let mut text = serde_json::to_vec(report)?;
    text.push(b'\n');
    line.write_all(&text)
}

fn prepare(document: &Document) -> Result<(), Refused> {
    view::make(document)?;
    isolate::give_up_mounting().map_err(by_kernel("the kernel does not let us give up the right to mount"))
}

fn watch_children() -> io::Result<SignalFd> {
    let mut watched = SigSet::empty();
    watched.add(Signal::SIGCHLD);
    watched.thread_set_mask()?;
    Ok(SignalFd::with_flags(&watched, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

fn start(document: &Document, undumped: &Undumped) -> io::Result<Pid> {
    setsid()?;
    let main = spawn(command(&document.command, document)?, undumped)?;
    Ok(Pid::from_child(&main))
}

/// A program of the instance, with the instance's variables, in the folder where that runs.
pub(crate) fn command(words: &[String], document: &Document) -> io::Result<Command> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&document.env).current_dir(&document.work).stdin(Stdio::null());
    command.process_group(0);
    Ok(command)
}

/// Starts a program. A child starts with the mask of its parent, and should find none.
pub(crate) fn spawn(mut command: Command, undumped: &Undumped) -> io::Result<Child> {
    let mask = SigSet::thread_get_mask()?;
    SigSet::empty().thread_set_mask()?;
    let started = undumped.start(|| command.spawn());
    mask.thread_set_mask()?;
    started
}

/// Says why the main process could not be started, in the words of the file.
fn not_started(document: &Document, error: &io::Error) -> String {
    let program = document.command.first().map_or("", String::as_str);
    if !document.work.is_dir() {
        return format!("a mount hides {}, where it is to run", document.work.display());
    }
    match (find(document, program), error.kind()) {
        (None, _) if program.contains('/') => format!("there is no `{program}`"),
        // A folder of PATH that may not be entered makes the system say something else.
        (None, _) => format!("there is no `{program}` on PATH"),
        (Some(found), io::ErrorKind::NotFound) => {
            format!("`{}` is there, but not the interpreter that its first line names", found.display())
        }
        (Some(found), io::ErrorKind::PermissionDenied) => format!("`{}` may not be executed", found.display()),
        (Some(found), _) => format!("cannot execute `{}`: {error}", found.display()),
    }
}

/// The file that a program's name leads to.
fn find(document: &Document, program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(document.work.join(program)).filter(|path| path.exists());
    }
    let folders = env::split_paths(document.env.get("PATH")?);
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Waits for the end of the main process, and does what the supervisor asks. `None` when everything is to end, or the
/// supervisor is gone.
fn wait_for(
    main: Pid,
    document: &Document,
    undumped: &Undumped,
    line: &mut UnixStream,
    signals: &SignalFd,
) -> io::Result<Option<End>> {
    let (mut checks, mut partial) = (Checks::default(), Vec::new());
    loop {
        let ended = bury(main, &mut checks)?;
        for ran in checks.told() {
            say(line, &Report::Ran(ran))?;
        }
        if let Some(end) = ended {
            return Ok(Some(end));
        }
        let mut handles =
            [PollFd::new(signals.as_fd(), PollFlags::POLLIN), PollFd::new(line.as_fd(), PollFlags::POLLIN)];
        match poll(&mut handles, checks.patience()) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let asked = handles[1].revents().is_some_and(|seen| !seen.is_empty());
        while signals.read_signal()?.is_some() {}
        if asked {
            let mut buffer = [0; 4 << 10];
            let count = line.read(&mut buffer)?;
            if count == 0 {
                return Ok(None);
            }
            partial.extend_from_slice(&buffer[..count]);
        }
        while let Some(end) = partial.iter().position(|byte| *byte == b'\n') {
            let order: Vec<u8> = partial.drain(..=end).collect();
            match serde_json::from_slice(&order)? {
                // The main process is not buried yet, so its id is still its own.
                Order::Terminate => drop(kill_process(main, rustix::process::Signal::TERM)),
                Order::End => return Ok(None),
                Order::Run(check) => checks.run(check, document, undumped),
            }
        }
    }
}

/// Buries every process that has ended. `Some` when the main process is among them.
fn bury(main: Pid, checks: &mut Checks) -> io::Result<Option<End>> {
    let mut end = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == main => {
                let signal = status.terminating_signal().map(End::Signal);
                end = signal.or_else(|| status.exit_status().map(End::Code)).or(end);
            }
            Ok(Some((pid, status))) => checks.ended(pid, status),
            Err(rustix::io::Errno::INTR) => {}
            Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(end),
            Err(error) => return Err(error.into()),
        }
    }
}
