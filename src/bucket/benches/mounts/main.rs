//! Folders of buckets, brought here by wharf and by others who copy from object storage: `rclone copy` and `aws s3 cp`, all
//! from one server on this machine, in turns. Each line is their time over ours, so more is better for us; `server` is a
//! plain parallel GET of the same bytes, which nobody keeps or looks at, `server-kept` one that is written to files as it comes.
//!
//! `cold` is into an empty folder, `second` once more into the same one. What wharf does ends when every byte is verified
//! and the folder is lent; for the others nothing of that is asked. Nobody waits for the disk: what they have left to be
//! written is written between the turns.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark takes time and tells it")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]

mod plain;
mod theirs;
mod there;

use crate::{
    theirs::Tool,
    there::{Case, There},
};
use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};
use wharf_bucket::{BucketFolder, Identity};
use wharf_bucket_server::{ACCESS_KEY, SECRET_KEY};
use wharf_content::{Fetch, Listing, Patience, Source as _, Store, Throttle, fetch};
use wharf_model::{BucketMount, ObjectStore};

/// As in the program that is shipped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// So many requests are under way at once, ours and the plain ones.
const CONNECTIONS: usize = 8;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.first().is_some_and(|word| word == there::SERVE) {
        return there::serve();
    }
    let rounds = std::env::var("ROUNDS").map_or(3, |rounds| rounds.parse().unwrap());
    hashing();
    let there = There::start();
    for case in Case::ALL.iter().filter(|case| words.is_empty() || words.iter().any(|word| case.name.contains(word))) {
        there.fill(case);
        let mut times = Times::default();
        // The first who reads has the server read from its disk.
        plain::get(&there, case, CONNECTIONS, None);
        let folders: Vec<_> = (0..rounds).map(|_| round(&there, case, &mut times)).collect();
        times.tell(case);
        folders.iter().for_each(|folder| there::open_up(folder.path()));
        drop(folders);
        there.clear(case);
    }
}

/// How fast pieces are hashed on one core.
fn hashing() {
    let (bytes, size) = (vec![7_u8; 256 << 10], 2_u64 << 30);
    let begin = Instant::now();
    for at in (0..size).step_by(bytes.len()) {
        use blake3::hazmat::HasherExt as _;
        std::hint::black_box(blake3::Hasher::new().set_input_offset(at).update(&bytes).finalize_non_root());
    }
    println!("hashing GB/s per core: {:.1}", size as f64 / 1e9 / begin.elapsed().as_secs_f64());
}

fn round(there: &There, case: &Case, times: &mut Times) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(there::root()).unwrap();
    times.note("server", "cold", took(|| plain::get(there, case, CONNECTIONS, None)));
    let kept = folder.path().join("plain");
    times.note("server-kept", "cold", took(|| plain::get(there, case, CONNECTIONS, Some(&kept))));
    there::clear(&kept, case);
    for turn in ["cold", "second"] {
        let mut listed = Duration::ZERO;
        times.note("wharf", turn, took(|| listed = ours(there, case, folder.path())));
        times.note("wharf's list", turn, listed);
    }
    there::clear(&folder.path().join("wharf"), case);
    for tool in Tool::ALL {
        let to = folder.path().join(tool.name());
        for turn in ["cold", "second"] {
            times.note(tool.name(), turn, took(|| tool.copy(there, case, &to)));
        }
        assert_eq!(there::bytes_in(&to), case.bytes(), "{} has brought everything", tool.name());
        there::clear(&to, case);
    }
    folder
}

fn took(work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    let took = begin.elapsed();
    rustix::fs::sync();
    took
}

/// What a plan and an apply do about a folder of a bucket. Answers how long its list took.
fn ours(there: &There, case: &Case, at: &Path) -> Duration {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let listed = runtime.block_on(async {
        let mount = BucketMount {
            store: ObjectStore::S3,
            path: format!("{}/{}/", there::BUCKET, case.name).into(),
            endpoint: Some(there.endpoint().into()),
            region: Some("us-east-1".into()),
            mode: None,
            read_only: true,
            live: false,
            keys: None,
        };
        let source = std::sync::Arc::new(BucketFolder::new(&mount, Identity::given(ACCESS_KEY, SECRET_KEY)).unwrap());
        let begin = Instant::now();
        let listing = Listing::of(source.place(), source.list().await.unwrap()).unwrap();
        let listed = begin.elapsed();
        assert_eq!(listing.bytes(), case.bytes());
        let (store, name) = (Store::at(at.join("wharf/store")), at.join("wharf/name"));
        let order = Fetch {
            store: &store,
            source,
            content: listing.digest(),
            listing: Some(listing),
            name: &name,
            connections: CONNECTIONS,
            throttle: &Throttle::default(),
            patience: Patience::LONG,
            say: &|_| {},
        };
        fetch(&order).await.unwrap();
        listed
    });
    // The disk has it a while later.
    runtime.shutdown_background();
    listed
}

/// What each took, by who it was and which turn.
#[derive(Default)]
struct Times(BTreeMap<(&'static str, &'static str), Vec<Duration>>);

impl Times {
    fn note(&mut self, who: &'static str, turn: &'static str, took: Duration) {
        self.0.entry((who, turn)).or_default().push(took);
    }

    fn median(&self, who: &'static str, turn: &'static str) -> Option<f64> {
        let mut all = self.0.get(&(who, turn))?.clone();
        all.sort_unstable();
        Some(all[all.len() / 2].as_secs_f64())
    }

    fn tell(&self, case: &Case) {
        for turn in ["cold", "second"] {
            let ours = self.median("wharf", turn).unwrap();
            let listed = self.median("wharf's list", turn).unwrap();
            println!("wharf {} {turn}: {ours:.2} s, of which the list took {listed:.2} s", case.name);
            for (who, _) in self.0.keys().filter(|(who, at)| *at == turn && !who.starts_with("wharf")) {
                let theirs = self.median(who, turn).unwrap();
                println!("{who} {} {turn}: {:.2}", case.name, theirs / ours);
            }
        }
    }
}
