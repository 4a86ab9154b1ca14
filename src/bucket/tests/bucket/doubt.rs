//! The machine goes down before the disk has what was brought: only what the disk has kept is believed.

use crate::place::{Place, bytes};
use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use wharf_bucket_server::{Asked, Mishap, Road};
use wharf_model::ContentDigest;

fn smooth(_: &Asked) -> Mishap {
    Mishap::None
}

fn mark(place: &Place, content: ContentDigest) -> PathBuf {
    place.store().root().join("snapshots").join(format!("{content}.run"))
}

/// The ledger of the one folder that things were fetched from.
fn ledger(place: &Place) -> PathBuf {
    let arriving = fs::read_dir(place.store().root().join("fetch")).unwrap().map(|entry| entry.unwrap().path());
    arriving.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "log")).unwrap()
}

async fn is_on_disk(place: &Place, content: ContentDigest) {
    while mark(place, content).exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The machine goes down before the disk has a content, as far as anybody knows.
async fn goes_down(place: &Place, content: ContentDigest) {
    is_on_disk(place, content).await;
    fs::write(mark(place, content), "another run").unwrap();
    forgets(place);
}

/// What the ledger tells came before the machine went down, and the disk may not have had it.
fn forgets(place: &Place) {
    let ledger = ledger(place);
    let earlier = fs::read_to_string(&ledger).unwrap();
    let lines = earlier.lines().filter(|line| !line.starts_with("safe")).map(|line| match line.starts_with("run ") {
        true => "run another\n".to_owned(),
        false => format!("{line}\n"),
    });
    fs::write(&ledger, lines.collect::<String>()).unwrap();
}

/// A file has its size, and holds something else.
fn spoil(path: &Path) {
    let length = fs::metadata(path).unwrap().len();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, vec![0; length.try_into().unwrap()]).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o444)).unwrap();
}

