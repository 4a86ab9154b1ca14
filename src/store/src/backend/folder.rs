//! A store in a folder of this machine. The kernel's lock on a file tells who is at work, and ends with its holder.

use super::{Backend, Created, Guard, Look, Presence};
use crate::StoreError;
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The file that the kernel's lock is on.
const LOCK: &str = "lock";

/// A folder, which need not exist before something is written.
#[derive(Debug)]
pub struct FolderBackend {
    root: PathBuf,
}

impl FolderBackend {
    /// The store in this folder.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    fn cannot_write(&self, key: &str, source: io::Error) -> StoreError {
        StoreError::Write { at: self.place(key), source }
    }

    fn cannot_read(&self, key: &str, source: io::Error) -> StoreError {
        StoreError::Read { at: self.place(key), source }
    }

    /// Writes the bytes beside their place, and links them into it: a link succeeds once.
    fn link(path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = folder_of(path);
        make_folder(folder)?;
        // Several machines may share the folder, so numbers of processes do not tell writers apart.
        let mut name = [0; 8];
        getrandom::fill(&mut name).map_err(|error| io::Error::other(error.to_string()))?;
        let temporary = folder.join(format!(".{}", hex::encode(name)));
        let linked = write_durably(&temporary, bytes).and_then(|()| fs::hard_link(&temporary, path));
        // The link is the object; what is left of the temporary name does no harm.
        drop(fs::remove_file(&temporary));
        linked.and_then(|()| sync_folder(folder))
    }

    fn add(path: &Path, at: u64, bytes: &[u8]) -> io::Result<()> {
        if at == 0 {
            make_folder(folder_of(path))?;
        }
        let mut file = OpenOptions::new().append(true).create(at == 0).mode(0o600).open(path)?;
        if file.metadata()?.len() != at {
            return Err(io::Error::other("somebody else has written to it"));
        }
        file.write_all(bytes)?;
        file.sync_data()?;
        if at == 0 { sync_folder(folder_of(path)) } else { Ok(()) }
    }

    fn lock_file(&self) -> io::Result<File> {
        make_folder(&self.root)?;
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.path(LOCK))
    }
}

impl Look for FolderBackend {
    fn place(&self, key: &str) -> String {
        self.path(key).display().to_string()
    }

    fn read(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match fs::read(self.path(key)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.cannot_read(key, source)),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let names = match fs::read_dir(self.path(folder)) {
            Ok(entries) => entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<Vec<_>, _>>(),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(source),
        };
        let names = names.map_err(|source| self.cannot_read(folder, source))?;
        let shown = |name: &std::ffi::OsString| Some(name.to_str()?.to_owned()).filter(|name| !name.starts_with('.'));
        let mut keys: Vec<_> = names.iter().filter_map(shown).map(|name| format!("{folder}/{name}")).collect();
        keys.sort_unstable();
        Ok(keys)
    }

    fn presence(&self) -> Result<Presence, StoreError> {
        let file = match File::open(self.path(LOCK)) {
            Ok(file) => file,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(Presence::Nobody),
            Err(source) => return Err(self.cannot_read(LOCK, source)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(Presence::Nobody),
            Err(TryLockError::WouldBlock) => Ok(Presence::Somebody),
            Err(TryLockError::Error(_)) => Ok(Presence::Unknown),
        }
    }
}

impl Backend for FolderBackend {
    fn create(&self, key: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        match Self::link(&self.path(key), bytes) {
            Ok(()) => Ok(Created::Now),
            Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => Ok(Created::Before),
            Err(source) => Err(self.cannot_write(key, source)),
        }
    }

    fn append(&self, log: &str, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        Self::add(&self.path(log), at, bytes).map_err(|source| self.cannot_write(log, source))
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        match fs::remove_file(self.path(key)) {
            Ok(()) => Ok(()),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(self.cannot_write(key, source)),
        }
    }

    fn guard(&self) -> Result<Guard, StoreError> {
        let file = self.lock_file().map_err(|source| self.cannot_write(LOCK, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Guard::Sole(Box::new(file))),
            Err(TryLockError::WouldBlock) => Ok(Guard::Taken),
            // A file system without locks: the lease has to do.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(Guard::None),
            Err(TryLockError::Error(source)) => Err(self.cannot_write(LOCK, source)),
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().expect("a key is below the store's folder")
}

fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    folder.parent().map_or(Ok(()), sync_folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Writes a private file and waits until it is on disk.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
