//! Folders of buckets that instances write to: each instance has a volume of its own, which is filled before it starts. When
//! it ends, what was written is taken out of the volume and goes back, before the volume goes with its container.

use crate::{
    archive::{Pipe, header, stream},
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
use tokio::sync::mpsc;
use wharf_content::{Baseline, UNTOUCHED};
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
pub(crate) async fn send_back(
    docker: &Docker,
    name: &InstanceId,
    own: &OfInstance,
    cx: &OpContext,
) -> Result<(), ProviderError> {
    if own.writables.is_empty() {
        return Ok(());
    }
    let container = names::member(&docker.owner, name, own.rank());
    let attempt = || format!("cannot take what {name} wrote out of its volumes");
    error::absent(docker.hands.stop(&container, 0).await).map_err(error::engine(attempt()))?;
    for writable in &own.writables {
        let room = tempfile::Builder::new().prefix("wharf-written-").tempdir();
        let room = room.map_err(disk(format!("{}: there is no room on this machine", attempt())))?;
        let baseline = docker.copies.baseline(writable)?;
        let kept = docker.copies.place(writable.content().map_err(disk(attempt()))?);
        let taking = Taking { to: room.path().to_owned(), kept, baseline: baseline.clone() };
        if take(&docker.hands, &container, &writable.target, taking).await.map_err(error::engine(attempt()))? {
            let out = format!("what it wrote is in container {container}, and whoever removes that gives it up");
            docker.copies.send_back(writable, baseline, room.path(), &out, cx).await?;
        }
    }
    Ok(())
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
