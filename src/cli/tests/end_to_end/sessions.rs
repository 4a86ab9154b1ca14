//! Plays the sessions of `testdata/cli`: each folder is a case, `session.txt` holds commands and all that they say.
//!
//! Lines that begin with `$ ` are commands, lines that begin with `# ` are remarks; the rest is what a command printed on
//! both streams, in the order of writing, with `? N` below it when its exit code was not 0. `in/` is what the project's
//! folder holds at the start, each line `NAME=VALUE` of `env` a variable. `UPDATE=1` rewrites the sessions, `CASE=name`
//! plays one.
//!
//! Beside `wharf` there are commands of the player's own:
//!
//! | command | does |
//! | --- | --- |
//! | `write FILE TEXT`, `append FILE TEXT` | writes a file, or a line at its end |
//! | `replace FILE OLD NEW` | changes what stands there once |
//! | `set NAME VALUE` | sets a variable for the commands that follow |
//! | `request PATH [TOKEN]` | sends a request to the gateway; prints the status and the body |
//! | `kill INSTANCE` | ends an instance's program the hard way, and waits until that was noticed |
//! | `remove PATH` | removes a file or a folder of the project |
//! | `occupy PORT`, `free` | listens on a port, and stops |
//!
//! `@PORT` and `@NEXT` are two free ports, in the files, the commands and what they print. What differs from run to run
//! (times, instances' ports, identities) is printed as a mark of the same width where columns depend on it.

mod marks;
mod words;

use crate::support::{Running, Site, eventually, http, processes::Process, until};
use rustix::process::Signal;
use std::{
    env,
    fmt::Write,
    fs,
    net::{Ipv4Addr, TcpListener},
    panic,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

/// How many cases are played at once: they wait most of the time.
const AT_ONCE: usize = 4;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/cli")
}

#[test]
fn every_session_says_what_is_written_down() {
    let only = env::var("CASE").ok();
    let mut cases: Vec<_> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|case| only.as_ref().is_none_or(|only| case.ends_with(only)));
    cases.sort();
    assert!(!cases.is_empty(), "there is no such case");
    let (queue, failed) = (Mutex::new(cases.into_iter()), Mutex::new(Vec::new()));
    let player = || {
        loop {
            let Some(case) = queue.lock().unwrap().next() else { return };
            if panic::catch_unwind(|| play(&case)).is_err() {
                failed.lock().unwrap().push(case.file_name().unwrap().to_owned());
            }
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(player))));
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "these sessions went otherwise; `UPDATE=1` accepts that: {failed:?}");
}

fn play(case: &Path) {
    let name = case.file_name().unwrap().to_str().unwrap();
    let file = case.join("session.txt");
    let written = fs::read_to_string(&file).unwrap();
    let mut player = Player::new(case, name);
    let mut heard = String::new();
    for line in written.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            let said = player.play(command);
            let said = marks::mark(&said, &player.site);
            writeln!(heard, "$ {command}\n{said}").unwrap();
        } else if line.starts_with("# ") {
            writeln!(heard, "{line}").unwrap();
        }
    }
    let heard = heard.trim_end().to_owned() + "\n";
    if env::var_os("UPDATE").is_some() {
        fs::write(&file, heard).unwrap();
    } else {
        let difference = similar::TextDiff::from_lines(&*written, &*heard);
        assert!(written == heard, "{name} went otherwise:\n{}", difference.unified_diff().header("written", "heard"));
    }
}

struct Player {
    site: Site,
    listener: Option<TcpListener>,
}

impl Player {
    fn new(case: &Path, name: &str) -> Self {
        let mut site = Site::empty(name);
        copy(&case.join("in"), Path::new(""), &site);
        for line in fs::read_to_string(case.join("env")).unwrap_or_default().lines() {
            let (name, value) = line.split_once('=').unwrap();
            site.env.insert(name.to_owned(), value.to_owned());
        }
        Self { site, listener: None }
    }

    /// Does what the command says. Answers what it printed, with the exit code below.
    fn play(&mut self, command: &str) -> String {
        let words = words::split(&self.site.filled(command));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let site = &mut self.site;
        match words.as_slice() {
            ["wharf", arguments @ ..] => return wharf(site, arguments),
            ["write", file, text] => site.write(file, &format!("{text}\n")),
            ["append", file, text] => {
                let before = fs::read_to_string(site.dir.join(file)).unwrap();
                site.write(file, &format!("{before}{text}\n"));
            }
            ["replace", file, old, new] => site.replace(file, old, new),
            ["set", name, value] => drop(site.env.insert((*name).to_owned(), (*value).to_owned())),
            ["request", path, token @ ..] => {
                let answer = http::get(site.port, path, token.first().copied()).unwrap();
                return format!("{}\n{}\n", answer.status, answer.body.trim_end());
            }
            ["kill", instance] => kill(site, instance),
            ["remove", path] => {
                let path = site.dir.join(path);
                let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
                removed.unwrap();
            }
            ["occupy", port] => {
                self.listener = Some(TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse().unwrap())).unwrap());
            }
            ["free"] => self.listener = None,
            _ => panic!("what is `{command}`?"),
        }
        String::new()
    }
}

fn wharf(site: &Site, arguments: &[&str]) -> String {
    let ran = Running::start(&mut site.wharf(arguments)).end();
    let break_off = if ran.said.is_empty() || ran.said.ends_with('\n') { "" } else { "\n" };
    let code = if ran.code == 0 { String::new() } else { format!("? {}\n", ran.code) };
    format!("{}{break_off}{code}", ran.said)
}

/// Ends the program of an instance, and waits until its supervisor has written that down.
fn kill(site: &Site, instance: &str) {
    let of_instance = |role: &str, process: &Process| {
        process.has_role(role) && process.words().last().is_some_and(|word| word.rsplit('/').next() == Some(instance))
    };
    let (program, supervisor) = eventually("the instance runs", || {
        let all = site.processes();
        let init = all.iter().find(|process| of_instance("init", process))?;
        let program = all.iter().find(|process| process.parent == init.pid)?;
        let supervisor = all.iter().find(|process| of_instance("supervise", process))?;
        Some((program.clone(), supervisor.clone()))
    });
    program.signal(Signal::KILL);
    until("the supervisor has seen it", || !supervisor.lives());
}

/// Copies a folder into the project's, ports filled in.
fn copy(from: &Path, below: &Path, site: &Site) {
    for entry in fs::read_dir(from).into_iter().flatten().map(Result::unwrap) {
        let below = below.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &below, site);
        } else {
            let text = fs::read_to_string(entry.path()).unwrap();
            site.write(below.to_str().unwrap(), &site.filled(&text));
        }
    }
}
