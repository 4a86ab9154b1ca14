//! The command line: one file per command, a few dozen lines each over the crates. This is the only crate that prints,
//! reads the environment, names the providers and picks exit codes.

#![allow(clippy::disallowed_methods, reason = "the command line is where the outside world comes in")]

mod arguments;
mod author;
mod commands;
mod dump;
mod exit;
mod fault;
mod history;
mod mortal;
mod notify;
mod out;
mod place;
mod problems;
mod progress;
mod project;
mod secrets;
mod site;

use arguments::Arguments;
use clap::Parser;
use exit::Exit;
use std::process::ExitCode;

/// A gateway allocates for every request in HTTP/2, and the system's allocator costs a tenth of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before any thread exists: a role changes its namespaces, which only a single-threaded process may.
    if let Some(code) = wharf_local::play_role(std::env::args_os()) {
        return code;
    }
    if let Some(code) = wharf_docker::play_role(std::env::args_os()) {
        return code;
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(told) => {
            // Nobody is left to tell if this cannot be printed.
            drop(told.print());
            return if told.use_stderr() { Exit::Error.into() } else { Exit::Done.into() };
        }
    };
    dump::forbid(&arguments.command);
    out::set_up(&arguments.shared);
    match commands::run(arguments) {
        Ok(exit) => exit.into(),
        Err(fault) => {
            let exit = fault.exit();
            out::fault(*fault);
            exit.into()
        }
    }
}
