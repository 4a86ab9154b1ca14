//! One object on its way: a file that grows piece by piece, in any order, until it is whole and verified.

use crate::{
    check::Checksum,
    ledger::{self, Ledger},
    piece::{bytes_of, count, hash_of_file, hash_piece, spans},
    source::Object,
    store::{Store, folder},
};
use blake3::{Hash, hazmat::ChainingValue};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, Permissions},
    io,
    ops::Range,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::PathBuf,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};
use wharf_model::ContentDigest;

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
        Self { path: store.part(id), object, id, piece, checksum: OnceLock::new(), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file, to be written to.
    pub(crate) fn open(&self) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.path)
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

    fn sum(&self, bytes: &[u8]) -> u64 {
        self.checksum.get().copied().flatten().map_or(0, |checksum| checksum.of_piece(bytes))
    }

    fn has(&self, index: u64, hash: ChainingValue, sum: u64) -> bool {
        let mut state = self.state();
        let place = usize::try_from(index).ok().and_then(|index| state.pieces.get_mut(index));
        if place.is_some_and(|place| place.replace((hash, sum)).is_none()) {
            state.missing -= 1;
        }
        state.missing == 0
    }

    /// Keeps whole pieces in a row, the first of which begins at `at`. Says whether there was the last one among them. Blocks.
    pub(crate) fn take(&self, file: &File, ledger: &Ledger, at: u64, bytes: &[u8]) -> io::Result<bool> {
        file.write_all_at(bytes, at)?;
        let length = usize::try_from(self.piece).unwrap_or(usize::MAX);
        let (mut lines, mut last) = (String::new(), false);
        for (index, piece) in (at / self.piece..).zip(bytes.chunks(length)) {
            let hash = hash_piece(piece, index * self.piece, self.object.size);
            lines.push_str(&ledger::piece(self.id, self.piece, index, &hash));
            last = self.has(index, hash, self.sum(piece));
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
        if let Some(expected) = self.checksum.get().copied().flatten() {
            let lengths = (0..).map(|index| {
                let Range { start, end } = bytes_of(index, self.object.size, self.piece);
                end - start
            });
            let sums = pieces.iter().map(|(_, sum)| *sum).zip(lengths);
            let found = expected.of_file(sums, &self.path)?;
            if found != expected {
                ledger.again(self.id)?;
                return Ok(Finished::Spoiled { times: self.begin_anew(), expected, found });
            }
        }
        let hashes: Vec<_> = pieces.into_iter().map(|(hash, _)| hash).collect();
        let hash = hash_of_file(&hashes, self.object.size, self.piece);
        let kept = store.object(hash);
        kept.parent().map_or(Ok(()), folder)?;
        fs::set_permissions(&self.path, Permissions::from_mode(0o444))?;
        fs::rename(&self.path, &kept)?;
        ledger.whole(self.id, hash)?;
        Ok(Finished::Kept(hash))
    }

    fn begin_anew(&self) -> u32 {
        let mut state = self.state();
        state.pieces.fill(None);
        state.missing = state.pieces.len();
        state.spoiled += 1;
        state.spoiled
    }
}
