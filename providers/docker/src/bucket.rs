//! Copies of folders of buckets, for an engine on this machine: they lie in the host's store, which all runtimes share, and
//! instances see them as they lie there. The store lends each to a name, which stands beside the store and says which
//! environment of which engine it is for, so it goes with the container that stands for the content.

use crate::{
    error::disk,
    names,
    provider::{Docker, DockerReader},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use wharf_model::ContentRef;
use wharf_provider::ProviderError;

/// The folder of the names that are lent to environments of engines.
const LENT: &str = "engines";

/// The folder of the names for one engine.
fn folder(docker: &DockerReader) -> PathBuf {
    let engine = blake3::hash(docker.eyes.host().as_bytes()).to_hex();
    docker.copies.root().join(LENT).join(&engine[..16])
}

/// The name under which the store lends a copy.
pub(crate) fn name(docker: &DockerReader, content: ContentRef) -> PathBuf {
    folder(docker).join(names::content(&docker.owner, content))
}

/// Whether a content that the engine says is there has its files, too. Others than copies lie on the engine itself.
pub(crate) fn is_there(docker: &DockerReader, content: ContentRef) -> bool {
    match content {
        ContentRef::Bucket(digest) => docker.copies.has(digest, &name(docker, content)),
        _ => true,
    }
}

/// Whether a copy is lent, whether it is there or not.
pub(crate) fn is_lent(docker: &DockerReader, content: ContentRef) -> bool {
    matches!(content, ContentRef::Bucket(_)) && fs::symlink_metadata(name(docker, content)).is_ok()
}

/// Gives a copy back to the store, which keeps it for as long as it has room, or somebody else needs it.
pub(crate) fn give_back(docker: &DockerReader, content: ContentRef) -> Result<(), ProviderError> {
    if matches!(content, ContentRef::Bucket(_)) { remove(&name(docker, content)) } else { Ok(()) }
}

/// Gives back everything that the environment was lent.
pub(crate) fn forget(docker: &Docker) -> Result<(), ProviderError> {
    let (folder, ours) = (folder(docker), format!("{}.", names::network(&docker.owner)));
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(disk(format!("cannot look into {}", folder.display())))?,
    };
    // One that is gone in the meantime is fine.
    let names = entries.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(&ours)).try_for_each(|name| remove(&folder.join(name)))
}

fn remove(name: &Path) -> Result<(), ProviderError> {
    match fs::remove_file(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(disk(format!("cannot give back {}", name.display()))(error))
        }
        _ => Ok(()),
    }
}
