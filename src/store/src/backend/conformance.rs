//! What every backend must do. Each backend's tests run this suite; it panics at the first promise that does not hold,
//! with the promise in words.

use super::{Backend, Created};
use std::sync::Arc;

/// Runs the suite on an empty store, and leaves it empty. `again` opens the same store anew, as another process would.
///
/// # Panics
/// When a promise does not hold.
pub fn conformance(again: &dyn Fn() -> Arc<dyn Backend>) {
    objects(again);
    only_one_creates(again);
    logs(again);
}

fn objects(again: &dyn Fn() -> Arc<dyn Backend>) {
    assert_eq!(again().read("commits/1").expect("absence is no error"), None, "nothing is there at first");
    assert!(again().list("commits").expect("absence is no error").is_empty(), "a folder that is not there has no keys");
    assert_eq!(again().create("commits/2", b"two").expect("an object can be made"), Created::Now);
    assert_eq!(again().create("commits/1", b"one").expect("an object can be made"), Created::Now);
    let taken = again().create("commits/1", b"other").expect("an object that exists is no error");
    assert_eq!(taken, Created::Before, "an object is made once");
    let read = again().read("commits/1").expect("an object can be read");
    assert_eq!(read.as_deref(), Some(b"one".as_slice()), "an object stays as it was made");
    assert_eq!(again().list("commits").expect("keys can be listed"), ["commits/1", "commits/2"], "keys are in order");
    assert!(again().list("commit").expect("keys can be listed").is_empty(), "a folder is not a beginning of names");
    for key in ["commits/1", "commits/2", "commits/2"] {
        again().delete(key).expect("removing is fine, twice as well");
    }
    assert!(again().list("commits").expect("keys can be listed").is_empty(), "what was removed is gone");
}

fn only_one_creates(again: &dyn Fn() -> Arc<dyn Backend>) {
    let backends: Vec<_> = (0..8).map(|_| again()).collect();
    let made = std::thread::scope(|scope| {
        let race = |(number, backend): (u8, &Arc<dyn Backend>)| {
            let backend = backend.clone();
            scope.spawn(move || backend.create("race", &[number]).expect("a race is no error"))
        };
        let races: Vec<_> = (0..).zip(&backends).map(race).collect();
        races
            .into_iter()
            .map(|race| race.join().expect("no promise is broken"))
            .filter(|made| *made == Created::Now)
            .count()
    });
    assert_eq!(made, 1, "of many who make an object at once, one does");
    again().delete("race").expect("an object can be removed");
}

fn logs(again: &dyn Fn() -> Arc<dyn Backend>) {
    again().append("journal/1", 0, b"one\n").expect("a log can be begun");
    again().append("journal/1", 4, b"two\n").expect("a log can be added to");
    assert!(again().append("journal/1", 4, b"late\n").is_err(), "who does not know the end of a log adds nothing");
    let read = again().read("journal/1").expect("a log can be read");
    assert_eq!(read.as_deref(), Some(b"one\ntwo\n".as_slice()), "a log holds what was added, in order");
    assert_eq!(again().list("journal").expect("logs can be listed"), ["journal/1"], "a log is one key");
    again().delete("journal/1").expect("a log can be removed");
    assert_eq!(again().read("journal/1").expect("absence is no error"), None, "a log that was removed is gone");
}
