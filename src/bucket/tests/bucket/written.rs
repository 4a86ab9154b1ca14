//! Copies that are written to: what was written goes back, on each kind of server, and nothing is overwritten that somebody
//! else has put there.

use crate::{
    place::{CONNECTIONS, Files, Place, SHORT, bytes},
    support::{self, mount, sink},
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};
use wharf_bucket_server::{Asked, Habit, Mishap, Moto, Road, Server};
use wharf_content::{Baseline, Batch, Conflict, Known, SendError, Sent, lay_out, take};

/// Makes a place with files on some server.
type Maker<'a> = &'a (dyn Fn(Files<'_>) -> Place + Sync);

fn smooth(_: &Asked) -> Mishap {
    Mishap::None
}

/// A copy of what the server holds, for one who writes, and what it began with: nothing lends the snapshot any more once
/// another was brought, so that it goes where the disk is short of room.
async fn copy(place: &Place, road: &Road, name: &str) -> (Baseline, PathBuf) {
    let content = place.bring(road).await.unwrap();
    let copy = place.name().with_file_name(name);
    lay_out(&place.store(), content, &copy).unwrap();
    (Baseline::of(&place.store(), content).unwrap(), copy)
}

async fn send(place: &Place, road: &Road, baseline: &Baseline, copy: &Path) -> Result<usize, SendError> {
    send_after(place, road, baseline, copy, Sent::default()).await.map(|(count, _)| count)
}

/// The same of a copy from which something went back before.
async fn send_after(
    place: &Place,
    road: &Road,
    baseline: &Baseline,
    copy: &Path,
    sent: Sent,
) -> Result<(usize, Sent), SendError> {
    let sink = sink(&mount(&place.bucket, road.address()));
    let batch = Batch::look(sink.place(), copy, baseline, sent)?;
    let count = batch.len();
    batch.send(sink, CONNECTIONS, SHORT).await.map(|after| (count, after))
}

/// What the server holds of a file now.
async fn there(place: &Place, road: &Road, name: &str) -> Option<Vec<u8>> {
    place.bring(road).await.unwrap();
    fs::read(place.name().join(name)).ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_goes_back_and_nothing_else() {
    goes_back(&Place::new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_else_wrote_is_never_overwritten() {
    overwrites_nothing(&Place::new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_goes_on_writing_writes_over_what_is_its_own() {
    goes_on_writing(&Place::new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_is_no_conflict() {
    bears_lost_answers(&Place::new).await;
}

/// The same on a server that others made. One is started for all, as that takes a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_goes_back_to_another_server_as_well() {
    let moto = Moto::start(Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap());
    let buckets = AtomicU32::new(0);
    let make = |files: Files<'_>| {
        Place::on_moto(&moto, &format!("written-{}", buckets.fetch_add(1, Ordering::Relaxed)), files)
    };
    goes_back(&make).await;
    overwrites_nothing(&make).await;
    bears_lost_answers(&make).await;
    goes_on_writing(&make).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_may_only_read_is_told_which_right_is_missing() {
    let place = Place::on(Server::start(Habit::Denies), &[("a", 10)]);
    let road = place.road(smooth);
    let (baseline, copy) = copy(&place, &road, "copy").await;
    fs::write(copy.join("a"), "changed").unwrap();
    let error = send(&place, &road, &baseline, &copy).await.unwrap_err();
    assert!(matches!(error, SendError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("a cannot be written to s3://examplebucket/dir/"), "{error}");
    assert!(error.help().contains("s3:PutObject"), "{}", error.help());
}

async fn goes_back(make: Maker<'_>) {
    let place = make(&[("changed", 10), ("deep/same", 20), ("gone", 5), ("untouched", 9)]);
    let road = place.road(smooth);
    let (baseline, copy) = copy(&place, &road, "copy").await;
    assert_eq!(send(&place, &road, &baseline, &copy).await.unwrap(), 0, "nobody has written yet");
    fs::write(copy.join("changed"), "by an instance").unwrap();
    fs::write(copy.join("deep/same"), bytes(20, 2)).unwrap();
    fs::write(copy.join("deep/new"), "made by an instance").unwrap();
    fs::remove_file(copy.join("gone")).unwrap();
    std::os::unix::fs::symlink("changed", copy.join("link")).unwrap();
    let puts = || road.asked().iter().filter(|asked| asked.method == "PUT").count();
    assert_eq!(send(&place, &road, &baseline, &copy).await.unwrap(), 2);
    assert_eq!(puts(), 2);
    assert_eq!(there(&place, &road, "changed").await.unwrap(), b"by an instance");
    assert_eq!(there(&place, &road, "deep/new").await.unwrap(), b"made by an instance");
    assert_eq!(there(&place, &road, "gone").await.unwrap(), bytes(5, 3), "nobody said that it is not needed");
    assert_eq!(there(&place, &road, "link").await, None);
    // One that was cut off and tries again.
    assert_eq!(send(&place, &road, &baseline, &copy).await.unwrap(), 2);
    assert_eq!(puts(), 2, "it was sent twice");
}

async fn overwrites_nothing(make: Maker<'_>) {
    let place = make(&[("a", 10), ("b", 10)]);
    let road = place.road(smooth);
    let (baseline, one) = copy(&place, &road, "one").await;
    let (_, other) = copy(&place, &road, "other").await;
    for (copy, text) in [(&one, "one"), (&other, "other")] {
        fs::write(copy.join("a"), text).unwrap();
        fs::write(copy.join("made"), text).unwrap();
        fs::write(copy.join(text), text).unwrap();
    }
    assert_eq!(send(&place, &road, &baseline, &one).await.unwrap(), 3);
    let error = send(&place, &road, &baseline, &other).await.unwrap_err();
    let SendError::Conflicts { conflicts, .. } = &error else { panic!("{error}") };
    let conflict = |object: &str, was_there| Conflict { object: object.to_owned(), was_there };
    assert_eq!(conflicts, &[conflict("a", true), conflict("made", false)], "{error}");
    assert!(error.to_string().contains("a was changed there meanwhile, and 1 more like it"), "{error}");
    assert_eq!(there(&place, &road, "a").await.unwrap(), b"one");
    assert_eq!(there(&place, &road, "made").await.unwrap(), b"one");
    assert_eq!(there(&place, &road, "other").await.unwrap(), b"other", "what is in no conflict goes");
    // Whoever moves theirs away makes room.
    place.putting().remove("a");
    place.putting().remove("made");
    assert_eq!(send(&place, &road, &baseline, &other).await.unwrap(), 3);
    assert_eq!(there(&place, &road, "a").await.unwrap(), b"other");
}

async fn bears_lost_answers(make: Maker<'_>) {
    let place = make(&[("a", 10)]);
    let smooth_road = place.road(smooth);
    let (baseline, copy) = copy(&place, &smooth_road, "copy").await;
    fs::write(copy.join("a"), "changed").unwrap();
    fs::write(copy.join("b"), "made").unwrap();
    let mut puts = 0;
    let road = place.road(move |asked| {
        puts += u32::from(asked.method == "PUT");
        // Of three tries, one is told that somebody writes the same, and the answer of one is lost.
        match (asked.method.as_str(), puts % 3) {
            ("PUT", 1) => Mishap::AtOnce,
            ("PUT", 2) => Mishap::AnswerLost,
            _ => Mishap::None,
        }
    });
    assert_eq!(send(&place, &road, &baseline, &copy).await.unwrap(), 2);
    assert_eq!(there(&place, &smooth_road, "a").await.unwrap(), b"changed");
    assert_eq!(there(&place, &smooth_road, "b").await.unwrap(), b"made");
}

async fn goes_on_writing(make: Maker<'_>) {
    let place = make(&[("a", 10), ("untouched", 10)]);
    let road = place.road(smooth);
    let (baseline, copy) = copy(&place, &road, "copy").await;
    let taken = |number: usize| {
        let to = place.name().with_file_name(format!("taken-{number}"));
        fs::create_dir(&to).unwrap();
        take(&copy, &baseline, &to).unwrap();
        to
    };
    fs::write(copy.join("a"), "first").unwrap();
    fs::create_dir(copy.join("deep")).unwrap();
    fs::write(copy.join("deep/made"), "first").unwrap();
    assert!(!taken(0).join("untouched").exists());
    let (count, sent) = send_after(&place, &road, &baseline, &taken(1), Sent::default()).await.unwrap();
    assert_eq!(count, 2);
    let (count, sent) = send_after(&place, &road, &baseline, &taken(2), sent).await.unwrap();
    assert_eq!(count, 0, "nothing is new");
    fs::write(copy.join("a"), "second").unwrap();
    let (count, sent) = send_after(&place, &road, &baseline, &taken(3), sent).await.unwrap();
    assert_eq!((count, there(&place, &road, "a").await.unwrap()), (1, b"second".to_vec()));
    // One that was cut off has written down what it was about to send.
    fs::write(copy.join("a"), "third").unwrap();
    let sink = sink(&mount(&place.bucket, road.address()));
    let batch = Batch::look(sink.place(), &taken(4), &baseline, sent).unwrap();
    let intended = batch.intended();
    batch.send(sink, CONNECTIONS, SHORT).await.unwrap();
    fs::write(copy.join("a"), "fourth").unwrap();
    let (_, sent) = send_after(&place, &road, &baseline, &taken(5), intended).await.unwrap();
    assert_eq!(there(&place, &road, "a").await.unwrap(), b"fourth");
    // What somebody else puts in its place is theirs.
    place.putting().remove("a");
    let theirs = place.name().with_file_name("theirs");
    fs::write(&theirs, "theirs").unwrap();
    let other = support::sink(&mount(&place.bucket, road.address()));
    other.put("a", Known { listed: None, ours: &[] }, &theirs, "another").await.unwrap();
    fs::write(copy.join("a"), "fifth").unwrap();
    let error = send_after(&place, &road, &baseline, &taken(6), sent).await.unwrap_err();
    assert!(matches!(error, SendError::Conflicts { .. }), "{error}");
    assert_eq!(there(&place, &road, "a").await.unwrap(), b"theirs");
}
