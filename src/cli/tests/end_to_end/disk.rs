//! A disk that is full and one that may not be written, under a project that runs: a clear word, and nothing lost.

use crate::support::Site;
use rustix::process::geteuid;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A small disk under a project's record; gone with the value.
struct Disk(PathBuf);

impl Disk {
    /// None where this process may not mount, which only an ordinary user may not.
    fn under(site: &Site) -> Option<Self> {
        if !geteuid().is_root() {
            return None;
        }
        let place = site.dir.join(".wharf");
        fs::create_dir(&place).unwrap();
        mount(&["-t", "tmpfs", "-o", "size=4m", "tmpfs"], &place);
        Some(Self(place))
    }

    /// Takes what room there is.
    fn fill(&self) -> PathBuf {
        let ballast = self.0.join("ballast");
        let mut size = 4 * 1024 * 1024;
        while size > 0 {
            let mut bytes = fs::read(&ballast).unwrap_or_default();
            bytes.resize(bytes.len() + size, b'x');
            if fs::write(&ballast, &bytes).is_err() {
                size /= 2;
            }
        }
        ballast
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

fn mount(how: &[&str], place: &Path) {
    assert!(Command::new("mount").args(how).arg(place).status().unwrap().success(), "root can mount");
}

/// Lets go of what was mounted last; it is gone when the last process has closed what it has open there.
fn unmount(place: &Path) {
    // What is not mounted any more need not be.
    drop(Command::new("umount").arg("--lazy").arg(place).status());
}

/// A project that runs, with a change to be made.
fn before_a_roll(site: &Site) {
    site.done(&["apply", "--yes", "-q"]);
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
}

fn words(said: &str) -> String {
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn assert_it_serves_on(site: &Site, greeting: &str) {
    assert!(site.done(&["invoke"]).contains(greeting));
}

#[test]
fn an_apply_on_a_full_disk_says_so_and_the_next_one_goes_on() {
    let site = Site::hello("disk-full");
    let Some(disk) = Disk::under(&site) else { return };
    before_a_roll(&site);
    let ballast = disk.fill();
    let full = site.run(&["apply", "--yes", "-q"]);
    assert_eq!(full.code, 1, "{}", full.said);
    assert!(words(&full.said).contains("make room"), "{}", full.said);
    assert_it_serves_on(&site, "one");
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 2, "a plan needs no room");

    fs::remove_file(ballast).unwrap();
    site.done(&["apply", "--yes", "-q"]);
    site.assert_settled("with room again");
    assert_it_serves_on(&site, "two");
    site.done(&["destroy", "--yes", "-q"]);
}

#[test]
fn an_apply_where_nothing_may_be_written_says_so_and_plans_go_on() {
    let site = Site::hello("disk-read-only");
    let Some(disk) = Disk::under(&site) else { return };
    before_a_roll(&site);
    // Over itself, as programs that run have files open for writing below it.
    mount(&["--bind", disk.0.to_str().unwrap()], &disk.0);
    mount(&["-o", "remount,bind,ro"], &disk.0);
    let refused = site.run(&["apply", "--yes", "-q"]);
    assert_eq!(refused.code, 1, "{}", refused.said);
    assert!(words(&refused.said).contains("Read-only file system"), "{}", refused.said);
    assert!(refused.said.contains("help:"), "{}", refused.said);
    assert_it_serves_on(&site, "one");
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 2);

    unmount(&disk.0);
    site.done(&["apply", "--yes", "-q"]);
    site.assert_settled("when it may be written again");
    site.done(&["destroy", "--yes", "-q"]);
}
