//! The workers of a download: each asks for a range, takes in its pieces, and tries again where that may help.

use crate::{
    error::FetchError,
    fetch::Fetch,
    ledger::Ledger,
    part::{Finished, Part},
    source::{Fault, Object, Source},
    store::Store,
    throttle::Throttle,
};
use blake3::Hash;
use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{sleep, timeout};
use wharf_model::ContentDigest;

/// One request asks for at most so much, and for no less than so much if there is more.
const SPAN: std::ops::RangeInclusive<u64> = 1024 * 1024..=16 * 1024 * 1024;
/// Of requests for less than that there are so many times as many at once.
const SHORT: usize = 4;
/// An object that arrives otherwise than it should is fetched so often.
const SPOILED: u32 = 3;

/// How long is waited for a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How often one thing is tried while nothing more comes.
    pub tries: u32,
    /// How long is paused after the first try; each pause is twice as long as the one before.
    pub pause: Duration,
    /// How long a source may say nothing.
    pub silence: Duration,
}

impl Patience {
    /// For a server that is far away.
    pub const LONG: Self = Self { tries: 7, pause: Duration::from_millis(100), silence: Duration::from_secs(20) };

    /// Tries until it goes well, will never, or has been tried often enough.
    ///
    /// # Errors
    /// The last fault.
    pub async fn with<T, F>(self, attempt: impl Fn() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let mut pause = self.pause;
        for left in (0..self.tries).rev() {
            match self.wait(attempt()).await {
                Err(fault) if left > 0 && may_pass(&fault) => sleep(pause).await,
                done => return done,
            }
            pause *= 2;
        }
        Err(Fault::Passing("it was not tried".to_owned()))
    }

    async fn wait<T>(self, attempt: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let silent = |_| Err(Fault::Passing("it did not answer in time".to_owned()));
        timeout(self.silence, attempt).await.unwrap_or_else(silent)
    }
}

/// A list may be ahead of the objects.
fn may_pass(fault: &Fault) -> bool {
    matches!(fault, Fault::Passing(_) | Fault::Missing)
}

/// What all workers of a download share.
pub(crate) struct Work {
    pub(crate) store: Store,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) ledger: Ledger,
    pub(crate) patience: Patience,
    throttle: Throttle,
    span: u64,
    queue: Mutex<VecDeque<(Arc<Part>, Range<u64>)>>,
    whole: Mutex<HashMap<ContentDigest, Hash>>,
    done: AtomicU64,
}

impl Work {
    /// Work for so many workers, who bring so many bytes.
    pub(crate) fn new(order: &Fetch<'_>, ledger: Ledger, bytes: u64) -> Self {
        let Fetch { store, source, patience, connections, throttle, .. } = order;
        let (store, source, patience, throttle) = ((*store).clone(), source.clone(), *patience, (*throttle).clone());
        let turns = (*connections as u64).max(1) * 4;
        let span = (bytes / turns).clamp(*SPAN.start(), *SPAN.end());
        let (queue, whole, done) = (Mutex::default(), Mutex::default(), AtomicU64::new(0));
        Self { store, source, ledger, patience, throttle, span, queue, whole, done }
    }

    /// How many bytes are here.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub(crate) fn add_done(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What each object holds that is here, whole.
    pub(crate) fn whole(&self) -> MutexGuard<'_, HashMap<ContentDigest, Hash>> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<(Arc<Part>, Range<u64>)>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many workers it takes for what is asked for. Where answers are short, waiting for them is most of the time.
    pub(crate) fn workers(&self, connections: usize) -> usize {
        let queue = self.queue();
        let bytes: u64 = queue.iter().map(|(_, span)| span.end - span.start).sum();
        let short = bytes < queue.len() as u64 * SPAN.start();
        let most = if short { connections.saturating_mul(SHORT) } else { connections };
        most.clamp(1, queue.len().max(1))
    }

    /// Asks for all that is missing of an object, after everything else.
    pub(crate) fn ask_for(&self, part: &Arc<Part>) {
        self.queue().extend(part.missing(self.span).into_iter().map(|span| (part.clone(), span)));
    }

    /// Works until nothing is left to do.
    pub(crate) async fn run(self: Arc<Self>) -> Result<(), FetchError> {
        loop {
            let next = self.queue().pop_front();
            let Some((part, span)) = next else { return Ok(()) };
            self.fetch(&part, span).await?;
        }
    }

    fn fails(&self, object: &Object, fault: Fault) -> FetchError {
        FetchError::of(self.source.place(), Some(&object.key), fault)
    }

