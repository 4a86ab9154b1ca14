//! A program that must not outlive the command that started it, however that ends: an installation that went on by itself
//! would write where the next command's writes. Whoever starts a tether holds the other end of its standard input.

use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    ffi::{OsStr, OsString},
    io::{self, Read as _, Write as _},
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode, Stdio},
    thread,
};

/// Runs a program until it ends, or until nobody holds the other end of standard input any more: then it is killed, with
/// all that it has started. Ends as it did.
pub(crate) fn run(program: &OsStr, arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let started = Command::new(program).args(arguments).stdin(Stdio::null()).process_group(0).spawn();
    let ended = started.and_then(|mut child| {
        let group = Pid::from_child(&child);
        thread::spawn(move || {
            // Nothing is ever written there, and an error means the same as the end.
            drop(io::stdin().read(&mut [0]));
            // When it has ended meanwhile, there is nobody to be killed.
            let _ended = kill_process_group(group, Signal::KILL);
        });
        child.wait()
    });
    match ended {
        Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => {
            // The one who started it reads this.
            drop(writeln!(io::stderr(), "cannot run {}: {error}", program.display()));
            ExitCode::FAILURE
        }
    }
}
