//! One object on its way: a file that grows piece by piece, in any order, until it is whole and verified.

use crate::{
    check::Checksum,
    follow::Following,
    ledger::{self, Ledger},
    piece::{bytes_of, count, hash_of_file, hash_piece, spans},
    source::Object,
    store::{Store, folder},
};
use blake3::{Hash, hazmat::ChainingValue};
use rustix::fs::FallocateFlags;
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, IoSlice},
    ops::Range,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::PathBuf,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};
use wharf_model::ContentDigest;

/// A sum that follows the download goes on over so much in one turn.
const TURN: u64 = 16 * 1024 * 1024;

/// What is at least so large gets its room on the disk at once, in bytes: writing to room that is there takes half as long.
pub(crate) const LARGE: u64 = 4 * 1024 * 1024;

/// An object on its way.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) object: Object,
    pub(crate) id: ContentDigest,
    piece: u64,
    path: PathBuf,
    /// What the source has said to hold it against; set before the first piece is taken.
    pub(crate) checksum: OnceLock<Option<Checksum>>,
    state: Mutex<State>,
    /// Of the checksum that must see all bytes in a row.
    following: Mutex<Following>,
}

#[derive(Debug)]
struct State {
    /// By piece, its hash and its part of the checksum.
    pieces: Vec<Option<(ChainingValue, u64)>>,
    missing: usize,
    /// How often it arrived otherwise than it should.
    spoiled: u32,
}

/// What became of an object all of whose pieces are here.
#[derive(Debug)]
pub(crate) enum Finished {
    /// It is kept.
    Kept(Hash),
    /// It is not what the source says.
    Spoiled { times: u32, expected: Checksum, found: Checksum },
}

