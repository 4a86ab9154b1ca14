//! What a supervisor knows of instances, in a volume of the environment: it outlives the supervisor's container, so that one
//! that was killed goes on where it was. Doors have the volume, too, and read in it which instances are ready.
//!
//! - `known/INSTANCE`: what was heard and done, for whoever looks, and for the supervisor itself;
//! - `told/INSTANCE`: whether the instance is ready, for gateways;
//! - `routed/INSTANCE`, `drained/INSTANCE`: there once the instance was sent requests, or told to drain. Only what is
//!   routed and not drained is started again;
//! - `healing.jsonl`: a line for each time that a program was started again;
//! - `watching`: by which supervisor all this is brought up to date.

use crate::format::{FORMAT, HEALTH};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};
use wharf_model::Marked;
use wharf_serving::{Course, Healed, Heard, Kind, StoredRestarts};

/// The folder of what is known of each instance.
pub(crate) const KNOWN: &str = "known";
const TOLD: &str = "told";
const WATCHING: &str = "watching";
const HEALING: &str = "healing.jsonl";

/// A log of this size is put aside, and the one before goes.
const LIMIT: u64 = 1 << 20;

/// What becomes of an instance in the eyes of an apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mark {
    /// It is sent requests.
    Routed,
    /// It is sent no new ones.
    Drained,
}

impl Mark {
    /// The folder of those that have it.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Routed => "routed",
            Self::Drained => "drained",
        }
    }
}

/// What is known of one instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Health {
    pub(crate) format: u32,
    /// The life that this tells of: when it began, in the engine's words.
    pub(crate) life: String,
    /// Whether its start was over.
    pub(crate) up: bool,
    /// Whether it is ready, where its gateways do not ask it.
    pub(crate) ready: Option<Heard>,
    /// What each check heard last.
    pub(crate) checks: BTreeMap<Kind, Heard>,
    pub(crate) restarts: Option<StoredRestarts>,
    pub(crate) course: Course,
    /// Why it had to end, when a check failed too often.
    pub(crate) unfit: Option<String>,
    /// What becomes of it, once it has ended.
    pub(crate) fate: Option<Fate>,
}

/// What becomes of a program that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fate {
    /// It is started again in a moment.
    Again,
    /// It stays down.
    Down,
}

impl Health {
    /// What is known of a program that has just begun to live; restarts stay known.
    pub(crate) fn begun(&self, life: String) -> Self {
        let Self { restarts, course, .. } = self.clone();
        Self { format: FORMAT, life, restarts, course, ..Self::default() }
    }
}

/// Where gateways read whether an instance is ready.
pub(crate) fn told(instance: &str) -> PathBuf {
    Path::new(HEALTH).join(TOLD).join(instance)
}

/// The volume, as its supervisor has it.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    root: PathBuf,
}

impl Book {
    /// Opens it; folders that are missing are made.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        for folder in [KNOWN, TOLD, Mark::Routed.folder(), Mark::Drained.folder()] {
            fs::create_dir_all(root.join(folder))?;
        }
        Ok(Self { root: root.to_owned() })
    }

    pub(crate) fn read(&self, instance: &str) -> Option<Health> {
        read(&self.root.join(KNOWN).join(instance))
    }

    pub(crate) fn write(&self, instance: &str, health: &Health) -> io::Result<()> {
        write(&self.root.join(KNOWN).join(instance), health)
    }

    pub(crate) fn tell(&self, instance: &str, ready: &Heard) -> io::Result<()> {
        write(&self.root.join(TOLD).join(instance), ready)
    }

    /// Whether the program of an instance is there for anybody.
    pub(crate) fn wanted(&self, instance: &str) -> bool {
        let has = |mark: Mark| self.root.join(mark.folder()).join(instance).exists();
        Marked::of(has(Mark::Routed), has(Mark::Drained)) == Marked::Routed
    }

    /// Every instance that something is written of.
    pub(crate) fn instances(&self) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        for folder in [KNOWN, Mark::Routed.folder()] {
            for entry in fs::read_dir(self.root.join(folder))? {
                found.extend(entry?.file_name().into_string().ok().filter(|name| !name.starts_with('.')));
            }
        }
        Ok(found)
    }

    /// Forgets an instance that is no more.
    pub(crate) fn forget(&self, instance: &str) {
        for folder in [Mark::Routed.folder(), KNOWN, TOLD, Mark::Drained.folder()] {
            // One that is gone already is fine, and one that stays is tried again.
            drop(fs::remove_file(self.root.join(folder).join(instance)));
        }
    }

    /// Adds a line to the log. It is for people; that it cannot be written must not keep a program down.
    pub(crate) fn log(&self, line: &Healed) {
        let path = self.root.join(HEALING);
        let append = || {
            if fs::metadata(&path).is_ok_and(|found| found.len() > LIMIT) {
                fs::rename(&path, path.with_extension("jsonl.1"))?;
            }
            let mut text = serde_json::to_vec(line)?;
            text.push(b'\n');
            OpenOptions::new().append(true).create(true).open(&path)?.write_all(&text)
        };
        if let Err(error) = append() {
            tracing::warn!(%error, "cannot write the log");
        }
    }

    /// Says that this process keeps it up to date from now on.
    pub(crate) fn watch(&self) -> io::Result<()> {
        fs::write(self.root.join(WATCHING), life_of_first()?)
    }
}

