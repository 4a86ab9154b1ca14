//! Folders of buckets that instances write to: each instance has copies of its own in its folder. What was written there goes
//! back when it ends, and whenever somebody asks.

use crate::{
    content::Room,
    error::{disk, off_the_loop},
    files,
    labels::OfInstance,
    layout::InstanceFolder,
    provider::LocalReader,
};
use serde::de::DeserializeOwned;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use wharf_content::{Baseline, Batch, Sent, take};
use wharf_model::{InstanceId, Launch};
use wharf_mounts::{Copies, Writable};
use wharf_provider::ProviderError;

/// Makes the copies that the instance may write to. What they are is written down, for when it ends.
pub(crate) async fn lay_out(copies: &Copies, launch: &Launch, folder: &InstanceFolder) -> Result<(), ProviderError> {
    let writables = Writable::of(launch);
    if writables.is_empty() {
        return Ok(());
    }
    let (copies, folder) = (copies.clone(), folder.clone());
    let made = off_the_loop(move || {
        files::write_durably(&folder.writables(), &serde_json::to_vec(&writables)?)?;
        let mut all = writables.iter().enumerate();
        all.try_for_each(|(index, writable)| copies.lay_out(writable, &folder.written(index)))
    });
    made.await.map_err(disk(format!("cannot copy what {} may write to", launch.instance)))
}

/// Sends back all that an instance wrote that has ended. Says how much each time.
pub(crate) async fn finish(
    copies: &Copies,
    folder: &InstanceFolder,
    name: &InstanceId,
    say: &(dyn Fn(String) + Sync),
) -> Result<(), ProviderError> {
    for (index, writable) in known(folder, name)?.into_iter().enumerate() {
        let written = folder.written(index);
        if !written.is_dir() {
            continue;
        }
        let sent = sent(folder, index, name)?;
        let baseline = copies.baseline(&writable)?;
        let batch = look(copies, &writable, (baseline, written.clone()), sent).await?;
        let count = batch.len();
        let out = format!("what it wrote is in {}, and whoever removes that gives it up", written.display());
        copies.send_back(&writable, batch, &out).await?;
        if count > 0 {
            say(writable.went(count));
        }
    }
    Ok(())
}

/// Sends back what instances that go on have written so far. Answers what went, and everything that did not.
pub(crate) async fn write_back(reader: &LocalReader) -> Result<(Vec<String>, Vec<ProviderError>), ProviderError> {
    let names = files::names(&reader.layout.instances()).map_err(disk("cannot look for instances"))?;
    let (mut went, mut failed) = (Vec::new(), Vec::new());
    for name in names.iter().filter_map(|name| name.parse::<InstanceId>().ok()) {
        let folder = reader.layout.instance(&name);
        if OfInstance::read(&folder.labels(), &name, &reader.owner).is_none() {
            continue;
        }
        for (index, writable) in known(&folder, &name)?.iter().enumerate() {
            match write_back_one(&reader.copies, &folder, &name, (index, writable)).await {
                Ok(0) => {}
                Ok(count) => went.push(format!("{name}: {}", writable.went(count))),
                Err(error) => failed.push(error),
            }
        }
    }
    Ok((went, failed))
}

async fn write_back_one(
    copies: &Copies,
    folder: &InstanceFolder,
    name: &InstanceId,
    (index, writable): (usize, &Writable),
) -> Result<usize, ProviderError> {
    let attempt = || format!("cannot take what {name} wrote");
    let from = folder.written(index);
    if !from.is_dir() {
        // Its end has come meanwhile, and that takes all.
        return Ok(0);
    }
    let room = Room::beside(&from)?;
    let (baseline, to) = (copies.baseline(writable)?, room.path.clone());
    let taken = off_the_loop(move || {
        files::private_folder(&to)?;
        take(&from, &baseline, &to).map(|()| baseline)
    });
    let baseline = taken.await.map_err(disk(attempt()))?;
    let batch = look(copies, writable, (baseline, room.path.clone()), sent(folder, index, name)?).await?;
    let count = batch.len();
    if count == 0 {
        return Ok(0);
    }
    let keep = |sent: &Sent| {
        let text = serde_json::to_vec(sent)?;
        files::write_durably(&folder.sent(index), &text)
    };
    keep(&batch.intended()).map_err(disk(attempt()))?;
    let after = copies.send_back(writable, batch, "").await?;
    keep(&after).map_err(disk(attempt()))?;
    Ok(count)
}

async fn look(
    copies: &Copies,
    writable: &Writable,
    (baseline, folder): (Baseline, PathBuf),
    sent: Sent,
) -> Result<Batch, ProviderError> {
    let (copies, writable) = (copies.clone(), writable.clone());
    off_the_loop(move || copies.look(&writable, &baseline, &folder, sent)).await
}

/// What the instance may write to.
fn known(folder: &InstanceFolder, name: &InstanceId) -> Result<Vec<Writable>, ProviderError> {
    read(&folder.writables()).map_err(disk(format!("cannot read what {name} may write to")))
}

/// What of it went back before.
fn sent(folder: &InstanceFolder, index: usize, name: &InstanceId) -> Result<Sent, ProviderError> {
    read(&folder.sent(index)).map_err(disk(format!("cannot read what {name} sent back before")))
}

/// What stands in a file; nothing where there is none.
fn read<T: DeserializeOwned + Default>(path: &Path) -> io::Result<T> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        read => Ok(serde_json::from_slice(&read?)?),
    }
}
