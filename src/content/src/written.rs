//! Folders that instances write to: each gets a copy of a snapshot of its own, and what it wrote goes back to where the
//! snapshot came from, once at its end or every now and then. Nothing is sent over what somebody else has put there meanwhile.
//!
//! Which files were written is told by size and time first: every file of such a copy is dated as none is by itself. What
//! may have been written is hashed, so that a file with the bytes that it had is not sent. Files that are gone from the copy
//! stay where they came from: nobody said that they are not needed there any more.

use crate::{
    error::{Conflict, SendError},
    snapshot::Manifest,
    source::{Fault, Known, Object, Sink},
    store::Store,
    work::Patience,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File, FileTimes, Permissions},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::task::JoinSet;
use wharf_model::ContentDigest;

/// When files of copies were changed, while nobody has: the first second of the year 2000, in seconds.
pub const UNTOUCHED: u64 = 946_684_800;

/// So much is sent in one piece at most, as stores have it.
const LARGEST: u64 = 5 << 30;
/// The slowest line that files are sent over, in bytes a second.
const SLOWEST: u64 = 128 << 10;

/// A file that was written.
#[derive(Debug)]
struct Changed {
    key: String,
    file: PathBuf,
    hash: String,
    size: u64,
    /// What the copy began with, if it had the file.
    base: Option<Object>,
}

/// What a copy began with.
#[derive(Debug, Clone)]
pub struct Baseline {
    files: BTreeMap<String, (Object, String)>,
}

impl Baseline {
    /// What the snapshot holds.
    ///
    /// # Errors
    /// When it is not here, or cannot be read.
    pub fn of(store: &Store, content: ContentDigest) -> io::Result<Self> {
        let manifest = Manifest::read(&store.manifest(content)).ok_or(io::ErrorKind::NotFound)?;
        let files = manifest.files.iter().map(|file| (file.path().to_owned(), (file.object(), file.hash().to_owned())));
        Ok(Self { files: files.collect() })
    }

    /// Whether a file of a copy is as it was laid out, as far as its size and its time, in seconds, tell.
    pub fn is_untouched(&self, key: &str, size: u64, changed: u64) -> bool {
        changed == UNTOUCHED && self.files.get(key).is_some_and(|(object, _)| object.size == size)
    }
}

/// Makes a copy of a snapshot at `to`, which must not be there, for one who may write to it. Blocks.
///
/// # Errors
/// When it cannot be made; what there is of it is left.
pub fn lay_out(store: &Store, content: ContentDigest, to: &Path) -> io::Result<()> {
    copy(&store.place(content), to)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
            continue;
        }
        fs::copy(entry.path(), &to)?;
        fs::set_permissions(&to, Permissions::from_mode(0o644))?;
        let untouched = SystemTime::UNIX_EPOCH + Duration::from_secs(UNTOUCHED);
        File::options().write(true).open(&to)?.set_times(FileTimes::new().set_modified(untouched))?;
    }
    Ok(())
}

/// What went back from a copy: files, each with the hashes of what may be there by us. It is kept beside the copy of an
/// instance that goes on, as it is what tells the instance's own writing from that of others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sent(BTreeMap<String, Vec<String>>);

/// What was written to a copy and has not gone back.
#[derive(Debug)]
pub struct Batch {
    changed: Vec<Changed>,
    sent: Sent,
}

impl Batch {
    /// What is below the folder, and neither as the copy began nor as it went back last. Blocks.
    ///
    /// # Errors
    /// When a file cannot be read, or none of its size can be sent to `place`.
    pub fn look(place: &str, folder: &Path, baseline: &Baseline, sent: Sent) -> Result<Self, SendError> {
        let mut changed = changed(folder, baseline).map_err(|(path, source)| SendError::Disk { path, source })?;
        let went = |changed: &Changed| sent.0.get(&changed.key).and_then(|all| all.last()) == Some(&changed.hash);
        changed.retain(|changed| !went(changed));
        if let Some(Changed { key, size, .. }) = changed.iter().find(|changed| changed.size > LARGEST) {
            return Err(SendError::TooLarge { place: place.to_owned(), object: key.clone(), size: *size });
        }
        Ok(Self { changed, sent })
    }

    /// How many files there are to send.
    pub fn len(&self) -> usize {
        self.changed.len()
    }

