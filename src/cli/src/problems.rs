//! The problems that a runtime finds with a project, shown where they are written, as those of the language are.

use crate::{fault::Fault, out, project::Project};
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use std::fmt;
use wharf_lang::SourceFile;
use wharf_model::Origin;
use wharf_plan::Problem;

/// A plan's problem with the file that causes it.
#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Problem,
    source: Option<(NamedSource<String>, LabeledSpan)>,
}

/// Prints every problem, and makes the error that ends the command.
pub(crate) fn show(project: &Project, problems: &[Problem]) -> Box<Fault> {
    for problem in problems {
        let source = problem.origin().and_then(|origin| excerpt(&project.files, origin));
        out::diagnostic(&Shown { problem, source });
    }
    count(problems.len(), 0, 0);
    Fault::told()
}

/// Says how many problems there were, and how many warnings the files allow.
pub(crate) fn count(errors: usize, warnings: usize, allowed: usize) {
    let many = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let found = [(errors, "error"), (warnings, "warning")];
    let mut told: Vec<_> =
        found.iter().filter(|(count, _)| *count > 0).map(|(count, word)| many(*count, word)).collect();
    match (allowed, told.is_empty()) {
        (0, _) => {}
        (_, true) => told.push(format!("{} that the files allow", many(allowed, "warning"))),
        (_, false) => told.push(format!("and {allowed} that the files allow")),
    }
    match (errors, told.is_empty()) {
        (_, true) => {}
        (0, false) => out::note(told.join(", ")),
        (_, false) => out::alert(told.join(", ")),
    }
}

/// The file, and the word that stands at the place.
fn excerpt(files: &[SourceFile], origin: &Origin) -> Option<(NamedSource<String>, LabeledSpan)> {
    let file = files.iter().find(|file| file.name == origin.file)?;
    let lines = file.text.split_inclusive('\n');
    let before: usize = lines.clone().take(origin.line as usize - 1).map(str::len).sum();
    let line = lines.clone().nth(origin.line as usize - 1)?;
    let column: usize = line.chars().take(origin.column as usize - 1).map(char::len_utf8).sum();
    let rest = line.get(column..)?.trim_end();
    let length = rest.find(|letter: char| letter.is_whitespace()).unwrap_or(rest.len());
    let span = LabeledSpan::new_with_span(Some("here".to_owned()), (before + column, length));
    Some((NamedSource::new(&*file.name, file.text.to_string()), span))
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.problem)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.problem.code()))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.problem.help()))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|(source, _)| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, label) = self.source.as_ref()?;
        Some(Box::new(std::iter::once(label.clone())))
    }
}
