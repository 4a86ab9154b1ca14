//! A load on a gateway: so many requests a second, each at its time, whatever became of the one before.

use super::http::Caller;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Connections, each with a thread.
pub(crate) const CALLERS: u32 = 8;
/// What all of them together send in a second, where a test asks for nothing else.
const PACE: u32 = 400;

/// What came back.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How often each body came with a status of 200.
    pub(crate) bodies: BTreeMap<String, usize>,
    /// Every other ending of a request, in words.
    pub(crate) failures: Vec<String>,
    /// The longest time without an answer to anybody.
    pub(crate) gap: Duration,
    /// When answers came.
    came: Vec<Instant>,
}

impl Tally {
    pub(crate) fn answered(&self) -> usize {
        self.bodies.values().sum()
    }
}

/// A load that goes on until it is stopped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    callers: Vec<JoinHandle<Tally>>,
    began: Instant,
}

impl Load {
    pub(crate) fn start(port: u16, path: &'static str, token: &'static str) -> Self {
        Self::at(PACE, port, path, token)
    }

    /// The same with so many requests a second.
    pub(crate) fn at(pace: u32, port: u16, path: &'static str, token: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let caller = |number| {
            let stop = stop.clone();
            thread::spawn(move || call(number, pace, port, path, token, &stop))
        };
        Self { callers: (0..CALLERS).map(caller).collect(), began: Instant::now(), stop }
    }

    /// Ends it; answers what came back and how long it went on.
    pub(crate) fn stop(self) -> (Tally, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for caller in self.callers {
            let one = caller.join().unwrap();
            all.failures.extend(one.failures);
            all.came.extend(one.came);
            for (body, count) in one.bodies {
                *all.bodies.entry(body).or_default() += count;
            }
        }
        all.came.sort();
        let gaps = all.came.windows(2).map(|pair| pair[1].duration_since(pair[0]));
        all.gap = gaps.max().unwrap_or_default();
        (all, self.began.elapsed())
    }
}

fn call(number: u32, pace: u32, port: u16, path: &str, token: &str, stop: &AtomicBool) -> Tally {
    let every = Duration::from_secs(1) * CALLERS / pace;
    let mut next = Instant::now() + every * number / CALLERS;
    let (mut caller, mut tally) = (Caller::new(port), Tally::default());
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        next += every;
        match caller.get(path, Some(token)) {
            Ok(answer) if answer.status == 200 => {
                *tally.bodies.entry(answer.body).or_default() += 1;
                tally.came.push(Instant::now());
            }
            Ok(answer) => tally.failures.push(format!("{} {}", answer.status, answer.body)),
            Err(error) => {
                tally.failures.push(error.to_string());
                caller = Caller::new(port);
            }
        }
    }
    tally
}
