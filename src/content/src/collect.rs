//! What may go when the disk fills up: snapshots that nobody is lent, those first that were made first; then the files that
//! are in no snapshot any more.

use crate::{
    snapshot::clear,
    store::{Kept, Store, names},
};
use rustix::fs::{FlockOperation, statvfs};
use std::{fs, io, os::unix::fs::MetadataExt as _, path::PathBuf, time::SystemTime};
use wharf_model::ContentDigest;

/// A snapshot, as one who wants room sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub content: ContentDigest,
    /// Where it is from.
    pub place: String,
    /// How many files it has.
    pub files: usize,
    /// How many bytes they have, those that other snapshots share among them.
    pub bytes: u64,
    /// Under which names it is lent.
    pub lent: Vec<PathBuf>,
    /// When it was made.
    pub made: SystemTime,
}

/// How full a disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) free: u64,
    pub(crate) whole: u64,
}

impl Disk {
    /// How much room is to be made for so many bytes: none while a tenth of the disk stays free, else as much as it takes to
    /// have a fifth free.
    fn short_of(self, coming: u64) -> u64 {
        let left = self.free.saturating_sub(coming);
        let (low, high) = (self.whole / 10, self.whole / 5);
        if coming <= self.free && left >= low { 0 } else { (high + coming).saturating_sub(self.free) }
    }
}

/// What may go to make so much room, the oldest first.
fn to_go(mut standing: Vec<Standing>, mut room: u64) -> Vec<ContentDigest> {
    standing.retain(|one| one.lent.is_empty());
    standing.sort_by_key(|one| (one.made, one.content));
    let needed = standing.into_iter().take_while(|one| {
        let takes = room > 0;
        room = room.saturating_sub(one.bytes);
        takes
    });
    needed.map(|one| one.content).collect()
}

impl Store {
    /// What stands here, in the order of making.
    ///
    /// # Errors
    /// When that cannot be looked at.
    pub fn standing(&self) -> io::Result<Vec<Standing>> {
        let mut found = Vec::new();
        for (content, manifest) in self.manifests()? {
            let Some(Kept { path, .. }) = self.find(content) else { continue };
            found.push(Standing {
                content,
                files: manifest.files.len(),
                bytes: manifest.files.iter().map(|file| file.size).sum(),
                place: manifest.place,
                lent: self.lent(content)?,
                made: fs::metadata(path)?.modified()?,
            });
        }
        found.sort_by_key(|one| (one.made, one.content));
        Ok(found)
    }

    /// The names that lead to a snapshot.
    fn lent(&self, content: ContentDigest) -> io::Result<Vec<PathBuf>> {
        let (leases, snapshot) = (self.leases(content), self.snapshot(content));
        let names = names(&leases)?.into_iter().filter_map(|lease| fs::read_link(leases.join(lease)).ok());
        Ok(names.filter(|name| fs::read_link(name).is_ok_and(|target| target == snapshot)).collect())
    }

    /// Makes room for so many bytes if the disk is short of it, as far as what nobody is lent allows. Nothing goes while
    /// somebody fetches. Blocks.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub(crate) fn make_room(&self, coming: u64) -> io::Result<()> {
        let room = self.disk()?.short_of(coming);
        if room == 0 { Ok(()) } else { self.collect(room).map(drop) }
    }

    /// Removes what nobody is lent, the oldest first, until so much room is made. Answers how many bytes went. Nothing goes
    /// while somebody fetches. Blocks.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn collect(&self, room: u64) -> io::Result<u64> {
        self.prepare()?;
        let Some(_alone) = self.lock(&self.root().join("lock"), FlockOperation::NonBlockingLockExclusive)? else {
            return Ok(0);
        };
        for content in to_go(self.standing()?, room) {
            let place = self.snapshot(content);
            let aside = place.with_file_name(format!(".tmp-{content}"));
            clear(&aside)?;
            fs::rename(&place, &aside)?;
            fs::remove_file(self.manifest(content))?;
            clear(&self.leases(content))?;
            clear(&aside)?;
        }
        self.sweep()
    }

    /// Removes the files that are in no snapshot.
    fn sweep(&self) -> io::Result<u64> {
        let (objects, mut gone) = (self.root().join("objects"), 0);
        for shelf in names(&objects)? {
            for name in names(&objects.join(&shelf))? {
                let path = objects.join(&shelf).join(name);
                let found = fs::metadata(&path)?;
                if found.nlink() == 1 {
                    fs::remove_file(&path)?;
                    gone += found.len();
                }
            }
        }
        Ok(gone)
    }

    pub(crate) fn disk(&self) -> io::Result<Disk> {
        let found = statvfs(self.root())?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Disk { free: bytes(found.f_bavail), whole: bytes(found.f_blocks) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn standing(name: &str, made: u64, bytes: u64, lent: bool) -> Standing {
        let lent = if lent { vec![PathBuf::from("/name")] } else { Vec::new() };
        let (content, made) =
            (ContentDigest::of([name.as_bytes()]), SystemTime::UNIX_EPOCH + Duration::from_secs(made));
        Standing { content, place: String::new(), files: 1, bytes, lent, made }
    }

    #[test]
    fn the_oldest_that_nobody_is_lent_go_first_and_no_more_than_needed() {
        let all = || vec![standing("c", 3, 10, false), standing("a", 1, 10, true), standing("b", 2, 10, false)];
        let of = |names: &[&str]| names.iter().map(|name| ContentDigest::of([name.as_bytes()])).collect::<Vec<_>>();
        assert_eq!(to_go(all(), 0), of(&[]));
        assert_eq!(to_go(all(), 1), of(&["b"]));
        assert_eq!(to_go(all(), 10), of(&["b"]));
        assert_eq!(to_go(all(), 11), of(&["b", "c"]));
        assert_eq!(to_go(all(), u64::MAX), of(&["b", "c"]), "what is lent stays");
    }

    #[test]
    fn room_is_made_below_the_low_water_and_up_to_the_high() {
        let disk = |free| Disk { free, whole: 100 };
        assert_eq!(disk(30).short_of(20), 0);
        assert_eq!(disk(30).short_of(21), 11);
        assert_eq!(disk(5).short_of(0), 15);
        assert_eq!(disk(5).short_of(50), 65);
    }
}
