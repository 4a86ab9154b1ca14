//! A snapshot: a folder of links to kept files, with a manifest beside it. It is made under another name and renamed, so one
//! that has its name is whole. It never changes. Whether the disk has it yet is for `doubt`.

use crate::{
    listing::Listing,
    source::Object,
    store::{Store, folder},
};
use blake3::Hash;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

/// The format that this build writes.
const FORMAT: u32 = 1;

/// What a snapshot holds, and where from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    pub(crate) place: String,
    pub(crate) files: Vec<KeptFile>,
}

/// One file of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeptFile {
    path: String,
    pub(crate) size: u64,
    tag: String,
    blake3: String,
}

impl KeptFile {
    /// Where it is in the snapshot.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What it holds, which is what it is kept under.
    pub(crate) fn hash(&self) -> &str {
        &self.blake3
    }

    /// What it was in the list.
    pub(crate) fn object(&self) -> Object {
        Object { key: self.path.clone(), size: self.size, tag: self.tag.clone() }
    }
}

impl Manifest {
    fn of(listing: &Listing, hash: impl Fn(&Object) -> Hash) -> Self {
        let files = listing.files().map(|object| KeptFile {
            path: object.key.clone(),
            size: object.size,
            tag: object.tag.clone(),
            blake3: hash(object).to_hex().to_string(),
        });
        Self { format: FORMAT, place: listing.place().to_owned(), files: files.collect() }
    }

    /// The manifest, if it is there and this build understands it.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let read: Self = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        (read.format == FORMAT).then_some(read)
    }
}

/// Makes the snapshot of a list whose files are all kept. One that is there already is fine.
pub(crate) fn make(store: &Store, listing: &Listing, hash: impl Fn(&Object) -> Hash) -> io::Result<()> {
    let content = listing.digest();
    let place = store.place(content);
    if place.is_dir() {
        return Ok(());
    }
    let aside = place.with_file_name(format!(".tmp-{content}"));
    clear(&aside)?;
    folder(&aside)?;
    let mut folders = BTreeSet::new();
    let above = |key: &str| key.match_indices('/').map(|(end, _)| key[..end].to_owned()).collect::<Vec<_>>();
    for key in listing.folders() {
        folders.extend(above(key));
        folders.insert(key.to_owned());
    }
    folders.extend(listing.files().flat_map(|object| above(&object.key)));
    // In order, so a folder comes before those in it.
    folders.iter().try_for_each(|name| fs::create_dir(aside.join(name)))?;
    listing.files().try_for_each(|object| link(&store.object(hash(object)), &aside.join(&object.key)))?;
    let seal = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o555));
    folders.iter().rev().try_for_each(|name| seal(&aside.join(name)))?;
    seal(&aside)?;
    let manifest = serde_json::to_vec(&Manifest::of(listing, hash))?;
    let written = aside.with_extension("json");
    fs::write(&written, manifest)?;
    store.doubt(content)?;
    fs::rename(&written, store.manifest(content))?;
    fs::rename(&aside, &place)
}

/// A further name for a kept file; where it has as many as the disk allows, a copy.
fn link(kept: &Path, name: &Path) -> io::Result<()> {
    match fs::hard_link(kept, name) {
        Err(error) if error.kind() == io::ErrorKind::TooManyLinks => {
            fs::copy(kept, name)?;
            fs::set_permissions(name, Permissions::from_mode(0o444))
        }
        linked => linked,
    }
}

/// Removes a folder, also where folders may not be written to. One that is gone is fine.
pub(crate) fn clear(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.is_dir() {
        return fs::remove_file(path);
    }
    open_up(path)?;
    fs::remove_dir_all(path)
}

fn open_up(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}
