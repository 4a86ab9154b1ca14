//! A life has chapters; each is cut off at its n-th boundary, then finished, then compared with a life that nobody
//! disturbed.

use crate::support::{Running, Site};
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
pub(crate) trait Stage: Sized {
    /// What must be the same, whether or not somebody cut in.
    type Shape: Debug + PartialEq + Send + Sync + RefUnwindSafe;
    const LIFE: &'static [Chapter];

    fn set(name: &str) -> Self;
    fn site(&self) -> &Site;
    fn shape(&self, chapter: &Chapter) -> Self::Shape;
    /// Nothing is there that is not recorded, and the other way round; nothing is there twice.
    fn assert_recorded(&self, chapter: &Chapter, note: &str);
}

pub(crate) struct Chapter {
    pub(crate) name: &'static str,
    pub(crate) write: fn(&Site),
    pub(crate) command: &'static [&'static str],
    /// How it ends when nobody disturbs it.
    pub(crate) ends: i32,
}

impl Chapter {
    pub(crate) fn is_the_last(&self) -> bool {
        self.command == DESTROY
    }
}

pub(crate) const APPLY: &[&str] = &["apply", "--yes", "-q"];
pub(crate) const DESTROY: &[&str] = &["destroy", "--yes", "-q"];

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
pub(crate) struct Tally {
    pub(crate) kills: u64,
    /// The boundaries at which a life that was cut off ended otherwise.
    pub(crate) failed: Vec<u64>,
}

impl Tally {
    pub(crate) fn told(&self, on: &str) -> String {
        let lost = match self.failed.as_slice() {
            [] => String::new(),
            failed => format!("cut off at {failed:?}, it ended otherwise on {on}\n"),
        };
        format!("{lost}convergence on {on}: {}", self.score())
    }

    pub(crate) fn score(&self) -> String {
        let (kills, lost) = (self.kills, self.failed.len() as u64);
        format!("{:.2} % of {} kills", 100.0 * kills as f64 / (kills + lost) as f64, kills + lost)
    }
}

/// Plays lives cut off at these boundaries, several at once, until one is not cut off any more.
pub(crate) fn lives<S: Stage>(prefix: &str, boundaries: impl Iterator<Item = u64> + Send, at_once: usize) -> Tally {
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
