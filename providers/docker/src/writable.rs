//! Folders of buckets that instances write to: each instance has a volume of its own, which is filled before it starts. What
//! was written is taken out of the volume and goes back whenever somebody asks, and when the instance ends, before the volume
//! goes with its container.

use crate::{
    archive::{Member, Pipe, first_file, header, pack, stream},
    engine::Eyes,
    error::{self, disk},
    labels::OfInstance,
    names,
    provider::Docker,
};
use bollard::errors::Error as EngineError;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Component, Path, PathBuf},
};
use tar::{Archive, Builder, EntryType};
use tempfile::TempDir;
use tokio::sync::mpsc;
use wharf_content::{Baseline, Batch, Sent, UNTOUCHED};
use wharf_model::InstanceId;
use wharf_mounts::Writable;
use wharf_provider::{OpContext, ProviderError};

/// Fills the volumes of a container that was made and does not run yet. Filling them again changes nothing.
pub(crate) async fn fill(docker: &Docker, container: &str, writables: &[Writable]) -> Result<(), EngineError> {
    for writable in writables {
        let place = docker.copies.place(writable.content()?);
        let target = writable.target.display().to_string();
        let archive = stream(move |pipe| write_copy(&place, pipe));
        docker.hands.upload_stream(container, &target, archive).await?;
    }
    Ok(())
}

/// A copy that everybody may write to: which user the program is, is for the image to say.
fn write_copy(place: &Path, pipe: &mut Pipe) -> io::Result<()> {
    let mut archive = Builder::new(pipe);
    archive.append_data(&mut header(EntryType::Directory, 0o777), "./", io::empty())?;
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(place.join(&below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                archive.append_data(&mut header(EntryType::Directory, 0o777), &path, io::empty())?;
                folders.push(path);
                continue;
            }
            let file = File::open(entry.path())?;
            let mut header = header(EntryType::Regular, 0o666);
            header.set_mtime(UNTOUCHED);
            header.set_size(file.metadata()?.len());
            archive.append_data(&mut header, &path, file)?;
        }
    }
    archive.finish()
}

/// Ends what may still write, and sends back what was written. Of a container that is gone nothing is left to send.
pub(crate) async fn finish(
    docker: &Docker,
    name: &InstanceId,
    own: &OfInstance,
    cx: &OpContext,
) -> Result<(), ProviderError> {
    if own.writables.is_empty() {
        return Ok(());
    }
    let container = names::member(&docker.owner, name, own.rank());
    let attempt = error::engine(format!("cannot end what {name} may still write"));
    error::absent(docker.hands.stop(&container, 0).await).map_err(attempt)?;
    for (index, writable) in own.writables.iter().enumerate() {
        let writing = Writing { docker, container: &container, index, writable };
        let Some((batch, _room)) = writing.look().await? else { continue };
        let count = batch.len();
        let out = format!("what it wrote is in container {container}, and whoever removes that gives it up");
        docker.copies.send_back(writable, batch, &out).await?;
        if count > 0 {
            cx.say(writable.went(count));
        }
    }
    Ok(())
}

/// Sends back what instances that go on have written so far. Answers what went, and everything that did not.
pub(crate) async fn write_back(docker: &Docker) -> Result<(Vec<String>, Vec<ProviderError>), ProviderError> {
    let containers = docker.hands.containers(&docker.owner).await;
    let containers = containers.map_err(error::engine("cannot look for instances"))?;
    let own = containers.iter().filter_map(|one| OfInstance::read(one.labels.as_ref()?, &docker.owner));
    let (mut went, mut failed) = (Vec::new(), Vec::new());
    for own in own {
        let container = names::member(&docker.owner, &own.instance, own.rank());
        for (index, writable) in own.writables.iter().enumerate() {
            match (Writing { docker, container: &container, index, writable }).so_far().await {
                Ok(0) => {}
                Ok(count) => went.push(format!("{}: {}", own.instance, writable.went(count))),
                Err(error) => failed.push(error),
            }
        }
    }
    Ok((went, failed))
}

/// A volume of a container that is written to.
struct Writing<'a> {
    docker: &'a Docker,
    container: &'a str,
    index: usize,
    writable: &'a Writable,
}

