//! What is wrong with a project, in a form that a person can act on.
//!
//! A problem has a stable code, one sentence, the exact place with a label, at most one more place, and help. It is a
//! [`miette::Diagnostic`] with its own source, so any handler can draw it; how it is drawn, and whether warnings matter,
//! is the caller's.

mod code;
mod label;
mod list;

pub use code::Code;
pub use label::{Region, Spot};
pub use list::Problems;

use crate::{characters, source::Place};
use label::Label;
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use std::{borrow::Cow, error::Error, fmt, ops::Range, sync::Arc};

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// There is no deployment while it stands.
    Error,
    /// Worth a look.
    Warning,
}

/// One problem.
#[derive(Debug, Clone)]
pub struct Problem {
    severity: Severity,
    code: Code,
    message: String,
    label: Option<Label>,
    other: Option<Label>,
    help: Option<String>,
    allowed: Option<Allowed>,
}

/// That a file allows a warning.
#[derive(Debug, Clone)]
struct Allowed {
    reason: Arc<str>,
    label: Option<Label>,
}

impl Problem {
    pub(crate) fn error(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { severity: Severity::Error, code, message, label: None, other: None, help: None, allowed: None }
    }

    pub(crate) fn warning(code: Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    pub(crate) fn at(mut self, place: impl Into<Option<Place>>, text: impl Into<Cow<'static, str>>) -> Self {
        self.label = place.into().and_then(|place| Label::new(place, text));
        self
    }

    pub(crate) fn and(mut self, place: impl Into<Option<Place>>, text: impl Into<Cow<'static, str>>) -> Self {
        self.other = place.into().and_then(|place| Label::new(place, text));
        self
    }

    pub(crate) fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into();
        self
    }

    /// Words of the file that are quoted cannot steer a terminal either.
    fn tame(&mut self) {
        for text in std::iter::once(&mut self.message).chain(&mut self.help) {
            if let Some(tamed) = characters::tamed(text) {
                *text = tamed;
            }
        }
        if let Some(allowed) = &mut self.allowed
            && let Some(tamed) = characters::tamed(&allowed.reason)
        {
            allowed.reason = tamed.into();
        }
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Its kind.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What is wrong, in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The way out, where there is an obvious one.
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The file, relative to the project's folder; none when it is about no file, but about how wharf was called.
    pub fn file(&self) -> Option<&str> {
        self.label.as_ref()?.source.as_ref().map(NamedSource::name)
    }

    /// The bytes of that file that it is about.
    pub fn span(&self) -> Option<Range<usize>> {
        self.label.as_ref().map(|label| label.place.range())
    }

    /// Where it is, in lines and columns.
    pub fn region(&self) -> Option<&Region> {
        self.label.as_ref()?.region.as_ref()
    }

    /// Why the files allow it; none when they do not.
    pub fn allowed(&self) -> Option<&str> {
        self.allowed.as_ref().map(|allowed| &*allowed.reason)
    }

    /// Where the files allow it.
    pub fn allowed_region(&self) -> Option<&Region> {
        self.allowed.as_ref()?.label.as_ref()?.region.as_ref()
    }

    /// The second place that it is about, in this file or in another.
    pub fn related_region(&self) -> Option<&Region> {
        self.other.as_ref()?.region.as_ref()
    }

    /// The second place, if it lies in another file than the first.
    fn elsewhere(&self) -> Option<&Label> {
        self.other.as_ref().filter(|other| self.label.as_ref().is_none_or(|own| own.place.file() != other.place.file()))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Problem {}

impl Diagnostic for Problem {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code.as_str()))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.label.as_ref()?.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let own = self.label.as_ref()?;
        let beside = self.other.iter().filter(|other| other.place.file() == own.place.file());
        Some(Box::new(std::iter::once(own.span()).chain(beside.map(Label::secondary))))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        let other = self.elsewhere()?;
        Some(Box::new(std::iter::once(other as &dyn Diagnostic)))
    }
}
