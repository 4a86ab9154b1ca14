//! What may go when the disk fills up: snapshots that nobody is lent, those first that were made first; then the files that
//! are in no snapshot any more.

use crate::{
    snapshot::clear,
    store::{Store, names},
};
use blake3::Hash;
use rustix::fs::{FlockOperation, statvfs};
use std::{
    collections::{HashMap, HashSet},
    fs::{self, File, Metadata},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use wharf_model::{ContentDigest, Room};

/// What a download has left that nobody has gone on with for so long goes.
const FORGOTTEN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

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
    /// Whether the machine went down before the disk had it, so that it is read again before it is used.
    pub is_doubtful: bool,
}

/// How full a disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) free: u64,
    pub(crate) whole: u64,
}

impl Disk {
    /// How much room is to be made for so many bytes: none while the low water of the disk stays free, else as much as it
    /// takes to have the high water free.
    fn short_of(self, coming: u64, room: Room) -> u64 {
        let left = self.free.saturating_sub(coming);
        let share = |hundredths: u8| (u128::from(self.whole) * u128::from(hundredths) / 100) as u64;
        let (low, high) = (share(room.low), share(room.high));
        if coming <= self.free && left >= low { 0 } else { (high + coming).saturating_sub(self.free) }
    }

    /// Whether so many bytes have room only when others let somebody clear away what could go.
    fn is_worth_waiting(self, coming: u64, could_go: u64) -> bool {
        coming > self.free && coming <= self.free.saturating_add(could_go)
    }
}

/// A snapshot with what its files hold, and how large they are.
type Holding = (Standing, Vec<(Hash, u64)>);

/// What goes, and how many bytes go with it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Going {
    contents: Vec<ContentDigest>,
    bytes: u64,
}

/// What may go to make so much room, the oldest first. A file goes with the last snapshot that has it, unless it is spared.
fn to_go(mut all: Vec<Holding>, room: u64, spared: &HashSet<Hash>) -> Going {
    all.sort_by_key(|(one, _)| (one.made, one.content));
    let mut links: HashMap<Hash, usize> = HashMap::new();
    for (hash, _) in all.iter().flat_map(|(_, files)| files) {
        *links.entry(*hash).or_default() += 1;
    }
    let mut going = Going::default();
    for (one, files) in all.iter().filter(|(one, _)| one.lent.is_empty()) {
        if going.bytes >= room {
            break;
        }
        going.contents.push(one.content);
        for (hash, size) in files {
            let left = links.entry(*hash).and_modify(|left| *left -= 1).or_default();
            going.bytes += if *left == 0 && !spared.contains(hash) { *size } else { 0 };
        }
    }
    going
}

/// Whether a name leads to a snapshot. What cannot be told from here counts as such.
fn leads_to(name: &Path, content: ContentDigest, snapshot: Option<&Metadata>) -> bool {
    let target = match fs::read_link(name) {
        Ok(target) => target,
        // It is gone, or something else has its place.
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidInput) =>
        {
            return false;
        }
        Err(_) => return true,
    };
    if target.file_name().is_none_or(|last| last != content.to_string().as_str()) {
        return false;
    }
    let id = |found: &Metadata| (found.dev(), found.ino());
    // One who sees the store elsewhere may have made it.
    fs::metadata(name).map_or(true, |found| snapshot.is_some_and(|snapshot| id(&found) == id(snapshot)))
}

impl Store {
    /// What stands here, in the order of making.
    ///
    /// # Errors
    /// When that cannot be looked at.
    pub fn standing(&self) -> io::Result<Vec<Standing>> {
        Ok(self.holding()?.into_iter().map(|(standing, _)| standing).collect())
    }

    fn holding(&self) -> io::Result<Vec<Holding>> {
        let mut found = Vec::new();
        for (content, manifest) in self.manifests()? {
            let Ok(found_at) = fs::metadata(self.place(content)) else { continue };
            let files = manifest.files.iter().filter_map(|file| Some((file.hash().parse().ok()?, file.size))).collect();
            let standing = Standing {
                content,
                files: manifest.files.len(),
                bytes: manifest.files.iter().map(|file| file.size).sum(),
                place: manifest.place,
                lent: self.lent(content)?,
                made: found_at.modified()?,
                is_doubtful: self.is_doubtful(content),
            };
            found.push((standing, files));
        }
        found.sort_by_key(|(one, _): &Holding| (one.made, one.content));
        Ok(found)
    }

    /// The names that lead to a snapshot, however the way to the store is written in them.
    pub(crate) fn lent(&self, content: ContentDigest) -> io::Result<Vec<PathBuf>> {
        let (leases, snapshot) = (self.leases(content), fs::metadata(self.place(content)).ok());
        let names = names(&leases)?.into_iter().filter_map(|lease| fs::read_link(leases.join(lease)).ok());
        Ok(names.filter(|name| leads_to(name, content, snapshot.as_ref())).collect())
    }

