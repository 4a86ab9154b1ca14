//! Programs that the first process of an instance runs as checks: each has a time limit, and what it said is kept as the
//! reason.

use crate::{
    dump::Undumped,
    format::{Document, Ran, ToRun},
    init::{command, spawn},
};
use nix::poll::PollTimeout;
use rustix::{
    fs::{MemfdFlags, memfd_create},
    process::{Pid, Signal, WaitStatus, kill_process_group},
};
use std::{
    fs::File,
    io::{self, Read as _, Seek as _},
    time::{Duration, Instant},
};
use wharf_serving::Heard;

/// So much of what a check said is read.
const PRINTED: u64 = 4096;

/// The checks that run, and those that ended and were not told of yet.
#[derive(Default)]
pub(crate) struct Checks {
    run: Vec<Running>,
    ended: Vec<Ran>,
}

struct Running {
    number: u64,
    pid: Pid,
    until: Instant,
    timeout: Duration,
    /// Both of its outputs.
    said: File,
}

impl Checks {
    /// Runs a program; one that cannot be run has failed.
    pub(crate) fn run(&mut self, check: ToRun, document: &Document, undumped: &Undumped) {
        let ToRun { number, words, timeout_ms } = check;
        let timeout = Duration::from_millis(timeout_ms);
        let start = || -> io::Result<Running> {
            let said = File::from(memfd_create("check", MemfdFlags::CLOEXEC)?);
            let mut command = command(&words, document)?;
            command.stdout(said.try_clone()?).stderr(said.try_clone()?);
            let pid = Pid::from_child(&spawn(command, undumped)?);
            Ok(Running { number, pid, until: Instant::now() + timeout, timeout, said })
        };
        match start() {
            Ok(running) => self.run.push(running),
            Err(error) => {
                let program = words.first().map_or("", String::as_str);
                let heard = Heard { passed: false, words: format!("cannot run `{program}`: {error}") };
                self.ended.push(Ran { number, heard });
            }
        }
    }

    /// Notes the end of a process that was buried, if it was a check.
    pub(crate) fn ended(&mut self, pid: Pid, status: WaitStatus) {
        let Some(place) = self.run.iter().position(|running| running.pid == pid) else { return };
        let Running { number, said, .. } = self.run.swap_remove(place);
        let passed = status.exit_status() == Some(0);
        let how = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => format!("exited with code {code}"),
            (None, Some(signal)) => format!("ended by signal {signal}"),
            (None, None) => "ended".to_owned(),
        };
        let heard = Heard::ran(passed, how, &printed(said).unwrap_or_default());
        self.ended.push(Ran { number, heard });
    }

    /// What ended since this was asked last. Ends what takes too long, and counts it as failed.
    pub(crate) fn told(&mut self) -> Vec<Ran> {
        let now = Instant::now();
        let (late, run) = std::mem::take(&mut self.run).into_iter().partition(|running| running.until <= now);
        self.run = run;
        let late: Vec<Running> = late;
        for Running { number, pid, timeout, .. } in late {
            // It is not buried yet, so its id is its own.
            let _gone = kill_process_group(pid, Signal::KILL);
            let words = format!("no answer within {timeout:?}");
            self.ended.push(Ran { number, heard: Heard { passed: false, words } });
        }
        std::mem::take(&mut self.ended)
    }

    /// How long it may be waited for something else.
    pub(crate) fn patience(&self) -> PollTimeout {
        let Some(until) = self.run.iter().map(|running| running.until).min() else { return PollTimeout::NONE };
        let wait = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX)
    }
}

/// The beginning of what a check said.
fn printed(mut said: File) -> io::Result<Vec<u8>> {
    said.rewind()?;
    let mut start = Vec::new();
    said.take(PRINTED).read_to_end(&mut start)?;
    Ok(start)
}
