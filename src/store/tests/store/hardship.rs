//! A disk that is full, a folder that cannot be written, files that were cut short: a clear word, and nothing lost.

use crate::support::{NOW, backend, beginning, full_record, intent, made, open, reader, started, try_open};
use rustix::{
    mount::{MountFlags, UnmountFlags, mount, unmount},
    process::geteuid,
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use wharf_store::StoreError;

/// A file system of 256 KiB, gone with the value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where this process may not mount, which only an ordinary user may not.
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = mount("tmpfs", dir.path(), "tmpfs", MountFlags::empty(), c"size=256k");
        match mounted {
            Ok(()) => Some(Self(dir)),
            Err(error) => {
                assert!(!geteuid().is_root(), "root can mount: {error}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes what room there is, and gives it back when dropped.
    fn fill(&self) -> Ballast {
        let path = self.path().join("ballast");
        let mut size = 256 * 1024;
        while size > 0 {
            let mut bytes = fs::read(&path).unwrap_or_default();
            bytes.resize(bytes.len() + size, b'x');
            if fs::write(&path, &bytes).is_err() {
                size /= 2;
            }
        }
        Ballast(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(self.0.path(), UnmountFlags::DETACH).unwrap();
    }
}

struct Ballast(PathBuf);

impl Drop for Ballast {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let Some(disk) = SmallDisk::new() else { return };
    let mut writer = open(disk.path());
    writer.commit(&full_record(), made()).unwrap();
    let mut journal = writer.journal().unwrap();
    beginning().iter().chain([&intent(1)]).for_each(|entry| journal.append(entry, NOW).unwrap());
    let before = reader(disk.path()).read().unwrap();

    let ballast = disk.fill();
    let full = loop {
        if let Err(error) = journal.append(&intent(2), NOW) {
            break error;
        }
    };
    assert!(full.help().contains("make room"), "{full}: {}", full.help());
    let Err(error) = writer.commit(&full_record(), made()) else { panic!("there was room") };
    assert!(error.help().contains("make room"), "{error}: {}", error.help());
    let during = reader(disk.path()).read().unwrap();
    assert_eq!((during.record, during.serial), (before.record.clone(), 1), "what was durable still is");
    assert_eq!(during.unresolved[0], before.unresolved[0]);

    drop((ballast, journal, writer));
    let mut writer = open(disk.path());
    let standing = writer.read().unwrap();
    assert_eq!(standing.record, before.record);
    let mut journal = writer.journal().unwrap();
    for open in &standing.unresolved {
        let wharf_store::Entry::Done { effect, .. } = started(1) else { unreachable!() };
        journal.append(&wharf_store::Entry::Done { intent: open.id, effect }, NOW).unwrap();
    }
    let standing = writer.read().unwrap();
    assert!(standing.unresolved.is_empty());
    assert_eq!(writer.commit(&standing.record, made()).unwrap(), 2);
}

#[test]
fn a_folder_that_cannot_be_written_still_reads() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path());
    writer.commit(&full_record(), made()).unwrap();
    drop(writer);
    let root = dir.path().join("dev");
    let read_only = || {
        // Root may write anywhere but to what is mounted otherwise.
        if geteuid().is_root() {
            mount(&root, &root, "", MountFlags::BIND, None).unwrap();
            rustix::mount::mount_remount(&root, MountFlags::BIND | MountFlags::RDONLY, "").unwrap();
        } else {
            fs::set_permissions(&root, fs::Permissions::from_mode(0o500)).unwrap();
            fs::set_permissions(root.join("lease"), fs::Permissions::from_mode(0o500)).unwrap();
        }
    };
    read_only();
    let standing = reader(dir.path()).read();
    let refused = try_open(&backend(dir.path()));
    if geteuid().is_root() {
        unmount(&root, UnmountFlags::DETACH).unwrap();
    } else {
        fs::set_permissions(&root, fs::Permissions::from_mode(0o700)).unwrap();
        fs::set_permissions(root.join("lease"), fs::Permissions::from_mode(0o700)).unwrap();
    }
    assert_eq!(standing.unwrap().record, full_record());
    let Err(error @ StoreError::Write { .. }) = refused else { panic!("it was written: {refused:?}") };
    assert!(error.to_string().contains(root.to_str().unwrap()) && !error.help().is_empty(), "{error}");
    assert!(open(dir.path()).read().is_ok());
}

/// The newest commit cut short at any place, or with a bit turned over: never read as something else, and moved away it is
/// told again by the commit before and the journal.
#[test]
fn a_damaged_commit_is_told_and_the_way_out_leads_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path());
    let mut journal = writer.journal().unwrap();
    beginning().iter().chain([&intent(1), &started(1)]).for_each(|entry| journal.append(entry, NOW).unwrap());
    let standing = writer.read().unwrap();
    writer.commit(&standing.record, made()).unwrap();
    drop(writer);
    let path = dir.path().join("dev/commits/0000001.json");
    let whole = fs::read(&path).unwrap();
    let cuts = (0..whole.len()).step_by(97).map(|cut| (format!("cut at {cut}"), whole[..cut].to_vec()));
    let flips = (0..whole.len()).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        (format!("a bit of byte {at}"), bytes)
    });
    for (damage, bytes) in cuts.chain(flips) {
        fs::write(&path, bytes).unwrap();
        let Err(error) = reader(dir.path()).read() else { panic!("{damage}") };
        assert!(error.help().contains(path.to_str().unwrap()), "{damage}: {error}: {}", error.help());
    }
    fs::rename(&path, dir.path().join("aside.json")).unwrap();
    let again = reader(dir.path()).read().unwrap();
    assert_eq!((again.record, again.serial, again.has_journal), (standing.record, 0, true));
}
