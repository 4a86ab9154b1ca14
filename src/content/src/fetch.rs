//! Brings a folder here: lists it, fetches what is missing, makes the snapshot, and lends it to whoever asked. What is cut
//! off anywhere is taken up by the next try.

use crate::{
    doubt,
    error::FetchError,
    ledger::{self, Arrived, Ledger},
    listing::{Listing, identity},
    pace::Pace,
    part::Part,
    piece::piece_size,
    snapshot,
    source::{Object, Source},
    store::Store,
    throttle::Throttle,
    work::{Patience, Work, off_the_loop},
};
use blake3::Hash;
use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use wharf_model::ContentDigest;

/// A list that is not the one that is wanted may be out of date, and is asked for so often.
const LISTS: u32 = 3;
/// How long is paused before it is asked for again.
const LIST_AGAIN: Duration = Duration::from_millis(500);
/// Said when what is here is not believed.
const READS: &str = "reads what is here again, as the machine went down before the disk had all of it";

/// What is to be brought.
pub struct Fetch<'a> {
    /// Where it is kept.
    pub store: &'a Store,
    /// Where it comes from.
    pub source: Arc<dyn Source>,
    /// What the source must still hold: the digest of its listing.
    pub content: ContentDigest,
    /// That listing, where somebody had it before; the source is asked for it otherwise.
    pub listing: Option<Listing>,
    /// The name under which it is lent: a link to the snapshot, which is kept for as long as the link is there.
    pub name: &'a Path,
    /// How many requests there are at once for this folder; four times as many where its objects are small. All that is
    /// brought together keeps to the throttle besides.
    pub connections: usize,
    /// What it shares with other downloads.
    pub throttle: &'a Throttle,
    /// How long is waited for the source.
    pub patience: Patience,
    /// Takes words on how it goes.
    pub say: &'a (dyn Fn(String) + Send + Sync),
}

/// Brings a folder here. When it returns `Ok`, the name leads to a snapshot every byte of which is verified. Doing it again
/// changes nothing; it may be dropped at any await, and goes on from there when done again.
///
/// # Errors
/// When the folder holds something else by now, or cannot be brought.
pub async fn fetch(order: &Fetch<'_>) -> Result<(), FetchError> {
    let Fetch { store, source, content, say, .. } = order;
    let (kept, folder) = ((*store).clone(), ContentDigest::of([source.place().as_bytes()]));
    let attempt = || FetchError::disk(format!("keep {} in {}", source.place(), store.root().display()));
    let begin = {
        let kept = kept.clone();
        off_the_loop(move || {
            kept.prepare()?;
            Ok((kept.hold()?, kept.turn(folder, false)?))
        })
    };
    let (held, turn) = begin.await.map_err(attempt())?;
    if store.find(*content).is_some() {
        return lend(order);
    }
    // Nothing goes while somebody fetches, so room is made before.
    drop(held);
    let _turn = match turn {
        Some(turn) => Some(turn),
        None => {
            say("waits for another download of the same folder".to_owned());
            let kept = kept.clone();
            off_the_loop(move || kept.turn(folder, true)).await.map_err(attempt())?
        }
    };
    if store.is_doubtful(*content) {
        say(READS.to_owned());
    }
    let looking = {
        let (kept, content) = (kept.clone(), *content);
        off_the_loop(move || {
            let held = kept.hold()?;
            kept.dispel(content)?;
            Ok(held)
        })
    };
    let held = looking.await.map_err(attempt())?;
    // Somebody else has brought it, or the disk has kept it: nobody is asked for it then.
    if store.find(*content).is_some() {
        return lend(order);
    }
    drop(held);
    let listing = match &order.listing {
        Some(known) if known.digest() == *content => known.clone(),
        _ => list(order).await?,
    };
    make_sure(order, &listing, folder).await.map_err(attempt())?;
    let clear = |wait| {
        let (kept, listing) = (kept.clone(), listing.clone());
        off_the_loop(move || make_room(&kept, &listing, folder, wait))
    };
    if clear(false).await.map_err(attempt())? {
        say("waits for room: nothing can go while something else is fetched".to_owned());
        clear(true).await.map_err(attempt())?;
    }
    let holding = {
        let kept = kept.clone();
        off_the_loop(move || kept.hold())
    };
    let _held = holding.await.map_err(attempt())?;
    if store.find(*content).is_none() {
        let hashes = bring(order, &listing, folder).await?;
        let place = listing.place().to_owned();
        let made = off_the_loop(move || {
            let whole = |object: &Object| hashes[&identity(&place, object)];
            snapshot::make(&kept, &listing, whole)?;
            ledger::close(&kept.ledger(folder), &doubt::run()?, &hashes)
        });
        made.await.map_err(attempt())?;
    }
    lend(order)
}

