//! From text to a tree of our own: KDL 2.0, read at the speed that large projects need.
//!
//! What is wrong is reported in words that name the KDL 2 spelling, one problem for one mistake, and the rest of the text
//! is read all the same. Values know exactly where they stand. What the nodes mean is not decided here. The `kdl` crate is
//! the reference that the tests compare with.

mod character;
mod entry;
mod mistake;
mod number;
mod parser;
#[cfg(test)]
mod reference;
mod space;
mod text;

use crate::{
    SourceFile,
    problem::Problem,
    source::{Place, Sources},
};
use std::{num::NonZero, ops::Range, panic::resume_unwind, sync::Arc, thread};

/// A word with its place.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    pub(crate) text: Arc<str>,
    pub(crate) at: Place,
}

/// A node as it is written.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: Word,
    pub(crate) annotation: Option<Word>,
    pub(crate) entries: Vec<Entry>,
    /// The nodes in its block; none when it has no block.
    pub(crate) block: Option<Vec<Node>>,
    /// A value or property could not be read, so what seems to be missing may be written.
    pub(crate) values_lost: bool,
    /// The same of a node in its block.
    pub(crate) nodes_lost: bool,
}

/// A value of a node, or a property when it has a key.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Option<Word>,
    pub(crate) annotation: Option<Word>,
    pub(crate) value: Scalar,
    /// The value alone, with its quotes.
    pub(crate) at: Place,
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Text(Arc<str>),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Null,
}

/// The nodes of all files, in order, and whether any text could not be read.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    pub(crate) problems: Vec<Problem>,
}

/// Reads every file, on as many cores as there are. A mistake does not keep the rest from being read.
pub(crate) fn parse(sources: &Sources<'_>) -> Tree {
    parse_files(sources, 0..sources.files().len())
}

/// Reads some of the files.
pub(crate) fn parse_files(sources: &Sources<'_>, which: Range<usize>) -> Tree {
    let files = sources.files();
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let shares = shares(&files[which.clone()], threads).into_iter();
    let shares: Vec<_> = shares.map(|share| which.start + share.start..which.start + share.end).collect();
    let mut tree = Tree::default();
    for (nodes, problems) in side_by_side(files, &shares) {
        tree.nodes.extend(nodes);
        tree.problems.extend(problems);
    }
    tree
}

/// Less text than this is not worth a thread.
const SHARE: usize = 256 * 1024;

/// Cuts the files into runs of about the same length, at most one for each thread.
fn shares(files: &[SourceFile], threads: usize) -> Vec<Range<usize>> {
    let total: usize = files.iter().map(|file| file.text.len()).sum();
    let wanted = (total / SHARE).clamp(1, threads);
    let (mut shares, mut start, mut read) = (Vec::with_capacity(wanted), 0, 0);
    for (index, file) in files.iter().enumerate() {
        read += file.text.len();
        if read * wanted >= total * (shares.len() + 1) || index + 1 == files.len() {
            shares.push(start..index + 1);
            start = index + 1;
        }
    }
    shares
}

type Parsed = (Vec<Node>, Vec<Problem>);

/// Reads each share on a thread of its own, the first on this one. What comes out is in the order of the files.
fn side_by_side(files: &[SourceFile], shares: &[Range<usize>]) -> Vec<Parsed> {
    let read = |share: &Range<usize>| -> Vec<Parsed> {
        share.clone().map(|index| parser::parse(index, &files[index].text)).collect()
    };
    let Some((first, others)) = shares.split_first() else { return Vec::new() };
    thread::scope(|scope| {
        let start = |share| (share, thread::Builder::new().spawn_scoped(scope, move || read(share)));
        let others: Vec<_> = others.iter().map(start).collect();
        let mut all = read(first);
        for (share, thread) in others {
            // A system that has no thread left makes it slower, no more.
            all.extend(match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                Err(_) => read(share),
            });
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SourceFile;

    fn check(text: &str, expected: &[&str]) {
        let files = [SourceFile { name: "a.kdl".into(), text: text.into() }];
        let sources = Sources::new(&files);
        let tree = parse(&sources);
        let told: Vec<_> = tree
            .problems
            .iter()
            .map(|problem| {
                let span = problem.span().unwrap();
                format!("{}: {}", &text[span], problem.message())
            })
            .collect();
        assert_eq!(told, expected, "{text}");
    }

    #[test]
    fn habits_of_kdl_1_get_the_new_spelling() {
        check("a true", &["true: `true` needs a `#` in KDL 2"]);
        check("a b=null c", &["null: `null` needs a `#` in KDL 2"]);
        check("a r\"x\"", &["r\"x\": `r\"…\"` is how KDL 1 writes raw text"]);
        check("a { b true; c false }", &["true: `true` needs a `#` in KDL 2", "false: `false` needs a `#` in KDL 2"]);
    }

    #[test]
    fn one_mistake_is_one_problem() {
        check("a=1", &["=: `=` does not belong here"]);
        check("env { A = \"b\" }", &["=: `=` does not belong here"]);
        check("a { /-b 1; c }", &[]);
        check("a;;b", &[";: no node stands before this `;`"]);
        check("a [1]", &["[: `[` does not belong here"]);
        check(&format!("a {}", "9".repeat(50)), &[&format!("{}: this number is too large", "9".repeat(50))]);
    }

    #[test]
    fn a_mistake_hides_nothing_else() {
        check("a true\nb false\nc 1", &["true: `true` needs a `#` in KDL 2", "false: `false` needs a `#` in KDL 2"]);
    }

    #[test]
    fn values_know_their_place() {
        let files = [
            SourceFile { name: "a.kdl".into(), text: "# \n".into() },
            SourceFile { name: "b.kdl".into(), text: "x\nnode 1 key=(secret)\"va\" { child #\"raw\"# }".into() },
        ];
        let sources = Sources::new(&files);
        let tree = parse(&sources);
        let node = tree.nodes.iter().find(|node| &*node.name.text == "node").unwrap();
        assert_eq!(sources.text(node.name.at), "node");
        assert_eq!(sources.text(node.entries[0].at), "1");
        assert_eq!(sources.text(node.entries[1].at), "\"va\"");
        assert_eq!(sources.text(node.entries[1].key.as_ref().unwrap().at), "key");
        assert_eq!(sources.text(node.entries[1].annotation.as_ref().unwrap().at), "secret");
        assert_eq!(sources.text(node.block.as_ref().unwrap()[0].entries[0].at), "#\"raw\"#");
    }

    #[test]
    fn hostile_text_neither_overflows_nor_panics() {
        for text in ["=".repeat(100_000), "a {".repeat(9_000), "}\n".repeat(9_000), "a=\n".repeat(9_000)] {
            let files = [SourceFile { name: "a.kdl".into(), text: text.into() }];
            assert!(!parse(&Sources::new(&files)).problems.is_empty());
        }
    }
}
