//! Lines that are kept in files: the access log and call records.
//!
//! A thread of its own writes them. Whoever has a line hands it over and goes on: where the thread is behind, or a file
//! cannot be written, the line is dropped and counted. What waits is bounded, in lines and in bytes. A file that is full
//! is renamed: `x` becomes `x.1`, `x.1` becomes `x.2`, and what was the oldest goes.

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

/// A file this large is full, and so many full ones are kept.
const FULL: u64 = 64 << 20;
const KEPT: u32 = 4;

/// The way to the writing thread, which ends when the last of these is gone.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    lines: SyncSender<Line>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Line {
    file: Arc<Path>,
    text: Vec<u8>,
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
        let work = move || Writer { files: HashMap::new(), full: FULL, shared: counts }.work(&received);
        std::thread::Builder::new().name("sink".to_owned()).spawn(work)?;
        Ok(Self { lines, shared })
    }

    /// Has a line written, or drops it. Never waits.
    pub(crate) fn keep(&self, file: &Arc<Path>, text: Vec<u8>) {
        let size = text.len() as u64;
        let waiting = self.shared.waiting.fetch_add(size, Ordering::Relaxed);
        let line = Line { file: file.clone(), text };
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
    files: HashMap<Arc<Path>, Open>,
    full: u64,
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
                self.write(&line);
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

    fn write(&mut self, line: &Line) {
        self.shared.waiting.fetch_sub(line.text.len() as u64, Ordering::Relaxed);
        if let Err(error) = self.append(line) {
            self.files.remove(&line.file);
            if self.shared.dropped.fetch_add(1, Ordering::Relaxed).is_power_of_two() {
                tracing::warn!(file = %line.file.display(), %error, "lines are dropped");
            }
        }
    }

    fn append(&mut self, line: &Line) -> io::Result<()> {
        let size = line.text.len() as u64;
        if let Some(open) = self.files.get_mut(&line.file)
            && open.size + size > self.full
        {
            open.file.flush()?;
            self.files.remove(&line.file);
            rotate(&line.file)?;
        }
        let open = match self.files.get_mut(&line.file) {
            Some(open) => open,
            None => self.files.entry(line.file.clone()).or_insert(Open::at(&line.file)?),
        };
        open.file.write_all(&line.text)?;
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

fn rotate(path: &Path) -> io::Result<()> {
    let numbered = |number: u32| match number {
        0 => path.to_owned(),
        number => {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        }
    };
    for number in (0..KEPT).rev() {
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

    fn writer(full: u64) -> Writer {
        Writer { files: HashMap::new(), full, shared: Arc::default() }
    }

    #[test]
    fn full_files_are_renamed_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let file: Arc<Path> = dir.path().join("calls.jsonl").into();
        let mut writer = writer(10);
        for number in 0..7 {
            writer.write(&Line { file: file.clone(), text: format!("line {number}\n").into_bytes() });
        }
        drop(writer);
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!((read("calls.jsonl"), read("calls.jsonl.1")), ("line 6\n".into(), "line 5\n".into()));
        assert_eq!(read("calls.jsonl.4"), "line 2\n");
        assert!(!dir.path().join("calls.jsonl.5").exists());
    }

    #[test]
    fn a_file_that_cannot_be_written_costs_its_lines_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (bad, good): (Arc<Path>, Arc<Path>) = (dir.path().join("x/x").into(), dir.path().join("x").into());
        let mut writer = writer(FULL);
        fs::write(&good, "").unwrap();
        for file in [&bad, &good, &bad] {
            writer.write(&Line { file: file.clone(), text: b"line\n".to_vec() });
        }
        assert_eq!(writer.shared.dropped.load(Ordering::Relaxed), 2);
        drop(writer);
        assert_eq!(fs::read_to_string(&good).unwrap(), "line\n");
    }

    #[test]
    fn what_waits_is_bounded() {
        // Nobody writes.
        let (lines, _received) = sync_channel(LINES);
        let sink = Sink { lines, shared: Arc::default() };
        let file: Arc<Path> = Path::new("x").into();
        (0..40).for_each(|_| sink.keep(&file, vec![b'x'; 1 << 20]));
        assert_eq!((sink.dropped(), sink.shared.waiting.load(Ordering::Relaxed)), (8, 32 << 20));
    }
}
