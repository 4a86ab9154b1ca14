//! Texts: in quotes, raw, on one line or on several.

use super::{
    character::{blank, len, newline, space},
    parser::Parser,
};
use std::sync::Arc;

/// The quotes of a text that stands on several lines.
const MANY: &[u8] = b"\"\"\"";

impl Parser<'_> {
    /// Whether a text in quotes begins here.
    pub(super) fn at_text(&self) -> bool {
        let hashes = self.hashes();
        self.rest().get(hashes) == Some(&b'"')
    }

    fn hashes(&self) -> usize {
        self.rest().iter().take_while(|byte| **byte == b'#').count()
    }

    /// Reads the text that begins here. None when it cannot be read, which has been reported.
    pub(super) fn text(&mut self) -> Option<Arc<str>> {
        let (start, hashes) = (self.at, self.hashes());
        self.at += hashes;
        if !self.rest().starts_with(MANY) {
            self.at += 1;
            return if hashes == 0 { self.quoted(start) } else { self.raw(start, hashes) };
        }
        self.at += MANY.len();
        let line = newline(self.rest());
        if line == 0 {
            self.not_on_lines_of_its_own(start, &format!("\"\"\"{}", "#".repeat(hashes)));
            return None;
        }
        let body = self.at + line;
        self.find_end(start, hashes)?;
        let end = self.at - MANY.len() - hashes;
        let lines = self.lines(body, end, hashes == 0);
        self.dedent(&lines, end, hashes == 0)
    }

    /// A text in quotes on one line.
    fn quoted(&mut self, start: usize) -> Option<Arc<str>> {
        let (from, mut escapes, mut sound) = (self.at, false, true);
        loop {
            match self.rest() {
                [b'"', ..] => break,
                [b'\\', ..] => {
                    escapes = true;
                    sound &= self.escape();
                }
                rest if rest.is_empty() || newline(rest) > 0 => {
                    self.unclosed_text(start, "\"");
                    return None;
                }
                rest => self.at += len(rest[0]),
            }
        }
        let body = &self.text[from..self.at];
        self.at += 1;
        sound.then(|| if escapes { unescape(body).into() } else { body.into() })
    }

    /// A raw text on one line.
    fn raw(&mut self, start: usize, hashes: usize) -> Option<Arc<str>> {
        let from = self.at;
        loop {
            match self.rest() {
                [b'"', rest @ ..] if closes(rest, hashes) => break,
                rest if rest.is_empty() || newline(rest) > 0 => {
                    self.unclosed_text(start, &format!("\"{}", "#".repeat(hashes)));
                    return None;
                }
                rest => self.at += len(rest[0]),
            }
        }
        let body = self.text[from..self.at].into();
        self.at += 1 + hashes;
        Some(body)
    }

    /// Goes behind the closing quotes of a text on several lines.
    fn find_end(&mut self, start: usize, hashes: usize) -> Option<()> {
        let mut sound = true;
        loop {
            match self.rest() {
                [b'"', b'"', b'"', rest @ ..] if closes(rest, hashes) => break,
                [b'\\', ..] if hashes == 0 => sound &= self.escape(),
                [] => {
                    self.unclosed_text(start, &format!("\"\"\"{}", "#".repeat(hashes)));
                    return None;
                }
                rest => self.at += len(rest[0]),
            }
        }
        self.at += MANY.len() + hashes;
        sound.then_some(())
    }

    /// Skips a `\` and what it stands for; says whether it stands for anything.
    fn escape(&mut self) -> bool {
        let start = self.at;
        self.at += 1;
        match self.rest() {
            [b'n' | b'r' | b't' | b'b' | b'f' | b's' | b'"' | b'\\', ..] => self.at += 1,
            [b'u', b'{', rest @ ..] => {
                let digits = rest.iter().take(7).take_while(|byte| byte.is_ascii_hexdigit()).count();
                let code = &self.text[self.at + 2..self.at + 2 + digits];
                if rest.get(digits) != Some(&b'}') || scalar(code).is_none() {
                    self.at += 2 + digits + usize::from(rest.get(digits) == Some(&b'}'));
                    self.unknown_character(start);
                    return false;
                }
                self.at += 3 + digits;
            }
            [] => {}
            rest => match blank(rest) {
                0 => {
                    self.at += len(rest[0]);
                    self.unknown_escape(start);
                    return false;
                }
                _ => self.at += blanks(rest),
            },
        }
        true
    }

    /// The lines of a text, without the white space that a `\` takes away, and where each begins in the file.
    fn lines(&self, body: usize, end: usize, escapes: bool) -> Vec<(usize, String)> {
        let (mut lines, mut at, mut start, mut line) = (Vec::new(), body, body, String::new());
        while at < end {
            let rest = &self.bytes[at..end];
            let taken_away = if escapes && rest[0] == b'\\' { blanks(&rest[1..]) } else { 0 };
            let (newline, escape) = (newline(rest), escapes && rest[0] == b'\\');
            if newline > 0 {
                at += newline;
                lines.push((start, std::mem::take(&mut line)));
                start = at;
            } else if taken_away > 0 {
                at += 1 + taken_away;
            } else {
                let skip = if escape { 1 + rest.get(1).map_or(0, |byte| len(*byte)) } else { len(rest[0]) };
                line.push_str(&self.text[at..at + skip]);
                at += skip;
            }
        }
        lines.push((start, line));
        lines
    }

    /// Takes from each line the white space that stands before the closing quotes.
    fn dedent(&mut self, lines: &[(usize, String)], end: usize, escapes: bool) -> Option<Arc<str>> {
        let ((_, indent), body) = lines.split_last()?;
        if !is_blank(indent) {
            self.closed_within_a_line(end);
            return None;
        }
        let mut text = String::with_capacity(body.iter().map(|(_, line)| line.len() + 1).sum());
        for (at, line) in body {
            match line.strip_prefix(indent.as_str()) {
                _ if is_blank(line) => {}
                Some(rest) => text.push_str(rest),
                None => {
                    self.indented_too_little(*at);
                    return None;
                }
            }
            text.push('\n');
        }
        text.pop();
        Some(if escapes && text.contains('\\') { unescape(&text).into() } else { text.into() })
    }
}