/// Reads what is here of a list and may not be what it was, as the machine went down since.
async fn make_sure(order: &Fetch<'_>, listing: &Listing, folder: ContentDigest) -> io::Result<()> {
    let (store, listing, ledger) = (order.store.clone(), listing.clone(), order.store.ledger(folder));
    if !store.is_unsure(&listing, &ledger)? {
        return Ok(());
    }
    (order.say)(READS.to_owned());
    off_the_loop(move || store.make_sure(&listing, &ledger)).await
}

/// Makes room for what is not here of a list. What is here of it stays. Answers whether others should be waited for first.
fn make_room(store: &Store, listing: &Listing, folder: ContentDigest, wait: bool) -> io::Result<bool> {
    let arrived = Arrived::read(&store.ledger(folder), &doubt::run()?)?;
    let here: Vec<_> =
        listing.files().filter_map(|object| Some((kept(store, listing, object, &arrived)?, object.size))).collect();
    let begun = listing.files().map(|object| store.taken(identity(listing.place(), object), object.size));
    let have = here.iter().map(|(_, size)| *size).chain(begun).sum();
    let coming = listing.bytes().saturating_sub(have);
    store.make_room(coming, &here.into_iter().map(|(hash, _)| hash).collect(), wait)
}

/// What an object holds that has arrived and is still kept.
fn kept(store: &Store, listing: &Listing, object: &Object, arrived: &Arrived) -> Option<Hash> {
    let hash = *arrived.whole.get(&identity(listing.place(), object))?;
    store.has(hash, object.size).then_some(hash)
}

/// Lends the snapshot, which the disk has a while later.
fn lend(order: &Fetch<'_>) -> Result<(), FetchError> {
    let (store, content) = (order.store.clone(), order.content);
    store.lend(content, order.name)?;
    // What of this comes to no end here is left to the next who waits for the disk.
    drop(tokio::task::spawn_blocking(move || store.settle()));
    Ok(())
}

/// The list, which must be the one that is wanted.
async fn list(order: &Fetch<'_>) -> Result<Listing, FetchError> {
    let place = order.source.place();
    for left in (0..LISTS).rev() {
        let connected = order.throttle.connect().await;
        let objects = order.patience.with(|| order.source.list()).await;
        drop(connected);
        let objects = objects.map_err(|fault| FetchError::of(place, None, fault))?;
        match Listing::of(place, objects) {
            Ok(listing) if listing.digest() == order.content => return Ok(listing),
            Err(problems) => return Err(FetchError::Names { place: place.to_owned(), problems }),
            Ok(_) if left > 0 => tokio::time::sleep(LIST_AGAIN).await,
            Ok(_) => {}
        }
    }
    Err(FetchError::Changed { place: place.to_owned(), object: None })
}

/// Fetches what is missing. Answers what each object holds.
async fn bring(
    order: &Fetch<'_>,
    listing: &Listing,
    folder: ContentDigest,
) -> Result<HashMap<ContentDigest, Hash>, FetchError> {
    let Fetch { store, source, .. } = order;
    let attempt = || FetchError::disk(format!("keep {} in {}", source.place(), store.root().display()));
    let (ledger, arrived) = doubt::run().and_then(|run| Ledger::open(&store.ledger(folder), &run)).map_err(attempt())?;
    let work = Arc::new(Work::new(order, ledger, listing.bytes()));
    let parts = missing(&work, listing, &arrived);
    for part in parts.iter().filter(|part| arrived.pieces.contains_key(&part.id)) {
        take_up(&work, part, &arrived).await?;
    }
    let needed = parts.iter().map(|part| part.object.size - store.taken(part.id, part.object.size)).sum();
    let free = store.disk().map_err(attempt())?.free;
    if needed > free {
        let (place, at) = (source.place().to_owned(), store.root().to_owned());
        return Err(FetchError::NoRoom { place, at, needed, free });
    }
    for part in &parts {
        if part.is_whole() && !work.whole().contains_key(&part.id) {
            finish(&work, part).await?;
        }
        work.ask_for(part);
    }
    run(order, &work, listing.bytes()).await?;
    let whole = work.whole().clone();
    Ok(whole)
}

/// The objects that are not here yet. Those that are, are noted.
fn missing(work: &Work, listing: &Listing, arrived: &Arrived) -> Vec<Arc<Part>> {
    let usual = piece_size(listing.bytes());
    let mut parts = Vec::new();
    for object in listing.files() {
        let id = identity(listing.place(), object);
        match kept(&work.store, listing, object, arrived) {
            Some(hash) => {
                work.whole().insert(id, hash);
                work.add_done(object.size);
            }
            None => {
                let piece = arrived.pieces.get(&id).map_or(usual, |(piece, _)| *piece);
                parts.push(Arc::new(Part::new(&work.store, object.clone(), id, piece)));
            }
        }
    }
    parts
}

