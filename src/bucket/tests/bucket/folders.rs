//! Folders of buckets that are mounted: what arrives is what is kept there, whatever the road is like, from each kind of
//! server.

use crate::{
    place::{BUCKET, CONNECTIONS, Files, Place, SHORT, STALL, bytes, digest_at},
    support::{chance, mount, source},
};
use rustix::process::geteuid;
use std::{
    fs,
    num::NonZeroU16,
    ops::RangeInclusive,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use wharf_bucket_server::{Asked, Habit, Manners, Mishap, Moto, Server, Sums};
use wharf_content::{Fault, FetchError, Throttle};
use wharf_model::{ContentDigest, CopyLimits};

/// Makes a place with files on some server.
type Maker<'a> = &'a (dyn Fn(Files<'_>) -> Place + Sync);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_arrives_whole_and_is_fetched_once() {
    arrives_whole_and_once(&Place::new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_road_changes_nothing_of_what_arrives() {
    bears_a_bad_road(&Place::new, 1..=6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_is_found_and_the_object_fetched_again() {
    finds_a_flipped_bit(&Place::new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_or_goes_meanwhile_is_told_by_its_name() {
    tells_what_changes_or_goes_meanwhile(&Place::new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_gets_better_is_given_up_soon_and_the_next_try_goes_on_from_there() {
    gives_up_what_never_gets_better(&Place::new).await;
}

/// The same on a server that others made. One is started for all, as that takes a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_of_another_server_are_brought_as_well() {
    let moto = Moto::start(Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap());
    let buckets = AtomicU32::new(0);
    let make =
        |files: Files<'_>| Place::on_moto(&moto, &format!("bucket-{}", buckets.fetch_add(1, Ordering::Relaxed)), files);
    arrives_whole_and_once(&make).await;
    bears_a_bad_road(&make, 1..=2).await;
    finds_a_flipped_bit(&make).await;
    tells_what_changes_or_goes_meanwhile(&make).await;
    gives_up_what_never_gets_better(&make).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_objects_than_a_page_of_a_list_has_are_all_brought() {
    let names: Vec<_> = (0..1_100).map(|number| format!("{number:04}")).collect();
    let place = Place::new(&names.iter().map(|name| (name.as_str(), 3)).collect::<Vec<_>>());
    place.bring(&place.road(smooth)).await.unwrap();
    place.assert_same("many");
}

/// How many requests there are at once while two folders are brought side by side.
async fn at_once(throttle: &Throttle) -> usize {
    let names: Vec<_> = (0..40).map(|number| format!("{number:02}")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), 500)).collect();
    let (one, other) = (Place::new(&files), Place::new(&files));
    let road = one.road(|_| Mishap::Late(Duration::from_millis(5)));
    let bring = async |place: &Place| {
        let source = one.source_at(road.address());
        let content = digest_at(&one, &*source).await;
        place.fetch_within(throttle, source, content).await.unwrap();
        place.assert_same("side by side");
    };
    tokio::join!(bring(&one), bring(&other));
    road.at_once()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_that_are_brought_side_by_side_share_the_requests_that_there_may_be() {
    let three = CopyLimits { connections: NonZeroU16::new(3), ..CopyLimits::default() };
    assert_eq!(at_once(&Throttle::new(&three)).await, 3);
    assert!(at_once(&Throttle::default()).await > CONNECTIONS, "without a limit, each has its own");
}

async fn arrives_whole_and_once(make: Maker<'_>) {
    let place = make(&[("app.py", 300), ("models/a.bin", 3_000_000), ("models/b/c.bin", 70_000), ("empty", 0)]);
    let road = place.road(smooth);
    let content = place.bring(&road).await.unwrap();
    place.assert_same("at first");
    let asked = road.asked().len();
    place.bring(&road).await.unwrap();
    assert_eq!(road.asked().len(), asked, "what is here is not asked for");
    // A state that shares most files with the one before fetches the others, and has the same files.
    place.put("app.py", b"print(2)");
    let next = place.bring(&road).await.unwrap();
    place.assert_same("the next state");
    let gets = road.asked()[asked..].iter().filter(|asked| !asked.is_list()).count();
    assert_eq!(gets, 1, "{:?}", &road.asked()[asked..]);
    let store = place.store();
    let inode = |content| fs::metadata(store.find(content).unwrap().path.join("models/a.bin")).unwrap().ino();
    assert_eq!(inode(content), inode(next), "both states have one copy");
}

async fn bears_a_bad_road(make: Maker<'_>, seeds: RangeInclusive<u64>) {
    for seed in seeds {
        let place = make(&[("a.bin", 2_000_000), ("b.bin", 500_000), ("c", 100), ("d", 100), ("e/f", 65_536)]);
        let mut chance = chance(seed);
        let road = place.road(move |_| match chance() % 16 {
            0 => Mishap::Lost,
            1 => Mishap::AnswerLost,
            2 => Mishap::SlowDown,
            3 => Mishap::Cut,
            4 => Mishap::Late(Duration::from_millis(chance() % 50)),
            5 => Mishap::Twice,
            6 => Mishap::Stall(STALL),
            _ => Mishap::None,
        });
        place.bring(&road).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        place.assert_same(&format!("seed {seed}"));
        assert!(road.asked().len() < 120, "seed {seed}: {} requests", road.asked().len());
    }
}

async fn finds_a_flipped_bit(make: Maker<'_>) {
    // The large one is asked for in three requests, and all of it again.
    for (name, requests) in [("small", 1), ("large.bin", 3)] {
        let place = make(&[("small", 5_000), ("large.bin", 3_000_000)]);
        let flipped = Mutex::new(false);
        let is_it = move |asked: &Asked| asked.method == "GET" && asked.target.contains(name);
        let road = place.road(move |asked| {
            let mut flipped = flipped.lock().unwrap();
            if is_it(asked) && !*flipped {
                *flipped = true;
                return Mishap::Flip;
            }
            Mishap::None
        });
        place.bring(&road).await.unwrap();
        place.assert_same(name);
        let asked = road.asked().iter().filter(|asked| asked.method == "GET" && asked.target.contains(name)).count();
        assert_eq!(asked, 2 * requests, "{name}");
        // Again and again: that is told, with its name, and nothing of it is seen.
        let place = make(&[("small", 5_000), ("large.bin", 3_000_000)]);
        let road = place.road(move |asked| match is_it(asked) {
            true => Mishap::Flip,
            false => Mishap::None,
        });
        let failed = place.bring(&road).await.unwrap_err();
        assert!(failed.to_string().starts_with(&format!("{name} of s3://{}/dir/", place.bucket)), "{failed}");
        assert!(failed.to_string().contains("arrived 3 times with md5"), "{failed}");
        assert!(!place.name().exists());
        assert!(failed.help().contains("upload the object again"), "{}", failed.help());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_store_keeps_as_sums_is_what_counts() {
    for (sums, word) in [(Sums::Crc64Nvme, "crc64nvme"), (Sums::Crc64Ecma, "crc64ecma")] {
        let server = || Server::start(Manners { sums, ..Habit::Honours.into() });
        let files = [("small", 5_000), ("large.bin", 3_000_000), ("empty", 0)];
        let place = Place::on(server(), &files);
        place.bring(&place.road(smooth)).await.unwrap();
        place.assert_same(word);
        for name in ["small", "large.bin"] {
            let place = Place::on(server(), &files);
            let road = place.road(move |asked| {
                if asked.method == "GET" && asked.target.contains(name) { Mishap::Flip } else { Mishap::None }
            });
            let failed = place.bring(&road).await.unwrap_err();
            let told = format!("{name} of s3://examplebucket/dir/");
            assert!(failed.to_string().starts_with(&told), "{word}: {failed}");
            assert!(failed.to_string().contains(&format!("arrived 3 times with {word}")), "{failed}");
        }
    }
}

async fn tells_what_changes_or_goes_meanwhile(make: Maker<'_>) {
    let place = make(&[("a.bin", 3_000_000), ("b", 10)]);
    let road = place.road(smooth);
    let content = digest_at(&place, &*place.source_at(road.address())).await;
    let putting = place.putting();
    let other = bytes(3_000_000, 99);
    // It is listed as it was, and is another when it is asked for.
    road.now(move |asked: &Asked| {
        if asked.target.contains("a.bin") {
            putting.put("a.bin", &other);
        }
        Mishap::None
    });
    let failed = place.fetch(place.source_at(road.address()), content).await.unwrap_err();
    assert!(matches!(&failed, FetchError::Changed { object: Some(object), .. } if object == "a.bin"), "{failed}");
    assert_eq!(failed.help(), "plan again, and apply that");
    // Now it is listed otherwise.
    road.now(smooth);
    let failed = place.fetch(place.source_at(road.address()), content).await.unwrap_err();
    assert!(matches!(&failed, FetchError::Changed { object: None, .. }), "{failed}");

    let place = make(&[("a", 1_000), ("b", 10)]);
    let putting = place.putting();
    let road = place.road(move |asked: &Asked| {
        if asked.target.contains("/dir/a") {
            putting.remove("a");
        }
        Mishap::None
    });
    let failed = place.bring(&road).await.unwrap_err();
    assert!(failed.to_string().starts_with(&format!("a of s3://{}/dir/", place.bucket)), "{failed}");
    assert!(failed.to_string().ends_with("is listed, and not there"), "{failed}");
    assert!(!place.name().exists());
}

async fn gives_up_what_never_gets_better(make: Maker<'_>) {
    let place = make(&[("a.bin", 4_000_000), ("b.bin", 40_000)]);
    for mishap in [Mishap::Lost, Mishap::SlowDown, Mishap::AnswerLost] {
        let road = place.road(move |asked: &Asked| match asked.target.contains("a.bin") {
            true => mishap,
            false => Mishap::None,
        });
        let failed = place.bring(&road).await.unwrap_err();
        assert!(matches!(failed, FetchError::Unreachable { .. }), "{mishap:?}: {failed}");
        assert!(failed.to_string().contains("a.bin"), "{mishap:?}: {failed}");
        // Each of those at work tries so often, and the list and the sum were asked for before.
        let most = (CONNECTIONS + 2) * SHORT.tries as usize;
        assert!(road.asked().len() <= most, "{mishap:?}: {}", road.asked().len());
    }
    // The list is an old one for ever: that is no reason to take what is not wanted.
    let road = place.road(|asked: &Asked| if asked.is_list() { Mishap::Stale } else { Mishap::None });
    let old = place.source_at(road.address());
    old.list().await.unwrap();
    place.put("c", b"new");
    let failed = place.bring(&road).await.unwrap_err();
    assert!(matches!(failed, FetchError::Changed { object: None, .. }), "{failed}");
}

/// A small disk; gone with the value.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn at(place: &'a Path) -> Self {
        fs::create_dir_all(place).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=10m", "tmpfs"]).arg(place).status();
        assert!(mounted.unwrap().success(), "root can mount");
        Self(place)
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.0).status());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_cut_off_goes_on_where_its_room_is_all_there_is() {
    if !geteuid().is_root() {
        return;
    }
    let place = Place::new(&[("a.bin", 8 << 20)]);
    let store = place.store();
    let _disk = Disk::at(store.root());
    let (left, goes_on) = (AtomicU32::new(4), Arc::new(AtomicBool::new(false)));
    let (cut, of_file) = (goes_on.clone(), |asked: &Asked| asked.method == "GET" && asked.target.contains("a.bin"));
    let road = place.road(move |asked: &Asked| {
        let passes = !of_file(asked)
            || cut.load(Ordering::Relaxed)
            || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        if passes { Mishap::None } else { Mishap::Lost }
    });
    let source = place.source_at(road.address());
    let content = digest_at(&place, &*source).await;
    // One after another, so that what passes has come to its end before anything is lost.
    let alone = Throttle::new(&CopyLimits { connections: NonZeroU16::new(1), ..CopyLimits::default() });
    place.fetch_within(&alone, source.clone(), content).await.unwrap_err();
    let usage = store.usage().unwrap();
    assert!(usage.arriving >= 8 << 20 && usage.free < 4 << 20, "{usage:?}");
    let before = road.asked().len();
    goes_on.store(true, Ordering::Relaxed);
    place.fetch_within(&alone, source, content).await.unwrap();
    place.assert_same("after it was cut off");
    let gets = road.asked()[before..].iter().filter(|asked| of_file(asked)).count();
    assert_eq!(gets, 4, "of eight, what had arrived is not fetched again");
}

#[tokio::test]
async fn a_source_that_cannot_be_read_says_what_helps() {
    let place = Place::new(&[("a", 1)]);
    let mut elsewhere = mount(BUCKET, place.address());
    elsewhere.path = "nosuchbucket/dir/".into();
    let Err(Fault::Refused { said, help }) = source(&elsewhere).list().await else { panic!("it is refused") };
    assert!(said.contains("nosuchbucket") && help.contains("make the bucket first"), "{said}: {help}");
    assert!(place.content().await != ContentDigest::of([]));
}

fn smooth(_: &Asked) -> Mishap {
    Mishap::None
}
