//! A download that is killed again and again: what arrives in the end is what is kept there, and next to nothing of it was
//! fetched twice.

use crate::support::{chance, mount, source};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    fs::{self, File, OpenOptions},
    ops::Range,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};
use wharf_bucket_server::{Habit, Server};
use wharf_content::{Body, Checksum, Fault, Fetch, Listing, Object, Patience, Source, Store, Throttle, fetch};

const BUCKET: &str = "examplebucket";
/// So often it is killed.
const KILLS: usize = 10;
/// How large the object is, in MiB, unless `WHARF_KILL_MIB` says otherwise.
const MIB: u64 = 64;
/// So many requests are under way at once.
const CONNECTIONS: usize = 8;
/// So much of each answer is taken in and not kept yet when it ends, on a machine that has much else to do.
const CHUNK: u64 = 192 * 1024;
/// What the one who fetches is told.
const TOLD: &str = "WHARF_TEST_FETCH";
/// How long a download may take.
const LONG: Duration = Duration::from_secs(300);

#[test]
fn what_is_killed_again_and_again_fetches_next_to_nothing_twice() {
    let size = std::env::var("WHARF_KILL_MIB").map_or(MIB, |mib| mib.parse().unwrap()) << 20;
    let server = Server::start(Habit::Honours);
    let object = server.bucket(BUCKET).join("dir/model.bin");
    fs::create_dir_all(object.parent().unwrap()).unwrap();
    let hash = write(&object, size);
    let place = tempfile::tempdir().unwrap();
    let received = || fs::read(place.path().join("received")).ok().and_then(|text| number(&text)).unwrap_or(0);
    let seed = Instant::now().elapsed().as_nanos() as u64 ^ u64::from(std::process::id());
    let mut chance = chance(seed);
    let mut points: Vec<u64> = (0..KILLS).map(|_| chance() % (size / 10 * 9)).collect();
    points.sort_unstable();
    for point in &points {
        let mut child = start(&server, place.path());
        wait(&mut child, || received() > *point);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!place.path().join("name").exists(), "nothing is seen of what is not whole");
    }
    let mut child = start(&server, place.path());
    wait(&mut child, || false);
    assert!(child.wait().unwrap().success());
    let again = received() - size;
    let share = again as f64 / size as f64 * 100.0;
    println!("killed at {points:?}, seed {seed}");
    println!("refetched {again} of {size} bytes ({share:.2} %) after {KILLS} kills");
    assert_eq!(hash_of(&place.path().join("name/model.bin")), hash);
    // What is lost is what was under way. Of a large object, that is next to nothing.
    let under_way = KILLS as u64 * CONNECTIONS as u64 * CHUNK;
    let bound = if size >> 30 > 0 { size / 100 } else { under_way };
    assert!(again < bound, "{again} bytes of {size} were fetched twice");
}

/// Waits until something is so, or the child has ended.
fn wait(child: &mut Child, so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !so() && child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < LONG, "it takes too long");
        thread::sleep(Duration::from_millis(1));
    }
}

fn number(text: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(text.try_into().ok()?))
}

fn write(path: &Path, size: u64) -> blake3::Hash {
    let (mut chance, mut hasher) = (chance(7), blake3::Hasher::new());
    let mut file = File::create(path).unwrap();
    let mut block: Vec<u8> = (0..1 << 17).flat_map(|_| chance().to_le_bytes()).collect();
    for number in 0..size >> 20 {
        block[..8].copy_from_slice(&number.to_le_bytes());
        std::io::Write::write_all(&mut file, &block).unwrap();
        hasher.update(&block);
    }
    hasher.finalize()
}

fn hash_of(path: &Path) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut File::open(path).unwrap(), &mut hasher).unwrap();
    hasher.finalize()
}

/// Starts this very program, which then fetches.
fn start(server: &Server, place: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::one_who_fetches", "--ignored"])
        .env(TOLD, format!("{} {}", server.address(), place.display()))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is started by the test that kills it"]
async fn one_who_fetches() {
    let told = std::env::var(TOLD).expect("it is told what to fetch");
    let (address, place) = told.split_once(' ').unwrap();
    let place = PathBuf::from(place);
    let source = Counting::of(source(&mount(BUCKET, address.parse().unwrap())), &place.join("received"));
    let content = Listing::of(source.place(), source.list().await.unwrap()).unwrap().digest();
    let (store, name) = (Store::at(place.join("store")), place.join("name"));
    let order = Fetch {
        store: &store,
        source: Arc::new(source),
        content,
        listing: None,
        name: &name,
        connections: CONNECTIONS,
        throttle: &Throttle::default(),
        patience: Patience::LONG,
        say: &|_| {},
    };
    fetch(&order).await.unwrap();
}

/// A source that writes down how many bytes came from it, where that outlives its process.
struct Counting {
    source: Arc<dyn Source>,
    received: Arc<Mutex<(u64, File)>>,
}

impl Counting {
    fn of(source: Arc<dyn Source>, path: &Path) -> Self {
        let before = fs::read(path).ok().and_then(|text| number(&text)).unwrap_or(0);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).unwrap();
        Self { source, received: Arc::new(Mutex::new((before, file))) }
    }
}

#[async_trait]
impl Source for Counting {
    fn place(&self) -> &str {
        self.source.place()
    }

    async fn list(&self) -> Result<Vec<Object>, Fault> {
        self.source.list().await
    }

    async fn checksum(&self, object: &Object) -> Result<Option<Checksum>, Fault> {
        self.source.checksum(object).await
    }

    async fn get(&self, object: &Object, range: Range<u64>) -> Result<Box<dyn Body>, Fault> {
        let body = self.source.get(object, range).await?;
        Ok(Box::new(Counted { body, received: self.received.clone() }))
    }
}

struct Counted {
    body: Box<dyn Body>,
    received: Arc<Mutex<(u64, File)>>,
}

#[async_trait]
impl Body for Counted {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let next = self.body.next().await?;
        let mut received = self.received.lock().unwrap();
        received.0 += next.as_ref().map_or(0, |bytes| bytes.len() as u64);
        received.1.write_all_at(&received.0.to_le_bytes(), 0).unwrap();
        Ok(next)
    }

    fn checksum(&self) -> Option<Checksum> {
        self.body.checksum()
    }
}