/// All that is known; none while no supervisor in this container keeps it up to date.
pub(crate) fn look(root: &Path) -> Option<BTreeMap<String, Health>> {
    let watching = fs::read_to_string(root.join(WATCHING)).ok()?;
    if watching != life_of_first().ok()? {
        return None;
    }
    let mut known = BTreeMap::new();
    for entry in fs::read_dir(root.join(KNOWN)).ok()?.flatten() {
        let name = entry.file_name().into_string().ok();
        known.extend(name.filter(|name| !name.starts_with('.')).zip(read(&entry.path())));
    }
    Some(known)
}

/// What applies have said of instances, the last of each; none where they never could.
pub(crate) fn marks(root: &Path) -> Option<BTreeMap<String, Mark>> {
    let mut found = BTreeMap::new();
    // What was drained was routed before.
    for mark in [Mark::Routed, Mark::Drained] {
        for entry in fs::read_dir(root.join(mark.folder())).ok()?.flatten() {
            found.extend(entry.file_name().into_string().ok().map(|name| (name, mark)));
        }
    }
    Some(found)
}

/// When the container's first process began. A number of a process is not enough: it is always 1.
fn life_of_first() -> io::Result<String> {
    let stat = fs::read_to_string("/proc/1/stat")?;
    // Behind the name, which may hold anything, it is the twentieth word.
    let words = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    words.split_whitespace().nth(19).map(str::to_owned).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Whoever reads sees the old or the new.
fn write(path: &Path, what: &impl Serialize) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}"));
    fs::write(&beside, serde_json::to_vec(what)?)?;
    fs::rename(beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_routed_and_not_drained_is_wanted() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(marks(root.path()), None);
        let book = Book::open(root.path()).unwrap();
        let mark = |mark: Mark| fs::write(root.path().join(mark.folder()).join("hello-0-g1"), "").unwrap();
        assert!(!book.wanted("hello-0-g1"));
        assert_eq!(marks(root.path()), Some(BTreeMap::new()));
        mark(Mark::Routed);
        assert!(book.wanted("hello-0-g1"));
        mark(Mark::Drained);
        assert!(!book.wanted("hello-0-g1"));
        assert_eq!(marks(root.path()), Some(BTreeMap::from([("hello-0-g1".to_owned(), Mark::Drained)])));
        book.forget("hello-0-g1");
        assert!(!book.wanted("hello-0-g1") && book.instances().unwrap().is_empty());
    }

    #[test]
    fn what_was_written_is_seen_while_its_writer_lives() {
        let root = tempfile::tempdir().unwrap();
        let book = Book::open(root.path()).unwrap();
        let health = Health { up: true, ..Health::default().begun("now".to_owned()) };
        book.write("hello-0-g1", &health).unwrap();
        assert_eq!(look(root.path()), None);
        book.watch().unwrap();
        assert_eq!(look(root.path()), Some(BTreeMap::from([("hello-0-g1".to_owned(), health)])));
        fs::write(root.path().join(WATCHING), "another").unwrap();
        assert_eq!(look(root.path()), None);
    }
}
