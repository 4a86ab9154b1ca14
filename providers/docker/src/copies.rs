//! Copies of what is somewhere else: a repository at a commit, and a folder of a container image. Each is a content like
//! any other, so it is whole or not there.

use crate::{
    archive,
    content::{Maker, Making, PLACE, empty, pin_part, resting},
    error, git, labels, names,
    provider::Docker,
};
use wharf_model::{Address, ContentRef, GitMount, ImageMount};
use wharf_provider::{OpContext, ProviderError};

/// Brings the files of a repository at the commit that the content names.
pub(crate) async fn prepare_git(
    docker: &Docker,
    address: &Address,
    content: ContentRef,
    repository: &GitMount,
    cx: &OpContext,
) -> Result<(), ProviderError> {
    let making = Making { docker, address, content, cx, attempt: format!("cannot copy {}", repository.url) };
    if making.is_whole().await? {
        return Ok(());
    }
    cx.say(format!("fetching {}", repository.url));
    let place = tempfile::Builder::new().prefix("wharf-git-").tempdir();
    let place = place.map_err(error::disk(format!("{}: there is no room on this machine", making.attempt)))?;
    git::check_out(repository, content.digest(), place.path(), &cx.secrets).await?;
    let empty = empty(docker, cx).await?;
    let maker = making.begin(&empty, Maker::idle()).await?;
    let sent = docker.hands.upload_stream(&maker, PLACE, archive::folder(place.path())).await;
    sent.map_err(error::engine(making.attempt.clone()))?;
    making.finish(&empty).await
}

/// Copies a folder out of an image, if its name still stands for the image that the plan was made for.
pub(crate) async fn prepare_part(
    docker: &Docker,
    address: &Address,
    content: ContentRef,
    part: &ImageMount,
    cx: &OpContext,
) -> Result<(), ProviderError> {
    let making = Making { docker, address, content, cx, attempt: format!("cannot copy {part}") };
    if making.is_whole().await? {
        return Ok(());
    }
    let wanted = |identity: &str| ContentRef::Part(pin_part(identity, part).content) == content;
    let image = making.fetched(&part.image, wanted).await?;
    check_folder(&making, part, &image).await?;
    making.begin(&image, Maker::filled_from(&part.path)).await?;
    let empty = empty(docker, cx).await?;
    making.finish(&empty).await
}

/// Sees that the image has such a folder: under a path that it lacks, a volume would stay empty.
async fn check_folder(making: &Making<'_>, part: &ImageMount, image: &str) -> Result<(), ProviderError> {
    let hands = &making.docker.hands;
    let attempt = || error::engine(making.attempt.clone());
    let name = names::maker(&making.docker.owner, making.content);
    hands.remove(&name).await.map_err(attempt())?;
    hands.create(&name, resting(image, labels::of_maker(making.labels()), None)).await.map_err(attempt())?;
    let found = hands.is_folder(&name, &part.path).await;
    hands.remove(&name).await.map_err(attempt())?;
    let why = match found.map_err(attempt())? {
        Some(true) => return Ok(()),
        Some(false) => "that is no folder",
        None => "there is no such folder",
    };
    Err(ProviderError::Missing {
        attempt: format!("{}: {why} in the image", making.attempt),
        help: "correct `path=`, or name an image that holds it".to_owned(),
    })
}
