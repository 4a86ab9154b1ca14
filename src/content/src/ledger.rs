//! What has arrived, written down as it arrives: a line for each piece, and one for each whole object. A line that was
//! torn off counts for nothing, and a piece counts only where the disk still bears it out.

use blake3::{Hash, hazmat::ChainingValue};
use std::{
    collections::{BTreeMap, HashMap},
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::Mutex,
};
use wharf_model::ContentDigest;

/// What a ledger says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// Objects that arrived whole and were verified: what they hold.
    pub(crate) whole: HashMap<ContentDigest, Hash>,
    /// Of the others, how large their pieces are, and the hashes of those that arrived.
    pub(crate) pieces: HashMap<ContentDigest, (u64, BTreeMap<u64, ChainingValue>)>,
}

/// A ledger that is written on.
#[derive(Debug)]
pub(crate) struct Ledger(Mutex<File>);

impl Ledger {
    /// Opens the ledger, and reads what it says.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Arrived)> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        if bytes.last().is_some_and(|last| *last != b'\n') {
            file.write_all(b"\n")?;
        }
        Ok((Self(Mutex::new(file)), read(&String::from_utf8_lossy(&bytes))))
    }

    pub(crate) fn whole(&self, of: ContentDigest, hash: Hash) -> io::Result<()> {
        self.write(&format!("whole {of} {hash}\n"))
    }

    /// From now on, no piece of the object counts.
    pub(crate) fn again(&self, of: ContentDigest) -> io::Result<()> {
        self.write(&format!("again {of}\n"))
    }

    /// Writes lines, at once.
    pub(crate) fn write(&self, lines: &str) -> io::Result<()> {
        let mut file = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.write_all(lines.as_bytes())
    }
}

/// The line for a piece that has arrived.
pub(crate) fn piece(of: ContentDigest, piece: u64, index: u64, hash: &ChainingValue) -> String {
    format!("piece {of} {piece} {index} {}\n", hex::encode(hash))
}

/// The ledger of a download that is over: nothing but what arrived whole.
pub(crate) fn closed(whole: &HashMap<ContentDigest, Hash>) -> String {
    whole.iter().map(|(of, hash)| format!("whole {of} {hash}\n")).collect()
}

fn read(text: &str) -> Arrived {
    let mut arrived = Arrived::default();
    for line in text.lines() {
        // What makes no sense was torn off, and is fetched again.
        let _known = read_line(&mut arrived, line);
    }
    arrived
}

fn read_line(arrived: &mut Arrived, line: &str) -> Option<()> {
    let mut words = line.split(' ');
    let (word, of) = (words.next()?, words.next()?.parse::<ContentDigest>().ok()?);
    match word {
        "whole" => {
            arrived.whole.insert(of, Hash::from_hex(words.next()?).ok()?);
            arrived.pieces.remove(&of);
        }
        "again" => drop(arrived.pieces.remove(&of)),
        "piece" => {
            let (piece, index): (u64, u64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            let hash = Hash::from_hex(words.next()?).ok()?;
            let known = arrived.pieces.entry(of).or_insert_with(|| (piece, BTreeMap::new()));
            if known.0 == piece && piece.is_power_of_two() && piece >= 1_024 {
                known.1.insert(index, *hash.as_bytes());
            }
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_that_was_torn_off_says_what_stood_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let (one, two) = (ContentDigest::of([b"1".as_slice()]), ContentDigest::of([b"2".as_slice()]));
        let hash = blake3::hash(b"x");
        let (ledger, arrived) = Ledger::open(&path).unwrap();
        assert_eq!(arrived, Arrived::default());
        ledger.write(&piece(one, 1_024, 0, hash.as_bytes())).unwrap();
        ledger.write(&piece(one, 1_024, 3, hash.as_bytes())).unwrap();
        ledger.write(&piece(two, 1_024, 0, hash.as_bytes())).unwrap();
        ledger.whole(two, hash).unwrap();
        let length = std::fs::metadata(&path).unwrap().len();
        ledger.write(&piece(one, 1_024, 4, hash.as_bytes())).unwrap();
        // Without the end of its line alone, it still says all that it did.
        for torn in length..std::fs::metadata(&path).unwrap().len() - 1 {
            let copy = folder.path().join(format!("torn-{torn}"));
            std::fs::copy(&path, &copy).unwrap();
            File::options().write(true).open(&copy).unwrap().set_len(torn).unwrap();
            let (again, arrived) = Ledger::open(&copy).unwrap();
            assert_eq!(arrived.whole, HashMap::from([(two, hash)]));
            assert_eq!(arrived.pieces[&one].1.keys().copied().collect::<Vec<_>>(), [0, 3], "torn at {torn}");
            again.write(&piece(one, 1_024, 7, hash.as_bytes())).unwrap();
            assert_eq!(Ledger::open(&copy).unwrap().1.pieces[&one].1.len(), 3);
        }
        ledger.again(one).unwrap();
        assert!(Ledger::open(&path).unwrap().1.pieces.is_empty());
    }
}
