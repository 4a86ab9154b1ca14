//! Folders of buckets that are mounted: what arrives is what is kept there, whatever the road is like.

use crate::support::{chance, mount, source};
use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use wharf_bucket_server::{Asked, Habit, Mishap, Road, Server};
use wharf_content::{Fault, Fetch, FetchError, Listing, Patience, Source, Store, fetch};
use wharf_model::ContentDigest;

const BUCKET: &str = "examplebucket";
/// So many are at work at once.
const CONNECTIONS: usize = 4;
const SHORT: Patience = Patience { tries: 6, pause: Duration::from_millis(5), silence: Duration::from_secs(2) };

/// A server with a folder of files, and a store.
struct Place {
    server: Server,
    folder: PathBuf,
    kept: tempfile::TempDir,
}

impl Place {
    fn new(files: &[(&str, usize)]) -> Self {
        let server = Server::start(Habit::Honours);
        let folder = server.bucket(BUCKET).join("dir");
        let place = Self { server, folder, kept: tempfile::tempdir().unwrap() };
        for (at, (name, size)) in files.iter().enumerate() {
            place.put(name, &bytes(*size, at as u64 + 1));
        }
        place
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn store(&self) -> Store {
        Store::at(self.kept.path().join("store"))
    }

    /// The name under which a content is lent.
    fn name(&self) -> PathBuf {
        self.kept.path().join("name")
    }

    async fn content(&self) -> ContentDigest {
        self.listing(&*source(&mount(BUCKET, self.server.address()))).await.digest()
    }

    async fn listing(&self, source: &dyn Source) -> Listing {
        Listing::of(source.place(), source.list().await.unwrap()).unwrap()
    }

    /// Brings what the server holds now, over a road, which must be told from the server by nothing but its address.
    async fn bring(&self, road: &Road) -> Result<ContentDigest, FetchError> {
        let source = source(&mount(BUCKET, road.address()));
        let content = digest_at(self, &*source).await;
        self.fetch(source, content).await.map(|()| content)
    }

    async fn fetch(&self, source: Arc<dyn Source>, content: ContentDigest) -> Result<(), FetchError> {
        let (store, name) = (self.store(), self.name());
        let order = Fetch {
            store: &store,
            source,
            content,
            name: &name,
            connections: CONNECTIONS,
            patience: SHORT,
            say: &|_| {},
        };
        fetch(&order).await
    }

    /// What is lent is what the server holds, and nobody can write to it.
    fn assert_same(&self, note: &str) {
        let (here, there) = (files(&self.name()), files(&self.folder));
        assert_eq!(here.len(), there.len(), "{note}");
        for (path, bytes) in there {
            assert!(here[&path] == bytes, "{note}: {path} is another");
            let mode = fs::metadata(self.name().join(&path)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o444, "{note}: {path}");
        }
    }
}

/// The digest of what the server holds, as one who comes over the road names it: without the road's mishaps.
async fn digest_at(place: &Place, over: &dyn Source) -> ContentDigest {
    let direct = source(&mount(BUCKET, place.server.address()));
    Listing::of(over.place(), direct.list().await.unwrap()).unwrap().digest()
}

fn bytes(size: usize, seed: u64) -> Vec<u8> {
    let mut chance = chance(seed);
    (0..size.div_ceil(8)).flat_map(|_| chance().to_le_bytes()).take(size).collect()
}

fn files(folder: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let (mut found, mut folders) = (std::collections::BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn smooth(_: &Asked) -> Mishap {
    Mishap::None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_arrives_whole_and_is_fetched_once() {
    let place = Place::new(&[("app.py", 300), ("models/a.bin", 3_000_000), ("models/b/c.bin", 70_000), ("empty", 0)]);
    let road = Road::to(place.server.address(), smooth);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_road_changes_nothing_of_what_arrives() {
    for seed in 1..=6 {
        let place = Place::new(&[("a.bin", 2_000_000), ("b.bin", 500_000), ("c", 100), ("d", 100), ("e/f", 65_536)]);
        let mut chance = chance(seed);
        let road = Road::to(place.server.address(), move |_| match chance() % 16 {
            0 => Mishap::Lost,
            1 => Mishap::AnswerLost,
            2 => Mishap::SlowDown,
            3 => Mishap::Cut,
            4 => Mishap::Late(Duration::from_millis(chance() % 50)),
            5 => Mishap::Twice,
            _ => Mishap::None,
        });
        place.bring(&road).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        place.assert_same(&format!("seed {seed}"));
        assert!(road.asked().len() < 120, "seed {seed}: {} requests", road.asked().len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_is_found_and_the_object_fetched_again() {
    // The large one is asked for in three requests, and all of it again.
    for (name, requests) in [("small", 1), ("large.bin", 3)] {
        let place = Place::new(&[("small", 5_000), ("large.bin", 3_000_000)]);
        let flipped = Mutex::new(false);
        let is_it = move |asked: &Asked| asked.method == "GET" && asked.target.contains(name);
        let road = Road::to(place.server.address(), move |asked| {
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
        let place = Place::new(&[("small", 5_000), ("large.bin", 3_000_000)]);
        let road = Road::to(place.server.address(), move |asked| match is_it(asked) {
            true => Mishap::Flip,
            false => Mishap::None,
        });
        let failed = place.bring(&road).await.unwrap_err();
        assert!(failed.to_string().starts_with(&format!("{name} of s3://examplebucket/dir/")), "{failed}");
        assert!(failed.to_string().contains("arrived 3 times with md5"), "{failed}");
        assert!(!place.name().exists());
        assert!(failed.help().contains("upload the object again"), "{}", failed.help());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_or_goes_meanwhile_is_told_by_its_name() {
    let place = Place::new(&[("a.bin", 3_000_000), ("b", 10)]);
    let road = Road::to(place.server.address(), smooth);
    let content = digest_at(&place, &*source(&mount(BUCKET, road.address()))).await;
    let at = place.folder.join("a.bin");
    let other = bytes(3_000_000, 99);
    // It is listed as it was, and is another when it is asked for.
    road.now(move |asked: &Asked| {
        if asked.target.contains("a.bin") {
            fs::write(&at, &other).unwrap();
        }
        Mishap::None
    });
    let failed = place.fetch(source(&mount(BUCKET, road.address())), content).await.unwrap_err();
    assert!(matches!(&failed, FetchError::Changed { object: Some(object), .. } if object == "a.bin"), "{failed}");
    assert_eq!(failed.help(), "plan again, and apply that");
    // Now it is listed otherwise.
    road.now(smooth);
    let failed = place.fetch(source(&mount(BUCKET, road.address())), content).await.unwrap_err();
    assert!(matches!(&failed, FetchError::Changed { object: None, .. }), "{failed}");

    let place = Place::new(&[("a", 1_000), ("b", 10)]);
    let at = place.folder.join("a");
    let road = Road::to(place.server.address(), move |asked: &Asked| {
        if asked.target.contains("/dir/a") {
            // The second time, it is gone already.
            drop(fs::remove_file(&at));
        }
        Mishap::None
    });
    let failed = place.bring(&road).await.unwrap_err();
    assert!(failed.to_string().starts_with("a of s3://examplebucket/dir/"), "{failed}");
    assert!(failed.to_string().ends_with("is listed, and not there"), "{failed}");
    assert!(!place.name().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_gets_better_is_given_up_soon_and_the_next_try_goes_on_from_there() {
    let place = Place::new(&[("a.bin", 4_000_000), ("b.bin", 40_000)]);
    for mishap in [Mishap::Lost, Mishap::SlowDown, Mishap::AnswerLost] {
        let road = Road::to(place.server.address(), move |asked: &Asked| match asked.target.contains("a.bin") {
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
    let road =
        Road::to(place.server.address(), |asked: &Asked| if asked.is_list() { Mishap::Stale } else { Mishap::None });
    let old = source(&mount(BUCKET, road.address()));
    old.list().await.unwrap();
    place.put("c", b"new");
    let failed = place.bring(&road).await.unwrap_err();
    assert!(matches!(failed, FetchError::Changed { object: None, .. }), "{failed}");
}

#[tokio::test]
async fn a_source_that_cannot_be_read_says_what_helps() {
    let place = Place::new(&[("a", 1)]);
    let mut elsewhere = mount(BUCKET, place.server.address());
    elsewhere.path = "nosuchbucket/dir/".into();
    let Err(Fault::Refused { said, help }) = source(&elsewhere).list().await else { panic!("it is refused") };
    assert!(said.contains("nosuchbucket") && help.contains("make the bucket first"), "{said}: {help}");
    assert!(place.content().await != ContentDigest::of([]));
}
