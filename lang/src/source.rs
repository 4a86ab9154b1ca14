//! The files of a project and places in them.
//!
//! A [`Place`] is all that the later passes carry about; only here is it turned into what people read, a line and a
//! column.

use crate::SourceFile;
use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};
use wharf_model::Origin;

/// A range of bytes in one of the files. There are very many of these, so they are small; what lies behind the first four
/// gigabytes of a file is said to be at their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    file: u32,
    start: u32,
    len: u32,
}

impl Place {
    /// `len` bytes from `start` on, of a file counted in the order of the request.
    pub(crate) fn new(file: usize, start: usize, len: usize) -> Self {
        let small = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self { file: small(file), start: small(start), len: small(len) }
    }

    /// A part of it.
    pub(crate) fn part(self, from: usize, len: usize) -> Self {
        Self::new(self.file(), self.start() + from, len)
    }

    /// Which file it is in.
    pub(crate) fn file(self) -> usize {
        self.file as usize
    }

    /// The first byte.
    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    /// How many bytes.
    pub(crate) fn len(self) -> usize {
        self.len as usize
    }

    /// All bytes.
    pub(crate) fn range(self) -> Range<usize> {
        self.start()..self.start() + self.len()
    }
}

/// The files. Where their lines begin is found when somebody asks.
pub(crate) struct Sources<'a> {
    files: &'a [SourceFile],
    lines: Vec<OnceLock<Vec<usize>>>,
    /// How many characters come before every [`BLOCK`] bytes, so that a column on a long line is not counted from its start.
    counted: Vec<OnceLock<Vec<usize>>>,
}

const BLOCK: usize = 1024;

impl<'a> Sources<'a> {
    pub(crate) fn new(files: &'a [SourceFile]) -> Self {
        let unknown = || files.iter().map(|_| OnceLock::new()).collect();
        Self { files, lines: unknown(), counted: unknown() }
    }

    /// Where the lines of a file begin.
    fn lines(&self, file: usize) -> &[usize] {
        self.lines[file].get_or_init(|| {
            let after_newlines = self.files[file].text.match_indices('\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(after_newlines).collect()
        })
    }

    /// How many characters lie between the start of a line and a place on it.
    fn characters_between(&self, file: usize, start: usize, at: usize) -> usize {
        match self.files[file].text.get(start..at) {
            Some(before) if before.len() <= BLOCK => before.chars().count(),
            _ => self.characters(file, at).saturating_sub(self.characters(file, start)),
        }
    }

    /// How many characters of the file come before the place.
    fn characters(&self, file: usize, at: usize) -> usize {
        let (text, block) = (&self.files[file].text, at / BLOCK);
        let rest = text.get(text.floor_char_boundary(block * BLOCK)..at).unwrap_or_default();
        let counted = self.counted[file].get_or_init(|| count(text));
        counted.get(block).copied().unwrap_or_default() + rest.chars().count()
    }

    pub(crate) fn files(&self) -> &'a [SourceFile] {
        self.files
    }

    pub(crate) fn file(&self, index: usize) -> &'a SourceFile {
        &self.files[index]
    }

    /// A whole line, counted from 1.
    pub(crate) fn place_of_line(&self, file: usize, line: usize) -> Place {
        let (text, starts) = (&self.files[file].text, self.lines(file));
        let start = starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        Place::new(file, start, text[start..].lines().next().map_or(0, str::len))
    }

    /// What stands at the place.
    pub(crate) fn text(&self, place: Place) -> &'a str {
        self.files[place.file()].text.get(place.range()).unwrap_or_default()
    }

    /// The place as people count.
    pub(crate) fn origin(&self, place: Place) -> Origin {
        let starts = self.lines(place.file());
        let line = starts.partition_point(|start| *start <= place.start()).saturating_sub(1);
        let column = self.characters_between(place.file(), starts[line], place.start()) + 1;
        Origin {
            file: Arc::clone(&self.files[place.file()].name),
            line: u32::try_from(line + 1).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }
}

/// The characters before each block, a character that lies across its start not counted.
fn count(text: &str) -> Vec<usize> {
    let (mut counted, mut from, mut characters) = (Vec::new(), 0, 0);
    for start in (0..=text.len()).step_by(BLOCK) {
        let start = text.floor_char_boundary(start);
        characters += text[from..start].chars().count();
        counted.push(characters);
        from = start;
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_counted_as_people_do() {
        let files = [SourceFile { name: "a.kdl".into(), text: "one\nzwölf x\n".into() }];
        let sources = Sources::new(&files);
        let at = |start| {
            let origin = sources.origin(Place::new(0, start, 1));
            (origin.line, origin.column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(4), (2, 1));
        assert_eq!(at(11), (2, 7));
        assert_eq!(at(13), (3, 1));
    }

    #[test]
    fn long_lines_are_counted_alike() {
        let text: String = "ab\n".to_owned() + &"é日x".repeat(1_000);
        let files = [SourceFile { name: "a.kdl".into(), text: text.as_str().into() }];
        let sources = Sources::new(&files);
        for (column, (start, letter)) in text.char_indices().skip(3).enumerate() {
            let origin = sources.origin(Place::new(0, start, letter.len_utf8()));
            assert_eq!((origin.line as usize, origin.column as usize), (2, column + 1));
        }
    }
}
