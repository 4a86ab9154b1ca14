//! Commands as a user who has no rights beyond what a test hands over.

use super::{Running, Site};
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const NOBODY: u32 = 65_534;
/// Where an ordinary user finds Python, whatever the caller has.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A command that runs as the ordinary user, who is in no group but this one, if any.
fn as_nobody(group: Option<u32>, program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    let groups = group.map_or("--clear-groups".to_owned(), |group| format!("--groups={group}"));
    command.args(["--reuid=65534", "--regid=65534", &groups]).arg(program).args(arguments);
    command.env_clear().env("PATH", PATH).stdin(Stdio::null());
    command
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Why nobody can be one here.
pub(crate) fn obstacle() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can become another user; the other tests ran as an ordinary one");
    }
    if !succeeds(&mut as_nobody(None, Path::new("python3"), &["-c", "0"])) {
        return Some("an ordinary user finds no Python, or there is no setpriv");
    }
    None
}

/// Hands a folder and all below it to the ordinary user.
fn hand_over(folder: &Path) {
    chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            hand_over(&entry.path());
        } else {
            chown(entry.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
}

/// The site's commands as the ordinary user, to whom all of it is handed over.
pub(crate) struct Nobody<'a> {
    site: &'a Site,
    program: PathBuf,
    group: Option<u32>,
}

impl<'a> Nobody<'a> {
    /// In no group but this one, if any.
    pub(crate) fn at(site: &'a Site, group: Option<u32>) -> Self {
        // The build may lie where only root may look.
        let program = site.root().join("wharf");
        fs::copy(env!("CARGO_BIN_EXE_wharf"), &program).unwrap();
        fs::set_permissions(site.root(), fs::Permissions::from_mode(0o755)).unwrap();
        hand_over(site.root());
        Self { site, program, group }
    }

    /// Runs one that must go well; answers what it said.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let mut command = as_nobody(self.group, &self.program, arguments);
        command.envs(&self.site.env).env("PATH", PATH).current_dir(&self.site.dir);
        let ran = Running::start(&mut command).end();
        assert_eq!(ran.code, 0, "wharf {}\n{}", arguments.join(" "), ran.said);
        ran.said
    }
}

/// Whether the kernel lets the ordinary user have namespaces.
pub(crate) fn has_namespaces() -> bool {
    succeeds(&mut as_nobody(None, Path::new("unshare"), &["--user", "--pid", "--fork", "true"]))
}
