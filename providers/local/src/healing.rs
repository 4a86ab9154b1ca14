//! What a supervisor does about a program that ended or fails, and where it writes that down: beside the instance for
//! whoever looks, and in a log of the environment that outlives the instance.

use crate::{clock, files, format::End, labels, layout::InstanceFolder};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    time::{Duration, Instant},
};
use wharf_gateway::{Endpoint, EndpointState};
use wharf_model::Marked;
use wharf_serving::{Course, Healed, Next, StoredRestarts};

/// A log of this size is put aside, and the one before goes.
const LIMIT: u64 = 1 << 20;

/// The restarts of one instance.
#[derive(Debug)]
pub(crate) struct Healing {
    stays_down: bool,
    course: Course,
}

impl Healing {
    pub(crate) fn new(stays_down: bool) -> Self {
        Self { stays_down, course: Course::default() }
    }

    /// Says after which pause the program is to be started again; `None` when it stays down. One that nobody was sent to
    /// yet stays down, as whoever starts it waits for it; so does one that is drained, and nobody needs it.
    ///
    /// What is written down is for people: a full disk must not keep a program down.
    pub(crate) fn after(&mut self, folder: &InstanceFolder, end: &End, began: Instant) -> Option<Duration> {
        if self.stays_down || !is_wanted(folder) {
            return None;
        }
        let lived = began.elapsed();
        let because = wharf_model::Exit::from(end.clone()).to_string();
        let (next, at) = (self.course.after(lived), clock::now().0);
        let name = folder.path().file_name().unwrap_or_default().to_string_lossy();
        drop(append(&folder.healing(), &self.course.line(&name, at, &because, lived, next)));
        let Next::Again { after, .. } = next else { return None };
        drop(labels::write(&folder.restarts(), &StoredRestarts::of(&self.course, because, at)));
        Some(after)
    }
}

/// What applies have said of an instance. One that balancers drain was told nothing yet, and is to be drained all the
/// same.
pub(crate) fn marked(folder: &InstanceFolder) -> Marked {
    let known = labels::read::<Endpoint>(&folder.routed());
    let parted = known.is_some_and(|known| known.state == EndpointState::Draining);
    Marked::of(folder.routed().exists(), parted || folder.drained().exists())
}

/// Whether the program is there for anybody.
pub(crate) fn is_wanted(folder: &InstanceFolder) -> bool {
    marked(folder) == Marked::Routed
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_drained_anywhere_is_wanted_no_more() {
        let site = tempfile::tempdir().unwrap();
        let folder = InstanceFolder::new(site.path().join("hello-0-g1"));
        fs::create_dir(folder.path()).unwrap();
        assert_eq!(marked(&folder), Marked::New);
        let id = "hello-0-g1".parse().unwrap();
        let probe = wharf_gateway::Probe { check: wharf_gateway::Check::Tcp, ..wharf_gateway::Probe::default() };
        let mut endpoint = wharf_serving::endpoint(&id, ([127, 0, 0, 1], 80).into(), probe);
        labels::write(&folder.routed(), &endpoint).unwrap();
        assert_eq!(marked(&folder), Marked::Routed);
        endpoint.state = EndpointState::Draining;
        labels::write(&folder.routed(), &endpoint).unwrap();
        assert_eq!(marked(&folder), Marked::Drained);
    }

    #[test]
    fn a_program_comes_back_where_nothing_can_be_written() {
        let site = tempfile::tempdir().unwrap();
        let folder = InstanceFolder::new(site.path().join("hello-0-g1"));
        fs::create_dir(folder.path()).unwrap();
        fs::write(folder.routed(), "{}").unwrap();
        // A file that is a folder can be written by nobody.
        for path in [folder.restarts(), folder.healing()] {
            fs::create_dir_all(path.join("full")).unwrap();
        }
        let mut healing = Healing::new(false);
        for restarts in 1..=2 {
            assert!(healing.after(&folder, &End::Code(3), Instant::now()).is_some());
            assert_eq!(healing.course.count, restarts);
        }
    }
}
