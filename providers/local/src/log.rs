//! The log of one instance as its supervisor writes it: a line each, with time and stream, in a file of limited size.
//!
//! A log that cannot be written is dropped, never waited for: the instance must not notice.

use crate::layout::InstanceFolder;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
};
use wharf_provider::LogStream;

/// So large a log may grow before it is put aside.
pub(crate) const LIMIT: u64 = 10 << 20;

/// A longer line is broken.
const LINE: usize = 16 << 10;

/// The words for the streams in the file.
pub(crate) fn stream_name(stream: LogStream) -> &'static str {
    match stream {
        LogStream::Out => "out",
        LogStream::Err => "err",
    }
}

/// Writes lines, and puts the file aside when it is full.
#[derive(Debug)]
pub(crate) struct Log {
    folder: InstanceFolder,
    file: Option<File>,
    size: u64,
    limit: u64,
}

impl Log {
    /// Opens the log at its end. `limit` is in bytes.
    pub(crate) fn open(folder: InstanceFolder, limit: u64) -> Self {
        let mut log = Self { folder, file: None, size: 0, limit };
        log.reopen();
        log
    }

    fn reopen(&mut self) {
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(self.folder.log());
        self.file = opened.ok();
        self.size = self.file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |found| found.len());
    }

    /// Writes lines as they are.
    fn append(&mut self, lines: &[u8]) {
        if self.size > 0 && self.size + lines.len() as u64 > self.limit {
            // When this fails the file goes on growing, which is better than losing it.
            drop(fs::rename(self.folder.log(), self.folder.older_log()));
            self.reopen();
        }
        let written: io::Result<()> = self.file.as_mut().map_or(Ok(()), |file| file.write_all(lines));
        if written.is_ok() {
            self.size += lines.len() as u64;
        }
    }
}

/// Takes in what one stream says and hands on whole lines.
#[derive(Debug)]
pub(crate) struct Lines {
    stream: LogStream,
    rest: Vec<u8>,
}

impl Lines {
    pub(crate) fn new(stream: LogStream) -> Self {
        Self { stream, rest: Vec::new() }
    }

    /// Takes in some bytes.
    pub(crate) fn take(&mut self, bytes: &[u8], log: &mut Log) {
        let now = jiff::Timestamp::now();
        let mut ready = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(part);
            if self.rest.len() >= LINE || part.ends_with(b"\n") {
                self.flush(now, &mut ready);
            }
        }
        log.append(&ready);
    }

    /// Hands on what has no end of line.
    pub(crate) fn finish(&mut self, log: &mut Log) {
        let mut ready = Vec::new();
        if !self.rest.is_empty() {
            self.flush(jiff::Timestamp::now(), &mut ready);
        }
        log.append(&ready);
    }

    fn flush(&mut self, now: jiff::Timestamp, ready: &mut Vec<u8>) {
        let whole = self.rest.strip_suffix(b"\n").unwrap_or(&self.rest);
        let whole = whole.strip_suffix(b"\r").unwrap_or(whole);
        let (time, stream) = (now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ"), stream_name(self.stream));
        for piece in if whole.is_empty() { vec![whole] } else { whole.chunks(LINE).collect() } {
            ready.extend_from_slice(format!("{time} {stream} {}\n", String::from_utf8_lossy(piece)).as_bytes());
        }
        self.rest.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(folder: &InstanceFolder) -> Vec<String> {
        let text = fs::read_to_string(folder.log()).unwrap();
        text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }

    #[test]
    fn lines_are_put_together_and_broken() {
        let place = tempfile::tempdir().unwrap();
        let folder = InstanceFolder::new(place.path().to_owned());
        let mut log = Log::open(folder.clone(), LIMIT);
        let (mut out, mut err) = (Lines::new(LogStream::Out), Lines::new(LogStream::Err));
        out.take(b"one\ntw", &mut log);
        err.take(b"trouble\r\n\n", &mut log);
        out.take(b"o\nlast", &mut log);
        out.finish(&mut log);
        err.take(&vec![b'x'; LINE + 1], &mut log);
        err.finish(&mut log);
        let long = format!("err {}", "x".repeat(LINE));
        assert_eq!(texts(&folder), ["out one", "err trouble", "err ", "out two", "out last", &long, "err x"]);
    }

    #[test]
    fn a_full_log_is_put_aside_once() {
        let place = tempfile::tempdir().unwrap();
        let folder = InstanceFolder::new(place.path().to_owned());
        let mut log = Log::open(folder.clone(), 100);
        let mut out = Lines::new(LogStream::Out);
        for number in 0..8 {
            out.take(format!("line {number}\n").as_bytes(), &mut log);
        }
        assert_eq!(texts(&folder), ["out line 6", "out line 7"]);
        assert!(fs::metadata(folder.older_log()).unwrap().len() <= 100);
    }
}
