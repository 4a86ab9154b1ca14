//! `wharf gateway`: the process that `apply` starts for each gateway of a project, and the one that starts it again when
//! it is killed.
//!
//! The guard does nothing but wait: it has no sockets, no configuration and no say. A gateway that ends by itself has its
//! reasons, and the guard ends with it; one that was killed is started again and takes up where it was.

use crate::{
    exit::Exit,
    fault::{Ends, Fault},
};
use std::{
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};
use wharf_gateway::Settings;

/// A gateway that is killed again within so long is started again only after so long.
const SOON: Duration = Duration::from_secs(1);

pub(super) fn run(folder: &Path, take_over: bool, unguarded: bool) -> Ends<Exit> {
    if unguarded {
        let settings = Settings { workers: None, take_over };
        wharf_gateway::run(folder, settings).map_err(|cause| Fault::new("the gateway ended").because(cause))?;
        return Ok(Exit::Done);
    }
    guard(folder, take_over)
}

fn guard(folder: &Path, take_over: bool) -> Ends<Exit> {
    let mut take_over = take_over;
    loop {
        let begin = Instant::now();
        let mut gateway = Command::new("/proc/self/exe");
        gateway.arg0("wharf").args(["gateway", "--unguarded", "--dir"]).arg(folder);
        if take_over {
            gateway.arg("--take-over");
        }
        let ended = gateway.status().map_err(|cause| Fault::new("cannot start the gateway").because(cause))?;
        // SIGTERM and SIGINT it obeys, and ends by itself: what it was killed by was nobody's wish for its end.
        if ended.signal().is_none() {
            return Ok(if ended.success() { Exit::Done } else { Exit::Error });
        }
        // Whoever wants a gateway gone for good takes its configuration away first.
        if !folder.join("config.json").exists() {
            return Ok(Exit::Error);
        }
        take_over = false;
        if begin.elapsed() < SOON {
            thread::sleep(SOON);
        }
    }
}
