//! The formatter: the same file with its spaces, line ends and indentation in order, and nothing else changed.
//!
//! It works on tokens of its own rather than on the parser's tree, which has no place for a comment. The parser has the
//! first and the last word, though: a file that it refuses is not touched, and neither is one that would come to mean
//! something else.
//!
//! `token` cuts the text, `layout` finds lines and blocks, `print` writes them.

mod layout;
mod outline;
mod print;
pub(crate) mod token;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use crate::{
    SourceFile,
    problem::{Code, Problem, Problems},
    source::{Place, Sources},
    syntax,
    threads::Threads,
};
pub(crate) use outline::outline;
use std::slice;

/// Formats a file: four spaces a level, one node a line. A block that the author wrote on one line stays there if it
/// fits in 100 columns. Comments, the spelling of values and the order of everything stay as they are; several blank
/// lines become one.
///
/// # Errors
///
/// The problems of a file that cannot be parsed.
pub fn format(file: &SourceFile) -> Result<String, Problems> {
    let sources = Sources::new(slice::from_ref(file));
    let before = tree(&sources)?;
    let tokens = token::tokens(&file.text);
    let text = print::print(&layout::layout(&tokens));
    let formatted = SourceFile { name: file.name.clone(), text: text.as_str().into() };
    match tree(&Sources::new(slice::from_ref(&formatted))) {
        Ok(after) if after == before => Ok(text),
        _ => Err(changed(&sources)),
    }
}

/// What the file says, apart from how it is written.
fn tree(sources: &Sources<'_>) -> Result<String, Problems> {
    let tree = syntax::parse(sources.files(), 0..sources.files().len(), Threads::Cores);
    if tree.problems.is_empty() {
        return Ok(outline(&tree.nodes));
    }
    let mut problems = Problems::default();
    tree.problems.into_iter().for_each(|problem| problems.push(problem));
    Err(problems.finish(sources))
}

fn changed(sources: &Sources<'_>) -> Problems {
    let mut problems = Problems::default();
    let problem = Problem::error(Code::Syntax, "this file cannot be formatted without changing what it means");
    let help = "it was left as it is; please report it, as this is a mistake of wharf".to_owned();
    problems.push(problem.at(Place::new(0, 0, 0), "").help(help));
    problems.finish(sources)
}
