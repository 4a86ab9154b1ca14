//! Lines that are kept in files: the access log and call records.
//!
//! A thread of its own writes them. Whoever has a line hands it over and goes on: where the thread is behind, or a file
//! cannot be written, the line is dropped and counted. What waits is bounded, in lines and in bytes. A file that is full
//! is renamed: `x` becomes `x.1`, `x.1` becomes `x.2`, and what was the oldest goes. What takes time to put into words, such as
//! leaving out what nobody may read, is done by the thread, too.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// So many lines wait at most, and so many bytes.
const LINES: usize = 8_192;
const BYTES: u64 = 32 << 20;

/// A file of lines, and when another is begun.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Rotated {
    pub(crate) path: PathBuf,
    /// In bytes.
    pub(crate) full: u64,
    /// So many full ones are kept.
    pub(crate) kept: u32,
}

/// The way to the writing thread, which ends when the last of these is gone.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    lines: SyncSender<Line>,
    shared: Arc<Shared>,
}

struct Line {
    file: Arc<Rotated>,
    size: u64,
    text: Box<dyn FnOnce() -> Vec<u8> + Send>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: AtomicU64,
    dropped: AtomicU64,
}

impl Sink {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (lines, received) = sync_channel(LINES);
        let shared = Arc::new(Shared::default());
        let counts = shared.clone();
        let work = move || Writer { files: HashMap::new(), shared: counts }.work(&received);
        std::thread::Builder::new().name("sink".to_owned()).spawn(work)?;
        Ok(Self { lines, shared })
    }

    /// Has a line written, or drops it. Never waits. `size` is about how many bytes are held until then.
    pub(crate) fn keep(&self, file: &Arc<Rotated>, size: u64, text: impl FnOnce() -> Vec<u8> + Send + 'static) {
        let waiting = self.shared.waiting.fetch_add(size, Ordering::Relaxed);
        let line = Line { file: file.clone(), size, text: Box::new(text) };
        if waiting + size > BYTES || self.lines.try_send(line).is_err() {
            self.shared.waiting.fetch_sub(size, Ordering::Relaxed);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

struct Writer {
    files: HashMap<PathBuf, Open>,
    shared: Arc<Shared>,
}

struct Open {
    file: BufWriter<File>,
    size: u64,
}

impl Writer {
    fn work(&mut self, received: &Receiver<Line>) {
        while let Ok(mut line) = received.recv() {
            loop {
                self.write(line);
                match received.try_recv() {
                    Ok(next) => line = next,
                    Err(_) => break,
                }
            }
            // Nothing more waits: what was written shall be seen.
            self.files.retain(|path, open| {
                let flushed = open.file.flush();
                flushed.inspect_err(|error| tracing::warn!(file = %path.display(), %error, "cannot write")).is_ok()
            });
        }
    }

    fn write(&mut self, line: Line) {
        let Line { file, size, text } = line;
        let text = text();
        self.shared.waiting.fetch_sub(size, Ordering::Relaxed);
        if let Err(error) = self.append(&file, &text) {
            self.files.remove(&file.path);
            if self.shared.dropped.fetch_add(1, Ordering::Relaxed).is_power_of_two() {
                tracing::warn!(file = %file.path.display(), %error, "lines are dropped");
            }
        }
    }

    fn append(&mut self, Rotated { path, full, kept }: &Rotated, text: &[u8]) -> io::Result<()> {
        let size = text.len() as u64;
        if let Some(open) = self.files.get_mut(path)
            && open.size + size > *full
        {
            open.file.flush()?;
            self.files.remove(path);
            rotate(path, *kept)?;
        }
        let open = match self.files.get_mut(path) {
            Some(open) => open,
            None => self.files.entry(path.clone()).or_insert(Open::at(path)?),
        };
        open.file.write_all(text)?;
        open.size += size;
        Ok(())
    }
}

impl Open {
    fn at(path: &Path) -> io::Result<Self> {
        let open = || OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        let file = match (open(), path.parent()) {
            (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().mode(0o700).create(folder)?;
                open()?
            }
            (opened, _) => opened?,
        };
        let size = file.metadata()?.len();
        Ok(Self { file: BufWriter::with_capacity(64 << 10, file), size })
    }
}

fn rotate(path: &Path, kept: u32) -> io::Result<()> {
    let numbered = |number: u32| match number {
        0 => path.to_owned(),
        number => {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        }
    };
    for number in (0..kept).rev() {
        match fs::rename(numbered(number), numbered(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer() -> Writer {
        Writer { files: HashMap::new(), shared: Arc::default() }
    }

    fn file(path: PathBuf, full: u64, kept: u32) -> Arc<Rotated> {
        Arc::new(Rotated { path, full, kept })
    }

    fn line(file: &Arc<Rotated>, text: String) -> Line {
        Line { file: file.clone(), size: text.len() as u64, text: Box::new(|| text.into_bytes()) }
    }

    #[test]
    fn full_files_are_renamed_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let calls = file(dir.path().join("calls.jsonl"), 10, 2);
        let mut writer = writer();
        for number in 0..5 {
            writer.write(line(&calls, format!("line {number}\n")));
        }
        drop(writer);
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!((read("calls.jsonl"), read("calls.jsonl.1")), ("line 4\n".into(), "line 3\n".into()));
        assert_eq!(read("calls.jsonl.2"), "line 2\n");
        assert!(!dir.path().join("calls.jsonl.3").exists());
    }

    #[test]
    fn a_file_that_cannot_be_written_costs_its_lines_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (bad, good) = (file(dir.path().join("x/x"), 1 << 20, 1), file(dir.path().join("x"), 1 << 20, 1));
        let mut writer = writer();
        fs::write(&good.path, "").unwrap();
        for file in [&bad, &good, &bad] {
            writer.write(line(file, "line\n".to_owned()));
        }
        assert_eq!(writer.shared.dropped.load(Ordering::Relaxed), 2);
        drop(writer);
        assert_eq!(fs::read_to_string(&good.path).unwrap(), "line\n");
    }

    #[test]
    fn what_waits_is_bounded() {
        // Nobody writes.
        let (lines, _received) = sync_channel(LINES);
        let sink = Sink { lines, shared: Arc::default() };
        let file = file("x".into(), 1, 1);
        (0..40).for_each(|_| sink.keep(&file, 1 << 20, Vec::new));
        assert_eq!((sink.dropped(), sink.shared.waiting.load(Ordering::Relaxed)), (8, 32 << 20));
    }
}