    /// Makes room for so many bytes if the disk is short of it, as far as what nobody is lent allows; what is coming takes
    /// up the spared files. Nothing goes while somebody fetches: answers whether that is worth waiting for, unless it was
    /// waited for. Blocks.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub(crate) fn make_room(&self, coming: u64, spared: &HashSet<Hash>, wait: bool) -> io::Result<bool> {
        let disk = self.disk()?;
        if disk.short_of(coming, self.room()) == 0 {
            return Ok(false);
        }
        let Some(alone) = self.alone(wait)? else {
            let could_go = to_go(self.holding()?, u64::MAX, spared).bytes;
            return Ok(disk.is_worth_waiting(coming, could_go));
        };
        let room = self.disk()?.short_of(coming, self.room());
        self.clear_out(alone, room, SystemTime::now(), spared)?;
        Ok(false)
    }

    /// Removes what nobody is lent, the oldest first, until so much room is made, and what is left of downloads that nobody
    /// has gone on with for a week. Answers how many bytes went; none while somebody fetches, as nothing goes then. Blocks.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn collect(&self, room: u64, now: SystemTime) -> io::Result<Option<u64>> {
        self.prepare()?;
        let Some(alone) = self.alone(false)? else { return Ok(None) };
        self.clear_out(alone, room, now, &HashSet::new()).map(Some)
    }

    /// While the file is open, nobody fetches; none if somebody does who is not waited for.
    fn alone(&self, wait: bool) -> io::Result<Option<File>> {
        let operation = if wait { FlockOperation::LockExclusive } else { FlockOperation::NonBlockingLockExclusive };
        self.lock(&self.root().join("lock"), operation)
    }

    fn clear_out(&self, _alone: File, room: u64, now: SystemTime, spared: &HashSet<Hash>) -> io::Result<u64> {
        self.clear_leftovers()?;
        for content in to_go(self.holding()?, room, spared).contents {
            let place = self.place(content);
            let aside = place.with_file_name(format!(".tmp-{content}"));
            clear(&aside)?;
            fs::rename(&place, &aside)?;
            fs::remove_file(self.manifest(content))?;
            self.unmark(content)?;
            clear(&self.leases(content))?;
            clear(&aside)?;
        }
        let forgotten = now.checked_sub(FORGOTTEN).map_or(Ok(0), |since| self.sweep_parts(since))?;
        Ok(self.sweep(spared)? + forgotten)
    }

    /// Removes what is left of snapshots whose making or removing was cut off. Nobody else may be at it.
    fn clear_leftovers(&self) -> io::Result<()> {
        let snapshots = self.root().join("snapshots");
        for name in names(&snapshots)? {
            let beside = name.strip_suffix(".json").or(name.strip_suffix(".run")).and_then(|name| name.parse().ok());
            if name.starts_with(".tmp-") || beside.is_some_and(|content| !self.place(content).is_dir()) {
                clear(&snapshots.join(name))?;
            }
        }
        Ok(())
    }

    /// Removes the files that are in no snapshot, but for those that are spared.
    fn sweep(&self, spared: &HashSet<Hash>) -> io::Result<u64> {
        let (objects, mut gone) = (self.objects(), 0);
        for shelf in names(&objects)? {
            for name in names(&objects.join(&shelf))? {
                let path = objects.join(&shelf).join(&name);
                let found = fs::metadata(&path)?;
                let is_spared = Hash::from_hex(&name).is_ok_and(|hash| spared.contains(&hash));
                if found.nlink() == 1 && !is_spared {
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
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    /// A snapshot of files that have so many bytes each.
    fn holding(name: &str, made: u64, files: &[(&str, u64)], lent: bool) -> Holding {
        let lent = if lent { vec![PathBuf::from("/name")] } else { Vec::new() };
        let content = ContentDigest::of([name.as_bytes()]);
        let made = SystemTime::UNIX_EPOCH + Duration::from_secs(made);
        let bytes = files.iter().map(|(_, bytes)| bytes).sum();
        let standing =
            Standing { content, place: String::new(), files: files.len(), bytes, lent, made, is_doubtful: false };
        (standing, files.iter().map(|(holds, bytes)| (blake3::hash(holds.as_bytes()), *bytes)).collect())
    }

    fn check(all: Vec<Holding>, room: u64, names: &[&str], bytes: u64) {
        let contents = names.iter().map(|name| ContentDigest::of([name.as_bytes()])).collect();
        assert_eq!(to_go(all, room, &HashSet::from([blake3::hash(b"spared")])), Going { contents, bytes }, "{room}");
    }

    #[test]
    fn the_oldest_that_nobody_is_lent_go_first_and_no_more_than_needed() {
        let of = |name, made, lent| holding(name, made, &[(name, 10)], lent);
        let all = || vec![of("c", 3, false), of("a", 1, true), of("b", 2, false)];
        check(all(), 0, &[], 0);
        check(all(), 1, &["b"], 10);
        check(all(), 10, &["b"], 10);
        check(all(), 11, &["b", "c"], 20);
        // What is lent stays.
        check(all(), u64::MAX, &["b", "c"], 20);
    }

    #[test]
    fn a_file_makes_room_where_the_last_goes_that_has_it() {
        let all = |lent| {
            vec![
                holding("old", 1, &[("large", 50), ("a", 1)], false),
                holding("new", 2, &[("large", 50), ("b", 1), ("spared", 7)], false),
                holding("other", 3, &[("c", 5)], lent),
            ]
        };
        check(all(false), 1, &["old"], 1);
        check(all(false), 40, &["old", "new"], 52);
        check(all(false), 53, &["old", "new", "other"], 57);
        let kept = vec![holding("old", 1, &[("large", 50)], false), holding("new", 2, &[("large", 50)], true)];
        check(kept, 40, &["old"], 0);
    }

    #[test]
    fn files_in_no_snapshot_go_but_for_those_that_a_download_takes_up() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().join("store"));
        store.prepare().unwrap();
        let keep = |bytes: &[u8]| {
            let hash = blake3::hash(bytes);
            let path = store.object(hash);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
            hash
        };
        let (one, other) = (keep(b"one"), keep(b"other"));
        let alone = store.alone(false).unwrap().unwrap();
        let gone = store.clear_out(alone, u64::MAX, SystemTime::now(), &HashSet::from([one])).unwrap();
        assert_eq!((gone, store.has(one, 3), store.has(other, 5)), (5, true, false));
        assert_eq!(store.collect(0, SystemTime::now()).unwrap(), Some(3));
    }

    #[test]
    fn room_is_made_below_the_low_water_and_up_to_the_high() {
        let short = |free, coming, room| Disk { free, whole: 100 }.short_of(coming, room);
        let usual = Room::default();
        assert_eq!(short(30, 20, usual), 0);
        assert_eq!(short(30, 21, usual), 11);
        assert_eq!(short(5, 0, usual), 15);
        assert_eq!(short(5, 50, usual), 65);
        let more = Room { low: 40, high: 50 };
        assert_eq!((short(60, 20, more), short(60, 21, more)), (0, 11));
    }

    #[test]
    fn others_are_waited_for_where_there_is_no_room_without_that() {
        let waits = |free, coming, could_go| Disk { free, whole: 100 }.is_worth_waiting(coming, could_go);
        assert!(waits(10, 20, 10), "what could go is enough");
        assert!(!waits(10, 20, 9), "it is not, so waiting is in vain");
        assert!(!waits(10, 10, 90), "there is room");

        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().join("store"));
        store.prepare().unwrap();
        let held = store.hold().unwrap();
        assert!(store.alone(false).unwrap().is_none() && store.collect(1, SystemTime::now()).unwrap().is_none());
        let waiting = {
            let store = store.clone();
            std::thread::spawn(move || store.alone(true).unwrap().is_some())
        };
        drop(held);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn what_a_kill_has_left_of_a_snapshot_goes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().join("store"));
        store.prepare().unwrap();
        let (kept, content) = (store.object(blake3::hash(b"one")), ContentDigest::of([b"one".as_slice()]));
        fs::create_dir_all(kept.parent().unwrap()).unwrap();
        fs::write(&kept, b"one").unwrap();
        let aside = store.root().join("snapshots").join(format!(".tmp-{content}"));
        fs::create_dir_all(aside.join("below")).unwrap();
        fs::hard_link(&kept, aside.join("below/file")).unwrap();
        fs::set_permissions(aside.join("below"), fs::Permissions::from_mode(0o555)).unwrap();
        fs::write(aside.with_extension("json"), "{").unwrap();
        fs::write(store.manifest(content), "{}").unwrap();
        store.doubt(content).unwrap();
        assert_eq!(store.collect(0, SystemTime::now()).unwrap(), Some(3));
        assert_eq!(names(&store.root().join("snapshots")).unwrap(), [""; 0]);
    }

    #[test]
    fn a_name_is_known_however_the_way_to_the_store_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (store, content) = (Store::at(at("store")), ContentDigest::of([b"one".as_slice()]));
        store.prepare().unwrap();
        fs::create_dir(store.place(content)).unwrap();
        symlink(at("store"), at("home")).unwrap();
        let lent = || store.lent(content).unwrap().len();
        Store::at(at("home")).lend(content, &at("name")).unwrap();
        assert_eq!(lent(), 1, "by another way");
        fs::rename(at("name"), at("elsewhere")).unwrap();
        assert_eq!(lent(), 0, "the name is gone");
        symlink(at("cache/snapshots").join(content.to_string()), at("name")).unwrap();
        assert_eq!(lent(), 1, "the store is elsewhere for somebody");
        fs::create_dir_all(at("cache/snapshots").join(content.to_string())).unwrap();
        assert_eq!(lent(), 0, "it is another store");
    }
}
