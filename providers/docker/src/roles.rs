//! What wharf's own program is in the containers that are made from it, beside a gateway.

use crate::{book::Book, desk, format::HEALTH, watch};
use std::{error::Error, ffi::OsString, io, io::Write as _, path::Path, process::ExitCode};
use wharf_provider::Owner;

/// Where a supervisor finds the engine's socket.
pub(crate) const SOCKET: &str = "/run/engine.sock";

/// The arguments that make a desk.
pub(crate) const DESK: [&str; 2] = ["role", "desk"];

/// The arguments that make the supervisor of an environment.
pub(crate) fn supervisor(owner: &Owner) -> [String; 4] {
    ["role".to_owned(), "supervisor".to_owned(), owner.project.to_string(), owner.environment.to_string()]
}

/// Plays the desk of a gateway, or a supervisor, if the arguments, with the program's name before them, ask for it; `None`
/// when they do not. The binary calls this first of all, and returns what it answers.
pub fn play_role(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let arguments: Vec<_> = arguments.into_iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (what, played) = match words.as_slice() {
        words if words == DESK => ("desk", play(desk::sit())),
        ["role", "supervisor", project, environment] => ("supervisor", supervise(project, environment)),
        _ => return None,
    };
    Some(match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes = std::iter::successors(error.source(), |error| (*error).source());
            let causes: String = causes.map(|cause| format!(": {cause}")).collect();
            // Whoever asked has gone if this cannot be written.
            drop(writeln!(io::stderr(), "the {what} ended: {error}{causes}"));
            ExitCode::FAILURE
        }
    })
}

fn supervise(project: &str, environment: &str) -> Result<(), Box<dyn Error>> {
    let owner = Owner { project: project.parse()?, environment: environment.parse()? };
    let book = Book::open(Path::new(HEALTH))?;
    play(watch::watch(&owner, SOCKET, &book))
}

fn play<E: Into<Box<dyn Error>>>(role: impl Future<Output = Result<(), E>>) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let played = runtime.block_on(role);
    // A reader of standard input cannot be stopped, and need not be waited for.
    runtime.shutdown_background();
    played.map_err(Into::into)
}
