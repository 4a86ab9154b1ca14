//! The content of a folder: what counts, and its digest. Names, kinds, the executable bit, the targets of links and the
//! bytes count; owners, times and other rights do not. It is the same on every runtime, so that a folder has one digest.

#![allow(clippy::disallowed_methods, reason = "a folder is read to know its content")]

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::{Component, Path, PathBuf},
};
use wharf_model::{ContentDigest, SourceError, SourcePin};

/// Names that never count: they change by themselves and no instance needs them.
const SKIPPED: [&str; 3] = [".wharf", ".git", "__pycache__"];

/// Why a folder's content cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// It is not there.
    #[error("there is no folder {0}")]
    Missing(PathBuf),
    /// Something else is there.
    #[error("{0} is not a folder")]
    NotAFolder(PathBuf),
    /// A link in it leads elsewhere.
    #[error("the link {link} leads out of the folder, to {target}")]
    LeadsOut {
        /// The link.
        link: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// It holds something that is no file, no folder and no link.
    #[error("{path} is {kind}, which cannot be copied")]
    Special {
        /// Where.
        path: PathBuf,
        /// What.
        kind: &'static str,
    },
    /// It holds a name that is no text.
    #[error("the name of {0} is not UTF-8")]
    Name(PathBuf),
    /// Something in it cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// What.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A copy of it cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// What.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
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
    pub fn into_answer(self) -> SourceError {
        let cause = std::error::Error::source(&self).map_or_else(String::new, |cause| format!(": {cause}"));
        SourceError { attempt: format!("{self}{cause}"), help: self.help().to_owned() }
    }
}

/// What stands at a path of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeKind {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Whether it can be run.
        executable: bool,
    },
    /// A link.
    Link {
        /// Where it leads; never out of the folder.
        target: PathBuf,
    },
}

/// One thing in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// Where, relative to the folder.
    pub path: PathBuf,
    /// What.
    pub kind: TreeKind,
}

/// Everything in the folder that counts, parents before children, names in order.
///
/// # Errors
/// When there is no such folder, or something in it cannot be copied.
pub fn list(root: &Path) -> Result<Vec<TreeEntry>, TreeError> {
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

fn list_into(root: &Path, below: &Path, entries: &mut Vec<TreeEntry>) -> Result<(), TreeError> {
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
        let folder = matches!(kind, TreeKind::Folder);
        entries.push(TreeEntry { path: path.clone(), kind });
        if folder {
            list_into(root, &path, entries)?;
        }
    }
    Ok(())
}

fn kind_of(root: &Path, path: &Path) -> Result<TreeKind, TreeError> {
    let whole = root.join(path);
    if path.to_str().is_none() {
        return Err(TreeError::Name(whole));
    }
    let read = |source| TreeError::Read { path: whole.clone(), source };
    let found = fs::symlink_metadata(&whole).map_err(read)?;
    let kind = found.file_type();
    if kind.is_dir() {
        Ok(TreeKind::Folder)
    } else if kind.is_file() {
        Ok(TreeKind::File { executable: found.permissions().mode() & 0o100 != 0 })
    } else if kind.is_symlink() {
        let target = fs::read_link(&whole).map_err(read)?;
        if leads_out(path, &target) {
            return Err(TreeError::LeadsOut { link: whole, target });
        }
        Ok(TreeKind::Link { target })
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
///
/// # Errors
/// As [`list`], and when a file cannot be read.
pub fn pin(root: &Path) -> Result<SourcePin, TreeError> {
    let entries = list(root)?;
    let (mut parts, mut files, mut bytes) = (Vec::new(), 0, 0);
    for TreeEntry { path, kind } in &entries {
        let name = path.as_os_str().as_encoded_bytes().to_vec();
        match kind {
            TreeKind::Folder => parts.extend([b"folder".to_vec(), name]),
            TreeKind::Link { target } => {
                parts.extend([b"link".to_vec(), name, target.as_os_str().as_encoded_bytes().to_vec()]);
            }
            TreeKind::File { executable } => {
                let (hash, size) = hash_file(&root.join(path))?;
                let word = if *executable { b"program".to_vec() } else { b"file".to_vec() };
                parts.extend([word, name, hash.as_bytes().to_vec()]);
                files += 1;
                bytes += size;
            }
        }
    }
    Ok(SourcePin { content: ContentDigest::of(parts.iter().map(Vec::as_slice)), files, bytes, fetch: None })
}

fn hash_file(path: &Path) -> Result<(blake3::Hash, u64), TreeError> {
    let mut hasher = blake3::Hasher::new();
    let hash = File::open(path).and_then(|mut file| io::copy(&mut file, &mut hasher));
    let size = hash.map_err(|source| TreeError::Read { path: path.to_owned(), source })?;
    Ok((hasher.finalize(), size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::Permissions, os::unix::fs::symlink};

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
