//! Folders of buckets to bring here, on each kind of server.

use crate::support::{chance, mount, source};
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use wharf_bucket_server::{Asked, Habit, Mishap, Moto, Road, Server, remove, upload};
use wharf_content::{Fetch, FetchError, Listing, Patience, Source, Store, Throttle, fetch};
use wharf_model::ContentDigest;

/// The bucket on servers of ours.
pub(crate) const BUCKET: &str = "examplebucket";
/// So many are at work at once.
pub(crate) const CONNECTIONS: usize = 4;
/// An answer that stops for longer than anybody waits.
pub(crate) const STALL: Duration = Duration::from_secs(3);
pub(crate) const SHORT: Patience =
    Patience { tries: 6, pause: Duration::from_millis(5), silence: Duration::from_secs(1) };

/// Where the files are from.
enum There {
    /// A server in this process, which shows a folder.
    Ours(Server),
    /// One that others made, to which they are uploaded. It ends with the test, not with this.
    Others(SocketAddr),
}

/// A server with a folder of files, and a store.
pub(crate) struct Place {
    there: There,
    pub(crate) bucket: String,
    folder: PathBuf,
    kept: tempfile::TempDir,
}

/// Puts files where a server has them.
#[derive(Clone)]
pub(crate) struct Putting {
    folder: PathBuf,
    others: Option<(SocketAddr, String)>,
}

impl Putting {
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        if let Some((server, bucket)) = &self.others {
            upload(*server, &format!("{bucket}/dir/{name}"), bytes);
        }
    }

    /// What is gone already is fine.
    pub(crate) fn remove(&self, name: &str) {
        drop(fs::remove_file(self.folder.join(name)));
        if let Some((server, bucket)) = &self.others {
            remove(*server, &format!("{bucket}/dir/{name}"));
        }
    }
}

pub(crate) type Files<'a> = &'a [(&'a str, usize)];

impl Place {
    pub(crate) fn new(files: Files<'_>) -> Self {
        Self::on(Server::start(Habit::Honours), files)
    }

    pub(crate) fn on(server: Server, files: Files<'_>) -> Self {
        let folder = server.bucket(BUCKET).join("dir");
        Self::with(There::Ours(server), BUCKET.to_owned(), folder, files)
    }

    /// A bucket of its own on a server that others made.
    pub(crate) fn on_moto(moto: &Moto, bucket: &str, files: Files<'_>) -> Self {
        moto.make_bucket(bucket);
        let mut place = Self::with(There::Others(moto.address()), bucket.to_owned(), PathBuf::new(), &[]);
        place.folder = place.kept.path().join("uploaded");
        place.fill(files);
        place
    }

    fn with(there: There, bucket: String, folder: PathBuf, files: Files<'_>) -> Self {
        let place = Self { there, bucket, folder, kept: tempfile::tempdir().unwrap() };
        place.fill(files);
        place
    }

    fn fill(&self, files: Files<'_>) {
        for (at, (name, size)) in files.iter().enumerate() {
            self.put(name, &bytes(*size, at as u64 + 1));
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match &self.there {
            There::Ours(server) => server.address(),
            There::Others(address) => *address,
        }
    }

    pub(crate) fn road(&self, script: impl FnMut(&Asked) -> Mishap + Send + 'static) -> Road {
        Road::to(self.address(), script)
    }

    pub(crate) fn source_at(&self, address: SocketAddr) -> Arc<dyn Source> {
        source(&mount(&self.bucket, address))
    }

    pub(crate) fn putting(&self) -> Putting {
        let others = match &self.there {
            There::Ours(_) => None,
            There::Others(address) => Some((*address, self.bucket.clone())),
        };
        Putting { folder: self.folder.clone(), others }
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        self.putting().put(name, bytes);
    }

    pub(crate) fn store(&self) -> Store {
        Store::at(self.kept.path().join("store"))
    }

    /// The name under which a content is lent.
    pub(crate) fn name(&self) -> PathBuf {
        self.kept.path().join("name")
    }

    pub(crate) async fn content(&self) -> ContentDigest {
        self.listing(&*self.source_at(self.address())).await.digest()
    }

    async fn listing(&self, source: &dyn Source) -> Listing {
        Listing::of(source.place(), source.list().await.unwrap()).unwrap()
    }

    /// Brings what the server holds now, over a road, which must be told from the server by nothing but its address.
    pub(crate) async fn bring(&self, road: &Road) -> Result<ContentDigest, FetchError> {
        let source = self.source_at(road.address());
        let content = digest_at(self, &*source).await;
        self.fetch(source, content).await.map(|()| content)
    }

    pub(crate) async fn fetch(&self, source: Arc<dyn Source>, content: ContentDigest) -> Result<(), FetchError> {
        self.fetch_within(&Throttle::default(), source, content).await
    }

    pub(crate) async fn fetch_within(
        &self,
        throttle: &Throttle,
        source: Arc<dyn Source>,
        content: ContentDigest,
    ) -> Result<(), FetchError> {
        let (store, name) = (self.store(), self.name());
        let order = Fetch {
            store: &store,
            source,
            content,
            listing: None,
            name: &name,
            connections: CONNECTIONS,
            throttle,
            patience: SHORT,
            say: &|_| {},
        };
        fetch(&order).await
    }

    /// What is lent is what the server holds, and nobody can write to it.
    pub(crate) fn assert_same(&self, note: &str) {
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
pub(crate) async fn digest_at(place: &Place, over: &dyn Source) -> ContentDigest {
    let direct = place.source_at(place.address());
    Listing::of(over.place(), direct.list().await.unwrap()).unwrap().digest()
}

pub(crate) fn bytes(size: usize, seed: u64) -> Vec<u8> {
    let mut chance = chance(seed);
    (0..size.div_ceil(8)).flat_map(|_| chance().to_le_bytes()).take(size).collect()
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
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
