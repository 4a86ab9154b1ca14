//! Folders that instances write to: each gets a copy of a snapshot of its own, and what it wrote goes back to where the
//! snapshot came from. Nothing is sent over what somebody else has put there meanwhile.
//!
//! Which files were written is told by size and time first: every file of such a copy is dated as none is by itself. What
//! may have been written is hashed, so that a file with the bytes that it had is not sent. Files that are gone from the copy
//! stay where they came from: nobody said that they are not needed there any more.

use crate::{
    error::{Conflict, SendError},
    snapshot::Manifest,
    source::{Fault, Object, Sink},
    store::Store,
    work::Patience,
};
use blake3::Hash;
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
    hash: Hash,
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

/// Sends every file below `folder` that is not as the copy began to where that came from, so many at once, and answers how
/// many. What was sent by an earlier try is not sent again. Files that somebody else has changed meanwhile stay as they are
/// there, and all of them are named; the others are sent.
///
/// # Errors
/// When files are in conflict, cannot be sent, or cannot be read.
pub async fn send_back(
    sink: Arc<dyn Sink>,
    baseline: Baseline,
    folder: &Path,
    connections: usize,
    patience: Patience,
) -> Result<usize, SendError> {
    let root = folder.to_owned();
    let looked = tokio::task::spawn_blocking(move || changed(&root, &baseline)).await;
    let found = looked.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    let found = found.map_err(|(path, source)| SendError::Disk { path, source })?;
    if let Some(large) = found.iter().find(|changed| changed.size > LARGEST) {
        let (place, object) = (sink.place().to_owned(), large.key.clone());
        return Err(SendError::TooLarge { place, object, size: large.size });
    }
    let (mut waiting, mut sending) = (found.into_iter(), JoinSet::new());
    let (mut sent, mut conflicts) = (0, Vec::new());
    loop {
        while sending.len() < connections.max(1)
            && let Some(next) = waiting.next()
        {
            sending.spawn(next.send(sink.clone(), patience));
        }
        let Some(ended) = sending.join_next().await else { break };
        match ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) {
            (_, Ok(())) => sent += 1,
            (changed, Err(Fault::Changed | Fault::Missing)) => {
                conflicts.push(Conflict { object: changed.key, was_there: changed.base.is_some() });
            }
            (changed, Err(fault)) => return Err(SendError::of(sink.place(), &changed.key, fault)),
        }
    }
    if conflicts.is_empty() {
        return Ok(sent);
    }
    conflicts.sort_by(|one, two| one.object.cmp(&two.object));
    Err(SendError::Conflicts { place: sink.place().to_owned(), conflicts })
}

impl Changed {
    async fn send(self, sink: Arc<dyn Sink>, patience: Patience) -> (Self, Result<(), Fault>) {
        let hash = self.hash.to_hex();
        // Nothing is heard of the server while it is told.
        let silence = patience.silence + Duration::from_secs(self.size / SLOWEST);
        let patience = Patience { silence, ..patience };
        let sent = patience.with(|| sink.put(&self.key, self.base.as_ref(), &self.file, &hash)).await;
        (self, sent)
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
                let hash = blake3::Hasher::new().update_reader(File::open(&path)?)?.finalize();
                let base = baseline.files.get(&key);
                if base.is_some_and(|(_, known)| *known == hash.to_hex().as_str()) {
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
