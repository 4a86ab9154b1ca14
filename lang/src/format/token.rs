//! Cuts a text into tokens that together are the whole text: what the parser throws away is what a formatter lives on.
//!
//! The text has been parsed before, so this judges nothing. Whatever it is given, it ends, and loses no character.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Blanks on a line, and a byte order mark.
    Space,
    /// The end of a line, of whatever system.
    Newline,
    /// `//` up to the end of its line.
    LineComment,
    /// `/*` to `*/`, with those in it.
    BlockComment,
    /// `\`, which lets a node go on in the next line.
    Escape,
    /// `/-`
    SlashDash,
    /// `{`
    Open,
    /// `}`
    Close,
    /// `(`
    TypeOpen,
    /// `)`
    TypeClose,
    /// `=`
    Equals,
    /// `;`
    Semicolon,
    /// A word, a number, a keyword or a text with its quotes.
    Word,
}

/// A piece of the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// Where it stands in the text.
    pub(crate) at: usize,
    /// Where the first thing on its line stands, and how many characters further on this is. A line that begins with
    /// the last line of a longer thing is counted from its very start.
    pub(crate) line: usize,
    pub(crate) offset: usize,
}

/// Cuts the whole text.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let (mut tokens, mut at) = (Vec::new(), 0);
    let (mut line, mut offset) = (None, 0);
    while at < text.len() {
        let (kind, len) = token(&text[at..]);
        let token = Token { kind, text: &text[at..at + len], at, line: line.unwrap_or(at), offset };
        match kind {
            Kind::Newline => (line, offset) = (None, 0),
            Kind::Space if line.is_none() => {}
            _ => match token.text.rsplit_once('\n') {
                Some((_, last)) => (line, offset) = (Some(at), last.chars().count()),
                None => {
                    line.get_or_insert(at);
                    offset += token.text.chars().count();
                }
            },
        }
        tokens.push(token);
        at += len;
    }
    tokens
}

/// The first token of a text that is not empty, and its length, which is never zero.
fn token(text: &str) -> (Kind, usize) {
    let first = text.chars().next().unwrap_or(' ');
    let single = |kind| (kind, first.len_utf8());
    match first {
        '\r' if text.starts_with("\r\n") => (Kind::Newline, 2),
        _ if is_newline(first) => single(Kind::Newline),
        _ if is_space(first) => (Kind::Space, until(text, |letter| !is_space(letter))),
        '/' if text.starts_with("//") => (Kind::LineComment, until(text, is_newline)),
        '/' if text.starts_with("/*") => (Kind::BlockComment, block_comment(text)),
        '/' if text.starts_with("/-") => (Kind::SlashDash, 2),
        '\\' => single(Kind::Escape),
        '{' => single(Kind::Open),
        '}' => single(Kind::Close),
        '(' => single(Kind::TypeOpen),
        ')' => single(Kind::TypeClose),
        '=' => single(Kind::Equals),
        ';' => single(Kind::Semicolon),
        '"' => (Kind::Word, quoted(text)),
        '#' => (Kind::Word, raw_or_keyword(text)),
        _ => (Kind::Word, first.len_utf8() + until(&text[first.len_utf8()..], ends_word)),
    }
}

fn until(text: &str, end: impl Fn(char) -> bool) -> usize {
    text.find(end).unwrap_or(text.len())
}

fn is_newline(letter: char) -> bool {
    matches!(letter, '\r' | '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_space(letter: char) -> bool {
    letter == '\u{feff}' || (letter.is_whitespace() && !is_newline(letter))
}

fn ends_word(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\\' | '/' | '(' | ')' | '{' | '}' | ';' | '"' | '#' | '=')
}

fn block_comment(text: &str) -> usize {
    let (bytes, mut at, mut depth) = (text.as_bytes(), 0, 0_usize);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (at, depth) = (at + 2, depth + 1),
            Some(b"*/") => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// A text in quotes; only what is escaped can hide its end.
fn quoted(text: &str) -> usize {
    let quotes = if text.starts_with("\"\"\"") { 3 } else { 1 };
    let (bytes, mut at) = (text.as_bytes(), quotes);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
            b'"' if text[at..].starts_with(&text[..quotes]) => return at + quotes,
            _ => at += 1,
        }
    }
    text.len()
}

/// A raw text, or a keyword such as `#true`.
fn raw_or_keyword(text: &str) -> usize {
    let hashes = text.len() - text.trim_start_matches('#').len();
    let rest = &text[hashes..];
    let lines = rest.strip_prefix("\"\"\"").is_some_and(|rest| rest.starts_with(is_newline));
    let quotes = if lines { "\"\"\"" } else { "\"" };
    match rest.strip_prefix(quotes) {
        Some(body) => {
            let closing = format!("{quotes}{}", &text[..hashes]);
            body.find(&closing).map_or(text.len(), |end| hashes + quotes.len() + end + closing.len())
        }
        None => hashes + until(rest, ends_word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found = tokens(text);
        assert_eq!(found.iter().map(|token| token.text).collect::<String>(), text);
        let solid = found.iter().filter(|token| token.kind != Kind::Space).map(|token| token.text);
        assert_eq!(solid.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn words_end_where_something_else_begins() {
        check("a(t)b=1{c;d}//e", &["a", "(", "t", ")", "b", "=", "1", "{", "c", ";", "d", "}", "//e"]);
        check("a/*/*b*/*/c/-d \\", &["a", "/*/*b*/*/", "c", "/-", "d", "\\"]);
        check("a #true-1\r\nb", &["a", "#true-1", "\r\n", "b"]);
    }

    #[test]
    fn texts_are_one_token() {
        check(r#"a "b\" {" c"#, &["a", r#""b\" {""#, "c"]);
        check(r###"##"a"# "b"## c"###, &[r###"##"a"# "b"##"###, "c"]);
        check("\"\"\"\n a \"\"b\n \"\"\" c", &["\"\"\"\n a \"\"b\n \"\"\"", "c"]);
        check("#\"\"\"# #\"\"\"\n\"#\n\"\"\"# c", &["#\"\"\"#", "#\"\"\"\n\"#\n\"\"\"#", "c"]);
    }

    #[test]
    fn what_never_ends_ends_with_the_text() {
        for text in ["\"a\\", "#\"a", "/* a", "\"\"\"a", "##", "\\", "\"\\é"] {
            assert_eq!(tokens(text).last().map(|token| token.text), Some(text));
        }
    }

    #[test]
    fn tokens_know_how_far_from_the_start_of_their_line_they_are() {
        let found = tokens("  é a // c\n b");
        let offsets = found.iter().filter(|token| token.kind != Kind::Space).map(|token| (token.line, token.offset));
        assert_eq!(offsets.collect::<Vec<_>>(), [(2, 0), (2, 2), (2, 4), (2, 8), (13, 0)]);
    }
}
