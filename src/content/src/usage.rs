//! What the store takes of its disk: what snapshots that are lent need, what may go, and what is still on its way.

use crate::{
    part::LARGE,
    store::{Store, names},
};
use std::{collections::HashMap, fs, io, os::unix::fs::MetadataExt as _, time::SystemTime};
use wharf_model::ContentDigest;

/// How a store uses its disk, in bytes. What several snapshots share counts once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// All files that are kept.
    pub stored: u64,
    /// Of these, the files of snapshots that somebody is lent.
    pub needed: u64,
    /// What downloads that are not at their end take, which have their room from the beginning.
    pub arriving: u64,
    /// What is free on the disk.
    pub free: u64,
    /// How large the disk is.
    pub disk: u64,
}

impl Usage {
    /// What may go.
    pub fn reclaimable(self) -> u64 {
        self.stored - self.needed.min(self.stored)
    }
}

impl Store {
    /// How the store uses its disk. One that nothing was kept in yet uses nothing.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn usage(&self) -> io::Result<Usage> {
        if !self.root().is_dir() {
            return Ok(Usage::default());
        }
        let mut sizes = HashMap::new();
        for shelf in names(&self.objects())? {
            for name in names(&self.objects().join(&shelf))? {
                let size = fs::metadata(self.objects().join(&shelf).join(&name))?.len();
                sizes.insert(name, size);
            }
        }
        let stored = sizes.values().sum();
        let mut needed = 0;
        for (content, manifest) in self.manifests()? {
            if !self.lent(content)?.is_empty() {
                needed += manifest.files.iter().filter_map(|file| sizes.remove(file.hash())).sum::<u64>();
            }
        }
        let disk = self.disk()?;
        let arriving = self.parts()?.into_iter().map(|(_, part)| taken_by(&part)).sum();
        Ok(Usage { stored, needed, arriving, free: disk.free, disk: disk.whole })
    }

    /// Removes what has arrived of downloads that nobody has gone on with since. Answers how many bytes went. Blocks.
    pub(crate) fn sweep_parts(&self, since: SystemTime) -> io::Result<u64> {
        let mut gone = 0;
        for (name, part) in self.parts()? {
            if part.modified()? < since {
                fs::remove_file(self.arriving().join(name))?;
                gone += taken_by(&part);
            }
        }
        Ok(gone)
    }

    /// How much of the room that an object of such a size needs it has already.
    pub(crate) fn taken(&self, of: ContentDigest, size: u64) -> u64 {
        let part = (size >= LARGE).then(|| fs::metadata(self.part(of)).ok()).flatten();
        part.map_or(0, |part| taken_by(&part).min(size))
    }

    fn parts(&self) -> io::Result<Vec<(String, fs::Metadata)>> {
        let named = names(&self.arriving())?.into_iter().filter(|name| name.ends_with(".part"));
        // One that has come to its end meanwhile is kept among the others.
        Ok(named.filter_map(|name| fs::metadata(self.arriving().join(&name)).ok().map(|part| (name, part))).collect())
    }
}

/// A file may have holes, and room for what it does not hold yet.
fn taken_by(part: &fs::Metadata) -> u64 {
    part.blocks() * 512
}
