//! From the layout back to text.

use super::{
    layout::{Block, Gap, Line, Part},
    token::Kind,
};

/// A block on one line ends within so many columns.
const COLUMNS: usize = 100;
const INDENT: usize = 4;

/// Writes a whole file.
pub(super) fn print(file: &Block<'_>) -> String {
    let mut printer = Printer::default();
    printer.lines(&file.lines, 0);
    printer.out
}

#[derive(Default)]
struct Printer {
    out: String,
    /// How many characters the line has so far.
    column: usize,
    /// Where in the source the first thing on the line stands, and how far the line is indented.
    first: Option<usize>,
    indent: usize,
}

impl Printer {
    fn lines(&mut self, lines: &[Line<'_>], depth: usize) {
        for line in lines {
            if line.after_blank {
                self.newline(0);
            }
            self.indent = depth * INDENT;
            self.parts(&line.parts, depth);
            // A `\` before the last comment has spent its new line; the next one ends the node.
            let spent = |part: &Part<'_>| part.token.kind == Kind::LineComment && part.gap == Gap::Escape;
            if line.parts.last().is_some_and(spent) {
                self.newline(0);
            }
            self.newline(0);
        }
    }

    fn newline(&mut self, indent: usize) {
        self.out.push('\n');
        (self.column, self.first, self.indent) = (0, None, indent);
    }

    fn parts(&mut self, parts: &[Part<'_>], depth: usize) {
        let mut after_comment = false;
        for part in parts {
            let comment = part.token.kind == Kind::LineComment;
            match part.gap {
                Gap::Nothing => {}
                Gap::Space => self.write(" "),
                Gap::Column => self.align(part),
                Gap::Newline => self.newline((depth + 1) * INDENT),
                Gap::Escape if comment && after_comment => {
                    self.newline((depth + 1) * INDENT);
                    self.write("\\ ");
                }
                Gap::Escape if comment => self.write(" \\ "),
                Gap::Escape => {
                    self.write(" \\");
                    self.newline((depth + 1) * INDENT);
                }
            }
            self.first.get_or_insert(part.token.at);
            match &part.block {
                Some(block) => self.block(block, depth),
                None => self.text(part),
            }
            after_comment = comment;
        }
    }

    fn text(&mut self, part: &Part<'_>) {
        match part.token.kind {
            Kind::LineComment => self.write(part.token.text.trim_end()),
            _ if part.token.text.contains(['\n', '\r']) => {
                // Line ends of both other kinds: of `\r\r\n`, a `\r` left alone would make one end of the two.
                self.write(&part.token.text.replace("\r\n", "\n").replace('\r', "\n"));
                (self.first, self.indent) = (Some(part.token.at), 0);
            }
            _ => self.write(part.token.text),
        }
    }

    /// Keeps a comment as far from the start of its line as the author had it, if that line begins as it did.
    fn align(&mut self, part: &Part<'_>) {
        let column = if self.first == Some(part.token.line) { self.indent + part.token.offset } else { 0 };
        let blanks = column.saturating_sub(self.column).max(1);
        self.write(&" ".repeat(blanks));
    }

    fn block(&mut self, block: &Block<'_>, depth: usize) {
        if block.lines.is_empty() && block.opening.is_empty() {
            return self.write("{}");
        }
        self.write("{");
        if block.width.is_some_and(|width| self.column + width - 1 <= COLUMNS) {
            return self.one_line(block, depth);
        }
        for part in &block.opening {
            if part.gap == Gap::Column {
                self.align(part)
            } else {
                self.write(" ")
            }
            self.text(part);
        }
        self.newline(0);
        self.lines(&block.lines, depth + 1);
        self.indent = depth * INDENT;
        self.first = block.close.map(|token| token.at);
        self.write("}");
    }

    fn one_line(&mut self, block: &Block<'_>, depth: usize) {
        for (index, line) in block.lines.iter().enumerate() {
            self.write(if index == 0 { " " } else { "; " });
            self.parts(&line.parts, depth);
        }
        self.write(" }");
    }

    fn write(&mut self, text: &str) {
        if self.column == 0 && !text.is_empty() {
            self.out.extend(std::iter::repeat_n(' ', self.indent));
            self.column = self.indent;
        }
        self.out.push_str(text);
        self.column = match text.rsplit_once('\n') {
            Some((_, last)) => last.chars().count(),
            None => self.column + text.chars().count(),
        };
    }
}
