//! The files of a project and places in them.
//!
//! A [`Place`] is all that the later passes carry about; only here is it turned into what people read, a line and a
//! column.

use crate::SourceFile;
use std::sync::Arc;
use wharf_model::Origin;

/// A range of bytes in one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    /// Which file, counted in the order of the request.
    pub(crate) file: usize,
    /// The first byte.
    pub(crate) start: usize,
    /// How many bytes.
    pub(crate) len: usize,
}

/// The files, with their lines found.
pub(crate) struct Sources<'a> {
    files: &'a [SourceFile],
    lines: Vec<Vec<usize>>,
}

impl<'a> Sources<'a> {
    pub(crate) fn new(files: &'a [SourceFile]) -> Self {
        let lines_of = |file: &SourceFile| {
            let after_newlines = file.text.match_indices('\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(after_newlines).collect()
        };
        Self { files, lines: files.iter().map(lines_of).collect() }
    }

    pub(crate) fn files(&self) -> &'a [SourceFile] {
        self.files
    }

    pub(crate) fn file(&self, index: usize) -> &'a SourceFile {
        &self.files[index]
    }

    /// A whole line, counted from 1.
    pub(crate) fn place_of_line(&self, file: usize, line: usize) -> Place {
        let (text, starts) = (&self.files[file].text, &self.lines[file]);
        let start = starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        Place { file, start, len: text[start..].lines().next().map_or(0, str::len) }
    }

    /// What stands at the place.
    pub(crate) fn text(&self, place: Place) -> &'a str {
        self.files[place.file].text.get(place.start..place.start + place.len).unwrap_or_default()
    }

    /// The place as people count.
    pub(crate) fn origin(&self, place: Place) -> Origin {
        let starts = &self.lines[place.file];
        let line = starts.partition_point(|start| *start <= place.start).saturating_sub(1);
        let before = self.files[place.file].text.get(starts[line]..place.start).unwrap_or_default();
        Origin {
            file: Arc::clone(&self.files[place.file].name),
            line: u32::try_from(line + 1).unwrap_or(u32::MAX),
            column: u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_counted_as_people_do() {
        let files = [SourceFile { name: "a.kdl".into(), text: "one\nzwölf x\n".into() }];
        let sources = Sources::new(&files);
        let at = |start| {
            let origin = sources.origin(Place { file: 0, start, len: 1 });
            (origin.line, origin.column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(4), (2, 1));
        assert_eq!(at(11), (2, 7));
        assert_eq!(at(13), (3, 1));
    }
}
