//! The content of a folder: what counts, its digest, and a copy of it. Names, kinds, the executable bit, the targets of
//! links and the bytes count; owners, times and other rights do not.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink},
    path::{Component, Path, PathBuf},
};
use wharf_model::{ContentDigest, SourceError, SourcePin};

/// Names that never count: they change by themselves and no instance needs them.
const SKIPPED: [&str; 3] = [".wharf", ".git", "__pycache__"];

/// Why a folder's content cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TreeError {
    #[error("there is no folder {0}")]
    Missing(PathBuf),
    #[error("{0} is not a folder")]
    NotAFolder(PathBuf),
    #[error("the link {link} leads out of the folder, to {target}")]
    LeadsOut { link: PathBuf, target: PathBuf },
    #[error("{path} is {kind}, which cannot be copied")]
    Special { path: PathBuf, kind: &'static str },
    #[error("the name of {0} is not UTF-8")]
    Name(PathBuf),
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: io::Error },
}

impl TreeError {
    fn help(&self) -> &'static str {
        match self {
            Self::Missing(_) => "create it, or correct the path; relative paths start at the project's folder",
            Self::NotAFolder(_) => "mount the folder that holds it",
            Self::LeadsOut { .. } => "copy what it leads to into the folder, or mount the folder live",
            Self::Special { .. } => "remove it from the folder, or mount the folder live",
            Self::Name(_) => "rename it",
            Self::Read { .. } | Self::Write { .. } => "see that the user who runs wharf may do so, and try again",
        }
    }

    /// The error as an answer about a source.
    pub(crate) fn into_answer(self) -> SourceError {
        let cause = std::error::Error::source(&self).map_or_else(String::new, |cause| format!(": {cause}"));
        SourceError { attempt: format!("{self}{cause}"), help: self.help().to_owned() }
    }
}

/// One thing in a folder.
#[derive(Debug)]
enum Kind {
    Folder,
    File { executable: bool },
    Link { target: PathBuf },
}

#[derive(Debug)]
struct Entry {
    /// Relative to the folder.
    path: PathBuf,
    kind: Kind,
}

/// Everything in the folder that counts, parents before children, names in order.
fn list(root: &Path) -> Result<Vec<Entry>, TreeError> {
    match fs::metadata(root) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(TreeError::NotAFolder(root.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(TreeError::Missing(root.to_owned())),
        Err(source) => return Err(TreeError::Read { path: root.to_owned(), source }),
    }
    let mut entries = Vec::new();
    list_into(root, Path::new(""), &mut entries)?;
    Ok(entries)
}

fn list_into(root: &Path, below: &Path, entries: &mut Vec<Entry>) -> Result<(), TreeError> {
    let folder = root.join(below);
    let read = |source| TreeError::Read { path: folder.clone(), source };
    let found: io::Result<Vec<_>> = fs::read_dir(&folder).and_then(Iterator::collect);
    let mut found = found.map_err(read)?;
    found.sort_by_key(fs::DirEntry::file_name);
    for entry in found {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| SKIPPED.contains(&name)) {
            continue;
        }
        let path = below.join(&name);
        let kind = kind_of(root, &path)?;
        let folder = matches!(kind, Kind::Folder);
        entries.push(Entry { path: path.clone(), kind });
        if folder {
            list_into(root, &path, entries)?;
        }
    }
    Ok(())
}

fn kind_of(root: &Path, path: &Path) -> Result<Kind, TreeError> {
    let whole = root.join(path);
    if path.to_str().is_none() {
        return Err(TreeError::Name(whole));
    }
    let read = |source| TreeError::Read { path: whole.clone(), source };
    let found = fs::symlink_metadata(&whole).map_err(read)?;
    let kind = found.file_type();
    if kind.is_dir() {
        Ok(Kind::Folder)
    } else if kind.is_file() {
        Ok(Kind::File { executable: found.permissions().mode() & 0o100 != 0 })
    } else if kind.is_symlink() {
        let target = fs::read_link(&whole).map_err(read)?;
        if leads_out(path, &target) {
            return Err(TreeError::LeadsOut { link: whole, target });
        }
        Ok(Kind::Link { target })
    } else {
        let kind = if kind.is_socket() {
            "a socket"
        } else if kind.is_fifo() {
            "a pipe"
        } else {
            "a device"
        };
        Err(TreeError::Special { path: whole, kind })
    }
}

/// Whether a link at `path` leads out of the folder that `path` is relative to. An absolute one does: in an instance the
/// folder stands elsewhere.
fn leads_out(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return true,
        }
    }
    false
}

/// Looks at the content of a folder.
pub(crate) fn pin(root: &Path) -> Result<SourcePin, TreeError> {
    let entries = list(root)?;
    let (mut parts, mut files, mut bytes) = (Vec::new(), 0, 0);
    for Entry { path, kind } in &entries {
        let name = path.as_os_str().as_encoded_bytes().to_vec();
        match kind {
            Kind::Folder => parts.extend([b"folder".to_vec(), name]),
            Kind::Link { target } => {
                parts.extend([b"link".to_vec(), name, target.as_os_str().as_encoded_bytes().to_vec()]);
            }
            Kind::File { executable } => {
                let (hash, size) = hash_file(&root.join(path))?;
                let word = if *executable { b"program".to_vec() } else { b"file".to_vec() };
                parts.extend([word, name, hash.as_bytes().to_vec()]);
                files += 1;
                bytes += size;
            }
        }
    }
    Ok(SourcePin { content: ContentDigest::of(parts.iter().map(Vec::as_slice)), files, bytes })
}

