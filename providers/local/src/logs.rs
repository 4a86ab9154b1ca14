//! Reading the logs of instances. A reader may come back after any time: the cursor knows a file by its first line,
//! which no other log has, and counts its bytes.

use crate::{clock, layout::InstanceFolder};
use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    path::Path,
};
use wharf_model::{Fingerprint, InstanceId};
use wharf_provider::{LogLine, LogStream};

/// So much of the end of a log is looked at for its last lines.
const TAIL: u64 = 64 << 10;

/// Which file, and how many of its bytes were read.
pub(crate) type Place = (u64, u64);

/// The lines after `place`, at most the `limit` newest, and the place behind them.
pub(crate) fn read(
    folder: &InstanceFolder,
    instance: &InstanceId,
    place: Option<Place>,
    limit: usize,
) -> io::Result<(Vec<LogLine>, Option<Place>)> {
    // In this order: when the log is put aside between the two, the same file is found twice, and none is missed.
    let newer = Part::open(&folder.log())?;
    let older = Part::open(&folder.older_log())?;
    let older = older.filter(|older| newer.as_ref().is_none_or(|newer| newer.identity != older.identity));
    let mut lines = Vec::new();
    let mut reached = place;
    let in_newer = newer.as_ref().is_some_and(|part| place.is_some_and(|(file, _)| file == part.identity));
    let unread = older.into_iter().filter(|_| !in_newer).chain(newer);
    for mut part in unread {
        let from = place.filter(|(file, _)| *file == part.identity).map_or(0, |(_, offset)| offset);
        let text = part.whole_lines(from)?;
        lines.extend(text.lines().filter_map(|line| parse(line, instance)));
        reached = Some((part.identity, from + text.len() as u64));
    }
    lines.drain(..lines.len().saturating_sub(limit));
    Ok((lines, reached))
}

/// The texts of the last `count` lines.
pub(crate) fn last(folder: &InstanceFolder, instance: &InstanceId, count: usize) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for path in [folder.older_log(), folder.log()] {
        if let Some(mut part) = Part::open(&path)? {
            let from = part.file.metadata()?.len().saturating_sub(TAIL);
            // The first line may be cut; then it does not parse.
            lines.extend(part.whole_lines(from)?.lines().filter_map(|line| parse(line, instance)));
        }
    }
    Ok(lines.split_off(lines.len().saturating_sub(count)).into_iter().map(|line| line.text).collect())
}

/// One file of a log.
struct Part {
    file: File,
    identity: u64,
}

impl Part {
    /// Opens it. `None` when it is not there or has no whole line yet.
    fn open(path: &Path) -> io::Result<Option<Self>> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut first = Vec::new();
        BufReader::with_capacity(512, (&mut file).take(TAIL)).read_until(b'\n', &mut first)?;
        if !first.ends_with(b"\n") {
            return Ok(None);
        }
        let digest = Fingerprint::of([first.as_slice()]).to_string();
        let identity = digest.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0);
        Ok(Some(Self { file, identity }))
    }

    fn whole_lines(&mut self, from: u64) -> io::Result<String> {
        self.file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes)?;
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        bytes.truncate(end);
        // A cut may go through a character; there it costs the first line, which is cut anyway.
        Ok(String::from_utf8(bytes).unwrap_or_else(|error| {
            let bytes = error.into_bytes();
            let whole = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            String::from_utf8_lossy(&bytes[whole..]).into_owned()
        }))
    }
}

fn parse(line: &str, instance: &InstanceId) -> Option<LogLine> {
    let (time, rest) = line.split_once(' ')?;
    let (stream, text) = rest.split_once(' ')?;
    let stream = [LogStream::Out, LogStream::Err].into_iter().find(|one| crate::log::stream_name(*one) == stream)?;
    let at = clock::of(time.parse().ok()?);
    Some(LogLine { instance: instance.clone(), rank: 0, at, stream, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const ONE: &str = "2026-11-22T10:00:00.001Z out one\n";
    const TWO: &str = "2026-11-22T10:00:00.002Z err two\n";

    fn texts(folder: &InstanceFolder, place: &mut Option<Place>, limit: usize) -> Vec<String> {
        let (lines, reached) = read(folder, &"hello-0-g1".parse().unwrap(), *place, limit).unwrap();
        *place = reached;
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn a_reader_goes_on_where_it_was_across_a_rotation() {
        let place = tempfile::tempdir().unwrap();
        let folder = InstanceFolder::new(place.path().to_owned());
        let mut at = None;
        assert!(texts(&folder, &mut at, 9).is_empty());
        fs::write(folder.log(), ONE).unwrap();
        assert_eq!(texts(&folder, &mut at, 9), ["one"]);
        assert!(texts(&folder, &mut at, 9).is_empty());
        fs::write(folder.older_log(), format!("{ONE}{TWO}")).unwrap();
        fs::write(folder.log(), "2026-11-22T10:00:00.003Z out three\n2026-11-22T10:00:00.004Z out cut").unwrap();
        assert_eq!(texts(&folder, &mut at, 9), ["two", "three"]);
        assert!(texts(&folder, &mut at, 9).is_empty());
        assert_eq!(texts(&folder, &mut None, 2), ["two", "three"]);
    }

    #[test]
    fn a_line_reads_back() {
        let line = parse(TWO.trim_end(), &"hello-0-g1".parse().unwrap()).unwrap();
        assert_eq!((line.stream, line.text.as_str(), line.at.0 % 1000), (LogStream::Err, "two", 2));
        assert_eq!(parse("nonsense", &"hello-0-g1".parse().unwrap()), None);
    }
}
