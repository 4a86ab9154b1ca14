//! `wharf gateway`: the process that `apply` starts for each gateway of a project, and the one that starts it again when
//! it is killed.
//!
//! The guard does nothing but wait: it has no sockets, no configuration and no say. A gateway that ends by itself has its
//! reasons, and the guard ends with it; one that was killed is started again and takes up where it was. Where the guard is
//! the first process of a container, all others end with it: it stays for whoever took over from its gateway. The kernel
//! also keeps from it every signal that it does not wait for, so it waits for SIGTERM, hands it on and ends when they have.

use crate::{
    exit::Exit,
    fault::{Ends, Fault},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::BTreeSet,
    io,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::signal::unix::{SignalKind, signal};
use wharf_gateway::Settings;

/// A gateway that is killed again within so long is started again only after so long.
const SOON: Duration = Duration::from_secs(1);

/// A gateway that has been away for so long does not come again.
const AWAY: Duration = Duration::from_secs(4);

/// How often a first process that is to end looks who is still there.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) fn run(folder: &Path, take_over: bool, unguarded: bool) -> Ends<Exit> {
    if unguarded {
        let settings = Settings { workers: None, take_over };
        wharf_gateway::run(folder, settings).map_err(|cause| Fault::new("the gateway ended").because(cause))?;
        return Ok(Exit::Done);
    }
    guard(folder, take_over)
}

fn guard(folder: &Path, take_over: bool) -> Ends<Exit> {
    let is_first = std::process::id() == 1;
    let is_told = if is_first {
        obey(folder).map_err(|cause| Fault::new("cannot wait for signals").because(cause))?
    } else {
        Arc::default()
    };
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
        if ended.signal().is_none() || is_told.load(Ordering::SeqCst) {
            if is_first {
                stay_for_others(folder, &is_told);
            }
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

/// Waits until no gateway has had the folder for a while: one that was killed is started again by a guard of its own. Who
/// is told to end waits for nobody who is not there.
fn stay_for_others(folder: &Path, is_told: &AtomicBool) {
    let mut seen = Instant::now();
    while seen.elapsed() < AWAY {
        let is_there = matches!(wharf_gateway::holder(folder), Ok(Some(_)));
        if is_there {
            seen = Instant::now();
        } else if is_told.load(Ordering::SeqCst) {
            return;
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// From now on hands SIGTERM on to whoever has the folder, once to each, and says that it came.
fn obey(folder: &Path) -> io::Result<Arc<AtomicBool>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut terminate = {
        let _within = runtime.enter();
        signal(SignalKind::terminate())?
    };
    let (folder, is_told) = (folder.to_owned(), Arc::<AtomicBool>::default());
    let tell = is_told.clone();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(terminate.recv());
        tell.store(true, Ordering::SeqCst);
        let mut told = BTreeSet::new();
        // One that has just begun has no folder yet.
        loop {
            let holder = wharf_gateway::holder(&folder).ok().flatten().filter(|holder| told.insert(*holder));
            if let Some(pid) = holder.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
                // Nobody is there to be told when it has ended meanwhile.
                let _sent = kill_process(pid, Signal::TERM);
            }
            thread::sleep(LOOK_EVERY);
        }
    })?;
    Ok(is_told)
}
