//! From characters to nodes: the grammar of KDL 2.0, and how reading goes on behind a mistake.
//!
//! Reading never fails. A value that cannot be read is left out and the node says so; what stands out of place is skipped
//! up to the end of the line or the next brace; a block that is never closed costs the top-level node that it is in, and
//! reading goes on at the next line that begins with a word of the top level. Only blocks recurse, and their depth is
//! bounded.

use super::{
    Entry, Node,
    character::{len, newline, word},
};
use crate::{
    problem::{Code, Problem},
    source::Place,
};
use std::{collections::HashMap, sync::Arc};

/// How deep blocks, and comments in comments, may be nested. The schema needs far less.
pub(super) const DEPTH: usize = 32;
/// At most so many syntax errors of one file are shown: more of them help nobody.
pub(super) const SHOWN: usize = 10;

/// The work of reading one file.
pub(super) struct Parser<'a> {
    pub(super) file: usize,
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// The braces that are open.
    pub(super) open: Vec<usize>,
    /// The block that was closed by a brace further to the left than the block itself.
    pub(super) crooked: Option<usize>,
    /// Where the next top-level node seems to begin, although a block is still open.
    pub(super) next: Option<usize>,
    /// What goes on to the end of the file has been reported, so it is no news that blocks are open there.
    pub(super) cut: bool,
    /// So many mistakes have been told that the rest of the file is taken for its end.
    pub(super) full: bool,
    /// Mistakes in what is being skipped are not told.
    pub(super) quiet: bool,
    pub(super) problems: Vec<Problem>,
    /// The entries and nodes that are being gathered, those of outer nodes first; each list is made when its length is known.
    entries: Vec<Entry>,
    nodes: Vec<Node>,
    /// The bare words of the file, which are few and come again and again.
    pub(super) words: HashMap<&'a str, Arc<str>>,
    /// The space behind the last entry is skipped already.
    pub(super) spaced: bool,
}

/// What was read, or nothing where it cannot be read, which has been reported.
pub(super) type Read<T> = Option<T>;

/// Where in a node an entry may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Entries,
    /// A block was commented out; another may follow, but no value.
    Blocks,
    /// The block is there.
    Done,
}

/// Reads a file.
pub(super) fn parse(file: usize, text: &str) -> (Vec<Node>, Vec<Problem>) {
    let mut parser = Parser::new(file, text);
    parser.disallowed();
    parser.top();
    (parser.nodes, parser.problems)
}

