//! Everything works for root and for an ordinary user. When these tests run as root, they run once more as nobody.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on should stop")]

mod support;

use std::{env, fs, os::unix::fs::PermissionsExt as _, process::Command};

#[test]
fn all_suites_pass_as_nobody() {
    let root = fs::metadata("/proc/self").is_ok_and(|found| std::os::unix::fs::MetadataExt::uid(&found) == 0);
    let setpriv = Command::new("setpriv").arg("--version").output().is_ok_and(|output| output.status.success());
    if !root || !setpriv {
        eprintln!("skipped: needs root and setpriv");
        return;
    }
    // The build folder may be one that only root can enter.
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let roles = place.path().join("roles");
    fs::copy(support::program(), &roles).unwrap();
    for suite in suites() {
        let copy = place.path().join(suite.file_name().unwrap());
        fs::copy(&suite, &copy).unwrap();
        let output = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&copy)
            .env("WHARF_LOCAL_ROLES", &roles)
            .env("HOME", "/nonexistent")
            .current_dir("/")
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}\n{words}", suite.display());
        assert!(!words.contains("running 0 tests"), "{words}");
    }
}

/// The newest build of each suite beside this one.
fn suites() -> Vec<std::path::PathBuf> {
    let folder = env::current_exe().unwrap().parent().unwrap().to_owned();
    let newest = |name: &str| {
        let builds = fs::read_dir(&folder).unwrap().filter_map(Result::ok).map(|entry| entry.path());
        let fits = |path: &std::path::PathBuf| {
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            let hash = file.strip_prefix(&format!("{name}-")).map(str::to_owned);
            hash.is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
        };
        let builds = builds.filter(fits).max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
        builds.unwrap_or_else(|| panic!("no build of {name} in {}", folder.display()))
    };
    ["instances", "mounts", "file_systems", "packages", "gateways"].map(newest).into()
}
