//! A store in a bucket. An object of the store is one of the bucket. A log is a folder of objects that are each made once
//! and named for the length of the log before them: what was shipped stays, whatever becomes of the machine that wrote it.

use crate::{
    client::{Client, Listed, Patience},
    connect::Identity,
    fault::BucketError,
    own::Own,
    probe,
    waiting::Waiting,
};
use std::{
    collections::BTreeMap,
    future::Future,
    io,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{sync::Semaphore, task::JoinSet};
use wharf_model::BucketSpec;
use wharf_store::{Attempt, Backend, Created, Guard, Look, Presence, StoreError};

/// How many parts of a log are read at once.
const AT_ONCE: usize = 16;

/// A bucket, or the part of one below a prefix.
#[derive(Debug)]
pub struct BucketBackend {
    shared: Arc<Shared>,
    waiting: Waiting,
    /// How long the logs are that we have written to.
    ends: Mutex<BTreeMap<String, u64>>,
}

#[derive(Debug)]
struct Shared {
    client: Arc<Client>,
    own: Own,
}

impl BucketBackend {
    /// The store below a prefix. Nothing is asked of the server yet.
    pub fn new(spec: BucketSpec) -> Self {
        Self::over(Client::new(spec, Identity::Found, Patience::default()))
    }

    /// The same with a client of one's own.
    pub fn over(client: Client) -> Self {
        let shared = Shared { client: Arc::new(client), own: Own::default() };
        Self { shared: Arc::new(shared), waiting: Waiting::new(), ends: Mutex::default() }
    }

    /// Sees whether the bucket makes an object only where there is none, also when many try at once. Leaves nothing behind.
    ///
    /// # Errors
    /// When it does not, so that no record may be kept there; or when that cannot be found out.
    pub fn probe(&self) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        self.wait(Attempt::Write, "", async move { probe::probe(&shared.client).await })
    }

    fn wait<T: Send + 'static>(
        &self,
        attempt: Attempt,
        key: &str,
        work: impl Future<Output = Result<T, BucketError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let at = self.place(key);
        match self.waiting.wait(work) {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(error.into_store(attempt, at)),
            Err(source) => Err(match attempt {
                Attempt::Read => StoreError::Read { at, source },
                Attempt::Write => StoreError::Write { at, source },
            }),
        }
    }

    /// How long a log is, as far as we know without looking.
    fn end(&self, log: &str) -> Option<u64> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).get(log).copied()
    }

    fn set_end(&self, log: &str, end: Option<u64>) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        match end {
            Some(end) => drop(ends.insert(log.to_owned(), end)),
            None => drop(ends.remove(log)),
        }
    }

    fn somebody_else(&self, log: &str) -> StoreError {
        let source = io::Error::other("somebody else has written to it");
        StoreError::Write { at: self.place(log), source }
    }
}

/// What the folder of a log's parts ends with. It is not the log's own name, as there are servers on files, which cannot
/// tell whether there is an object where there is a folder.
const PARTS: &str = ".parts";

/// The folder that holds a log.
fn parts(log: &str) -> String {
    format!("{log}{PARTS}")
}

/// The object that holds what comes behind the first `at` bytes of a log.
fn part(log: &str, at: u64) -> String {
    format!("{log}{PARTS}/{at:012}")
}

/// The key that something in a list belongs to.
fn key_of(listed: Listed) -> Option<String> {
    match listed {
        Listed::Object(key) => Some(key),
        Listed::Folder(folder) => folder.strip_suffix(PARTS).map(str::to_owned),
    }
}

impl Shared {
    async fn create(&self, key: &str, bytes: &[u8]) -> Result<Created, BucketError> {
        let made = self.client.create(key, bytes).await?;
        if made == Created::Now {
            self.own.made(key);
        }
        Ok(made)
    }

    async fn delete(&self, key: &str) -> Result<(), BucketError> {
        self.client.delete(key).await?;
        self.own.removed(key);
        Ok(())
    }

    /// What is right below a folder, as we know it.
    async fn list(&self, folder: &str) -> Result<Vec<Listed>, BucketError> {
        let mut listed = self.client.list(folder).await?;
        for (own, key) in self.own.missing(folder, &listed) {
            if !listed.contains(&own) && self.client.read(&key).await?.is_some() {
                listed.push(own);
            }
        }
        self.own.without_removed(&mut listed);
        listed.sort_unstable();
        Ok(listed)
    }

