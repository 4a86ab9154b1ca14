//! Prepared contents: made under a temporary name, then renamed, so that one that has its name is whole. They never
//! change afterwards.

use crate::{
    error::{disk, off_the_loop},
    files,
    format::{ContentLabels, FORMAT},
    labels,
    launch::place_of,
    layout::Layout,
    packages,
    provider::{Local, LocalReader},
    tree,
};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};
use wharf_model::{Address, BucketMount, ContentRef, FolderPath};
use wharf_mounts::Copies;
use wharf_provider::{OpContext, ProviderError, tree::pin};

/// The contents that are there, whole.
pub(crate) fn list(layout: &Layout, copies: &Copies) -> io::Result<BTreeSet<ContentRef>> {
    let named = files::names(&layout.contents())?;
    // The name of a copy may lead to nothing, when somebody has emptied the host's store.
    let whole = |content: &ContentRef| match content {
        ContentRef::Bucket(digest) => copies.has(*digest, &layout.content(*content)),
        _ => layout.content(*content).exists(),
    };
    Ok(named.iter().filter_map(|name| name.parse().ok()).filter(whole).collect())
}

/// Makes a snapshot of a folder, if the folder still holds that content.
pub(crate) async fn prepare_folder(
    reader: &LocalReader,
    address: &Address,
    content: ContentRef,
    folder: &FolderPath,
    cx: &OpContext,
) -> Result<(), ProviderError> {
    let (place, source, name) = (reader.layout.content(content), place_of(&reader.project, folder), folder.clone());
    let labels = labels(reader, address, cx);
    off_the_loop(move || snapshot(&place, &source, content, &name, &labels)).await
}

/// Brings a copy of a folder of a bucket, if it is still listed as that content.
pub(crate) async fn prepare_bucket(
    reader: &LocalReader,
    address: &Address,
    content: ContentRef,
    mount: &BucketMount,
    cx: &OpContext,
) -> Result<(), ProviderError> {
    let ContentRef::Bucket(digest) = content else { unreachable!("the planner pairs them") };
    let name = reader.layout.content(content);
    files::private_folder(&reader.layout.contents()).map_err(disk(format!("cannot make {}", name.display())))?;
    reader.copies.bring(digest, mount, &name, cx).await?;
    keep_labels(&name, &labels(reader, address, cx))
}

/// Whose a content is, and who made it.
pub(crate) fn labels(reader: &LocalReader, address: &Address, cx: &OpContext) -> ContentLabels {
    ContentLabels {
        format: FORMAT,
        project: reader.owner.project.to_string(),
        environment: reader.owner.environment.to_string(),
        address: address.to_string(),
        operation: cx.operation.to_string(),
    }
}

fn snapshot(
    place: &Path,
    source: &Path,
    content: ContentRef,
    name: &FolderPath,
    labels: &ContentLabels,
) -> Result<(), ProviderError> {
    if place.exists() {
        return keep_labels(place, labels);
    }
    let room = Room::beside(place)?;
    let taken = tree::copy(source, &room.path).and_then(|()| pin(&room.path));
    let found = taken.map_err(|error| {
        let answer = error.into_answer();
        let attempt = format!("cannot take a snapshot of {name}: {}", answer.attempt);
        ProviderError::Rejected { attempt, help: answer.help, source: None }
    })?;
    if ContentRef::Folder(found.content) != content {
        let attempt = format!("the folder {name} was changed after the plan was made");
        return Err(ProviderError::Rejected { attempt, help: "plan again, and apply that".to_owned(), source: None });
    }
    room.move_in(place, labels)
}

/// Installs libraries, if the interpreter is still the one that the plan was made for.
pub(crate) async fn prepare_packages(
    local: &Local,
    address: &Address,
    content: ContentRef,
    requirements: &[Arc<str>],
    cx: &OpContext,
) -> Result<(), ProviderError> {
    let LocalReader { layout, project, environment, .. } = &**local;
    let place = layout.content(content);
    let labels = labels(local, address, cx);
    if place.exists() {
        return keep_labels(&place, &labels);
    }
    let interpreter = packages::interpreter(environment).await.map_err(|error| ProviderError::Rejected {
        attempt: error.attempt,
        help: error.help,
        source: None,
    })?;
    if ContentRef::Packages(packages::pin(&interpreter, requirements).content) != content {
        let attempt = "the Python interpreter was changed after the plan was made".to_owned();
        return Err(ProviderError::Rejected { attempt, help: "plan again, and apply that".to_owned(), source: None });
    }
    let room = Room::beside(&place)?;
    fs::create_dir(&room.path).map_err(disk(format!("cannot create {}", room.path.display())))?;
    packages::install(&local.program, &interpreter, requirements, &room.path, project, environment, cx).await?;
    room.move_in(&place, &labels)
}

/// Removes a content.
pub(crate) fn drop_content(layout: &Layout, content: ContentRef) -> Result<(), ProviderError> {
    let place = layout.content(content);
    let removed = files::remove_tree(&labels_of(&place)).and_then(|()| files::unmake(&place));
    removed.map_err(disk(format!("cannot remove {}", place.display())))
}

/// Labels a content that has no labels yet.
pub(crate) fn keep_labels(place: &Path, labels: &ContentLabels) -> Result<(), ProviderError> {
    let path = labels_of(place);
    if path.exists() {
        return Ok(());
    }
    labels::write(&path, labels).map_err(disk(format!("cannot label {}", place.display())))
}

/// The labels stand beside a content, not in it: instances see the whole of it.
fn labels_of(place: &Path) -> PathBuf {
    place.with_extension("json")
}

/// A place under a temporary name, emptied when it is not moved in.
pub(crate) struct Room {
    pub(crate) path: PathBuf,
}

impl Room {
    pub(crate) fn beside(place: &Path) -> Result<Self, ProviderError> {
        let folder = place.parent().unwrap_or(place);
        let path = files::aside(place);
        let room = files::private_folder(folder).and_then(|()| files::remove_tree(&path));
        room.map_err(disk(format!("cannot make room in {}", folder.display())))?;
        Ok(Self { path })
    }

    fn move_in(self, place: &Path, labels: &ContentLabels) -> Result<(), ProviderError> {
        let moved = || {
            fs::rename(&self.path, place)?;
            place.parent().map_or(Ok(()), files::sync_folder)
        };
        moved().map_err(disk(format!("cannot create {}", place.display())))?;
        keep_labels(place, labels)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What cannot be removed here has a temporary name and goes with the state folder.
        drop(files::remove_tree(&self.path));
    }
}
