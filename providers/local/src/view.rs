//! What an instance sees of the file system: the host as it is, with the mounts laid over it, and nothing created on
//! the host for it.
//!
//! The root of the view is a file system in memory. In it stands everything that stands in the root of the host, each
//! bound to its original; on the way to a mount, folders are made anew and what the host has beside the way is bound
//! into them. What is written into such a folder itself, not into what is bound there, ends with the instance.

use crate::{
    file_systems::uncover,
    format::{Document, MountPoint},
    isolate::{Refused, by_files, own_mounts},
    table,
};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    unistd::pivot_root,
};
use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink},
    path::{Component, Path},
};

const NOTHING: Option<&str> = None;

/// Makes the view and moves into it. The caller is alone in its process namespace and may mount.
pub(crate) fn make(document: &Document) -> Result<(), Refused> {
    own_mounts()?;
    for folder in &document.protected {
        bind(folder, folder, true).map_err(by_files(format!("cannot protect {}", folder.display())))?;
    }
    // What a client serves goes from the place that passes it on, here and nowhere else: it is that place which is bound into
    // the view, so that what is served there later reaches the view as well.
    for point in document.mounts.iter().filter(|point| point.served.is_some()) {
        uncover(&point.source, 1).map_err(by_files(format!("cannot prepare {}", point.target.display())))?;
    }
    if !document.mounts.is_empty() {
        replace_root(&document.view, &document.mounts)?;
    }
    mount_proc();
    Ok(())
}

/// The processes of the namespace under their own numbers. In some containers the kernel refuses that; there, the
/// instance sees the processes of the container.
fn mount_proc() {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let _ = mount(Some("proc"), "/proc", Some("proc"), flags, NOTHING);
}

/// A folder on the way to mounts.
#[derive(Debug, Default)]
struct Way<'a> {
    below: BTreeMap<OsString, Way<'a>>,
    mount: Option<&'a MountPoint>,
}

impl<'a> Way<'a> {
    fn to(mounts: &'a [MountPoint]) -> Self {
        let mut root = Self::default();
        for point in mounts {
            let mut place = &mut root;
            for part in point.target.components() {
                if let Component::Normal(name) = part {
                    place = place.below.entry(name.to_owned()).or_default();
                }
            }
            place.mount = Some(point);
        }
        root
    }
}

fn replace_root(view: &Path, mounts: &[MountPoint]) -> Result<(), Refused> {
    let tried = |what: &str| format!("cannot {what} the instance's view of the file system");
    let root = || -> io::Result<()> {
        mount(Some("wharf"), view, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=755"))?;
        // Else a folder that contains this one would be bound with the half-made view in it.
        mount(NOTHING, view, NOTHING, MsFlags::MS_UNBINDABLE, NOTHING)?;
        Ok(())
    };
    root().map_err(by_files(tried("begin")))?;
    fill(Path::new("/"), view, &Way::to(mounts))?;
    let enter = || {
        mount(NOTHING, view, NOTHING, MsFlags::MS_PRIVATE, NOTHING)?;
        env::set_current_dir(view)?;
        pivot_root(".", ".")?;
        umount2(".", MntFlags::MNT_DETACH)?;
        env::set_current_dir("/")
    };
    enter().map_err(by_files(tried("enter")))
}

/// Fills the folder `new`, which stands for `old` of the host.
fn fill(old: &Path, new: &Path, way: &Way<'_>) -> Result<(), Refused> {
    for (name, entry) in siblings(old).map_err(by_files(format!("cannot list {}", old.display())))? {
        if !way.below.contains_key(&name) {
            let (from, to) = (old.join(&name), new.join(&name));
            stand_in(&from, &to, entry).map_err(by_files(format!("cannot show {} to the instance", from.display())))?;
        }
    }
    for (name, below) in &way.below {
        let (from, to) = (old.join(name), new.join(name));
        let made = make_folder(&from, &to, below.mount.is_some());
        made.map_err(by_files(format!("cannot make room for the mount at {}", from.display())))?;
        match below.mount {
            Some(point) => {
                let MountPoint { source, target, .. } = point;
                let attempt = format!("cannot mount {} at {}", source.display(), target.display());
                lay(point, &to).map_err(by_files(attempt))?;
            }
            None => fill(&from, &to, below)?,
        }
    }
    Ok(())
}

/// What a folder of the host holds; nothing when there is no such folder.
fn siblings(folder: &Path) -> io::Result<Vec<(OsString, fs::FileType)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    entries.map(|entry| entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?)))).collect()
}

/// Lets `to` be what `from` is. What has gone in the meantime is left out.
fn stand_in(from: &Path, to: &Path, kind: fs::FileType) -> io::Result<()> {
    let made = if kind.is_symlink() {
        fs::read_link(from).and_then(|target| symlink(target, to))
    } else if kind.is_dir() {
        fs::create_dir(to).and_then(|()| bind(from, to, false))
    } else {
        File::create(to).and_then(|_| bind(from, to, false))
    };
    match made {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes a folder with the rights of the one that it stands for.
fn make_folder(from: &Path, to: &Path, covered: bool) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o755).create(to)?;
    match fs::metadata(from) {
        Ok(found) if found.is_dir() && !covered => {
            fs::set_permissions(to, fs::Permissions::from_mode(found.permissions().mode() & 0o7777))
        }
        _ => Ok(()),
    }
}

/// Lays a mount over a folder.
fn lay(point: &MountPoint, to: &Path) -> io::Result<()> {
    bind(&point.source, to, point.read_only)?;
    point.served.as_ref().map_or(Ok(()), |served| bind(served, to, false))
}

/// Binds `from`, with what is mounted in it, at `to`.
fn bind(from: &Path, to: &Path, read_only: bool) -> io::Result<()> {
    mount(Some(from), to, NOTHING, MsFlags::MS_BIND | MsFlags::MS_REC, NOTHING)?;
    if read_only {
        for (path, flags) in table::mounted_below(&to.canonicalize()?)? {
            let flags = flags | MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
            mount(NOTHING, &path, NOTHING, flags, NOTHING)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_share_their_beginning() {
        let point = |target: &str| MountPoint::folder("/s".into(), target.into(), true);
        let points = [point("/mnt/data"), point("/mnt/models/llm"), point("/opt/x")];
        let way = Way::to(&points);
        assert_eq!(way.below.len(), 2);
        let mnt = &way.below[&OsString::from("mnt")];
        assert!(mnt.mount.is_none() && mnt.below[&OsString::from("data")].mount.is_some());
    }
}
