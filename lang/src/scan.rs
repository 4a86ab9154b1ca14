//! A first, cheap look at the text of a file: it finds the top-level nodes and whether braces, texts and comments close.
//!
//! The KDL parser recurses for every level of nesting and for every piece it cannot place, and an overflowing stack
//! ends the process. So what reaches it is bounded here, in depth and in length. Cutting the file at its top-level nodes
//! also keeps a mistake in one of them from hiding what is wrong in the others, and a brace that is missing is reported
//! where it was opened. Everything else about syntax is the parser's to judge.

use crate::{
    problem::{Code, Problem},
    schema,
    source::Place,
};

/// How deep blocks, and comments in comments, may be nested. The schema needs far less.
const DEPTH: usize = 32;
/// How long a top-level node may be, in bytes: what one parse may put on the stack follows from it.
pub(crate) const LENGTH: usize = 128 * 1024;

/// A piece of a file that holds one top-level node, or none.
pub(crate) struct Chunk {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What a look at a file found. Chunks that hold a problem are left out.
pub(crate) struct Scan {
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) problems: Vec<Problem>,
}

/// Looks at a file; stops at `limit` problems.
pub(crate) fn scan(file: usize, text: &str, limit: usize) -> Scan {
    let mut found = Scan { chunks: Vec::new(), problems: Vec::new() };
    let mut start = 0;
    while start < text.len() && found.problems.len() < limit {
        let mut look = Look::new(file, text, start);
        look.run();
        look.close();
        if look.problems.is_empty() {
            found.chunks.push(Chunk { start, end: look.at });
        }
        found.problems.append(&mut look.problems);
        start = look.at;
    }
    found
}

/// A look at one chunk.
struct Look<'a> {
    file: usize,
    text: &'a str,
    bytes: &'a [u8],
    start: usize,
    at: usize,
    open: Vec<usize>,
    /// The block that was closed by a brace further to the left than the block itself.
    crooked: Option<usize>,
    /// Where the next top-level node seems to begin, although a block is still open.
    next: Option<usize>,
    /// A newline does not end the node after `\` and `/-`.
    goes_on: bool,
    problems: Vec<Problem>,
}

impl<'a> Look<'a> {
    fn new(file: usize, text: &'a str, start: usize) -> Self {
        let bytes = text.as_bytes();
        Self {
            file,
            text,
            bytes,
            start,
            at: start,
            open: vec![],
            crooked: None,
            next: None,
            goes_on: false,
            problems: vec![],
        }
    }

