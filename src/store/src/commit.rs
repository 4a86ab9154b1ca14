//! Commits: numbered files that are created whole or not at all, and never changed.

use crate::{StoreError, format};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use wharf_model::{Lineage, Record};

/// One commit of a folder.
pub(crate) struct Newest {
    pub(crate) serial: u64,
    pub(crate) lineage: Lineage,
    pub(crate) record: Record,
}

fn folder(dir: &Path) -> PathBuf {
    dir.join("commits")
}

fn file(dir: &Path, serial: u64) -> PathBuf {
    folder(dir).join(format!("{serial:07}.json"))
}

/// Reads the newest commit; none when nothing was ever committed.
pub(crate) fn newest(dir: &Path) -> Result<Option<Newest>, StoreError> {
    serials(dir)?.max().map(|serial| read(dir, serial)).transpose()
}

/// Reads a commit.
pub(crate) fn read(dir: &Path, serial: u64) -> Result<Newest, StoreError> {
    let path = file(dir, serial);
    let text = fs::read_to_string(&path).map_err(|source| StoreError::Read { path: path.clone(), source })?;
    let (lineage, record) = format::read_commit(&text, &path, serial)?;
    Ok(Newest { serial, lineage, record })
}

pub(crate) fn serials(dir: &Path) -> Result<impl Iterator<Item = u64>, StoreError> {
    let path = folder(dir);
    let names = match fs::read_dir(&path) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<Vec<_>, _>>(),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(source),
    };
    let names = names.map_err(|source| StoreError::Read { path, source })?;
    Ok(names.into_iter().filter_map(|name| name.to_str()?.strip_suffix(".json")?.parse().ok()))
}

/// Makes commit `serial`. When it returns, the commit is on disk and durable.
///
/// # Errors
/// [`StoreError::Overtaken`] when that commit exists.
pub(crate) fn create(dir: &Path, serial: u64, lineage: &Lineage, record: &Record) -> Result<(), StoreError> {
    let path = file(dir, serial);
    let text = format::print_commit(serial, lineage, record);
    let temp = folder(dir).join(format!(".{serial:07}.{}", std::process::id()));
    let made = write_durably(&temp, text.as_bytes())
        .and_then(|()| fs::hard_link(&temp, &path))
        .and_then(|()| File::open(folder(dir))?.sync_all());
    // The link is the commit; what is left of the temporary name does no harm.
    drop(fs::remove_file(&temp));
    match made {
        Ok(()) => Ok(()),
        Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => Err(StoreError::Overtaken { serial }),
        Err(source) => Err(StoreError::Write { path, source }),
    }
}

/// Writes a private file and waits until it is on disk.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