fn hash_file(path: &Path) -> Result<(blake3::Hash, u64), TreeError> {
    let mut hasher = blake3::Hasher::new();
    let hash = File::open(path).and_then(|mut file| io::copy(&mut file, &mut hasher));
    let size = hash.map_err(|source| TreeError::Read { path: path.to_owned(), source })?;
    Ok((hasher.finalize(), size))
}

/// Copies the content of a folder into a new one, durably and read-only; bytes are shared where the disk can do that.
pub(crate) fn copy(root: &Path, to: &Path) -> Result<(), TreeError> {
    let entries = list(root)?;
    create_folder(to)?;
    for Entry { path, kind } in &entries {
        let (from, to) = (root.join(path), to.join(path));
        match kind {
            Kind::Folder => create_folder(&to)?,
            Kind::Link { target } => symlink(target, &to).map_err(|source| TreeError::Write { path: to, source })?,
            Kind::File { executable } => copy_file(&from, &to, *executable)?,
        }
    }
    let folders = entries.iter().rev().filter(|entry| matches!(entry.kind, Kind::Folder));
    folders.map(|entry| to.join(&entry.path)).chain([to.to_owned()]).try_for_each(|folder| seal(&folder))
}

fn create_folder(path: &Path) -> Result<(), TreeError> {
    fs::create_dir(path).map_err(|source| TreeError::Write { path: path.to_owned(), source })
}

fn copy_file(from: &Path, to: &Path, executable: bool) -> Result<(), TreeError> {
    fs::copy(from, to).map_err(|source| TreeError::Read { path: from.to_owned(), source })?;
    let mode = if executable { 0o555 } else { 0o444 };
    let kept = || {
        fs::set_permissions(to, Permissions::from_mode(mode))?;
        File::open(to)?.sync_all()
    };
    kept().map_err(|source| TreeError::Write { path: to.to_owned(), source })
}

/// Makes a folder durable and read-only. The top one must still be renamed, which needs no right to write to it.
fn seal(folder: &Path) -> Result<(), TreeError> {
    let sealed = || {
        fs::set_permissions(folder, Permissions::from_mode(0o555))?;
        File::open(folder)?.sync_all()
    };
    sealed().map_err(|source| TreeError::Write { path: folder.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/.git")).unwrap();
        fs::write(folder.path().join("a/app.py"), "print(1)").unwrap();
        fs::write(folder.path().join("a/.git/HEAD"), "x").unwrap();
        symlink("a/app.py", folder.path().join("main.py")).unwrap();
        folder
    }

    fn digest(folder: &tempfile::TempDir) -> ContentDigest {
        pin(folder.path()).unwrap().content
    }

    #[test]
    fn a_copy_has_the_digest_of_its_original() {
        let (folder, place) = (folder(), tempfile::tempdir().unwrap());
        let to = place.path().join("copy");
        copy(folder.path(), &to).unwrap();
        let (one, two) = (pin(folder.path()).unwrap(), pin(&to).unwrap());
        assert_eq!(one, two);
        assert_eq!((one.files, one.bytes), (1, 8));
        assert!(!to.join("a/.git").exists());
        assert_eq!(fs::metadata(to.join("a")).unwrap().permissions().mode() & 0o777, 0o555);
        crate::files::remove_tree(&to).unwrap();
    }

    #[test]
    fn what_counts_changes_the_digest_and_nothing_else_does() {
        let folder = folder();
        let before = digest(&folder);
        fs::write(folder.path().join("a/.git/HEAD"), "y").unwrap();
        fs::set_permissions(folder.path().join("a/app.py"), Permissions::from_mode(0o600)).unwrap();
        assert_eq!(digest(&folder), before);
        fs::set_permissions(folder.path().join("a/app.py"), Permissions::from_mode(0o755)).unwrap();
        let executable = digest(&folder);
        assert_ne!(executable, before);
        fs::create_dir(folder.path().join("empty")).unwrap();
        assert_ne!(digest(&folder), executable);
    }

    #[test]
    fn what_cannot_be_copied_is_refused_by_name() {
        let check = |make: fn(&Path), words: &str| {
            let folder = folder();
            make(folder.path());
            let error = pin(folder.path()).unwrap_err().into_answer();
            assert!(error.attempt.contains(words), "{}", error.attempt);
        };
        check(|path| symlink("../../etc", path.join("a/out")).unwrap(), "leads out of the folder, to ../../etc");
        check(|path| symlink("/etc", path.join("out")).unwrap(), "leads out of the folder, to /etc");
        check(|path| drop(std::os::unix::net::UnixListener::bind(path.join("s")).unwrap()), "is a socket");
        let missing = pin(Path::new("/nowhere/at/all")).unwrap_err().into_answer();
        assert_eq!(missing.attempt, "there is no folder /nowhere/at/all");
        assert!(leads_out(Path::new("x"), Path::new("..")) && !leads_out(Path::new("a/x"), Path::new("../y")));
    }
}