    /// Finds out what an object is to be held against, unless the answer that brings all of it says so.
    pub(crate) async fn ask_checksum(&self, part: &Part) -> Result<(), FetchError> {
        if part.checksum.get().is_none() {
            let connected = self.throttle.connect().await;
            let asked = self.patience.with(|| self.source.checksum(&part.object)).await;
            drop(connected);
            let told = asked.map_err(|fault| self.fails(&part.object, fault))?;
            // Two workers who ask are told the same.
            part.checksum.get_or_init(|| told);
        }
        Ok(())
    }

    async fn fetch(self: &Arc<Self>, part: &Arc<Part>, span: Range<u64>) -> Result<(), FetchError> {
        let object = &part.object;
        if span.end - span.start < object.size {
            self.ask_checksum(part).await?;
        }
        let file = part.open().map_err(FetchError::disk(format!("write {} of {}", object.key, self.source.place())))?;
        let (mut at, file) = (span.start, Arc::new(file));
        let (mut tries, mut pause) = (0, self.patience.pause);
        while at < span.end {
            let before = at;
            let Err(stopped) = self.stream(part, &file, &mut at, span.end).await else { break };
            let fault = match stopped {
                Stopped::Source(fault) if may_pass(&fault) => fault,
                Stopped::Source(fault) => return Err(self.fails(object, fault)),
                Stopped::Disk(error) => return Err(error),
            };
            if at > before {
                (tries, pause) = (0, self.patience.pause);
            }
            tries += 1;
            if tries >= self.patience.tries {
                return Err(self.fails(object, fault));
            }
            sleep(pause).await;
            pause *= 2;
        }
        Ok(())
    }

    /// Takes in one answer, and moves `at` behind each piece that is kept.
    async fn stream(
        self: &Arc<Self>,
        part: &Arc<Part>,
        file: &Arc<File>,
        at: &mut u64,
        end: u64,
    ) -> Result<(), Stopped> {
        // Whoever waits for others to be done is not waiting for the source.
        let _connected = self.throttle.connect().await;
        let get = self.source.get(&part.object, *at..end);
        let mut body = self.patience.wait(get).await?;
        if end - *at == part.object.size {
            part.checksum.get_or_init(|| body.checksum());
        }
        // The beginning of a piece: all that is ever put together in memory, and all that is lost when this ends.
        let mut begun = Vec::new();
        while *at < end {
            let Some(mut bytes) = self.patience.wait(body.next()).await? else {
                return Err(Fault::Passing("its answer broke off".to_owned()).into());
            };
            let came = bytes.len() as u64;
            if !begun.is_empty() {
                let lacks = length_of(part.piece_at(*at)) - begun.len();
                begun.extend_from_slice(&bytes.split_to(lacks.min(bytes.len())));
            }
            let first = part.whole_pieces(*at, begun.len() as u64);
            if begun.is_empty() || first > 0 {
                // All whole pieces at once, from where they came.
                let rest = bytes.split_to(length_of(part.whole_pieces(*at + first, bytes.len() as u64)));
                if first > 0 || !rest.is_empty() {
                    self.keep(part, file, *at, [&begun, &rest]).await.map_err(Stopped::Disk)?;
                    *at += first + rest.len() as u64;
                    begun.clear();
                }
            }
            begun.extend_from_slice(&bytes);
            self.throttle.took(came).await;
        }
        Ok(())
    }

    /// Keeps pieces in a row, and with the last one the object.
    async fn keep(
        self: &Arc<Self>,
        part: &Arc<Part>,
        file: &Arc<File>,
        at: u64,
        pieces: [&[u8]; 2],
    ) -> Result<(), FetchError> {
        let attempt = || FetchError::disk(format!("keep {} of {}", part.object.key, self.source.place()));
        // Right here: it takes less time than to hand it to somebody, and what is not kept yet is lost when this ends.
        let last = part.take(file, &self.ledger, at, pieces).map_err(attempt())?;
        self.add_done(pieces.iter().map(|pieces| pieces.len() as u64).sum());
        let finished = if !last {
            None
        } else if part.object.size <= *SPAN.start() {
            // A small one has nothing left that takes long.
            Some(part.finish(&self.store, &self.ledger))
        } else {
            let (work, ours) = (self.clone(), part.clone());
            Some(off_the_loop(move || ours.finish(&work.store, &work.ledger)).await)
        };
        let finished = finished.transpose().map_err(attempt())?;
        if finished.is_none() && part.is_summed_in_a_row() {
            let part = part.clone();
            // Whatever of this fails is tried again at the end.
            drop(tokio::task::spawn_blocking(move || part.follow()));
        }
        finished.map_or(Ok(()), |finished| self.finished(part, finished))
    }

