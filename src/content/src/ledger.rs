//! What has arrived, written down as it arrives: a line for each piece, and one for each whole object. A line that was
//! torn off counts for nothing, and a piece counts only where the disk still bears it out.
//!
//! So does a whole object that arrived in an earlier run of this machine, unless a line says that the disk has had it since:
//! what came before may have been in memory alone.

use blake3::{Hash, hazmat::ChainingValue};
use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    str,
    sync::Mutex,
};
use wharf_model::ContentDigest;

/// What a ledger says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// Objects that arrived whole and were verified: what they hold.
    pub(crate) whole: HashMap<ContentDigest, Hash>,
    /// The same of those that the disk may not have kept when the machine went down.
    pub(crate) doubtful: HashMap<ContentDigest, Hash>,
    /// Of the others, how large their pieces are, and the hashes of those that arrived.
    pub(crate) pieces: HashMap<ContentDigest, (u64, BTreeMap<u64, ChainingValue>)>,
}

impl Arrived {
    /// What the ledger at a path says in a run of this machine; nothing when there is none.
    pub(crate) fn read(path: &Path, run: &str) -> io::Result<Self> {
        Ok(Reading::of(&contents(path)?, run))
    }
}

/// A ledger that is written on.
#[derive(Debug)]
pub(crate) struct Ledger(Mutex<File>);

impl Ledger {
    /// Opens the ledger in a run of this machine, and reads what it says.
    pub(crate) fn open(path: &Path, run: &str) -> io::Result<(Self, Arrived)> {
        let bytes = contents(path)?;
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        // What was torn off ends here.
        file.write_all(format!("\n{}", begin(run)).as_bytes())?;
        Ok((Self(Mutex::new(file)), Reading::of(&bytes, run)))
    }