    /// Whether nothing is to be sent.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty()
    }

    /// What may be there by us once this is under way. Where the instance goes on, it must be written down before.
    pub fn intended(&self) -> Sent {
        let mut intended = self.sent.clone();
        for Changed { key, hash, .. } in &self.changed {
            intended.0.entry(key.clone()).or_default().push(hash.clone());
        }
        intended
    }

    /// Sends so many files at once, and answers what is there by us afterwards. What was sent by an earlier try is not sent
    /// again. Files that somebody else has changed meanwhile stay as they are there, and all of them are named; the others
    /// are sent.
    ///
    /// # Errors
    /// When files are in conflict, or cannot be sent.
    pub async fn send(self, sink: Arc<dyn Sink>, connections: usize, patience: Patience) -> Result<Sent, SendError> {
        let Self { changed, sent } = self;
        let (mut waiting, mut sending, mut after) = (changed.into_iter(), JoinSet::new(), sent.clone());
        let (sent, mut conflicts) = (Arc::new(sent), Vec::new());
        loop {
            while sending.len() < connections.max(1)
                && let Some(next) = waiting.next()
            {
                sending.spawn(next.send(sink.clone(), sent.clone(), patience));
            }
            let Some(ended) = sending.join_next().await else { break };
            match ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) {
                (changed, Ok(())) => drop(after.0.insert(changed.key, vec![changed.hash])),
                (changed, Err(Fault::Changed | Fault::Missing)) => {
                    conflicts.push(Conflict { object: changed.key, was_there: changed.base.is_some() });
                }
                (changed, Err(Fault::Passing(said))) => {
                    return Err(SendError::Unreachable { place: sink.place().to_owned(), object: changed.key, said });
                }
                (changed, Err(Fault::Refused { said, help })) => {
                    return Err(SendError::Refused { place: sink.place().to_owned(), object: changed.key, said, help });
                }
            }
        }
        if conflicts.is_empty() {
            return Ok(after);
        }
        conflicts.sort_by(|one, two| one.object.cmp(&two.object));
        Err(SendError::Conflicts { place: sink.place().to_owned(), conflicts })
    }
}

impl Changed {
    async fn send(self, sink: Arc<dyn Sink>, sent: Arc<Sent>, patience: Patience) -> (Self, Result<(), Fault>) {
        // Nothing is heard of the server while it is told.
        let silence = patience.silence + Duration::from_secs(self.size / SLOWEST);
        let ours = sent.0.get(&self.key).map_or(&[][..], Vec::as_slice);
        let known = Known { listed: self.base.as_ref(), ours };
        let put = || sink.put(&self.key, known, &self.file, &self.hash);
        let ended = Patience { silence, ..patience }.with(put).await;
        (self, ended)
    }
}

/// Copies what may have been written below `from` to `to`, as it is now: the instance goes on writing. Blocks.
///
/// # Errors
/// When that cannot be read or kept.
pub fn take(from: &Path, baseline: &Baseline, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        take_entry(&entry.path(), Path::new(&entry.file_name()), baseline, to)?;
    }
    Ok(())
}

fn take_entry(from: &Path, below: &Path, baseline: &Baseline, to: &Path) -> io::Result<()> {
    let about = match fs::symlink_metadata(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        about => about?,
    };
    if about.is_dir() {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            take_entry(&entry.path(), &below.join(entry.file_name()), baseline, to)?;
        }
        return Ok(());
    }
    let changed = u64::try_from(about.mtime()).unwrap_or(0);
    let untouched = below.to_str().is_some_and(|key| baseline.is_untouched(key, about.len(), changed));
    if !about.is_file() || untouched {
        return Ok(());
    }
    let to = to.join(below);
    to.parent().map_or(Ok(()), fs::create_dir_all)?;
    match fs::copy(from, &to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        copied => copied.map(drop),
    }
}

/// What is in the folder and was not when the copy began, in order. Links and the like are nothing that a store keeps.
fn changed(root: &Path, baseline: &Baseline) -> Result<Vec<Changed>, (PathBuf, io::Error)> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        for entry in entries.map_err(|error| (folder.clone(), error))? {
            let path = entry.path();
            let look = || -> io::Result<Option<Changed>> {
                let about = fs::symlink_metadata(&path)?;
                let key = path.strip_prefix(root).ok().and_then(Path::to_str);
                let key = key.ok_or_else(|| io::Error::other("its name is not UTF-8"))?.to_owned();
                let changed = u64::try_from(about.mtime()).unwrap_or(0);
                if !about.is_file() || baseline.is_untouched(&key, about.len(), changed) {
                    return Ok(None);
                }
                let hash = blake3::Hasher::new().update_reader(File::open(&path)?)?.finalize().to_hex().to_string();
                let base = baseline.files.get(&key);
                if base.is_some_and(|(_, known)| *known == hash) {
                    return Ok(None);
                }
                let base = base.map(|(object, _)| object.clone());
                Ok(Some(Changed { key, file: path.clone(), hash, size: about.len(), base }))
            };
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
                continue;
            }
            found.extend(look().map_err(|error| (path.clone(), error))?);
        }
    }
    found.sort_by(|one: &Changed, two: &Changed| one.key.cmp(&two.key));
    Ok(found)
}