    /// Notes what became of an object; one that was spoiled on the way is asked for again.
    pub(crate) fn finished(&self, part: &Arc<Part>, finished: Finished) -> Result<(), FetchError> {
        match finished {
            Finished::Kept(hash) => drop(self.whole().insert(part.id, hash)),
            Finished::Spoiled { times, expected, found } if times >= SPOILED => {
                let (place, object) = (self.source.place().to_owned(), part.object.key.clone());
                return Err(FetchError::Corrupt { place, object, times, expected, found });
            }
            Finished::Spoiled { .. } => {
                self.done.fetch_sub(part.object.size, Ordering::Relaxed);
                self.ask_for(part);
            }
        }
        Ok(())
    }
}

fn length_of(bytes: u64) -> usize {
    usize::try_from(bytes).expect("what is in memory can be counted")
}

/// Why an answer was not taken in to its end.
enum Stopped {
    Source(Fault),
    Disk(FetchError),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Source(fault)
    }
}

/// Runs work that waits for the disk where it holds up nothing else.
pub(crate) async fn off_the_loop<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check::Checksum, source::Body};
    use async_trait::async_trait;
    use std::{path::Path, sync::atomic::AtomicBool};

    const SUM: Checksum = Checksum::Crc32(0xcbf4_3926);

    /// A source that refuses to tell a sum once.
    struct Refusing(AtomicBool);

    #[async_trait]
    impl Source for Refusing {
        fn place(&self) -> &str {
            "s3://bucket/dir/"
        }

        async fn list(&self) -> Result<Vec<Object>, Fault> {
            Ok(Vec::new())
        }

        async fn checksum(&self, _: &Object) -> Result<Option<Checksum>, Fault> {
            let refused = Fault::Refused { said: "not now".to_owned(), help: "ask again".to_owned() };
            if self.0.swap(true, Ordering::Relaxed) { Ok(Some(SUM)) } else { Err(refused) }
        }

        async fn get(&self, _: &Object, _: Range<u64>) -> Result<Box<dyn Body>, Fault> {
            Err(Fault::Missing)
        }
    }

    /// Work for so many connections, which bring so many bytes, with a store in this folder.
    fn work(folder: &Path, connections: usize, bytes: u64) -> Work {
        let (store, content) = (Store::at(folder.join("store")), id("folder"));
        store.prepare().unwrap();
        let (ledger, _) = Ledger::open(&store.ledger(content), "now").unwrap();
        let order = Fetch {
            store: &store,
            source: Arc::new(Refusing(AtomicBool::new(false))),
            content,
            listing: None,
            name: Path::new("name"),
            connections,
            throttle: &Throttle::default(),
            patience: Patience::LONG,
            say: &|_| {},
        };
        Work::new(&order, ledger, bytes)
    }

    fn id(name: &str) -> ContentDigest {
        ContentDigest::of([name.as_bytes()])
    }

    /// How many workers it takes for so many objects of so many bytes, with two connections.
    fn workers(count: usize, size: u64) -> usize {
        let folder = tempfile::tempdir().unwrap();
        let work = work(folder.path(), 2, size * count as u64);
        for number in 0..count {
            let key = number.to_string();
            let (id, object) = (id(&key), Object { key, size, tag: String::new() });
            work.ask_for(&Arc::new(Part::new(&work.store, object, id, 8 << 10)));
        }
        work.workers(2)
    }

    #[test]
    fn short_answers_are_waited_for_together() {
        assert_eq!(workers(100, 16 << 10), 2 * SHORT);
        assert_eq!(workers(100, 2 << 20), 2);
        assert_eq!(workers(3, 16 << 10), 3, "no more than there is to ask for");
        assert_eq!(workers(0, 1), 1);
    }

    #[tokio::test]
    async fn a_sum_that_could_not_be_asked_for_is_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let work = work(folder.path(), 1, 9);
        let object = Object { key: "a".to_owned(), size: 9, tag: String::new() };
        let part = Part::new(&work.store, object, id("a"), 8 << 10);
        work.ask_checksum(&part).await.unwrap_err();
        assert_eq!(part.checksum.get(), None, "others still ask");
        work.ask_checksum(&part).await.unwrap();
        assert_eq!(part.checksum.get(), Some(&Some(SUM)));
    }
}