    pub(crate) fn whole(&self, of: ContentDigest, hash: Hash) -> io::Result<()> {
        self.write(&whole(of, hash))
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

/// How far a ledger goes at one moment.
#[derive(Debug)]
pub(crate) struct Reach {
    file: File,
    end: u64,
}

impl Reach {
    /// How far the ledger at a path goes now; there may be none.
    pub(crate) fn of(path: &Path) -> io::Result<Option<Self>> {
        match OpenOptions::new().append(true).open(path) {
            Ok(file) => Ok(Some(Self { end: file.metadata()?.len(), file })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Says that the disk has everything of which the ledger told by then. One that has taken its place meanwhile is told nothing.
    pub(crate) fn confirm(mut self) -> io::Result<()> {
        self.file.write_all(format!("\nsafe {}\n", self.end).as_bytes())
    }
}

/// The line with which what arrives in a run of this machine begins.
fn begin(run: &str) -> String {
    format!("run {run}\n")
}

fn whole(of: ContentDigest, hash: Hash) -> String {
    format!("whole {of} {hash}\n")
}

/// The line for a piece that has arrived.
pub(crate) fn piece(of: ContentDigest, piece: u64, index: u64, hash: &ChainingValue) -> String {
    format!("piece {of} {piece} {index} {}\n", hex::encode(hash))
}

/// Puts a ledger in the place of the one of a download that is over: nothing but what is here whole.
pub(crate) fn close(path: &Path, run: &str, all: &HashMap<ContentDigest, Hash>) -> io::Result<()> {
    let lines = all.iter().map(|(of, hash)| whole(*of, *hash));
    let aside = path.with_extension("new");
    fs::write(&aside, [begin(run)].into_iter().chain(lines).collect::<String>())?;
    fs::rename(aside, path)
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

/// What a ledger has said up to some line.
#[derive(Default)]
struct Reading {
    /// The runs of this machine that it names, and which of them the lines are of.
    runs: Vec<String>,
    now: Option<usize>,
    whole: HashMap<ContentDigest, Whole>,
    pieces: HashMap<ContentDigest, (u64, BTreeMap<u64, ChainingValue>)>,
}

/// What it says of an object that is whole.
struct Whole {
    hash: Hash,
    /// Where the line begins.
    at: u64,
    /// In which run it was written.
    run: Option<usize>,
    is_on_disk: bool,
}

impl Reading {
    fn of(bytes: &[u8], run: &str) -> Arrived {
        let (mut reading, mut at) = (Self::default(), 0);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            // What makes no sense was torn off, and is fetched again.
            let _known = str::from_utf8(line).ok().and_then(|line| reading.read(line.trim_end(), at));
            at += line.len() as u64;
        }
        let mut arrived = Arrived { pieces: reading.pieces, ..Arrived::default() };
        for (of, whole) in reading.whole {
            let is_of_now = whole.run.is_some_and(|at| reading.runs[at] == run);
            let kind = if whole.is_on_disk || is_of_now { &mut arrived.whole } else { &mut arrived.doubtful };
            kind.insert(of, whole.hash);
        }
        arrived
    }

    fn read(&mut self, line: &str, at: u64) -> Option<()> {
        let mut words = line.split(' ');
        let (word, first) = (words.next()?, words.next()?);
        match word {
            "run" => {
                let known = self.runs.iter().position(|run| run == first);
                self.now = known.or(Some(self.runs.len()));
                if known.is_none() {
                    self.runs.push(first.to_owned());
                }
            }
            "safe" => {
                let end: u64 = first.parse().ok()?;
                // What came before the machine went down was in memory no more when the disk was waited for.
                let sure = self.whole.values_mut().filter(|whole| whole.at < end && whole.run == self.now);
                sure.for_each(|whole| whole.is_on_disk = true);
            }
            "whole" => {
                let of = first.parse().ok()?;
                let hash = Hash::from_hex(words.next()?).ok()?;
                self.whole.insert(of, Whole { hash, at, run: self.now, is_on_disk: false });
                self.pieces.remove(&of);
            }
            "again" => drop(self.pieces.remove(&first.parse().ok()?)),
            "piece" => {
                let (piece, index): (u64, u64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
                let hash = Hash::from_hex(words.next()?).ok()?;
                let of = first.parse().ok()?;
                let known = self.pieces.entry(of).or_insert_with(|| (piece, BTreeMap::new()));
                if known.0 == piece && piece.is_power_of_two() && piece >= 1_024 {
                    known.1.insert(index, *hash.as_bytes());
                }
            }
            _ => {}
        }
        Some(())
    }
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
        let (ledger, arrived) = Ledger::open(&path, "now").unwrap();
        assert_eq!(arrived, Arrived::default());
        ledger.write(&piece(one, 1_024, 0, hash.as_bytes())).unwrap();
        ledger.write(&piece(one, 1_024, 3, hash.as_bytes())).unwrap();
        ledger.write(&piece(two, 1_024, 0, hash.as_bytes())).unwrap();
        ledger.whole(two, hash).unwrap();
        let length = fs::metadata(&path).unwrap().len();
        ledger.write(&piece(one, 1_024, 4, hash.as_bytes())).unwrap();
        // Without the end of its line alone, it still says all that it did.
        for torn in length..fs::metadata(&path).unwrap().len() - 1 {
            let copy = folder.path().join(format!("torn-{torn}"));
            fs::copy(&path, &copy).unwrap();
            File::options().write(true).open(&copy).unwrap().set_len(torn).unwrap();
            let (again, arrived) = Ledger::open(&copy, "now").unwrap();
            assert_eq!(arrived.whole, HashMap::from([(two, hash)]));
            assert_eq!(arrived.pieces[&one].1.keys().copied().collect::<Vec<_>>(), [0, 3], "torn at {torn}");
            again.write(&piece(one, 1_024, 7, hash.as_bytes())).unwrap();
            assert_eq!(Ledger::open(&copy, "now").unwrap().1.pieces[&one].1.len(), 3);
        }
        ledger.again(one).unwrap();
        assert!(Ledger::open(&path, "now").unwrap().1.pieces.is_empty());
    }

    #[test]
    fn what_came_before_the_machine_went_down_is_in_doubt_unless_the_disk_had_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let [one, two, three] = ["1", "2", "3"].map(|of| ContentDigest::of([of.as_bytes()]));
        let hash = blake3::hash(b"x");
        let said = |run: &str| {
            let Arrived { whole, doubtful, .. } = Arrived::read(&path, run).unwrap();
            let named = |all: HashMap<ContentDigest, Hash>| [one, two, three].map(|of| all.contains_key(&of));
            (named(whole), named(doubtful))
        };
        assert!(Reach::of(&path).unwrap().is_none());
        let (ledger, _) = Ledger::open(&path, "first").unwrap();
        ledger.whole(one, hash).unwrap();
        let reach = Reach::of(&path).unwrap().unwrap();
        ledger.whole(two, hash).unwrap();
        reach.confirm().unwrap();
        assert_eq!(said("first"), ([true, true, false], [false; 3]));
        assert_eq!(said("second"), ([true, false, false], [false, true, false]), "the disk had the first alone");
        let (ledger, _) = Ledger::open(&path, "second").unwrap();
        Reach::of(&path).unwrap().unwrap().confirm().unwrap();
        assert_eq!(said("second"), ([true, false, false], [false, true, false]), "a sync brings nothing back");
        ledger.whole(two, hash).unwrap();
        assert_eq!(said("second"), ([true, true, false], [false; 3]), "it was looked at again");
        // A ledger in another's place says for itself what the disk has.
        let reach = Reach::of(&path).unwrap().unwrap();
        close(&path, "second", &HashMap::from([(two, hash), (three, hash)])).unwrap();
        reach.confirm().unwrap();
        assert_eq!(said("second"), ([false, true, true], [false; 3]));
        assert_eq!(said("third"), ([false; 3], [false, true, true]));
    }
}
