//! From tokens to lines and blocks: what belongs together, where the author broke lines, and every comment in its place.
//!
//! What the author's spaces said is gone after this, with two exceptions: where a line goes on in the next, and how far
//! to the right a comment at a line's end stands.

use super::token::{Kind, Token};

/// What stands between two braces, or in a file.
#[derive(Debug, Default)]
pub(super) struct Block<'a> {
    /// Comments that follow the opening brace on its line.
    pub(super) opening: Vec<Part<'a>>,
    pub(super) lines: Vec<Line<'a>>,
    /// Its closing brace.
    pub(super) close: Option<Token<'a>>,
    /// How many characters it takes on one line; none when the author gave it several.
    pub(super) width: Option<usize>,
}

/// A node with its comments, or comments alone.
#[derive(Debug, Default)]
pub(super) struct Line<'a> {
    pub(super) after_blank: bool,
    pub(super) parts: Vec<Part<'a>>,
}

/// One thing on a line.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) gap: Gap,
    pub(super) token: Token<'a>,
    /// The block that begins with the token, when it is a brace.
    pub(super) block: Option<Block<'a>>,
}

/// What separates a thing from the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    Nothing,
    Space,
    /// Several spaces before a comment: it stays at the column that the author chose.
    Column,
    /// `\` and a new line; before a comment, the new line follows the comment.
    Escape,
    /// A new line that needs no `\`.
    Newline,
}

/// Reads the layout of a whole file.
pub(super) fn layout<'a>(tokens: &'a [Token<'a>]) -> Block<'a> {
    Reader { tokens, at: 0, depth: 0, newlines: 0, broken: 0 }.block()
}

struct Reader<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    /// How many blocks are open.
    depth: usize,
    /// How many new lines there were since the last thing that is no blank.
    newlines: usize,
    /// How many tokens so far held a new line.
    broken: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<Kind> {
        self.tokens.get(self.at).map(|token| token.kind)
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let token = *self.tokens.get(self.at)?;
        self.at += 1;
        self.broken += usize::from(token.kind == Kind::Newline || token.text.contains('\n'));
        match token.kind {
            Kind::Newline => self.newlines += 1,
            Kind::Space => {}
            _ => self.newlines = 0,
        }
        Some(token)
    }

    fn skip(&mut self) {
        self.next();
    }

    /// Reads up to the closing brace, or up to the end.
    fn block(&mut self) -> Block<'a> {
        let (mut block, before) = (Block::default(), self.broken);
        if self.depth > 0 && self.only_comments_follow() {
            block.opening = self.line();
        }
        while let Some(kind) = self.peek() {
            match kind {
                Kind::Space | Kind::Semicolon | Kind::Newline => self.skip(),
                Kind::Close if self.depth > 0 => {
                    block.close = self.next();
                    break;
                }
                _ => {
                    let after_blank = self.newlines > 1 && !block.lines.is_empty();
                    let parts = self.line();
                    if !parts.is_empty() {
                        block.lines.push(Line { after_blank, parts });
                    }
                }
            }
        }
        block.width = (self.broken == before).then(|| width(&block));
        block
    }

    /// Whether comments, and nothing else, follow on this line.
    fn only_comments_follow(&self) -> bool {
        let solid = |kind: &Kind| *kind != Kind::Space;
        let mut rest = self.tokens[self.at..].iter().map(|token| token.kind).filter(solid).peekable();
        let some = matches!(rest.peek(), Some(Kind::LineComment | Kind::BlockComment));
        let after = rest.find(|kind| *kind != Kind::BlockComment);
        some && matches!(after, None | Some(Kind::LineComment | Kind::Newline))
    }

    /// Reads one line, which may go on in further ones.
    fn line(&mut self) -> Vec<Part<'a>> {
        let mut line = Unfinished::default();
        while let Some(kind) = self.peek() {
            if kind == Kind::Close && self.depth > 0 {
                break;
            }
            let Some(token) = self.next() else { break };
            match kind {
                Kind::Space => line.space = token.text.chars().count(),
                Kind::Escape => line.escape = true,
                Kind::Newline if line.goes_on() => line.turn(),
                Kind::Newline => break,
                Kind::Semicolon if !self.only_comments_follow() => break,
                Kind::Semicolon => {}
                Kind::LineComment => {
                    line.comment(token);
                    if line.turned == Some(Gap::Newline) && self.peek() == Some(Kind::Newline) {
                        self.skip();
                        self.newlines = 0;
                    }
                }
                Kind::Open => {
                    self.depth += 1;
                    let block = self.block();
                    self.depth -= 1;
                    line.push(token, Some(block));
                }
                _ => line.push(token, None),
            }
        }
        line.parts
    }
}

