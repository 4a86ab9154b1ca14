//! The places that a problem points at, with what is said of them there.

use crate::source::{Place, Sources};
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceSpan};
use std::{borrow::Cow, collections::BTreeMap, error::Error, fmt, sync::Arc};

#[derive(Debug, Clone)]
pub(super) struct Label {
    pub(super) place: Place,
    pub(super) text: Cow<'static, str>,
    /// Filled in by [`Problems::finish`](super::Problems::finish); while problems are gathered a place is enough.
    pub(super) source: Option<NamedSource<Arc<str>>>,
    pub(super) region: Option<Region>,
}

/// A stretch of a file, as people count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// The file, relative to the project's folder.
    pub file: Arc<str>,
    /// What is said of it there.
    pub label: String,
    /// Where it begins.
    pub start: Spot,
    /// The place after its last character.
    pub end: Spot,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl Region {
    fn new(place: Place, label: &str, sources: &Sources<'_>) -> Self {
        let spot = |at: usize| {
            let origin = sources.origin(Place::new(place.file(), at, 0));
            Spot { line: origin.line, column: origin.column }
        };
        let (start, end) = (spot(place.range().start), spot(place.range().end));
        Self { file: Arc::clone(&sources.file(place.file()).name), label: label.to_owned(), start, end }
    }
}

impl Label {
    pub(super) fn new(place: Place, text: impl Into<Cow<'static, str>>) -> Option<Self> {
        Some(Self { place, text: text.into(), source: None, region: None })
    }

    pub(super) fn attach(&mut self, sources: &Sources<'_>, masked: &BTreeMap<usize, Arc<str>>) {
        let file = sources.file(self.place.file());
        let text = masked.get(&self.place.file()).unwrap_or(&file.text);
        self.source = Some(NamedSource::new(&file.name, Arc::clone(text)));
        self.region = Some(Region::new(self.place, &self.text, sources));
    }

    pub(super) fn span(&self) -> LabeledSpan {
        let span = SourceSpan::from((self.place.start(), self.place.len()));
        LabeledSpan::new_primary_with_span(Some(self.text.to_string()), span)
    }

    pub(super) fn secondary(&self) -> LabeledSpan {
        LabeledSpan::new(Some(self.text.to_string()), self.place.start(), self.place.len())
    }
}

/// A second place in another file is drawn as a note of its own, since a diagnostic has one source.
impl Diagnostic for Label {
    fn severity(&self) -> Option<miette::Severity> {
        Some(miette::Severity::Advice)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(
            None,
            SourceSpan::from((self.place.start(), self.place.len())),
        ))))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Label {}