/// Takes up what an earlier try has left of an object.
async fn take_up(work: &Arc<Work>, part: &Arc<Part>, arrived: &Arrived) -> Result<(), FetchError> {
    let Some((_, known)) = arrived.pieces.get(&part.id) else { return Ok(()) };
    work.ask_checksum(part).await?;
    let (ours, known) = (part.clone(), known.clone());
    let found = off_the_loop(move || ours.take_up(&known)).await;
    work.add_done(found.map_err(FetchError::disk(format!("read what is here of {}", part.object.key)))?);
    Ok(())
}

/// Keeps an object of which nothing is to be fetched any more.
async fn finish(work: &Arc<Work>, part: &Arc<Part>) -> Result<(), FetchError> {
    let (ours, at) = (part.clone(), work.clone());
    let finished = off_the_loop(move || ours.finish(&at.store, &at.ledger)).await;
    work.finished(part, finished.map_err(FetchError::disk(format!("keep {}", part.object.key)))?)
}

/// Lets the workers work, and tells how it goes: often in the beginning, then less.
async fn run(order: &Fetch<'_>, work: &Arc<Work>, whole: u64) -> Result<(), FetchError> {
    let mut workers = JoinSet::new();
    for _ in 0..work.workers(order.connections) {
        workers.spawn(work.clone().run());
    }
    let (began, mut pace) = (Instant::now(), Pace::begin(work.done()));
    loop {
        let pause = if began.elapsed() < Duration::from_secs(10) { 1 } else { 5 };
        match tokio::time::timeout(Duration::from_secs(pause), workers.join_next()).await {
            Ok(None) => return Ok(()),
            Ok(Some(Ok(worked))) => worked?,
            Ok(Some(Err(error))) => {
                return Err(FetchError::disk("go on with a download")(io::Error::other(error)));
            }
            Err(_) => {
                pace = pace.next(work.done(), began.elapsed());
                (order.say)(pace.words(whole));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        check::Checksum,
        source::{Body, Fault},
    };
    use async_trait::async_trait;
    use bytes::Bytes;
    use std::{
        ops::Range,
        sync::atomic::{AtomicUsize, Ordering},
    };

    /// A folder of one file, which counts how often it is listed.
    #[derive(Default)]
    struct Counted(AtomicUsize);

    struct Told(Option<Bytes>);

    #[async_trait]
    impl Body for Told {
        async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
            Ok(self.0.take())
        }

        fn checksum(&self) -> Option<Checksum> {
            None
        }
    }

    #[async_trait]
    impl Source for Counted {
        fn place(&self) -> &str {
            "s3://bucket/dir/"
        }

        async fn list(&self) -> Result<Vec<Object>, Fault> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(vec![Object { key: "a".to_owned(), size: 3, tag: String::new() }])
        }

        async fn checksum(&self, _: &Object) -> Result<Option<Checksum>, Fault> {
            Ok(None)
        }

        async fn get(&self, _: &Object, _: Range<u64>) -> Result<Box<dyn Body>, Fault> {
            Ok(Box::new(Told(Some(Bytes::from_static(b"abc")))))
        }
    }

    async fn listings(given: impl FnOnce(Listing) -> Option<Listing>) -> usize {
        let folder = tempfile::tempdir().unwrap();
        let source = Arc::new(Counted::default());
        let listing = Listing::of(source.place(), source.list().await.unwrap()).unwrap();
        let (store, name) = (Store::at(folder.path().join("store")), folder.path().join("name"));
        let order = Fetch {
            store: &store,
            source: source.clone(),
            content: listing.digest(),
            listing: given(listing),
            name: &name,
            connections: 2,
            throttle: &Throttle::default(),
            patience: Patience::LONG,
            say: &|_| {},
        };
        fetch(&order).await.unwrap();
        assert_eq!(std::fs::read(name.join("a")).unwrap(), b"abc");
        source.0.load(Ordering::Relaxed) - 1
    }

    #[tokio::test]
    async fn what_was_listed_before_is_not_listed_again() {
        assert_eq!(listings(Some).await, 0);
        assert_eq!(listings(|_| None).await, 1);
        let other = |_| Some(Listing::of("s3://bucket/dir/", Vec::new()).unwrap());
        assert_eq!(listings(other).await, 1, "that was a list of something else");
    }
}