/// A line that is being read, and what came since its last part.
#[derive(Default)]
struct Unfinished<'a> {
    parts: Vec<Part<'a>>,
    /// A `/-` still waits for what it comments out.
    dashed: bool,
    /// How many blanks.
    space: usize,
    /// A `\` whose line has not ended yet.
    escape: bool,
    /// The line has gone on in a new one: with a `\` to be written, or without.
    turned: Option<Gap>,
}

impl<'a> Unfinished<'a> {
    /// Whether a new line does not end it.
    fn goes_on(&self) -> bool {
        self.escape || self.dashed
    }

    fn turn(&mut self) {
        let gap = if self.dashed { Gap::Newline } else { Gap::Escape };
        self.turned = self.turned.or(Some(gap));
        self.escape = false;
    }

    fn push(&mut self, token: Token<'a>, block: Option<Block<'a>>) {
        let gap = self.gap(token.kind);
        self.parts.push(Part { gap, token, block });
        (self.space, self.turned) = (0, None);
        // A comment may stand between `\` and the end of the line, and between `/-` and what it comments out.
        if token.kind != Kind::BlockComment {
            (self.escape, self.dashed) = (false, token.kind == Kind::SlashDash);
        }
    }

    /// Takes in a comment up to the end of the line; the line goes on after it only where it would without it.
    fn comment(&mut self, token: Token<'a>) {
        let goes_on = self.goes_on() && !self.parts.is_empty();
        let gap = match self.turned {
            None if self.parts.is_empty() && self.space > 1 => Gap::Column,
            _ if self.parts.is_empty() => Gap::Nothing,
            _ if self.escape => Gap::Escape,
            Some(turned) => turned,
            None if self.dashed || self.space < 2 => Gap::Space,
            None => Gap::Column,
        };
        self.parts.push(Part { gap, token, block: None });
        (self.space, self.escape) = (0, false);
        self.turned = goes_on.then_some(Gap::Newline);
    }

    /// What to write before a thing of this kind.
    fn gap(&self, kind: Kind) -> Gap {
        let Some(last) = self.parts.last() else { return Gap::Nothing };
        match (last.token.kind, kind) {
            _ if self.turned == Some(Gap::Newline) => Gap::Newline,
            (Kind::TypeOpen | Kind::TypeClose | Kind::Equals, _) | (_, Kind::TypeClose | Kind::Equals) => Gap::Nothing,
            (Kind::SlashDash, _) if self.space == 0 => Gap::Nothing,
            _ => self.turned.unwrap_or(Gap::Space),
        }
    }
}

/// How many characters a block takes when all of it stands on one line.
fn width(block: &Block<'_>) -> usize {
    let part = |part: &Part<'_>| {
        let gap = usize::from(part.gap != Gap::Nothing);
        gap + part.block.as_ref().map_or(part.token.text.chars().count(), |block| block.width.unwrap_or_default())
    };
    let lines = block.lines.iter().map(|line| line.parts.iter().map(part).sum::<usize>() + "; ".len());
    if block.lines.is_empty() { "{}".len() } else { lines.sum::<usize>() + "{ ".len() }
}
