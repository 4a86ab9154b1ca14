//! A copy of the content of a folder, durable and read-only.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};
use wharf_provider::tree::{TreeEntry, TreeError, TreeKind, list};

/// Copies the content of a folder into a new one, durably and read-only; bytes are shared where the disk can do that.
pub(crate) fn copy(root: &Path, to: &Path) -> Result<(), TreeError> {
    let entries = list(root)?;
    create_folder(to)?;
    for TreeEntry { path, kind } in &entries {
        let (from, to) = (root.join(path), to.join(path));
        match kind {
            TreeKind::Folder => create_folder(&to)?,
            TreeKind::Link { target } => {
                symlink(target, &to).map_err(|source| TreeError::Write { path: to, source })?
            }
            TreeKind::File { executable } => copy_file(&from, &to, *executable)?,
        }
    }
    let folders = entries.iter().rev().filter(|entry| matches!(entry.kind, TreeKind::Folder));
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
    use wharf_provider::tree::pin;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/.git")).unwrap();
        fs::write(folder.path().join("a/app.py"), "print(1)").unwrap();
        fs::write(folder.path().join("a/.git/HEAD"), "x").unwrap();
        symlink("a/app.py", folder.path().join("main.py")).unwrap();
        folder
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
}
