//! P1, seen from outside: commands that only look leave every file as it is.

use crate::support::Site;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

const LOOKING: [&[&str]; 20] = [
    &["validate"],
    &["plan"],
    &["plan", "--format", "json"],
    &["plan", "--detailed-exitcode"],
    &["status"],
    &["status", "--format", "json"],
    &["logs"],
    &["schema"],
    &["invoke"],
    &["drift"],
    &["drift", "--format", "json", "--since", "nothing.json"],
    &["log"],
    &["show", "@1"],
    &["diff", "@1.."],
    &["rollback", "--plan-only"],
    &["adopt", "--plan-only"],
    &["state", "list"],
    &["state", "show", "service.hello"],
    &["state", "rm", "service.hello", "--plan-only"],
    &["graph"],
];

/// What changes when somebody writes: the file that is there, its size and its time.
type Print = (u64, u64, i64, i64);

fn prints(folder: &Path) -> BTreeMap<PathBuf, Print> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                folders.push(entry.path());
            }
            // An instance writes its log whoever looks.
            if !matches!(entry.file_name().to_str(), Some("log" | "log.1")) {
                all.insert(entry.path(), (meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()));
            }
        }
    }
    all
}

fn assert_writes_nothing(site: &Site) {
    for command in LOOKING {
        let before = prints(site.root());
        // How it ends is not the question: nothing may be deployed to be invoked.
        site.run(command);
        assert_eq!(prints(site.root()), before, "wharf {}", command.join(" "));
    }
}

#[test]
fn a_project_that_was_never_applied_gets_no_record() {
    let site = Site::hello("looking-fresh");
    assert_writes_nothing(&site);
    assert!(!site.dir.join(".wharf").exists());
}

#[test]
fn a_project_that_runs_stays_as_it_is() {
    let site = Site::hello("looking-applied");
    site.done(&["apply", "--yes", "-q"]);
    assert_writes_nothing(&site);
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    site.write("app/app.py", "changed");
    assert_writes_nothing(&site);
}

#[test]
fn a_project_that_was_destroyed_stays_as_it_is() {
    let site = Site::hello("looking-destroyed");
    site.done(&["apply", "--yes", "-q"]);
    site.done(&["destroy", "--yes", "-q"]);
    assert_writes_nothing(&site);
}
