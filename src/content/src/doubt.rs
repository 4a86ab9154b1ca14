//! Whether the disk has what a snapshot holds. A snapshot is lent as soon as every byte of it is verified, and written to the
//! disk while others go on with it. Until it is there, a mark beside it names the run of this machine: as long as that goes
//! on, memory has what the disk lacks. Once the machine went down in between, the files are read and verified again; those as
//! well that a ledger calls whole and that are to be in another snapshot (`ledger`).

use crate::{
    ledger::{Arrived, Ledger, Reach},
    listing::{Listing, identity},
    snapshot::{Manifest, clear},
    store::{Store, names},
};
use blake3::Hash;
use rustix::fs::syncfs;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};
use wharf_model::ContentDigest;

/// Where the kernel names this run of the machine.
const RUN: &str = "/proc/sys/kernel/random/boot_id";

/// The name of this run of the machine.
pub(crate) fn run() -> io::Result<String> {
    Ok(fs::read_to_string(RUN)?.trim_end().to_owned())
}

impl Store {
    fn mark(&self, content: ContentDigest) -> PathBuf {
        self.place(content).with_extension("run")
    }

    /// Says that a snapshot that is about to be there may not be on the disk yet. A mark that is torn counts as well.
    pub(crate) fn doubt(&self, content: ContentDigest) -> io::Result<()> {
        self.unmark(content)?;
        fs::write(self.mark(content), run()?)
    }

    /// Whether the machine went down before the disk had the snapshot, as far as anybody knows.
    pub(crate) fn is_doubtful(&self, content: ContentDigest) -> bool {
        let Ok(marked) = fs::read(self.mark(content)) else { return false };
        run().map_or(true, |run| run.as_bytes() != marked.trim_ascii_end())
    }

    /// Waits until the disk has everything that was brought in this run of the machine so far. Blocks.
    ///
    /// # Errors
    /// When the disk cannot be asked. What it may not have stays marked.
    pub fn settle(&self) -> io::Result<()> {
        let marked = self.marked()?;
        if marked.is_empty() {
            return Ok(());
        }
        let places: BTreeSet<_> = marked
            .iter()
            .filter_map(|(content, _)| Manifest::read(&self.manifest(*content)))
            .map(|manifest| ContentDigest::of([manifest.place.as_bytes()]))
            .collect();
        let ledgers = places.into_iter().map(|place| Reach::of(&self.ledger(place)));
        let ledgers: Vec<_> = ledgers.filter_map(io::Result::transpose).collect::<io::Result<_>>()?;
        // Everything that was fetched lies on this one disk, so this is one wait for all of it.
        syncfs(File::open(self.root())?)?;
        ledgers.into_iter().try_for_each(Reach::confirm)?;
        let is_same = |content, mark: &File| {
            let (now, then) = (fs::metadata(self.mark(content)).ok()?, mark.metadata().ok()?);
            Some(now.ino() == then.ino())
        };
        // A snapshot that went and came again meanwhile has another mark.
        let same = marked.into_iter().filter(|(content, mark)| is_same(*content, mark) == Some(true));
        same.into_iter().try_for_each(|(content, _)| self.unmark(content))
    }

    /// The snapshots that are marked with this run of the machine, with their marks.
    fn marked(&self) -> io::Result<Vec<(ContentDigest, File)>> {
        let mut found = Vec::new();
        for name in names(&self.root().join("snapshots"))? {
            let content = name.strip_suffix(".run").and_then(|name| name.parse::<ContentDigest>().ok());
            // One that is not there yet is about to be, and may be marked for more than is written so far.
            let Some(content) = content.filter(|content| self.find(*content).is_some()) else { continue };
            found.extend(File::open(self.mark(content)).ok().map(|mark| (content, mark)));
        }
        Ok(found)
    }

    /// Takes the mark away.
    pub(crate) fn unmark(&self, content: ContentDigest) -> io::Result<()> {
        gone(fs::remove_file(self.mark(content)))
    }

    /// Reads a snapshot that is in doubt, which goes if the disk has not kept all of it. Blocks.
    pub(crate) fn dispel(&self, content: ContentDigest) -> io::Result<()> {
        if !self.is_doubtful(content) {
            return Ok(());
        }
        let place = self.place(content);
        let manifest = Manifest::read(&self.manifest(content)).filter(|_| place.is_dir());
        let is_whole = manifest.is_some_and(|manifest| {
            let is_there = |path: &str, hash: &str| hash.parse().is_ok_and(|hash| holds(&place.join(path), hash));
            manifest.files.iter().all(|file| is_there(file.path(), file.hash()))
        });
        if !is_whole {
            clear(&place)?;
            gone(fs::remove_file(self.manifest(content)))?;
        }
        self.unmark(content)
    }

    /// Whether a ledger tells of files in a list that the disk may not have kept when the machine went down.
    pub(crate) fn is_unsure(&self, listing: &Listing, ledger: &Path) -> io::Result<bool> {
        let doubtful = Arrived::read(ledger, &run()?)?.doubtful;
        Ok(!doubtful.is_empty() && listing.files().any(|file| doubtful.contains_key(&identity(listing.place(), file))))
    }

    /// Reads these files. What the disk has kept is believed from now on, and the rest goes. Blocks.
    pub(crate) fn make_sure(&self, listing: &Listing, ledger: &Path) -> io::Result<()> {
        let (ledger, arrived) = Ledger::open(ledger, &run()?)?;
        for file in listing.files() {
            let of = identity(listing.place(), file);
            let Some(hash) = arrived.doubtful.get(&of) else { continue };
            if self.is_sound(*hash) {
                ledger.whole(of, *hash)?;
            } else {
                gone(fs::remove_file(self.object(*hash)))?;
            }
        }
        Ok(())
    }

    /// Whether the file is kept that holds this. Reads it, if it is there.
    pub(crate) fn is_sound(&self, hash: Hash) -> bool {
        holds(&self.object(hash), hash)
    }
}

fn holds(path: &Path, hash: Hash) -> bool {
    let mut hasher = blake3::Hasher::new();
    let read =
        File::open(path).and_then(|file| io::copy(&mut io::BufReader::with_capacity(1 << 18, file), &mut hasher));
    read.is_ok() && hasher.finalize() == hash
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
