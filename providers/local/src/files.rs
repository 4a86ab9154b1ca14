//! Files that must survive a crash, and folders that only their owner may enter. What is in them is left to others.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// What temporary names begin with; whoever lists a folder skips them.
pub(crate) const TEMPORARY: &str = ".tmp-";

/// The name under which a folder is made or unmade beside its place. A later attempt finds what an earlier one left there.
pub(crate) fn aside(path: &Path) -> PathBuf {
    path.with_file_name(format!("{TEMPORARY}{}", path.file_name().unwrap_or_default().to_string_lossy()))
}

/// Removes a folder. It loses its name first, so that half of one is never taken for one; one that is gone is fine.
pub(crate) fn unmake(path: &Path) -> io::Result<()> {
    let aside = aside(path);
    remove_tree(&aside)?;
    match fs::rename(path, &aside) {
        Ok(()) => remove_tree(&aside),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes the folder, and those above it that are missing, for the owner alone.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A name beside `path` that nothing else uses.
fn beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{TEMPORARY}{name}-{}-{count}", std::process::id()))
}

/// Replaces the file in one step: afterwards, and after a crash at any moment, it holds the old bytes or the new ones.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = beside(path);
    let written = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first failure is the one to tell; a leftover has a temporary name.
        drop(fs::remove_file(&temporary));
    }
    written.and_then(|()| path.parent().map_or(Ok(()), sync_folder))
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes what was created, renamed or removed in the folder survive a crash.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Removes the folder with all that is in it, also where folders may not be written to. One that is gone is fine.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    let gone = |error: io::Error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) };
    match fs::symlink_metadata(path) {
        Err(error) => gone(error),
        Ok(found) if !found.is_dir() => fs::remove_file(path).or_else(gone),
        Ok(_) => {
            open_up(path).or_else(gone)?;
            fs::remove_dir_all(path).or_else(gone)?;
            path.parent().map_or(Ok(()), |parent| sync_folder(parent).or_else(gone))
        }
    }
}

/// Lets the owner write to the folder and to every folder in it.
fn open_up(path: &Path) -> io::Result<()> {
    let writable = fs::symlink_metadata(path)?.permissions().mode() & 0o700 == 0o700;
    if !writable {
        fs::set_permissions(path, Permissions::from_mode(0o700))?;
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes what has a temporary name in the `parts` of a folder, then the parts and the folder itself, if nothing else
/// is left in them. Says whether the folder is gone.
pub(crate) fn remove_leftovers(root: &Path, parts: &[&str]) -> io::Result<bool> {
    for part in parts.iter().map(|part| root.join(part)) {
        let entries = match fs::read_dir(&part) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                remove_tree(&entry.path())?;
            }
        }
        remove_if_empty(&part)?;
    }
    remove_if_empty(root)
}

fn remove_if_empty(path: &Path) -> io::Result<bool> {
    match fs::remove_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        Err(error) => Err(error),
    }
}

/// The names in a folder, sorted, without temporary ones; none when there is no folder.
pub(crate) fn names(path: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with(TEMPORARY) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.json");
        write_durably(&path, b"one").unwrap();
        write_durably(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()).unwrap(), ["labels.json"]);
    }

    #[test]
    fn a_read_only_tree_can_be_removed_twice() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        private_folder(&tree.join("inner")).unwrap();
        fs::write(tree.join("inner/file"), "x").unwrap();
        fs::set_permissions(tree.join("inner"), Permissions::from_mode(0o555)).unwrap();
        fs::set_permissions(&tree, Permissions::from_mode(0o555)).unwrap();
        remove_tree(&tree).unwrap();
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
    }
}
