//! What stands between words and means nothing: spaces, newlines, comments, and lines that go on behind a `\`.

use super::{
    character::{SUSPECT, is_disallowed, len, newline, space},
    parser::{DEPTH, Parser},
};
use crate::schema;

impl Parser<'_> {
    /// Skips spaces and comments within a line, and newlines behind a `\`. Says whether there were any.
    pub(super) fn space(&mut self) -> bool {
        let start = self.at;
        loop {
            let rest = self.rest();
            match rest {
                [b' ' | b'\t', ..] => self.at += 1,
                [b'/', b'*', ..] => self.comment(),
                [b'\\', ..] if self.goes_on() => {}
                // It has been told of; a second mistake would only be its echo.
                [first, ..] if is_disallowed(rest) => self.at += len(*first),
                _ => match space(rest) {
                    0 => return self.at > start,
                    len => self.at += len,
                },
            }
        }
    }

    /// Skips all that may stand between nodes.
    pub(super) fn line_space(&mut self) {
        loop {
            self.space();
            match self.rest() {
                [b'/', b'/', ..] => self.line_comment(),
                rest => match newline(rest) {
                    0 => return,
                    len => self.line(len),
                },
            }
        }
    }

    /// Skips a `\` and the newline that it takes away, with a comment before it. If neither follows, it skips nothing.
    fn goes_on(&mut self) -> bool {
        let backslash = self.at;
        self.at += 1;
        loop {
            let rest = self.rest();
            match rest {
                [b'/', b'*', ..] => self.comment(),
                [b'/', b'/', ..] => {
                    self.line_comment();
                    self.line(newline(self.rest()));
                    return true;
                }
                [] => return true,
                _ => match (space(rest), newline(rest)) {
                    (0, 0) => {
                        self.at = backslash;
                        return false;
                    }
                    (0, len) => {
                        self.line(len);
                        return true;
                    }
                    (len, _) => self.at += len,
                },
            }
        }
    }

    /// Skips a newline. A word of the top level at the very beginning of the line is remembered while a block is open:
    /// if the block is never closed, this is where reading goes on.
    fn line(&mut self, len: usize) {
        self.at += len;
        if self.next.is_none() && !self.open.is_empty() {
            let word = self.rest().iter().take_while(|byte| byte.is_ascii_lowercase()).count();
            if word > 0 && schema::is_top_level(&self.text[self.at..self.at + word]) {
                self.next = Some(self.at);
            }
        }
    }

    /// Skips a comment up to the end of its line.
    pub(super) fn line_comment(&mut self) {
        while let [byte, ..] = self.rest() {
            if newline(self.rest()) > 0 {
                return;
            }
            self.at += len(*byte);
        }
    }

    /// Skips a comment, with those in it.
    pub(super) fn comment(&mut self) {
        let (start, mut depth) = (self.at, 0_usize);
        loop {
            match self.rest() {
                [] => return self.unclosed_comment(start),
                [b'/', b'*', ..] => {
                    depth += 1;
                    self.at += 2;
                    if depth == DEPTH + 1 {
                        self.too_deep(self.at - 2, 2, "comments");
                    }
                }
                [b'*', b'/', ..] => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// Looks through the whole file for characters that may stand nowhere in it, not even in comments.
    pub(super) fn disallowed(&mut self) {
        for (at, &byte) in self.bytes.iter().enumerate() {
            if SUSPECT[usize::from(byte)] && is_disallowed(&self.bytes[at..]) && at >= self.at && !self.full {
                self.disallowed_character(at);
            }
        }
    }
}
