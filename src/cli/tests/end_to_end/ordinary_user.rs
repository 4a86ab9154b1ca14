//! Nothing needs root: the whole way as a user who has no rights beyond the project's folder.

use crate::support::{Running, Site};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::{Command, Stdio},
};

const NOBODY: u32 = 65_534;
/// Where an ordinary user finds Python, whatever the caller has.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A command that runs as the ordinary user.
fn as_nobody(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program).args(arguments);
    command.env_clear().env("PATH", PATH).stdin(Stdio::null());
    command
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Why the test cannot be run here.
fn obstacle() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can become another user; the other tests ran as an ordinary one");
    }
    if !succeeds(&mut as_nobody(Path::new("python3"), &["-c", "0"])) {
        return Some("an ordinary user finds no Python, or there is no setpriv");
    }
    if !succeeds(&mut as_nobody(Path::new("unshare"), &["--user", "--pid", "--fork", "true"])) {
        return Some("the kernel gives an ordinary user no namespaces");
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

#[test]
fn an_ordinary_user_gets_the_whole_way() {
    if let Some(obstacle) = obstacle() {
        eprintln!("skipped: {obstacle}");
        return;
    }
    let mut site = Site::empty("ordinary-user");
    // The build may lie where only root may look.
    let program = site.root().join("wharf");
    fs::copy(env!("CARGO_BIN_EXE_wharf"), &program).unwrap();
    fs::set_permissions(site.root(), fs::Permissions::from_mode(0o755)).unwrap();
    hand_over(site.root());
    site.env.insert("PATH".to_owned(), PATH.to_owned());
    let run = |arguments: &[&str]| {
        let mut command = as_nobody(&program, arguments);
        let ran = Running::start(command.envs(&site.env).current_dir(&site.dir)).end();
        assert_eq!(ran.code, 0, "wharf {}\n{}", arguments.join(" "), ran.said);
        ran.said
    };
    run(&["init"]);
    site.replace("wharf.kdl", "8600", &site.port.to_string());
    site.replace("wharf.kdl", "\"2s\"", "\"300ms\"");
    run(&["plan"]);
    run(&["apply", "--yes", "-q"]);
    assert!(run(&["invoke"]).contains("hello from wharf"));
    assert!(run(&["status"]).contains("2/2 ready"));
    run(&["plan", "--detailed-exitcode"]);
    site.replace("wharf.kdl", "hello from wharf", "hello again");
    run(&["apply", "--yes", "-q"]);
    assert!(run(&["invoke"]).contains("hello again"));
    assert!(run(&["logs", "-n", "1"]).contains("hello-0-g2"));
    run(&["destroy", "--yes", "-q"]);
    assert!(site.processes().is_empty(), "{:#?}", site.processes());
}
