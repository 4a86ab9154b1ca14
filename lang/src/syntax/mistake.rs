//! What is wrong in a text that is not KDL, in the words of somebody who wants to put it right. Each method reports one
//! mistake and skips what belongs to it.

use super::{
    character::{len, newline},
    number::Fault,
    parser::{DEPTH, Parser, SHOWN},
};
use crate::{
    characters,
    problem::{Code, Problem},
};

impl Parser<'_> {
    /// Reports a mistake; after the last that is shown, nothing more is read.
    fn report(&mut self, problem: Problem) {
        if self.quiet || self.problems.len() >= SHOWN {
            return;
        }
        self.problems.push(problem);
        if self.problems.len() == SHOWN {
            (self.full, self.cut) = (true, true);
        }
    }

    fn syntax(
        &mut self,
        start: usize,
        len: usize,
        message: impl Into<String>,
        label: &'static str,
        help: impl Into<String>,
    ) {
        let problem = Problem::error(Code::Syntax, message).at(self.place(start, len), label);
        self.report(problem.help(help.into()));
    }

    pub(super) fn disallowed_character(&mut self, at: usize) {
        let letter = self.text[at..].chars().next().unwrap_or_default();
        self.report(characters::problem(self.file, at, letter));
    }

    pub(super) fn unclosed_comment(&mut self, start: usize) {
        self.cut = true;
        self.syntax(start, 2, "this comment is never closed", "opened here", "close it with `*/`");
    }

    pub(super) fn too_deep(&mut self, start: usize, len: usize, what: &str) {
        let message = format!("{what} are nested more than {DEPTH} levels deep");
        self.report(Problem::error(Code::TooDeep, message).at(self.place(start, len), "one level too many"));
    }

    pub(super) fn closes_nothing(&mut self) {
        let problem = Problem::error(Code::Syntax, "this `}` closes nothing");
        let problem = problem.at(self.place(self.at, 1), "no block is open here");
        self.at += 1;
        self.report(problem);
    }

    pub(super) fn ends_nothing(&mut self) {
        let start = self.at;
        self.at += 1;
        self.syntax(start, 1, "no node stands before this `;`", "ends nothing", "begin a new line instead");
    }

    pub(super) fn comments_nothing_out(&mut self, start: usize) {
        let help = "`/-` stands before a node, a value or a block, and comments it out";
        self.syntax(start, 2, "this `/-` comments nothing out", "nothing follows", help);
    }

    /// Reports a block that is open at the end of the file, and goes to where the next node seems to begin.
    pub(super) fn unclosed_block(&mut self, start: usize, told: usize) {
        let brace = self.crooked.or(self.open.first().copied()).unwrap_or(start);
        self.open.clear();
        if self.cut {
            return;
        }
        let next = self.next.unwrap_or(self.bytes.len());
        let kept = |problem: &Problem| problem.span().is_none_or(|span| span.start < next);
        let again = self.problems[told..].iter().position(|problem| !kept(problem));
        self.problems.truncate(again.map_or(self.problems.len(), |first| told + first));
        let word = |at: usize| self.text[at..].find([' ', '\n', '{']).unwrap_or(0);
        let problem = Problem::error(Code::Syntax, "this block is never closed");
        let problem = problem.at(self.place(brace, 1), "opened here");
        let problem = problem.and(self.next.map(|at| self.place(at, word(at))), "still inside it");
        self.at = next;
        self.report(problem.help("close it with `}`".to_owned()));
    }

    pub(super) fn unclosed_text(&mut self, start: usize, closing: &str) {
        let line = self.text[start..].split('\n').next().unwrap_or_default().trim_end();
        let several = "a text of several lines stands between `\"\"\"` and `\"\"\"`, each on a line of its own";
        let many = closing.starts_with("\"\"\"");
        let help = if many { format!("close it with `{closing}`") } else { several.to_owned() };
        self.cut |= many;
        self.syntax(start, line.len(), "this text is never closed", "no closing quote follows", help);
    }

    /// Reports text behind opening quotes that should have a line of their own, and skips up to the closing ones.
    pub(super) fn not_on_lines_of_its_own(&mut self, start: usize, closing: &str) {
        let quotes = self.at - start;
        let line = self.text[self.at..].split('\n').next().unwrap_or_default().len();
        self.at += self.text[self.at..].find(closing).map_or(line, |end| end + closing.len());
        let help = "a text of several lines begins on the line below `\"\"\"`; one line stands in `\"…\"`";
        self.syntax(start, quotes, "a newline is missing behind these quotes", "text follows at once", help);
    }

    pub(super) fn closed_within_a_line(&mut self, end: usize) {
        let quotes = self.at - end;
        let help = "put them on the next line; what stands before them there is taken from every line";
        self.syntax(
            end,
            quotes,
            "these quotes close a text of several lines within a line",
            "text stands before",
            help,
        );
    }

    pub(super) fn indented_too_little(&mut self, line: usize) {
        let text = self.text[line..].split(['\n', '\r']).next().unwrap_or_default();
        let blank = text.len() - text.trim_start().len();
        let first = text[blank..].chars().next().map_or(1, char::len_utf8);
        let help = "every line begins with the white space that stands before the closing `\"\"\"`";
        let message = "this line begins with other white space than the closing quotes do";
        self.syntax(line + blank, first, message, "begins here", help);
    }

    pub(super) fn unknown_escape(&mut self, start: usize) {
        let one = &self.text[start + 1..self.at];
        let message = format!("`\\{one}` stands for nothing");
        let help = format!("write `\\\\{one}` for a backslash, or raw text: `#\"…\"#`");
        self.syntax(start, self.at - start, message, "no such escape", help);
    }

    pub(super) fn unknown_character(&mut self, start: usize) {
        let message = format!("`{}` is no character", &self.text[start..self.at]);
        let help = "write its code in up to six hexadecimal digits: `\\u{e9}`";
        self.syntax(start, self.at - start, message, "no such character", help);
    }

    /// Something where it does not belong; what follows it on the line is skipped.
    pub(super) fn stray(&mut self) {
        let (start, rest) = (self.at, self.rest());
        let word = self.bare();
        let plain = word.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_'));
        let len = if word.is_empty() || !plain { rest.first().map_or(0, |byte| len(*byte)) } else { word.len() };
        let shown = &self.text[start..start + len];
        self.at += len;
        self.skip_line();
        self.syntax(start, len, format!("`{shown}` does not belong here"), "not expected here", stray_help(shown));
    }

    pub(super) fn missing_space(&mut self) {
        let help = "values stand side by side, with spaces between: `command \"python\" \"app.py\"`";
        let len = self.bare().len().max(1);
        self.syntax(self.at, len, "a space is missing here", "follows at once", help);
    }

    /// A value that should be here and is not.
    pub(super) fn missing_value(&mut self) {
        let rest = self.rest();
        if rest.is_empty() || newline(rest) > 0 || matches!(rest, [b';' | b'{' | b'}' | b'/', ..]) {
            let before = self.text[..self.at].trim_end_matches([' ', '\t']);
            let start = before.char_indices().next_back().map_or(0, |(at, _)| at);
            let help = "a property is written `name=\"value\"`, a value with its type `(secret)\"name\"`";
            self.syntax(start, before.len() - start, "a value is missing", "nothing follows", help);
        } else {
            self.stray();
        }
    }

    pub(super) fn not_a_type(&mut self, start: usize) {
        let help = "a type stands right before its value: `(secret)\"name\"`";
        self.skip_line();
        self.syntax(start, 1, "this is no type in parentheses", "opened here", help);
    }

    /// Whether an object of JSON begins here, and nothing but comments stands before it.
    fn is_json(&self) -> bool {
        let is_comment = |line: &str| line.trim_start().is_empty() || line.trim_start().starts_with("//");
        let next = self.text[self.at + 1..].trim_start();
        next.starts_with(['"', '}']) && self.text[..self.at].lines().all(is_comment)
    }

    /// What stands in the place of a node's name.
    pub(super) fn not_a_name(&mut self, annotated: bool) {
        let (start, word) = (self.at, self.bare());
        let rest = self.rest();
        if rest.first() == Some(&b'{') && self.is_json() {
            (self.at, self.cut) = (self.bytes.len(), true);
            let help = "write it as nodes: each begins a line with its name, its values follow, its block stands in `{` and `}`";
            return self.syntax(start, 1, "this file is JSON, and not KDL", "an object begins here", help);
        }
        if rest.first() == Some(&b'{') {
            let help = "a block follows the name of its node, on the same line";
            return self.syntax(start, 1, "this block has no name", "no name stands before", help);
        }
        if rest.first() == Some(&b'#') {
            self.at += 1;
            self.at += self.bare().len();
        } else {
            self.at += word.len();
        }
        if self.at == start {
            let nothing = rest.is_empty() || newline(rest) > 0 || matches!(rest, [b';' | b'}', ..]);
            return if !nothing {
                self.stray();
            } else if annotated {
                self.missing_value();
            };
        }
        let found = &self.text[start..self.at];
        let message = format!("`{found}` is not the name of a node");
        let help = match found.starts_with('#') {
            true => "a comment begins with `//`".to_owned(),
            false => format!("each node begins with its name; put a text such as `\"{found}\"` in quotes"),
        };
        self.syntax(start, found.len(), message, "a name stands here", help);
    }

    pub(super) fn not_a_property_name(&mut self, start: usize, found: &str) {
        self.skip_line();
        let message = format!("`{found}` is not the name of a property");
        self.syntax(start, found.len(), message, "not a name", format!("put it in quotes: `\"{found}\"=…`"));
    }

    pub(super) fn second_block(&mut self) {
        let help = "put all nodes into one block";
        self.syntax(self.at, 1, "a node has one block, and this is another", "opened here", help);
    }

    pub(super) fn unknown_keyword(&mut self, start: usize) {
        let found = &self.text[start..self.at];
        let message = format!("`{found}` is no value");
        let help =
            "values with a `#` are `#true`, `#false`, `#null`, `#inf`, `#-inf` and `#nan`; raw text is `#\"…\"#`";
        self.syntax(start, found.len(), message, "no such value", help);
    }

    pub(super) fn keyword_of_old(&mut self, start: usize, word: &str) {
        let message = format!("`{word}` needs a `#` in KDL 2");
        let help = format!("write `#{word}`, or `\"{word}\"` for the text");
        self.syntax(start, word.len(), message, "not KDL 2", help);
    }

    pub(super) fn raw_text_of_old(&mut self, start: usize) {
        let len = self.at - start;
        self.syntax(start, len, "`r\"…\"` is how KDL 1 writes raw text", "not KDL 2", "write `#\"…\"#`");
    }

    pub(super) fn not_a_number(&mut self, start: usize, word: &str, fault: Fault) {
        let (message, label, help) = match fault {
            Fault::TooLarge => {
                ("this number is too large".to_owned(), "too large", "no field takes a number of that size".to_owned())
            }
            Fault::Shape => {
                let help = format!("put a text that begins like a number in quotes: `\"{word}\"`");
                (format!("`{word}` is not a number"), "not a number", help)
            }
        };
        self.syntax(start, word.len(), message, label, help);
    }
}

fn stray_help(found: &str) -> &'static str {
    match found {
        "=" => "a node takes its values after a space, without `=`: `LOG_LEVEL \"info\"`",
        "[" | "]" | "," => "several values stand side by side: `command \"python\" \"app.py\"`",
        "(" | ")" => "a type stands right before its value: `(secret)\"name\"`",
        _ => "nodes are separated by `;` or by a new line",
    }
}