impl Writing<'_> {
    fn attempt(&self) -> String {
        format!("cannot take what was written out of container {}", self.container)
    }

    /// Where the container has what went back before.
    fn ledger(&self) -> String {
        format!(".wharf-sent-{}.json", self.index)
    }

    /// What is to go back, with the folder that it is in; none when the container is gone.
    async fn look(&self) -> Result<Option<(Batch, TempDir)>, ProviderError> {
        let Self { docker, container, writable, .. } = self;
        let room = tempfile::Builder::new().prefix("wharf-written-").tempdir();
        let room = room.map_err(disk(format!("{}: there is no room on this machine", self.attempt())))?;
        let baseline = docker.copies.baseline(writable)?;
        let kept = docker.copies.place(writable.content().map_err(disk(self.attempt()))?);
        let taking = Taking { to: room.path().to_owned(), kept, baseline: baseline.clone() };
        let taken = take(&docker.hands, container, &writable.target, taking).await;
        if !taken.map_err(error::engine(self.attempt()))? {
            return Ok(None);
        }
        let archive = docker.hands.download(container, &format!("/{}", self.ledger())).await;
        let archive = archive.map_err(error::engine(self.attempt()))?;
        let file = archive.map(|archive| first_file(&archive)).transpose().map_err(disk(self.attempt()))?.flatten();
        let sent = file.map(|bytes| serde_json::from_slice(&bytes)).transpose();
        let sent = sent.map_err(|error| disk(self.attempt())(error.into()))?.unwrap_or_default();
        let (copies, writable, folder) = (docker.copies.clone(), (*writable).clone(), room.path().to_owned());
        let looked = tokio::task::spawn_blocking(move || copies.look(&writable, &baseline, &folder, sent)).await;
        let batch = looked.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
        Ok(Some((batch, room)))
    }

    async fn so_far(&self) -> Result<usize, ProviderError> {
        let Some((batch, _room)) = self.look().await? else { return Ok(0) };
        let count = batch.len();
        if count > 0 {
            self.keep(&batch.intended()).await?;
            let after = self.docker.copies.send_back(self.writable, batch, "").await?;
            self.keep(&after).await?;
        }
        Ok(count)
    }

    async fn keep(&self, sent: &Sent) -> Result<(), ProviderError> {
        let attempt = || format!("cannot note in container {} what goes back", self.container);
        let bytes = serde_json::to_vec(sent).map_err(|error| disk(attempt())(error.into()))?;
        let file = pack(&[Member { path: &self.ledger(), mode: 0o444, bytes: &bytes }]).map_err(disk(attempt()))?;
        let sent = self.docker.hands.upload(self.container, "/", file).await;
        error::absent(sent).map_err(error::engine(attempt())).map(drop)
    }
}

/// Takes what may have been written out of a container; false when that, or the folder, is gone.
async fn take(eyes: &Eyes, container: &str, target: &Path, taking: Taking) -> Result<bool, EngineError> {
    let mut arriving = Box::pin(eyes.download_stream(container, &target.display().to_string()));
    let first = match error::absent(arriving.next().await.transpose())? {
        None => return Ok(false),
        Some(first) => first,
    };
    let (sender, receiver) = mpsc::channel(4);
    let unpacked = tokio::task::spawn_blocking(move || taking.unpack(Arriving { receiver, piece: Bytes::new() }));
    let sent = feed(first, arriving, sender).await;
    let unpacked = unpacked.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    // What broke off cannot be unpacked either, and says why.
    sent?;
    unpacked?;
    Ok(true)
}

async fn feed(
    first: Option<Bytes>,
    mut arriving: impl Stream<Item = Result<Bytes, EngineError>> + Unpin,
    sender: mpsc::Sender<Bytes>,
) -> Result<(), EngineError> {
    let mut next = first;
    while let Some(piece) = next {
        if sender.send(piece).await.is_err() {
            return Ok(());
        }
        next = arriving.next().await.transpose()?;
    }
    Ok(())
}

/// The bytes of a stream, for those who read.
struct Arriving {
    receiver: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Read for Arriving {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let Some(piece) = self.receiver.blocking_recv() else { return Ok(0) };
            self.piece = piece;
        }
        let length = into.len().min(self.piece.len());
        into[..length].copy_from_slice(&self.piece.split_to(length));
        Ok(length)
    }
}

/// What is taken out of a volume, and to where.
struct Taking {
    to: PathBuf,
    /// What the volume was filled from.
    kept: PathBuf,
    baseline: Baseline,
}

impl Taking {
    fn unpack(&self, archive: impl Read) -> io::Result<()> {
        for entry in Archive::new(archive).entries()? {
            let mut entry = entry?;
            let Some(path) = below(&entry.path()?) else { continue };
            let key = path.to_str().ok_or_else(|| io::Error::other("a file has a name that is not UTF-8"))?;
            let to = self.to.join(&path);
            let place = |to: &Path| to.parent().map_or(Ok(()), fs::create_dir_all);
            match entry.header().entry_type() {
                EntryType::Regular if self.baseline.is_untouched(key, entry.size(), entry.header().mtime()?) => {}
                EntryType::Regular => {
                    place(&to)?;
                    io::copy(&mut entry, &mut File::create(&to)?)?;
                }
                // A further name of a file that came before, and was written or was not.
                EntryType::Link => {
                    let Some(other) = entry.link_name()?.and_then(|name| below(&name)) else { continue };
                    place(&to)?;
                    let from = [self.to.join(&other), self.kept.join(&other)].into_iter().find(|from| from.is_file());
                    io::copy(&mut File::open(from.unwrap_or_default())?, &mut File::create(&to)?)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The path below the folder that was asked for, which each path of the archive begins with.
fn below(path: &Path) -> Option<PathBuf> {
    let mut parts = path.components().filter(|part| !matches!(part, Component::CurDir));
    parts.next()?;
    let rest: PathBuf = parts.collect();
    let stays = rest.components().all(|part| matches!(part, Component::Normal(_)));
    (stays && rest.file_name().is_some()).then_some(rest)
}