fn gets(road: &Road, since: usize) -> Vec<String> {
    road.asked().into_iter().skip(since).filter(|asked| !asked.is_list()).map(|asked| asked.target).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_disk_had_not_kept_when_the_machine_went_down_comes_again() {
    let place = Place::new(&[("a.bin", 1_500_000), ("b", 1_000)]);
    let road = place.road(smooth);
    let content = place.bring(&road).await.unwrap();
    goes_down(&place, content).await;
    assert!(place.store().find(content).is_none());
    place.bring(&road).await.unwrap();
    assert!(place.store().find(content).is_some());
    place.assert_same("all of it");
    goes_down(&place, content).await;
    spoil(&fs::canonicalize(place.name()).unwrap().join("b"));
    let asked = road.asked().len();
    place.bring(&road).await.unwrap();
    place.assert_same("the other came again");
    let gets = gets(&road, asked);
    assert!(gets.len() == 1 && gets[0].contains("/dir/b"), "{gets:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_the_disk_has_kept_is_lent_again_whatever_became_of_the_bucket() {
    let place = Place::new(&[("a.bin", 100_000), ("b/c", 1_000)]);
    let road = place.road(smooth);
    let content = place.bring(&road).await.unwrap();
    goes_down(&place, content).await;
    let before = gets(&road, 0).len();
    road.now(|_: &Asked| Mishap::Lost);
    let asked = road.asked().len();
    place.fetch(place.source_at(road.address()), content).await.unwrap();
    place.assert_same("without a network");
    assert_eq!((road.asked().len(), gets(&road, 0).len()), (asked, before), "nobody is asked for anything");
    assert!(place.store().find(content).is_some() && !mark(&place, content).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_in_doubt_is_shown_and_goes_when_nobody_needs_it() {
    let place = Place::new(&[("a.bin", 100_000)]);
    let content = place.bring(&place.road(smooth)).await.unwrap();
    goes_down(&place, content).await;
    let store = place.store();
    let standing = store.standing().unwrap();
    assert!(standing.len() == 1 && standing[0].is_doubtful && standing[0].lent == [place.name()], "{standing:?}");
    assert_eq!(store.collect(u64::MAX, SystemTime::now()).unwrap(), Some(0), "what is lent stays");
    fs::remove_file(place.name()).unwrap();
    assert_eq!(store.collect(u64::MAX, SystemTime::now()).unwrap(), Some(100_000));
    assert!(store.standing().unwrap().is_empty() && !mark(&place, content).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_command_did_not_wait_for_another_does() {
    let place = Place::new(&[("a.bin", 100_000)]);
    let road = place.road(smooth);
    let first = place.bring(&road).await.unwrap();
    is_on_disk(&place, first).await;
    let run = fs::read("/proc/sys/kernel/random/boot_id").unwrap();
    fs::write(mark(&place, first), run).unwrap();
    place.put("b", b"more");
    let second = place.bring(&road).await.unwrap();
    place.store().settle().unwrap();
    assert!(!mark(&place, first).exists() && !mark(&place, second).exists());
    goes_down(&place, second).await;
    let store = place.store();
    store.settle().unwrap();
    assert!(store.find(second).is_none(), "what another run of the machine has left is not on the disk for that");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_the_disk_had_not_kept_is_in_no_later_copy() {
    let place = Place::new(&[("model.bin", 1_500_000), ("tokens", 70_000), ("config.json", 300)]);
    let road = place.road(smooth);
    let content = place.bring(&road).await.unwrap();
    let first = fs::canonicalize(place.name()).unwrap();
    goes_down(&place, content).await;
    spoil(&first.join("model.bin"));
    place.put("config.json", b"{}");
    let asked = road.asked().len();
    place.bring(&road).await.unwrap();
    place.assert_same("a later copy");
    let gets = gets(&road, asked);
    assert!(gets.iter().any(|target| target.contains("model.bin")), "{gets:?}");
    assert!(!gets.iter().any(|target| target.contains("tokens")), "what the disk has kept is not fetched: {gets:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_a_download_that_the_machine_cut_off_is_looked_at_again() {
    let place = Place::new(&[("a", 5_000), ("b", 70_000), ("c", 40)]);
    let road = place.road(|asked: &Asked| if asked.target.contains("/dir/b") { Mishap::Lost } else { Mishap::None });
    place.bring(&road).await.unwrap_err();
    let kept = place.store().root().join("objects");
    let object = |bytes: &[u8]| {
        let name = blake3::hash(bytes).to_hex();
        kept.join(&name[..2]).join(name.as_str())
    };
    let arrived = [bytes(5_000, 1), bytes(40, 3)].map(|bytes| object(&bytes));
    assert!(arrived.iter().all(|path| path.exists()), "{arrived:?}");
    spoil(&arrived[0]);
    forgets(&place);
    road.now(smooth);
    let asked = road.asked().len();
    place.bring(&road).await.unwrap();
    place.assert_same("after the machine went down");
    let gets = gets(&road, asked);
    assert!(!gets.iter().any(|target| target.contains("/dir/c")), "what the disk has kept is not fetched: {gets:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_disk_has_stays_when_the_same_arrives_again() {
    let place = Place::new(&[("a.bin", 100_000)]);
    let road = place.road(smooth);
    let first = place.bring(&road).await.unwrap();
    is_on_disk(&place, first).await;
    place.put("b.bin", &bytes(100_000, 1));
    let second = place.bring(&road).await.unwrap();
    place.assert_same("both");
    let inode = |content, name: &str| fs::metadata(place.store().find(content).unwrap().path.join(name)).unwrap().ino();
    let all = [inode(first, "a.bin"), inode(second, "a.bin"), inode(second, "b.bin")];
    assert!(all.iter().all(|inode| *inode == all[0]), "{all:?}");
    let arriving = fs::read_dir(place.store().root().join("fetch")).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(arriving.filter(|path| path.extension().is_some_and(|kind| kind == "part")).count(), 0);
}