/// Whether these bytes, behind a quote, close a text that was opened with so many `#`.
fn closes(rest: &[u8], hashes: usize) -> bool {
    rest.len() >= hashes && rest[..hashes].iter().all(|byte| *byte == b'#')
}

/// How long the spaces and newlines are with which these bytes begin.
fn blanks(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match blank(&bytes[at..]) {
            0 => return at,
            len => at += len,
        }
    }
}

fn is_blank(line: &str) -> bool {
    let mut rest = line.as_bytes();
    loop {
        match space(rest) {
            0 => return rest.is_empty(),
            len => rest = &rest[len..],
        }
    }
}

/// The character with this number, if there is one.
fn scalar(digits: &str) -> Option<char> {
    if digits.len() > 6 {
        return None;
    }
    u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)
}

/// Puts in what each `\` stands for; that it stands for something has been checked.
fn unescape(text: &str) -> String {
    let (mut done, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('\\') {
        done.push_str(before);
        let plain = |letter: char| (letter, &after[1..]);
        let (letter, after) = match after.as_bytes() {
            [b'n', ..] => plain('\n'),
            [b'r', ..] => plain('\r'),
            [b't', ..] => plain('\t'),
            [b'b', ..] => plain('\u{8}'),
            [b'f', ..] => plain('\u{c}'),
            [b's', ..] => plain(' '),
            [b'"', ..] => plain('"'),
            [b'\\', ..] => plain('\\'),
            [b'u', ..] => {
                let (digits, after) = after[2..].split_once('}').unwrap_or_default();
                (scalar(digits).unwrap_or_default(), after)
            }
            bytes => {
                rest = &after[blanks(bytes)..];
                continue;
            }
        };
        done.push(letter);
        rest = after;
    }
    done.push_str(rest);
    done
}
