//! P9, once more: a process of wharf that is killed in a way that leaves a dump leaves none, since it may hold values of
//! secrets. Instances may be dumped as whoever runs wharf wants.

use crate::support::{Running, Site, processes::Process, until};
use rustix::process::Signal;
use std::{fs, os::unix::process::ExitStatusExt, path::Path, process::Command};

const CANARY: &str = "canary-77d1c02be59a";

/// An answer with the limit of the program, which has the canary.
const PROGRAM: &str = r#"
import os, resource
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

assert os.environ["API_KEY"]

class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(resource.getrlimit(resource.RLIMIT_CORE)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Hello).serve_forever()
"#;

/// A project whose instances have the canary.
fn site(name: &str) -> Site {
    let mut site = Site::hello(name);
    site.replace("wharf.kdl", "file \"secrets/hello-token\"", "env \"CANARY\"");
    site.replace("wharf.kdl", "GREETING \"one\"", "API_KEY (secret)\"hello-token\"");
    site.write("app/app.py", PROGRAM);
    site.env.insert("CANARY".to_owned(), CANARY.to_owned());
    site
}

/// A command that may leave a dump of any size, as far as this process may.
fn with_dumps(site: &Site, command: &Command) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "ulimit -S -c \"$(ulimit -H -c)\"; exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.env_clear().envs(&site.env).current_dir(&site.dir);
    shell
}

/// Whether a program that does nothing against it is dumped here.
fn others_are_dumped(site: &Site) -> bool {
    let mut kills_itself = Command::new("/bin/sh");
    kills_itself.args(["-c", "kill -QUIT $$"]);
    with_dumps(site, &kills_itself).status().unwrap().core_dumped()
}

/// Files that look like dumps, where the process would leave one.
fn dumps(place: &Path) -> Vec<String> {
    let names = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("core")).collect()
}

/// The limit of a dump of this process, in bytes.
fn limit(process: &Process) -> String {
    let limits = fs::read_to_string(format!("/proc/{}/limits", process.pid)).unwrap();
    let row = limits.lines().find(|row| row.starts_with("Max core file size")).unwrap();
    row.split_whitespace().nth(4).unwrap().to_owned()
}

/// Ends an apply that waits for an instance by a signal that leaves a dump. Says whether there could have been one.
fn ends_without_a_dump(signal: Signal, name: &str) -> bool {
    let site = site(name);
    if !others_are_dumped(&site) {
        return false;
    }
    for dump in dumps(&site.dir) {
        fs::remove_file(site.dir.join(dump)).unwrap();
    }
    site.write("app/app.py", "import time\ntime.sleep(600)\n");
    let mut apply = Running::start(&mut with_dumps(&site, &site.wharf(&["apply", "--yes"])));
    until("an instance is there", || site.processes().iter().any(|process| process.command.contains("app.py")));
    apply.signal(signal);
    let status = apply.child.wait().unwrap();
    assert_eq!(status.signal(), Some(signal.as_raw()));
    assert!(!status.core_dumped(), "it left a dump");
    assert_eq!(dumps(&site.dir), [""; 0]);
    true
}

#[test]
fn a_command_that_aborts_leaves_no_dump() {
    if !ends_without_a_dump(Signal::ABORT, "dump-abort") {
        eprintln!("skipped: this host dumps nobody");
    }
}

#[test]
fn a_command_that_is_told_to_quit_leaves_no_dump() {
    if !ends_without_a_dump(Signal::QUIT, "dump-quit") {
        eprintln!("skipped: this host dumps nobody");
    }
}

#[test]
fn what_stays_behind_leaves_no_dump_and_instances_may_leave_theirs() {
    let site = site("dump-supervisor");
    let apply = Running::start(&mut with_dumps(&site, &site.wharf(&["apply", "--yes", "-q"]))).end();
    assert_eq!(apply.code, 0, "{}", apply.said);
    let (theirs, ours): (Vec<_>, Vec<_>) =
        site.processes().into_iter().partition(|process| process.command.contains("app.py"));
    assert_eq!((ours.len(), theirs.len()), (8, 2), "{ours:?} {theirs:?}");
    let unequal: Vec<_> = ours.iter().filter(|process| limit(process) != "1").collect();
    assert!(unequal.is_empty(), "{unequal:?}");
    // What the shell had raised it to is what instances have.
    let raised = Command::new("/bin/sh").args(["-c", "ulimit -H -c"]).output().unwrap();
    let raised = String::from_utf8(raised.stdout).unwrap();
    let most = if raised.trim() == "unlimited" { "-1".to_owned() } else { limit(&theirs[0]) };
    assert_eq!(site.done(&["invoke"]).trim(), format!("({most}, {most})"));
    let places: Vec<_> =
        ours.iter().map(|process| fs::read_link(format!("/proc/{}/cwd", process.pid)).unwrap()).collect();
    for process in ours.iter().filter(|process| !process.has_role("init")) {
        process.signal(Signal::ABORT);
    }
    until("they are gone", || ours.iter().all(|process| !process.lives()));
    for place in places {
        assert_eq!(dumps(&place), [""; 0], "{}", place.display());
    }
}
