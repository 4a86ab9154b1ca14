//! The workers of a download: each asks for a range, takes in its pieces, and tries again where that may help.

use crate::{
    error::FetchError,
    fetch::Fetch,
    ledger::Ledger,
    part::{Finished, Part},
    source::{Fault, Object, Source},
    store::Store,
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
    span: u64,
    queue: Mutex<VecDeque<(Arc<Part>, Range<u64>)>>,
    whole: Mutex<HashMap<ContentDigest, Hash>>,
    done: AtomicU64,
}

impl Work {
    /// Work for so many workers, who bring so many bytes.
    pub(crate) fn new(order: &Fetch<'_>, ledger: Ledger, bytes: u64) -> Self {
        let Fetch { store, source, patience, connections, .. } = order;
        let (store, source, patience) = ((*store).clone(), source.clone(), *patience);
        let turns = (*connections as u64).max(1) * 4;
        let span = (bytes / turns).clamp(*SPAN.start(), *SPAN.end());
        let (queue, whole, done) = (Mutex::default(), Mutex::default(), AtomicU64::new(0));
        Self { store, source, ledger, patience, span, queue, whole, done }
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
            let asked = self.patience.with(|| self.source.checksum(&part.object)).await;
            // Two workers who ask are told the same.
            part.checksum.get_or_init(|| asked.as_ref().ok().copied().flatten());
            asked.map_err(|fault| self.fails(&part.object, fault))?;
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
        let get = self.source.get(&part.object, *at..end);
        let mut body = self.patience.wait(get).await?;
        if end - *at == part.object.size {
            part.checksum.get_or_init(|| body.checksum());
        }
        let mut waiting = Vec::new();
        while *at < end {
            let Some(bytes) = self.patience.wait(body.next()).await? else {
                return Err(Fault::Passing("its answer broke off".to_owned()).into());
            };
            waiting.extend_from_slice(&bytes);
            // All whole pieces at once, as soon as they are here: what waits is lost when this ends.
            let whole = part.whole_pieces(*at, waiting.len() as u64);
            if whole > 0 {
                let rest = waiting.split_off(length_of(whole));
                self.keep(part, file, *at, waiting).await.map_err(Stopped::Disk)?;
                *at += whole;
                waiting = rest;
            }
        }
        Ok(())
    }

    /// Keeps pieces in a row, and with the last one the object.
    async fn keep(
        self: &Arc<Self>,
        part: &Arc<Part>,
        file: &Arc<File>,
        at: u64,
        pieces: Vec<u8>,
    ) -> Result<(), FetchError> {
        let (work, ours, file) = (self.clone(), part.clone(), file.clone());
        let kept = off_the_loop(move || {
            let last = ours.take(&file, &work.ledger, at, &pieces)?;
            work.add_done(pieces.len() as u64);
            if last { ours.finish(&work.store, &work.ledger).map(Some) } else { Ok(None) }
        });
        let attempt = format!("keep {} of {}", part.object.key, self.source.place());
        let finished = kept.await.map_err(FetchError::disk(attempt))?;
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