    /// An object, or a log with all its parts.
    async fn read(self: Arc<Self>, key: String) -> Result<Option<Vec<u8>>, BucketError> {
        let first = part(&key, 0);
        let (object, begun) = tokio::join!(self.client.read(&key), self.client.read(&first));
        match (object?, begun?) {
            (Some(object), _) => Ok(Some(object)),
            (None, None) => Ok(None),
            (None, Some(begun)) => self.follow(&key, begun).await.map(Some),
        }
    }

    /// The rest of a log. Each part tells where the next one is, so a list that is out of date hides nothing.
    async fn follow(self: &Arc<Self>, log: &str, mut bytes: Vec<u8>) -> Result<Vec<u8>, BucketError> {
        let mut parts = self.parts(log).await?;
        loop {
            let next = part(log, bytes.len() as u64);
            let found = match parts.remove(&next) {
                Some(found) => Some(found),
                None => self.client.read(&next).await?,
            };
            match found {
                Some(found) if !found.is_empty() => bytes.extend_from_slice(&found),
                _ => return Ok(bytes),
            }
        }
    }

    /// The parts of a log that a list shows, but for the first.
    async fn parts(self: &Arc<Self>, log: &str) -> Result<BTreeMap<String, Vec<u8>>, BucketError> {
        let first = part(log, 0);
        let (turns, mut reads) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
        for listed in self.client.list(&parts(log)).await? {
            let Listed::Object(key) = listed else { continue };
            if key != first {
                let (shared, turns) = (self.clone(), turns.clone());
                reads.spawn(async move {
                    // Nobody closes it.
                    let _turn = turns.acquire_owned().await;
                    let found = shared.client.read(&key).await;
                    (key, found)
                });
            }
        }
        let mut parts = BTreeMap::new();
        while let Some(read) = reads.join_next().await {
            let (key, found) =
                read.map_err(|ended| BucketError::broken(&self.client.spec().bucket, ended.to_string()))?;
            parts.extend(found?.map(|bytes| (key, bytes)));
        }
        Ok(parts)
    }

    /// Removes an object, or a log from its end on.
    async fn remove(&self, key: &str) -> Result<(), BucketError> {
        for listed in self.list(&parts(key)).await?.into_iter().rev() {
            if let Listed::Object(part) = listed {
                self.delete(&part).await?;
            }
        }
        self.delete(key).await
    }
}

impl Look for BucketBackend {
    fn place(&self, key: &str) -> String {
        self.shared.client.spec().place(key)
    }

    fn read(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.wait(Attempt::Read, key, self.shared.clone().read(key.to_owned()))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let (shared, below) = (self.shared.clone(), folder.to_owned());
        let listed = self.wait(Attempt::Read, folder, async move { shared.list(&below).await })?;
        let mut keys: Vec<_> = listed.into_iter().filter_map(key_of).collect();
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    fn presence(&self) -> Result<Presence, StoreError> {
        Ok(Presence::Unknown)
    }
}

impl Backend for BucketBackend {
    fn create(&self, key: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        let (shared, own, bytes) = (self.shared.clone(), key.to_owned(), bytes.to_vec());
        self.wait(Attempt::Write, key, async move { shared.create(&own, &bytes).await })
    }

    fn append(&self, log: &str, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let end = match self.end(log) {
            Some(end) => end,
            // The part itself tells whether the log has a beginning.
            None if at == 0 => 0,
            None => self.read(log)?.map_or(0, |bytes| bytes.len() as u64),
        };
        if end != at {
            return Err(self.somebody_else(log));
        }
        self.set_end(log, None);
        match self.create(&part(log, at), bytes)? {
            Created::Now => self.set_end(log, Some(at + bytes.len() as u64)),
            Created::Before => return Err(self.somebody_else(log)),
        }
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.set_end(key, None);
        let (shared, own) = (self.shared.clone(), key.to_owned());
        self.wait(Attempt::Write, key, async move { shared.remove(&own).await })
    }

    fn guard(&self) -> Result<Guard, StoreError> {
        Ok(Guard::None)
    }
}
