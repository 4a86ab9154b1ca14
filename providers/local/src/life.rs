//! One life of a program: a process namespace, the first process in it, and nothing else.
//!
//! A process can give its children a process namespace once only, and each life needs one of its own. So the supervisor
//! starts this process for each life. It has one thread, because the kernel lets no other change its namespaces; it
//! speaks only where no namespace can be had, and ends when nothing is left of the life. It also ends with its
//! supervisor, by whatever means that dies.

use crate::{
    dump::Undumped,
    format::Report,
    init::{hear, left, say},
    isolate::{self, Refused},
    roles,
};
use nix::sys::{prctl::set_pdeathsig, signal::Signal};
use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::{Command, ExitCode, Stdio},
};

/// Runs as one life of the instance of this name, until nothing is left of it.
pub(crate) fn run(name: &OsStr) -> ExitCode {
    match live(name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn live(name: &OsStr) -> io::Result<()> {
    let undumped = Undumped::begin()?;
    let mut line = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let isolated = isolate::isolate();
    // Not before: the kernel may forget this wish when rights change.
    set_pdeathsig(Signal::SIGKILL)?;
    if left(&line)? {
        return Ok(());
    }
    if let Err(Refused { refuser, attempt, source }) = isolated {
        // What the supervisor says must have room, or it does not come to listen.
        drop(hear(&mut line)?);
        return say(&mut line, &Report::Refused { refuser, attempt, why: source.to_string() });
    }
    let mut init = Command::new("/proc/self/exe");
    init.arg0("wharf").args(roles::init(name)).env_clear().stdin(Stdio::from(OwnedFd::from(line)));
    let mut init = undumped.start(|| init.spawn())?;
    // Its end is the end of all that was in the namespace: the kernel waits for each of them.
    init.wait().map(drop)
}
