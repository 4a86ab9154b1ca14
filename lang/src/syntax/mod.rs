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
    source::Place,
    threads::{Threads, side_by_side},
};
use std::{ops::Range, sync::Arc};

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

/// Less text than this is not worth a thread.
const SHARE: usize = 256 * 1024;

/// Reads some of the files, side by side. A mistake does not keep the rest from being read.
pub(crate) fn parse(files: &[SourceFile], which: Range<usize>, threads: Threads) -> Tree {
    let lengths: Vec<_> = files[which.clone()].iter().map(|file| file.text.len()).collect();
    let read = |run: Range<usize>| {
        let mut tree = Tree::default();
        for index in run {
            let (mut nodes, mut problems) = parser::parse(which.start + index, &files[which.start + index].text);
            tree.nodes.append(&mut nodes);
            tree.problems.append(&mut problems);
        }
        tree
    };
    let mut trees = side_by_side(threads.runs(&lengths, SHARE), read).into_iter();
    let mut tree = trees.next().unwrap_or_default();
    for mut other in trees {
        tree.nodes.append(&mut other.nodes);
        tree.problems.append(&mut other.problems);
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SourceFile, source::Sources};

    fn check(text: &str, expected: &[&str]) {
        let files = [SourceFile { name: "a.kdl".into(), text: text.into() }];
        let tree = parse(&files, 0..1, Threads::Cores);
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
        let tree = parse(&files, 0..2, Threads::Cores);
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
            assert!(!parse(&files, 0..1, Threads::Cores).problems.is_empty());
        }
    }
}
