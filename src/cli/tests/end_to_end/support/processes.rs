//! The processes that were started from a folder.
//!
//! A supervisor and a gateway name the folder on their command lines, an instance's program has it in its environment,
//! and the first process of an instance, which has neither, is the child of its supervisor.

use rustix::process::{Pid, Signal, kill_process};
use std::{collections::BTreeSet, fs, path::Path};

/// A process as `/proc` shows it.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    /// The words of its command line, a space between them.
    pub(crate) command: String,
    belongs: bool,
}

impl Process {
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.command.split(' ')
    }

    /// Whether it is `wharf role ROLE …`.
    pub(crate) fn has_role(&self, role: &str) -> bool {
        let mut words = self.words().skip(1);
        words.next() == Some("role") && words.next() == Some(role)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // It may have ended just now.
        let _ended = kill_process(Pid::from_raw(self.pid).unwrap(), signal);
    }

    pub(crate) fn lives(&self) -> bool {
        read(self.pid, Path::new("/nowhere")).is_some_and(|now| now.command == self.command)
    }
}

/// Every living process of the folder `root`, and those that they have started.
pub(crate) fn of(root: &Path) -> Vec<Process> {
    let names = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
    let pids = names.filter_map(|name| name.to_str()?.parse().ok());
    let all: Vec<Process> = pids.filter_map(|pid| read(pid, root)).collect();
    let mut ours: BTreeSet<i32> = all.iter().filter(|process| process.belongs).map(|process| process.pid).collect();
    loop {
        let before = ours.len();
        ours.extend(
            all.iter().filter(|process| ours.contains(&process.parent)).map(|process| process.pid).collect::<Vec<_>>(),
        );
        if ours.len() == before {
            return all.into_iter().filter(|process| ours.contains(&process.pid)).collect();
        }
    }
}

/// A process; `None` when it has ended.
fn read(pid: i32, root: &Path) -> Option<Process> {
    let proc = Path::new("/proc").join(pid.to_string());
    let stat = fs::read_to_string(proc.join("stat")).ok()?;
    // The name before the last bracket may hold anything.
    let mut columns = stat.rsplit_once(')')?.1.split_whitespace();
    let (state, parent) = (columns.next()?, columns.next()?.parse().ok()?);
    if matches!(state, "Z" | "X") {
        return None;
    }
    let text = |file: &str| {
        let bytes = fs::read(proc.join(file)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim_end_matches('\0').replace('\0', " ")
    };
    let command = text("cmdline");
    let root = root.to_str().unwrap();
    let place = fs::read_link(proc.join("cwd")).unwrap_or_default();
    let belongs = command.contains(root) || text("environ").contains(root) || place.starts_with(root);
    Some(Process { pid, parent, command, belongs })
}