impl Part {
    pub(crate) fn new(store: &Store, object: Object, id: ContentDigest, piece: u64) -> Self {
        let pieces = usize::try_from(count(object.size, piece)).expect("a list in memory has no more");
        let state = State { pieces: vec![None; pieces], missing: pieces, spoiled: 0 };
        let (path, state, following) = (store.part(id), Mutex::new(state), Mutex::default());
        Self { path, object, id, piece, checksum: OnceLock::new(), state, following }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn following(&self) -> MutexGuard<'_, Following> {
        self.following.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expected(&self) -> Option<Checksum> {
        self.checksum.get().copied().flatten()
    }

    /// The file, to be written to.
    pub(crate) fn open(&self) -> io::Result<File> {
        let open =
            || OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.path);
        let file = match open() {
            // Somebody was killed who had it all but kept.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                fs::set_permissions(&self.path, Permissions::from_mode(0o600))?;
                open()
            }
            opened => opened,
        }?;
        if self.object.size >= LARGE && file.metadata()?.len() < self.object.size {
            // Whatever of this is not to be had is made as it is written.
            let _ = rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, self.object.size);
        }
        Ok(file)
    }

    /// What is still to be asked for, at most so much at once.
    pub(crate) fn missing(&self, most: u64) -> Vec<Range<u64>> {
        let has: Vec<_> = self.state().pieces.iter().map(Option::is_some).collect();
        spans(&has, self.object.size, self.piece, most)
    }

    /// How many of so many bytes from `at` on are whole pieces.
    pub(crate) fn whole_pieces(&self, at: u64, bytes: u64) -> u64 {
        let end = at + bytes;
        if end >= self.object.size { self.object.size - at } else { bytes - bytes % self.piece }
    }

    /// How long the piece is that begins at `at`.
    pub(crate) fn piece_at(&self, at: u64) -> u64 {
        self.piece.min(self.object.size - at)
    }

    fn sum(&self, bytes: &[u8]) -> u64 {
        self.expected().map_or(0, |checksum| checksum.of_piece(bytes))
    }

    fn has(&self, index: u64, hash: ChainingValue, sum: u64) -> bool {
        let mut state = self.state();
        let place = usize::try_from(index).ok().and_then(|index| state.pieces.get_mut(index));
        if place.is_some_and(|place| place.replace((hash, sum)).is_none()) {
            state.missing -= 1;
        }
        state.missing == 0
    }

    /// Keeps whole pieces in a row, the first of which begins at `at`; they may lie in two places. Says whether there was the
    /// last one among them. Blocks.
    pub(crate) fn take(&self, file: &File, ledger: &Ledger, at: u64, bytes: [&[u8]; 2]) -> io::Result<bool> {
        write_both_at(file, bytes, at)?;
        let length: u64 = bytes.iter().map(|bytes| bytes.len() as u64).sum();
        if length == self.object.size && self.is_summed_in_a_row() {
            bytes.iter().for_each(|bytes| self.following().see(bytes));
        }
        let piece = usize::try_from(self.piece).unwrap_or(usize::MAX);
        let (mut lines, mut last) = (String::new(), false);
        for (index, bytes) in (at / self.piece..).zip(bytes.iter().flat_map(|bytes| bytes.chunks(piece))) {
            let hash = hash_piece(bytes, index * self.piece, self.object.size);
            lines.push_str(&ledger::piece(self.id, self.piece, index, &hash));
            last = self.has(index, hash, self.sum(bytes));
        }
        // What is a single piece is whole or not there.
        if self.object.size > self.piece {
            ledger.write(&lines)?;
        }
        Ok(last)
    }

    /// Takes up what an earlier try has left, as far as the disk still holds what was written down. Answers how many bytes
    /// that are. Blocks.
    pub(crate) fn take_up(&self, known: &BTreeMap<u64, ChainingValue>) -> io::Result<u64> {
        let (file, mut buffer, mut found) = (self.open()?, Vec::new(), 0);
        for (index, hash) in known {
            let Range { start, end } = bytes_of(*index, self.object.size, self.piece);
            if start >= end {
                continue;
            }
            buffer.resize(usize::try_from(end - start).unwrap_or(0), 0);
            let read = file.read_exact_at(&mut buffer, start);
            if read.is_ok() && hash_piece(&buffer, start, self.object.size) == *hash {
                self.has(*index, *hash, self.sum(&buffer));
                found += end - start;
            }
        }
        Ok(found)
    }

    /// Whether what the source says of it is a sum that must see all bytes in a row.
    pub(crate) fn is_summed_in_a_row(&self) -> bool {
        self.expected().is_some_and(Checksum::is_in_a_row)
    }

    /// Lets a sum that must see all bytes in a row go on over some of those that are here, unless somebody is at it. Blocks.
    pub(crate) fn follow(&self) -> io::Result<()> {
        let Some(mut following) = self.following.try_lock().ok().filter(|_| self.is_summed_in_a_row()) else {
            return Ok(());
        };
        let at = following.at();
        let end = self.here_from(at).min(at + TURN);
        if end > at { following.read_up_to(&self.open()?, end) } else { Ok(()) }
    }

    /// Up to where everything is here that comes behind `at`.
    fn here_from(&self, at: u64) -> u64 {
        let first = usize::try_from(at / self.piece).unwrap_or(usize::MAX);
        let here = self.state().pieces.iter().skip(first).take_while(|piece| piece.is_some()).count();
        ((first + here) as u64 * self.piece).min(self.object.size)
    }

    /// Whether all pieces are here.
    pub(crate) fn is_whole(&self) -> bool {
        self.state().missing == 0
    }

    /// Holds the object against what the source says, and keeps it if it is that. Otherwise it begins anew. Blocks.
    pub(crate) fn finish(&self, store: &Store, ledger: &Ledger) -> io::Result<Finished> {
        if self.object.size == 0 {
            drop(self.open()?);
        }
        let pieces: Vec<_> = self.state().pieces.iter().copied().flatten().collect();
        if let Some(expected) = self.expected() {
            let lengths = (0..).map(|index| {
                let Range { start, end } = bytes_of(index, self.object.size, self.piece);
                end - start
            });
            let found = match expected.of_pieces(pieces.iter().map(|(_, sum)| *sum).zip(lengths)) {
                Some(found) => found,
                None => {
                    let mut following = self.following();
                    following.read_up_to(&self.open()?, self.object.size)?;
                    following.sum()
                }
            };
            if found != expected {
                ledger.again(self.id)?;
                return Ok(Finished::Spoiled { times: self.begin_anew(), expected, found });
            }
        }
        let hashes: Vec<_> = pieces.into_iter().map(|(hash, _)| hash).collect();
        let hash = hash_of_file(&hashes, self.object.size, self.piece);
        let kept = store.object(hash);
        // The disk may have what is kept, and not yet what has arrived; others rely on that.
        if store.has(hash, self.object.size) && store.is_sound(hash) {
            ledger.whole(self.id, hash)?;
            fs::remove_file(&self.path)?;
            return Ok(Finished::Kept(hash));
        }
        kept.parent().map_or(Ok(()), folder)?;
        fs::set_permissions(&self.path, Permissions::from_mode(0o444))?;
        fs::rename(&self.path, &kept)?;
        ledger.whole(self.id, hash)?;
        Ok(Finished::Kept(hash))
    }

    fn begin_anew(&self) -> u32 {
        // Both at once: a sum that follows in between would go over what is not to count any more.
        let (mut following, mut state) = (self.following(), self.state());
        *following = Following::default();
        state.pieces.fill(None);
        state.missing = state.pieces.len();
        state.spoiled += 1;
        state.spoiled
    }
}

