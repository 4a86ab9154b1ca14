//! Archives for the engine: how files are handed to it, and how they come back.

use bytes::Bytes;
use futures_util::{Stream, stream};
use std::{
    fs::File,
    io::{self, Read as _, Write},
    path::Path,
};
use tar::{Archive, Builder, EntryType, Header};
use tokio::sync::mpsc;
use wharf_provider::tree::{TreeKind, list};

/// So much is handed over at once.
const CHUNK: usize = 256 << 10;

/// A file of an archive that is put together in memory.
pub(crate) struct Member<'a> {
    /// Relative to where it is unpacked.
    pub(crate) path: &'a str,
    pub(crate) mode: u32,
    pub(crate) bytes: &'a [u8],
}

/// An archive of these files.
pub(crate) fn pack(members: &[Member<'_>]) -> io::Result<Bytes> {
    let mut archive = Builder::new(Vec::new());
    for Member { path, mode, bytes } in members {
        let mut header = header(EntryType::Regular, *mode);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, path, *bytes)?;
    }
    Ok(archive.into_inner()?.into())
}

/// The bytes of the first file in an archive.
pub(crate) fn first_file(archive: &[u8]) -> io::Result<Option<Vec<u8>>> {
    for entry in Archive::new(archive).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type() == EntryType::Regular {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// What counts in a folder, as an archive that is put together while it is read: everything in it is read-only. An error
/// on the way ends the stream with it.
pub(crate) fn folder(root: &Path) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let root = root.to_owned();
    stream(move |pipe| write_folder(&root, pipe))
}

/// What is written, while it is written. An error on the way ends the stream with it.
pub(crate) fn stream(
    write: impl FnOnce(&mut Pipe) -> io::Result<()> + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        let mut pipe = Pipe { sender, held: Vec::with_capacity(CHUNK) };
        if let Err(error) = write(&mut pipe).and_then(|()| pipe.flush()) {
            // Whoever reads has gone, or hears of it here.
            drop(pipe.sender.blocking_send(Err(error)));
        }
    });
    stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) })
}

fn write_folder(root: &Path, pipe: &mut Pipe) -> io::Result<()> {
    let mut archive = Builder::new(&mut *pipe);
    let entries = list(root).map_err(io::Error::other)?;
    archive.append_data(&mut header(EntryType::Directory, 0o555), "./", io::empty())?;
    for entry in entries {
        match entry.kind {
            TreeKind::Folder => {
                archive.append_data(&mut header(EntryType::Directory, 0o555), &entry.path, io::empty())?;
            }
            TreeKind::Link { target } => {
                archive.append_link(&mut header(EntryType::Symlink, 0o777), &entry.path, target)?;
            }
            TreeKind::File { executable } => {
                let file = File::open(root.join(&entry.path))?;
                let mut header = header(EntryType::Regular, if executable { 0o555 } else { 0o444 });
                let size = file.metadata()?.len();
                header.set_size(size);
                archive.append_data(&mut header, &entry.path, file.take(size))?;
            }
        }
    }
    archive.finish()
}

pub(crate) fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_size(0);
    header
}

/// Hands over what is written, piece by piece.
pub(crate) struct Pipe {
    sender: mpsc::Sender<io::Result<Bytes>>,
    held: Vec<u8>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let held = std::mem::replace(&mut self.held, Vec::with_capacity(CHUNK));
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.sender.blocking_send(Ok(held.into())).map_err(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;
    use std::fs;

    #[test]
    fn what_is_packed_is_found_again() {
        let packed = pack(&[Member { path: "state/config.json", mode: 0o600, bytes: b"{}" }]).unwrap();
        assert_eq!(first_file(&packed).unwrap().as_deref(), Some(b"{}".as_slice()));
        assert_eq!(first_file(&pack(&[]).unwrap()).unwrap(), None);
    }

    #[tokio::test]
    async fn a_folder_goes_over_as_it_counts() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("a/.git")).unwrap();
        fs::write(place.path().join("a/app.py"), "print(1)").unwrap();
        std::os::unix::fs::symlink("a/app.py", place.path().join("main.py")).unwrap();
        let pieces: Vec<_> = folder(place.path()).collect().await;
        let bytes: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.unwrap()).collect();
        let mut archive = Archive::new(bytes.as_slice());
        let names = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string());
        assert_eq!(names.collect::<Vec<_>>(), ["./", "a", "a/app.py", "main.py"]);
    }
}
