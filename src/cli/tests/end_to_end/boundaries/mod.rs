//! P4 at every boundary: wharf is killed before and after each write of its journal, each commit and each call of the
//! runtime, through the life of a service. After one more apply everything is as if nobody had.
//!
//! A life has chapters; each is cut off at its n-th boundary, then finished, then compared with a life that nobody
//! disturbed. It is played on two stages: processes of this host, and a runtime in memory that this test serves and
//! looks into. `make kill-test` plays every n; the tests play a few.

mod bucket;
mod local;
mod memory;

use crate::support::{Running, Site};
use bucket::Bucket;
use local::Local;
use memory::Memory;
use std::{
    fmt::Debug,
    panic::{self, RefUnwindSafe},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// Where a life is played.
trait Stage: Sized {
    /// What must be the same, whether or not somebody cut in.
    type Shape: Debug + PartialEq + Send + Sync + RefUnwindSafe;
    const LIFE: &'static [Chapter];

    fn set(name: &str) -> Self;
    fn site(&self) -> &Site;
    fn shape(&self, chapter: &Chapter) -> Self::Shape;
    /// Nothing is there that is not recorded, and the other way round; nothing is there twice.
    fn assert_recorded(&self, chapter: &Chapter, note: &str);
}

struct Chapter {
    name: &'static str,
    write: fn(&Site),
    command: &'static [&'static str],
    /// How it ends when nobody disturbs it.
    ends: i32,
}

impl Chapter {
    fn is_the_last(&self) -> bool {
        self.command == DESTROY
    }
}

const APPLY: &[&str] = &["apply", "--yes", "-q"];
const DESTROY: &[&str] = &["destroy", "--yes", "-q"];

/// Lives a life whose every chapter is cut off at its `at`-th boundary, and finished. Says how often it was cut off.
fn live<S: Stage>(name: &str, at: Option<u64>, undisturbed: &[S::Shape]) -> (Vec<S::Shape>, u64) {
    let stage = S::set(name);
    let (mut shapes, mut kills) = (Vec::new(), 0);
    for chapter in S::LIFE {
        (chapter.write)(stage.site());
        let note = format!("{} cut off at boundary {at:?}", chapter.name);
        if let Some(at) = at {
            let mut command = stage.site().wharf(chapter.command);
            command.env("WHARF_DIES_AT", at.to_string());
            let cut = Running::start(&mut command).end();
            assert!(cut.code == 137 || cut.code == chapter.ends, "{note}: {}: {}", cut.code, cut.said);
            kills += u64::from(cut.code == 137);
        }
        let ended = stage.site().run(chapter.command);
        let nothing_left = at.is_some() && ended.code == 0;
        assert!(ended.code == chapter.ends || nothing_left, "{note}: {}: {}", ended.code, ended.said);
        stage.assert_recorded(chapter, &note);
        let found = stage.shape(chapter);
        if let Some(expected) = undisturbed.get(shapes.len()) {
            assert_eq!(&found, expected, "{note}");
        }
        shapes.push(found);
    }
    (shapes, kills)
}

/// How lives went.
struct Tally {
    kills: u64,
    /// The boundaries at which a life that was cut off ended otherwise.
    failed: Vec<u64>,
}

impl Tally {
    fn told(&self, on: &str) -> String {
        let lost = match self.failed.as_slice() {
            [] => String::new(),
            failed => format!("cut off at {failed:?}, it ended otherwise on {on}\n"),
        };
        format!("{lost}convergence on {on}: {}", self.score())
    }

    fn score(&self) -> String {
        let (kills, lost) = (self.kills, self.failed.len() as u64);
        format!("{:.2} % of {} kills", 100.0 * kills as f64 / (kills + lost) as f64, kills + lost)
    }
}

/// Plays lives cut off at these boundaries, several at once, until one is not cut off any more.
fn lives<S: Stage>(prefix: &str, boundaries: impl Iterator<Item = u64> + Send, at_once: usize) -> Tally {
    let (undisturbed, _) = live::<S>(&format!("{prefix}-calm"), None, &[]);
    let (queue, kills, failed) = (Mutex::new(boundaries), AtomicU64::new(0), Mutex::new(Vec::new()));
    let player = || {
        loop {
            let Some(at) = queue.lock().unwrap().next() else { return };
            match panic::catch_unwind(|| live::<S>(&format!("{prefix}-{at}"), Some(at), &undisturbed).1) {
                Ok(0) => return,
                Ok(cut) => drop(kills.fetch_add(cut, Ordering::SeqCst)),
                Err(_) => failed.lock().unwrap().push(at),
            }
        }
    };
    thread::scope(|scope| (0..at_once).for_each(|_| drop(scope.spawn(player))));
    Tally { kills: kills.into_inner(), failed: failed.into_inner().unwrap() }
}

#[test]
fn a_life_that_is_cut_off_here_and_there_ends_the_same() {
    let Tally { kills, failed } = lives::<Local>("kill-some", [1, 4, 9, 14, 22, 31].into_iter(), 3);
    assert!(failed.is_empty(), "cut off at {failed:?}, it ended otherwise");
    assert!(kills >= 30, "only {kills} were killed in time");
}

#[test]
fn a_life_in_a_bucket_that_is_cut_off_here_and_there_ends_the_same() {
    let Tally { kills, failed } = lives::<Bucket>("kill-bucket", [2, 5, 12, 19, 27].into_iter(), 3);
    assert!(failed.is_empty(), "cut off at {failed:?}, it ended otherwise");
    assert!(kills >= 20, "only {kills} were killed in time");
}

#[test]
fn a_life_in_memory_that_is_cut_off_here_and_there_ends_the_same() {
    let Tally { kills, failed } = lives::<Memory>("kill-mem", [2, 5, 11, 17, 26, 35].into_iter(), 3);
    assert!(failed.is_empty(), "cut off at {failed:?}, it ended otherwise");
    assert!(kills >= 25, "only {kills} were killed in time");
}

#[test]
#[ignore = "takes minutes; `make kill-test` plays it"]
fn a_life_that_is_cut_off_anywhere_ends_the_same() {
    let mut memory = lives::<Memory>("kill-all-mem", 1.., 4);
    println!("{}", memory.told("memory"));
    let local = lives::<Local>("kill-all", 1.., 4);
    println!("{}", local.told("local"));
    memory.kills += local.kills;
    memory.failed.extend(local.failed);
    println!("convergence: {}", memory.score());
    assert_eq!(memory.failed, [0; 0]);
}
