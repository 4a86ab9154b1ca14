//! The parts that the program plays when it starts itself again: instances must outlive the command that started them,
//! so each has a process of its own that watches it.
//!
//! A role runs before any thread and any runtime exists, as the kernel lets only single-threaded processes change
//! their namespaces. What the roles do is in `supervise`, `life` and `init`.

use crate::{
    dump::Undumped,
    init::{self, left},
    layout::InstanceFolder,
    life, supervise, tether,
};
use nix::{
    sys::{
        prctl::set_pdeathsig,
        signal::{SigSet, Signal},
    },
    unistd::setsid,
};
use std::{
    ffi::{OsStr, OsString},
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// The first argument of a role.
const ROLE: &str = "role";
const SUPERVISE: &str = "supervise";
const LIFE: &str = "life";
const INIT: &str = "init";
const GATEWAY: &str = "gateway";
const SUCCESSOR: &str = "successor";
const TETHER: &str = "tether";
const CLIENT: &str = "client";

/// Plays a role if the arguments, with the program's name before them, ask for one; `None` when they do not. The binary
/// calls this first of all, and returns what it answers. The roles of a gateway and of one that takes over from another end
/// in the program's own command `gateway --dir FOLDER [--take-over]`, so the binary must have that.
pub fn play_role(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next()? != ROLE {
        return None;
    }
    let (role, place) = (arguments.next()?, arguments.next()?);
    if role == INIT || role == LIFE || role == SUPERVISE {
        // Whoever is started through `/proc/self/exe` would be listed as `exe`. Nothing depends on the name.
        let _unnamed = rustix::thread::set_name(c"wharf");
    }
    if role == SUPERVISE {
        Some(supervise::run(InstanceFolder::new(PathBuf::from(place))))
    } else if role == LIFE {
        Some(life::run(&place))
    } else if role == INIT {
        Some(init::run())
    } else if role == GATEWAY {
        Some(become_gateway(Path::new(&place), &[]))
    } else if role == SUCCESSOR {
        Some(become_gateway(Path::new(&place), &["--take-over"]))
    } else if role == TETHER {
        Some(tether::run(&place, arguments))
    } else if role == CLIENT {
        Some(become_client(&place, arguments))
    } else {
        None
    }
}

/// Leaves the session of the one who runs wharf, and becomes the program's gateway. Comes back only to fail.
fn become_gateway(folder: &Path, how: &[&str]) -> ExitCode {
    let failure = match setsid() {
        Ok(_) => Command::new("/proc/self/exe").arg0("wharf").args([GATEWAY, "--dir"]).arg(folder).args(how).exec(),
        Err(error) => error.into(),
    };
    // The one who started it reads this.
    drop(writeln!(io::stderr(), "cannot become a gateway: {failure}"));
    ExitCode::FAILURE
}

/// Becomes what serves an instance from beside it, and ends with its supervisor by whatever means that dies. Comes back only to fail.
fn become_client(program: &OsStr, arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let ready = || -> io::Result<bool> {
        set_pdeathsig(Signal::SIGKILL)?;
        // It holds keys, and its supervisor waits with signals blocked, which it should not.
        Undumped::begin()?;
        SigSet::empty().thread_set_mask()?;
        left(&io::stdin())
    };
    let failure = match ready() {
        Ok(false) => Command::new(program).args(arguments).exec(),
        Ok(true) => return ExitCode::SUCCESS,
        Err(error) => error,
    };
    drop(writeln!(io::stderr(), "cannot run {}: {failure}", program.display()));
    ExitCode::FAILURE
}

/// The arguments that make a supervisor for the instance of this folder.
pub(crate) fn supervisor(folder: &Path) -> [&OsStr; 3] {
    [OsStr::new(ROLE), OsStr::new(SUPERVISE), folder.as_os_str()]
}

/// The arguments that make a gateway of this folder.
pub(crate) fn gateway(folder: &Path) -> [&OsStr; 3] {
    [OsStr::new(ROLE), OsStr::new(GATEWAY), folder.as_os_str()]
}

/// The arguments that make a gateway which takes over from that of this folder.
pub(crate) fn successor(folder: &Path) -> [&OsStr; 3] {
    [OsStr::new(ROLE), OsStr::new(SUCCESSOR), folder.as_os_str()]
}

/// The arguments that make a tether, before those of what it runs.
pub(crate) fn tether(program: &OsStr) -> [&OsStr; 3] {
    [OsStr::new(ROLE), OsStr::new(TETHER), program]
}

/// The arguments that make a client of this command.
pub(crate) fn client<'a>(command: impl IntoIterator<Item = &'a OsStr>) -> impl Iterator<Item = &'a OsStr> {
    [ROLE, CLIENT].map(OsStr::new).into_iter().chain(command)
}

/// The arguments that make one life of an instance.
pub(crate) fn life(name: &OsStr) -> [&OsStr; 3] {
    [OsStr::new(ROLE), OsStr::new(LIFE), name]
}

/// The arguments that make an init. The name is there for those who look at the list of processes.
pub(crate) fn init(name: &OsStr) -> [&OsStr; 3] {
    [OsStr::new(ROLE), OsStr::new(INIT), name]
}
