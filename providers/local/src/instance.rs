//! One instance as its folder and the kernel tell it: whether it runs, since when, or how it ended.

use crate::{
    format::StoredExit,
    labels,
    layout::InstanceFolder,
    lock::{self, Grip, Holder},
};
use rustix::process::Pid;
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};
use wharf_model::{Exit, Timestamp};

/// How far an instance got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Life {
    /// Nothing was started, or a start was cut off before anything ran.
    NeverStarted,
    /// A supervisor is about to start it, or about to go.
    Starting,
    /// It runs.
    Running { since: Timestamp },
    /// It ended.
    Ended(Exit),
}

/// How far the instance of this folder got.
pub(crate) fn life(folder: &InstanceFolder) -> io::Result<Life> {
    let held = lock::holder(&folder.lock())? != Holder::Nobody;
    let since = started(folder)?;
    Ok(match (held, since) {
        (true, Some(since)) => Life::Running { since },
        (true, None) => Life::Starting,
        (false, Some(_)) => Life::Ended(ending(folder)),
        (false, None) => Life::NeverStarted,
    })
}

/// What the supervisor noted in the lock.
fn started(folder: &InstanceFolder) -> io::Result<Option<Timestamp>> {
    match fs::read_to_string(folder.lock()) {
        Ok(text) => Ok(text.parse().ok().map(Timestamp)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn ending(folder: &InstanceFolder) -> Exit {
    labels::read::<StoredExit>(&folder.exit()).map_or(Exit::Unseen, |stored| stored.end.into())
}

/// The name of the process namespace of an instance that runs.
pub(crate) fn namespace(folder: &InstanceFolder) -> Option<PathBuf> {
    match lock::holder(&folder.lock()) {
        Ok(Holder::Process(supervisor)) => namespace_below(supervisor),
        _ => None,
    }
}

/// The name of the process namespace that the present life below a supervisor has made.
pub(crate) fn namespace_below(supervisor: Pid) -> Option<PathBuf> {
    let link = |pid: u32, name: &str| fs::read_link(format!("/proc/{pid}/ns/{name}")).ok();
    children(supervisor).into_iter().find_map(|life| {
        let (own, below) = (link(life, "pid")?, link(life, "pid_for_children")?);
        // Both are the same before it has made one.
        (own != below).then_some(below)
    })
}

fn children(parent: Pid) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let parent = parent.as_raw_nonzero().to_string();
    pids.filter(|pid| status(*pid).split(' ').nth(1) == Some(&parent)).collect()
}

/// The processes of a namespace that live, by their ids out here. One that is dead and only waits for somebody to take
/// note of that is none.
pub(crate) fn processes_in(namespace: &Path) -> BTreeSet<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeSet::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let inside = |pid: &u32| fs::read_link(format!("/proc/{pid}/ns/pid")).is_ok_and(|found| found == namespace);
    pids.filter(inside).filter(|pid| lives(*pid)).collect()
}

fn lives(pid: u32) -> bool {
    let status = status(pid);
    !status.is_empty() && !status.starts_with(['Z', 'X'])
}

/// What the kernel says of a process, from its state on; nothing when it is gone.
fn status(pid: u32) -> String {
    let row = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name of the program stands in brackets and may hold anything, brackets too.
    row.rsplit_once(") ").map(|(_, rest)| rest.to_owned()).unwrap_or_default()
}

/// Gets hold of the supervisor; `None` when there is none.
pub(crate) fn supervisor(folder: &InstanceFolder) -> io::Result<Option<Grip>> {
    Grip::on(&folder.lock())
}
