//! What a supervisor does about a program that ended or fails, and where it writes that down: beside the instance for
//! whoever looks, and in a log of the environment that outlives the instance.

use crate::{
    clock, files,
    format::{End, FORMAT, Healed, StoredRestarts},
    labels,
    layout::InstanceFolder,
};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    time::{Duration, Instant},
};
use wharf_serving::Next;

/// A log of this size is put aside, and the one before goes.
const LIMIT: u64 = 1 << 20;

/// The restarts of one instance.
#[derive(Debug)]
pub(crate) struct Healing {
    stays_down: bool,
    /// All of them.
    count: u32,
    /// Those without a steady life in between.
    attempts: u32,
}

impl Healing {
    pub(crate) fn new(stays_down: bool) -> Self {
        Self { stays_down, count: 0, attempts: 0 }
    }

    /// Says after which pause the program is to be started again; `None` when it stays down. One that nobody was sent to
    /// yet stays down, as whoever starts it waits for it; so does one that is drained, and nobody needs it.
    pub(crate) fn after(&mut self, folder: &InstanceFolder, end: &End, began: Instant) -> io::Result<Option<Duration>> {
        if self.stays_down || !wanted(folder) {
            return Ok(None);
        }
        let lived = began.elapsed();
        let because = wharf_model::Exit::from(end.clone()).to_string();
        match wharf_serving::next(self.attempts, lived) {
            Next::Again { after, attempt } => {
                self.attempts = attempt;
                self.count += 1;
                let at = clock::now().0;
                let stored = StoredRestarts { format: FORMAT, count: self.count, because: because.clone(), at };
                labels::write(&folder.restarts(), &stored)?;
                self.log(folder, "restart", because, lived, Some(after));
                Ok(Some(after))
            }
            Next::Down => {
                self.log(folder, "give-up", because, lived, None);
                Ok(None)
            }
        }
    }

    /// The log is for people; that it cannot be written must not keep a program down.
    fn log(&self, folder: &InstanceFolder, what: &str, because: String, lived: Duration, after: Option<Duration>) {
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let name = folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let line = Healed {
            format: FORMAT,
            at: clock::now().0,
            instance: name,
            what: what.to_owned(),
            because,
            lived_ms: millis(lived),
            after_ms: after.map(millis),
            restarts: self.count,
        };
        drop(append(&folder.healing(), &line));
    }
}

/// Whether the program is there for anybody.
pub(crate) fn wanted(folder: &InstanceFolder) -> bool {
    folder.routed().exists() && !folder.drained().exists()
}

fn append(path: &Path, line: &Healed) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|found| found.len() > LIMIT) {
        fs::rename(path, path.with_extension("jsonl.1"))?;
    }
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    // Supervisors write side by side: each line goes in one call.
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)?.write_all(&text)
}

/// Removes the log of an environment that nothing is left of.
pub(crate) fn remove_log(root: &Path) -> io::Result<()> {
    for name in [HEALING, HEALING_BEFORE] {
        files::remove_tree(&root.join(name))?;
    }
    Ok(())
}

/// The log of an environment, in its state folder, and the one before it.
pub(crate) const HEALING: &str = "healing.jsonl";
const HEALING_BEFORE: &str = "healing.jsonl.1";