    fn run(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            if byte == b'\n' && self.open.is_empty() && !self.goes_on {
                self.at += 1;
                return;
            }
            let steady = matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'/' | b'\\');
            self.goes_on = self.goes_on && steady && !(byte == b'\n' && self.escaped_line());
            match byte {
                b'"' => self.quoted(),
                b'#' => self.raw(),
                b'/' => self.slash(),
                b'\\' => self.step(true),
                b'{' => self.opened(),
                b'}' => self.closed(),
                b'\n' => self.line(),
                _ => self.at += 1,
            }
        }
    }

    /// Whether the newline here was announced by a `\`, and so is spent, rather than by a `/-`.
    fn escaped_line(&self) -> bool {
        let line = self.text[self.start..self.at].rsplit('\n').next().unwrap_or_default();
        line.contains('\\')
    }

    /// How far to the right this is, if it is the first on its line.
    fn first_on_line(&self) -> Option<usize> {
        let before = &self.bytes[self.start..self.at];
        let blank = before.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        before.iter().nth_back(blank).is_none_or(|byte| *byte == b'\n').then_some(blank)
    }

    /// How far to the right the line begins on which `at` lies.
    fn indent(&self, at: usize) -> usize {
        let line = self.text[self.start..at].rsplit('\n').next().unwrap_or_default();
        line.len() - line.trim_start().len()
    }

    fn step(&mut self, goes_on: bool) {
        self.at += 1;
        self.goes_on = goes_on;
    }

    fn place(&self, start: usize, len: usize) -> Place {
        Place { file: self.file, start, len }
    }

    fn starts(&self, text: &str) -> bool {
        self.bytes[self.at..].starts_with(text.as_bytes())
    }

    fn line(&mut self) {
        self.at += 1;
        let word_end = |letter: char| !letter.is_ascii_lowercase();
        let word = self.text[self.at..].split(word_end).next().unwrap_or_default();
        if self.next.is_none() && !self.open.is_empty() && schema::is_top_level(word) {
            self.next = Some(self.at);
        }
    }

    fn slash(&mut self) {
        if self.starts("//") {
            self.at = self.text[self.at..].find('\n').map_or(self.text.len(), |end| self.at + end);
        } else if self.starts("/*") {
            self.comment();
        } else if self.starts("/-") {
            self.at += 1;
            self.step(true);
        } else {
            self.step(false);
        }
    }

    fn comment(&mut self) {
        let (start, mut depth) = (self.at, 0_usize);
        while self.at < self.bytes.len() {
            if self.starts("/*") {
                depth += 1;
                if depth == DEPTH + 1 {
                    self.too_deep(self.place(self.at, 2), "comments");
                }
                self.at += 2;
            } else if self.starts("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return;
                }
            } else {
                self.at += 1;
            }
        }
        let problem =
            Problem::error(Code::Syntax, "this comment is never closed").at(self.place(start, 2), "opened here");
        self.problems.push(problem.help("close it with `*/`".to_owned()));
    }

    fn too_deep(&mut self, place: Place, what: &str) {
        let message = format!("{what} are nested more than {DEPTH} levels deep");
        self.problems.push(Problem::error(Code::TooDeep, message).at(place, "one level too many"));
    }

    fn opened(&mut self) {
        self.open.push(self.at);
        if self.open.len() == DEPTH + 1 {
            self.too_deep(self.place(self.at, 1), "blocks");
        }
        self.at += 1;
    }

    fn closed(&mut self) {
        let opened = self.open.pop();
        if self.crooked.is_none() {
            let to_the_left = |opened: &usize| self.first_on_line().is_some_and(|column| column < self.indent(*opened));
            self.crooked = opened.filter(to_the_left);
        }
        if opened.is_none() {
            let problem = Problem::error(Code::Syntax, "this `}` closes nothing");
            self.problems.push(problem.at(self.place(self.at, 1), "no block is open here"));
        }
        if self.open.is_empty() {
            self.next = None;
        }
        self.at += 1;
    }

    /// A text in quotes. Escapes matter only in so far as an escaped quote does not close it.
    fn quoted(&mut self) {
        let start = self.at;
        let many = self.starts("\"\"\"");
        // Raw text as KDL 1 wrote it has no escapes; the parser will name it.
        let escapes = self.start == start || self.bytes[start - 1] != b'r';
        self.at += if many { 3 } else { 1 };
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'\\' => self.escape(escapes),
                b'"' if !many => return self.at += 1,
                b'"' if self.starts("\"\"\"") => return self.at += 3,
                b'\n' if !many => break,
                _ => self.at += 1,
            }
        }
        self.unclosed_text(start, if many { "\"\"\"" } else { "\"" });
    }

    /// Skips what a `\` protects: one character, or all white space up to the next line's text.
    fn escape(&mut self, check: bool) {
        let rest = &self.text[self.at + 1..];
        let blank = rest.len() - rest.trim_start().len();
        let Some(one) = rest.chars().next() else { return self.at += 1 };
        if check && blank == 0 && !"nrtbfs\"\\u".contains(one) {
            let problem = Problem::error(Code::Syntax, format!("`\\{one}` stands for nothing"));
            let problem = problem.at(self.place(self.at, 1 + one.len_utf8()), "no such escape");
            let help = format!("write `\\\\{one}` for a backslash, or raw text: `#\"…\"#`");
            self.problems.push(problem.help(help));
        }
        self.at += 1 + blank.max(one.len_utf8());
    }

    fn raw(&mut self) {
        let hashes = self.bytes[self.at..].iter().take_while(|byte| **byte == b'#').count();
        let start = self.at;
        self.at += hashes;
        if !self.starts("\"") {
            return;
        }
        let many = self.starts("\"\"\"");
        let quotes = if many { "\"\"\"" } else { "\"" };
        let closing = format!("{quotes}{}", "#".repeat(hashes));
        self.at += quotes.len();
        let rest = &self.text[self.at..];
        let reach = if many { rest } else { rest.split('\n').next().unwrap_or_default() };
        match reach.find(&closing) {
            Some(end) => self.at += end + closing.len(),
            None => {
                self.at += reach.len();
                self.unclosed_text(start, &closing);
            }
        }
    }

    fn unclosed_text(&mut self, start: usize, closing: &str) {
        let line = self.text[start..].split('\n').next().unwrap_or_default().trim_end();
        let problem = Problem::error(Code::Syntax, "this text is never closed");
        let problem = problem.at(self.place(start, line.len()), "no closing quote follows");
        let several = "a text of several lines stands between `\"\"\"` and `\"\"\"`, each on a line of its own";
        let help =
            if closing.starts_with("\"\"\"") { format!("close it with `{closing}`") } else { several.to_owned() };
        self.problems.push(problem.help(help));
    }

    /// At the end of a chunk: a block that is still open, and a node too long to be read.
    fn close(&mut self) {
        if let Some(&outermost) = self.open.first() {
            let brace = self.crooked.unwrap_or(outermost);
            let problem = Problem::error(Code::Syntax, "this block is never closed");
            let problem = problem.at(self.place(brace, 1), "opened here");
            let word = |at: usize| self.text[at..].find([' ', '\n', '{']).unwrap_or(0);
            let next = self.next.map(|at| self.place(at, word(at)));
            self.problems.push(problem.and(next, "still inside it").help("close it with `}`".to_owned()));
            self.at = self.next.unwrap_or(self.at);
        }
        if self.at - self.start > LENGTH {
            let message = format!("this node is longer than {} KiB", LENGTH / 1024);
            let node = self.text[self.start..self.at].trim_start();
            let word = node.split_whitespace().next().unwrap_or_default().chars().take(40).map(char::len_utf8).sum();
            let place = self.place(self.at - node.len(), word);
            let help = "put long scripts into a file and mount its folder";
            self.problems.push(Problem::error(Code::TooDeep, message).at(place, "too long").help(help.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, chunks: &[&str], problems: &[&str]) {
        let found = scan(0, text, 10);
        let cut: Vec<_> = found.chunks.iter().map(|chunk| text[chunk.start..chunk.end].trim()).collect();
        let told: Vec<_> = found.problems.iter().map(Problem::message).collect();
        assert_eq!(cut.iter().filter(|chunk| !chunk.is_empty()).collect::<Vec<_>>(), chunks.iter().collect::<Vec<_>>());
        assert_eq!(told, problems, "{text}");
    }

    #[test]
    fn a_file_falls_into_its_top_level_nodes() {
        check("a 1\nb {\n c\n}\nd", &["a 1", "b {\n c\n}", "d"], &[]);
        check("a \\\n 1\nb", &["a \\\n 1", "b"], &[]);
        check("/-\na {\n}\nb", &["/-\na {\n}", "b"], &[]);
        check("a /* {\n */ 1\nb", &["a /* {\n */ 1", "b"], &[]);
        check("a // {\nb", &["a // {", "b"], &[]);
    }

    #[test]
    fn braces_in_texts_do_not_count() {
        check("a \"{\\\"{\" \nb", &["a \"{\\\"{\"", "b"], &[]);
        check("a #\"{\"}\"#\nb", &["a #\"{\"}\"#", "b"], &[]);
        check("a \"\"\"\n {\"{\n \"\"\"\nb", &["a \"\"\"\n {\"{\n \"\"\"", "b"], &[]);
        check("a \"x\\\n  y\"\nb", &["a \"x\\\n  y\"", "b"], &[]);
    }

    #[test]
    fn what_does_not_close_is_told_and_the_rest_goes_on() {
        check("a \"x\nb", &["b"], &["this text is never closed"]);
        check("a {\n b {\n}\nservice \"x\"\nc", &["service \"x\"", "c"], &["this block is never closed"]);
        check("a }\nb", &["b"], &["this `}` closes nothing"]);
        check("a /* x\nb", &[], &["this comment is never closed"]);
        check("a #\"x\"\nb", &["b"], &["this text is never closed"]);
    }

    #[test]
    fn depth_and_length_are_bounded() {
        check(&format!("{}{}", "a {".repeat(40), "}".repeat(40)), &[], &["blocks are nested more than 32 levels deep"]);
        let comment = format!("{}{}", "/*".repeat(40), "*/".repeat(40));
        check(&comment, &[], &["comments are nested more than 32 levels deep"]);
        check(&format!("a \"{}\"\nb", "x".repeat(LENGTH)), &["b"], &["this node is longer than 128 KiB"]);
    }
}
