//! The tools that are measured, each as its users call it.

use crate::{
    bare::{Bare, MEMORY, PROGRAM, TRIES, WIDTH},
    engine::image,
};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// One that creates, changes and removes containers. There are none when it begins, and none after [`Tool::remove`].
pub(crate) trait Tool {
    fn name(&self) -> &'static str;
    fn create(&self, count: usize);
    /// How long it takes to find that nothing is to change.
    fn idle(&self, count: usize) -> Option<Duration>;
    /// How long it takes to replace all that run, one after the other.
    fn roll(&self, count: usize) -> Option<Duration>;
    fn remove(&self);
}

/// Runs a command that must succeed.
fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
}

fn timed(work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    begin.elapsed()
}

fn site(name: &str) -> TempDir {
    tempfile::Builder::new().prefix(name).tempdir().unwrap()
}

pub(crate) struct Wharf {
    site: TempDir,
    host: String,
}

impl Wharf {
    pub(crate) fn new(host: &str) -> Self {
        Self { site: site("wharf-bench-"), host: host.to_owned() }
    }

    fn write(&self, count: usize, word: &str) {
        let [sh, flag, script] = PROGRAM;
        let (host, image) = (&self.host, image::BUSYBOX);
        let text = format!(
            "project \"bench\"\nenvironment \"default\" {{ provider \"docker\" host=\"{host}\" }}\n\
             service \"idle\" {{\n    image \"{image}\"\n    command \"{sh}\" \"{flag}\" \"{script}\"\n    \
             env {{ WORD \"{word}\" }}\n    resources {{ memory \"{MEMORY}MiB\" }}\n    instances {count}\n    \
             rollout {{ max-surge 1; max-unavailable 0; min-ready \"0s\" }}\n    shutdown {{ grace \"5s\"; sigterm #true }}\n}}\n"
        );
        fs::write(self.site.path().join("wharf.kdl"), text).unwrap();
    }

    fn call(&self, arguments: &[&str]) {
        run(Command::new(env!("CARGO_BIN_EXE_wharf")).args(arguments).current_dir(self.site.path()));
    }
}

impl Tool for Wharf {
    fn name(&self) -> &'static str {
        "wharf"
    }

    fn create(&self, count: usize) {
        self.write(count, "one");
        self.call(&["apply", "--yes", "-q"]);
    }

    fn idle(&self, _count: usize) -> Option<Duration> {
        // With changes its code would be another.
        Some(timed(|| self.call(&["plan", "--detailed-exitcode"])))
    }

    fn roll(&self, count: usize) -> Option<Duration> {
        self.write(count, "two");
        Some(timed(|| self.call(&["apply", "--yes", "-q"])))
    }

    fn remove(&self) {
        self.call(&["destroy", "--yes", "-q"]);
    }
}

pub(crate) struct Compose {
    site: TempDir,
    host: String,
    bare: Bare,
}

impl Compose {
    pub(crate) fn new(host: &str) -> Self {
        Self { site: site("bench"), host: host.to_owned(), bare: Bare::new(host) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker-compose");
        command.args(["-p", "bench", "-H", &self.host]).args(arguments).current_dir(self.site.path());
        command.env("COMPOSE_PARALLEL_LIMIT", WIDTH.to_string()).env("COMPOSE_HTTP_TIMEOUT", "300");
        command
    }

    fn up(&self, count: usize) {
        run(&mut self.command(&["up", "-d", "--scale", &format!("idle={count}")]));
    }
}

impl Tool for Compose {
    fn name(&self) -> &'static str {
        "docker-compose"
    }

    fn create(&self, count: usize) {
        // A dollar stands for itself when it is doubled.
        let program = serde_json::to_string(&PROGRAM.map(|word| word.replace('$', "$$"))).unwrap();
        let text = format!(
            "version: '2.4'\nservices:\n  idle:\n    image: {}\n    entrypoint: {program}\n    environment: {{WORD: one}}\n    \
             mem_limit: {MEMORY}m\n    memswap_limit: {MEMORY}m\n    \
             logging: {{driver: json-file, options: {{max-size: 16m, max-file: '3'}}}}\n",
            image::BUSYBOX
        );
        fs::write(self.site.path().join("docker-compose.yml"), text).unwrap();
        self.up(count);
    }

    fn idle(&self, count: usize) -> Option<Duration> {
        Some(timed(|| self.up(count)))
    }

    /// It ends the old ones first, and all at once: nothing to compare with.
    fn roll(&self, _count: usize) -> Option<Duration> {
        None
    }

    fn remove(&self) {
        // What the engine may refuse is its network, whose containers it has lost count of: that is used again.
        for _ in 0..TRIES {
            let down = self.command(&["down", "-t", "5"]).stdin(Stdio::null()).output().unwrap();
            if down.status.success() {
                return;
            }
            self.bare.wait(self.bare.forget_the_gone("bench_default"));
        }
    }
}

pub(crate) struct Swarm {
    host: String,
    bare: Bare,
}

impl Swarm {
    /// Makes the engine a swarm of one, and a network on it.
    pub(crate) fn new(host: &str) -> Self {
        let swarm = Self { host: host.to_owned(), bare: Bare::new(host) };
        swarm.call(&["swarm", "init", "--advertise-addr", "192.0.2.1"]);
        swarm.call(&["network", "create", "--scope", "swarm", "--driver", "bridge", "swarm"]);
        swarm
    }

    fn call(&self, arguments: &[&str]) {
        run(Command::new("docker").args(["-H", &self.host]).args(arguments).current_dir(Path::new("/")));
    }
}

impl Tool for Swarm {
    fn name(&self) -> &'static str {
        "swarm"
    }

    fn create(&self, count: usize) {
        let [sh, flag, script] = PROGRAM;
        let (count, memory) = (count.to_string(), format!("{MEMORY}m"));
        let how = ["--name", "idle", "--replicas", &count, "--limit-memory", &memory, "--network", "swarm"];
        let rolled = ["--update-order", "start-first", "--update-parallelism", "1", "--update-monitor", "0s"];
        let log = ["--log-driver", "json-file", "--log-opt", "max-size=16m", "--log-opt", "max-file=3"];
        let mut words = vec!["service", "create", "-q", "--detach=true", "--stop-grace-period", "5s", "-e", "WORD=one"];
        words.extend(how.into_iter().chain(rolled).chain(log));
        words.extend(["--entrypoint", sh, image::BUSYBOX, flag, script]);
        self.call(&words);
    }

    fn idle(&self, _count: usize) -> Option<Duration> {
        None
    }

    fn roll(&self, _count: usize) -> Option<Duration> {
        Some(timed(|| {
            self.call(&["service", "update", "-q", "--detach=true", "--env-add", "WORD=two", "idle"]);
            self.bare.until_updated("idle");
        }))
    }

    fn remove(&self) {
        self.call(&["service", "rm", "idle"]);
    }
}