impl<'a> Parser<'a> {
    fn new(file: usize, text: &'a str) -> Self {
        Self {
            file,
            text,
            bytes: text.as_bytes(),
            at: if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 },
            open: Vec::new(),
            crooked: None,
            next: None,
            cut: false,
            full: false,
            quiet: false,
            problems: Vec::new(),
            entries: Vec::new(),
            nodes: Vec::new(),
            words: HashMap::new(),
            spaced: false,
        }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        if self.full { &[] } else { &self.bytes[self.at..] }
    }

    pub(super) fn place(&self, start: usize, len: usize) -> Place {
        Place::new(self.file, start, len)
    }

    /// The top-level nodes. One that is not whole is left out, so that nothing is concluded from what it lacks.
    fn top(&mut self) {
        loop {
            self.line_space();
            let (start, told) = (self.at, self.problems.len());
            match self.rest() {
                [] => return,
                [b'}', ..] => self.closes_nothing(),
                [b';', ..] => self.ends_nothing(),
                _ => {
                    let node = self.node();
                    let unclosed = !self.open.is_empty();
                    if unclosed {
                        self.unclosed_block(start, told);
                    }
                    let too_deep = self.problems[told..].iter().any(|problem| problem.code() == Code::TooDeep);
                    self.nodes.extend(node.filter(|node| !node.values_lost && !unclosed && !too_deep));
                }
            }
            (self.crooked, self.next) = (None, None);
        }
    }

    /// One node with its terminator. None when it is commented out, or has no name.
    fn node(&mut self) -> Read<Node> {
        let commented_out = self.slashdash();
        let (annotation, mut sound) = self.annotation();
        let name = self.name(annotation.is_some());
        sound &= name.is_some();
        let first = self.entries.len();
        let (block, nodes_lost) = self.body(&mut sound);
        let entries = self.entries.drain(first..).collect();
        self.terminator(&mut sound);
        let node = Node { name: name?, annotation, entries, block, values_lost: !sound, nodes_lost };
        (!commented_out).then_some(node)
    }

    /// Skips a `/-`, with all space behind it.
    fn slashdash(&mut self) -> bool {
        let there = self.rest().starts_with(b"/-");
        if there {
            let start = self.at;
            self.at += 2;
            self.line_space();
            if matches!(self.rest(), [] | [b'}' | b';', ..]) {
                self.comments_nothing_out(start);
            }
        }
        there
    }

    /// What follows the name of a node: its values, then its block. The block comes with whether nodes of it are lost.
    fn body(&mut self, sound: &mut bool) -> (Option<Vec<Node>>, bool) {
        let (mut block, mut lost, mut stage) = (None, false, Stage::Entries);
        loop {
            let spaced = self.space() | std::mem::take(&mut self.spaced);
            match self.rest() {
                [] | [b';' | b'}', ..] | [b'/', b'/', ..] => break,
                [b'{', ..] => {
                    if stage == Stage::Done {
                        self.second_block();
                    }
                    stage = Stage::Done;
                    let (nodes, whole) = self.block();
                    lost |= !whole;
                    block.get_or_insert_with(Vec::new).extend(nodes);
                }
                [b'/', b'-', ..] => {
                    self.slashdash();
                    stage = self.commented_out(stage, sound);
                }
                rest if newline(rest) > 0 => break,
                _ if stage != Stage::Entries || (!spaced && !self.begins_entry()) => {
                    *sound = false;
                    self.stray();
                }
                _ => {
                    if !spaced {
                        self.missing_space();
                    }
                    match self.entry() {
                        Some(entry) => self.entries.push(entry),
                        None => *sound = false,
                    }
                }
            }
        }
        (block, lost)
    }

    /// A block or an entry behind a `/-`.
    fn commented_out(&mut self, stage: Stage, sound: &mut bool) -> Stage {
        match self.rest() {
            [] | [b';' | b'}', ..] => stage,
            [b'{', ..] => {
                self.block();
                if stage == Stage::Entries { Stage::Blocks } else { stage }
            }
            _ if stage != Stage::Entries => {
                *sound = false;
                self.stray();
                stage
            }
            _ => {
                *sound &= self.entry().is_some();
                stage
            }
        }
    }

    /// What ends a node. A brace does too, but only in a block.
    fn terminator(&mut self, sound: &mut bool) {
        match self.rest() {
            [b';', ..] => self.at += 1,
            [b'}', ..] if self.open.is_empty() => {
                *sound = false;
                self.closes_nothing();
            }
            _ => {}
        }
    }

    /// The nodes of a block, and whether they are all there.
    fn block(&mut self) -> (Vec<Node>, bool) {
        let first = self.nodes.len();
        self.open.push(self.at);
        if self.open.len() > DEPTH {
            self.skip_block();
            return (Vec::new(), false);
        }
        self.at += 1;
        let mut whole = true;
        loop {
            self.line_space();
            match self.rest() {
                [] => break,
                [b'}', ..] => {
                    self.close();
                    break;
                }
                [b';', ..] => self.ends_nothing(),
                _ => {
                    let told = self.problems.len();
                    match self.node() {
                        Some(node) => self.nodes.push(node),
                        None => whole &= told == self.problems.len(),
                    }
                }
            }
        }
        (self.nodes.drain(first..).collect(), whole)
    }

    /// Closes the innermost block.
    fn close(&mut self) {
        let opened = self.open.pop();
        if self.crooked.is_none() {
            let to_the_left = |opened: &usize| self.first_on_line().is_some_and(|column| column < self.indent(*opened));
            self.crooked = opened.filter(to_the_left);
        }
        if self.open.is_empty() {
            self.next = None;
        }
        self.at += 1;
    }

    /// Skips a block that lies too deep, with all in it.
    fn skip_block(&mut self) {
        let outside = self.open.len() - 1;
        self.at += 1;
        self.too_deep(self.at - 1, 1, "blocks");
        let quiet = std::mem::replace(&mut self.quiet, true);
        while self.open.len() > outside {
            self.line_space();
            match self.rest() {
                [] => break,
                [b'}', ..] => self.close(),
                [b'{', ..] => {
                    self.open.push(self.at);
                    self.at += 1;
                }
                _ => self.skip_token(),
            }
        }
        self.cut |= self.open.len() > outside;
        self.quiet = quiet;
    }

    /// How far to the right this is, if it is the first on its line.
    fn first_on_line(&self) -> Option<usize> {
        let before = &self.bytes[..self.at];
        let blank = before.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        before.iter().nth_back(blank).is_none_or(|byte| *byte == b'\n').then_some(blank)
    }

    /// How far to the right the line begins on which `at` lies.
    fn indent(&self, at: usize) -> usize {
        let line = self.text[..at].rsplit('\n').next().unwrap_or_default();
        line.len() - line.trim_start().len()
    }

    /// Skips to the end of the line, or to the next brace.
    pub(super) fn skip_line(&mut self) {
        let quiet = std::mem::replace(&mut self.quiet, true);
        loop {
            self.space();
            match self.rest() {
                [] | [b';' | b'{' | b'}', ..] | [b'/', b'/', ..] => break,
                rest if newline(rest) > 0 => break,
                _ => self.skip_token(),
            }
        }
        self.quiet = quiet;
    }

    /// Skips a text, a word, or a single character.
    fn skip_token(&mut self) {
        if self.at_text() {
            self.text();
            return;
        }
        let rest = self.rest();
        self.at += word(rest).max(rest.first().map_or(0, |byte| len(*byte)));
    }
}
