//! Where things are kept, and what is kept. A snapshot is a folder of links to files that are kept by what they hold; the
//! links are counted by the file system, so a file with one link is needed by nobody.

use crate::{
    error::FetchError,
    listing::{Listing, Turnover},
    snapshot::Manifest,
};
use blake3::Hash;
use rustix::fs::{FlockOperation, flock};
use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, symlink},
    path::{Path, PathBuf},
};
use wharf_model::{ContentDigest, Room};

/// The store of a host, or of one user of it.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    room: Room,
}

/// A snapshot that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Which.
    pub content: ContentDigest,
    /// Where its files are.
    pub path: PathBuf,
}

impl Store {
    /// The store below a folder, which is made when something is first kept.
    pub fn at(root: PathBuf) -> Self {
        Self { root, room: Room::default() }
    }

    /// The same, that keeps so much of its disk free.
    pub fn keeping_free(self, room: Room) -> Self {
        Self { room, ..self }
    }

    /// How much of its disk it keeps free.
    pub(crate) fn room(&self) -> Room {
        self.room
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The snapshot, if it is here, whole.
    pub fn find(&self, content: ContentDigest) -> Option<Kept> {
        let path = self.place(content);
        (path.is_dir() && !self.is_doubtful(content)).then_some(Kept { content, path })
    }

    /// Where the files of a snapshot are, if it is here.
    pub fn place(&self, content: ContentDigest) -> PathBuf {
        self.root.join("snapshots").join(content.to_string())
    }

    /// In what a list differs from each snapshot of the same folder that is here.
    ///
    /// # Errors
    /// When the snapshots cannot be listed.
    pub fn turnovers(&self, listing: &Listing) -> io::Result<Vec<(ContentDigest, Turnover)>> {
        let kept = self.manifests()?.into_iter().filter(|(_, manifest)| manifest.place == listing.place());
        Ok(kept
            .map(|(content, manifest)| {
                let files: Vec<_> = manifest.files.iter().map(|file| file.object()).collect();
                (content, listing.since(&files))
            })
            .collect())
    }

    /// How many bytes of a list are in no snapshot that is here.
    ///
    /// # Errors
    /// When the snapshots cannot be listed.
    pub fn missing(&self, listing: &Listing) -> io::Result<u64> {
        let kept = self.manifests()?.into_iter().filter(|(_, manifest)| manifest.place == listing.place());
        let here: BTreeSet<_> = kept.flat_map(|(_, manifest)| manifest.files).map(|file| file.object()).collect();
        Ok(listing.files().filter(|object| !here.contains(object)).map(|object| object.size).sum())
    }

    /// Every snapshot that is here, with what it holds.
    pub(crate) fn manifests(&self) -> io::Result<Vec<(ContentDigest, Manifest)>> {
        let mut found = Vec::new();
        for name in names(&self.root.join("snapshots"))? {
            let Ok(content) = name.parse::<ContentDigest>() else { continue };
            // One that is not understood was made by another build, and is none of ours.
            found.extend(Manifest::read(&self.manifest(content)).map(|manifest| (content, manifest)));
        }
        Ok(found)
    }

    /// Gives a snapshot another name elsewhere, and keeps it for as long as that name is there.
    ///
    /// # Errors
    /// When the name cannot be made.
    pub fn lend(&self, content: ContentDigest, name: &Path) -> Result<(), FetchError> {
        let attempt = FetchError::disk(format!("give {} its name {}", content, name.display()));
        let made = || {
            let leases = self.leases(content);
            folder(&leases)?;
            let lease = leases.join(blake3::hash(name.as_os_str().as_encoded_bytes()).to_hex().as_str());
            replace_link(name, &lease)?;
            replace_link(&self.place(content), name)
        };
        made().map_err(attempt)
    }

    /// Makes the folders that everything else is in.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        ["objects", "fetch", "snapshots", "leases"].iter().try_for_each(|part| folder(&self.root.join(part)))
    }

    pub(crate) fn manifest(&self, content: ContentDigest) -> PathBuf {
        self.root.join("snapshots").join(format!("{content}.json"))
    }

    pub(crate) fn leases(&self, content: ContentDigest) -> PathBuf {
        self.root.join("leases").join(content.to_string())
    }

    /// The shelves on which files are kept by what they hold.
    pub(crate) fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// Where files are while they arrive.
    pub(crate) fn arriving(&self) -> PathBuf {
        self.root.join("fetch")
    }

    pub(crate) fn object(&self, hash: Hash) -> PathBuf {
        let name = hash.to_hex();
        self.objects().join(&name[..2]).join(name.as_str())
    }

    /// Whether the file is kept that holds this, of this size.
    pub(crate) fn has(&self, hash: Hash, size: u64) -> bool {
        fs::metadata(self.object(hash)).is_ok_and(|kept| kept.len() == size)
    }

    pub(crate) fn ledger(&self, place: ContentDigest) -> PathBuf {
        self.arriving().join(format!("{place}.log"))
    }

    pub(crate) fn part(&self, of: ContentDigest) -> PathBuf {
        self.arriving().join(format!("{of}.part"))
    }

    /// Waits until nobody else fetches from the place; it is ours until the file is closed. Blocks.
    pub(crate) fn turn(&self, place: ContentDigest, wait: bool) -> io::Result<Option<File>> {
        let operation = if wait { FlockOperation::LockExclusive } else { FlockOperation::NonBlockingLockExclusive };
        self.lock(&self.arriving().join(format!("{place}.lock")), operation)
    }

    /// Keeps everything that is here from being collected until the file is closed. Blocks.
    pub(crate) fn hold(&self) -> io::Result<Option<File>> {
        self.lock(&self.root.join("lock"), FlockOperation::LockShared)
    }

    pub(crate) fn lock(&self, path: &Path, operation: FlockOperation) -> io::Result<Option<File>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match flock(&file, operation) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The names in a folder; none when there is no folder.
pub(crate) fn names(path: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// Makes a folder for its owner alone, with those above it.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a link, or lets one that is there lead elsewhere, in one step.
fn replace_link(to: &Path, link: &Path) -> io::Result<()> {
    if let Some(parent) = link.parent() {
        folder(parent)?;
    }
    let aside = link.with_file_name(format!(
        ".tmp-{}-{}",
        std::process::id(),
        link.file_name().unwrap_or_default().to_string_lossy()
    ));
    if let Err(error) = fs::remove_file(&aside)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    symlink(to, &aside)?;
    fs::rename(&aside, link)
}