/// Writes what lies in two places as if it were in one.
fn write_both_at(file: &File, [first, rest]: [&[u8]; 2], at: u64) -> io::Result<()> {
    let written = if first.is_empty() || rest.is_empty() {
        0
    } else {
        rustix::io::retry_on_intr(|| rustix::io::pwritev(file, &[first, rest].map(IoSlice::new), at))?
    };
    let (first, rest) = (first.get(written..).unwrap_or_default(), &rest[written.saturating_sub(first.len())..]);
    file.write_all_at(first, at + written as u64)?;
    file.write_all_at(rest, at + (written + first.len()) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

    #[test]
    fn a_part_that_was_all_but_kept_is_written_to_again() {
        // Who may do everything could write to it anyway. This thread may no longer.
        let mut mine = capabilities(None).unwrap();
        mine.effective.remove(CapabilitySet::DAC_OVERRIDE);
        set_capabilities(None, mine).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().join("store"));
        store.prepare().unwrap();
        let object = Object { key: "a".to_owned(), size: 3, tag: String::new() };
        let part = Part::new(&store, object, ContentDigest::of([b"a".as_slice()]), 8 << 10);
        drop(part.open().unwrap());
        fs::set_permissions(&part.path, Permissions::from_mode(0o444)).unwrap();
        part.open().unwrap().write_all_at(b"abc", 0).unwrap();
        assert_eq!(fs::read(&part.path).unwrap(), b"abc");
    }

    #[test]
    fn a_large_object_has_its_room_from_the_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().join("store"));
        store.prepare().unwrap();
        for (name, size, taken) in [("small", LARGE - 1, 0), ("large", LARGE, LARGE)] {
            let id = ContentDigest::of([name.as_bytes()]);
            let object = Object { key: name.to_owned(), size, tag: String::new() };
            assert_eq!(store.taken(id, size), 0, "{name}");
            Part::new(&store, object, id, 8 << 10).open().unwrap();
            assert_eq!(store.taken(id, size), taken, "{name}");
        }
        assert_eq!(store.usage().unwrap().arriving, LARGE);
    }

    #[test]
    fn no_sum_follows_over_what_counts_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().join("store"));
        let object = Object { key: "a".to_owned(), size: 3, tag: String::new() };
        let part = Part::new(&store, object, ContentDigest::of([b"a".as_slice()]), 8 << 10);
        part.has(0, *blake3::hash(b"abc").as_bytes(), 0);
        part.following().see(b"abc");
        std::thread::scope(|scope| {
            let state = part.state();
            let anew = scope.spawn(|| part.begin_anew());
            // While what is here still counts, nobody finds a sum at its beginning.
            while part.following.try_lock().is_ok_and(|following| following.at() > 0) {
                std::thread::yield_now();
            }
            assert!((0..100).all(|_| part.following.try_lock().is_err()), "somebody could follow");
            drop(state);
            assert_eq!(anew.join().unwrap(), 1);
        });
        assert_eq!((part.following().at(), part.is_whole()), (0, false));
    }
}
