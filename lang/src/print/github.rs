//! GitHub's workflow commands, which it shows beside the lines of a pull request.

use super::{path, severity};
use crate::{Problem, Problems, Region};
use std::fmt::Write;

/// The problems as one workflow command each.
pub fn problems_github(problems: &Problems, folder: &str) -> String {
    problems.iter().map(|problem| command(problem, folder)).collect()
}

fn command(problem: &Problem, folder: &str) -> String {
    let mut text = problem.message().to_owned();
    if let Some(help) = problem.advice() {
        let _ = write!(text, "\nhelp: {help}");
    }
    if let Some(other) = problem.related_region() {
        let _ = write!(text, "\n{}: {}:{}", other.label, path(folder, &other.file), other.start.line);
    }
    let place = problem.region().map(|region| place(region, folder)).unwrap_or_default();
    let title = property(problem.code().as_str());
    format!("::{} {place}title={title}::{}\n", severity(problem), data(&text))
}

/// Columns count only where a place lies within one line.
fn place(region: &Region, folder: &str) -> String {
    let Region { start, end, .. } = region;
    let columns =
        if start.line == end.line { format!("col={},endColumn={},", start.column, end.column) } else { String::new() };
    format!("file={},line={},endLine={},{columns}", property(&path(folder, &region.file)), start.line, end.line)
}

/// What would end the text, or the line it must stand on.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What would end a property, as well.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_its_command() {
        assert_eq!(data("100%\r\n::error::"), "100%25%0D%0A::error::");
        assert_eq!(property("a,b::c%"), "a%2Cb%3A%3Ac%25");
    }
}
