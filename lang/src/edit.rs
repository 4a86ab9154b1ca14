//! Changes of a file as text: a value for another, a node less or more. Everything else stays as it is written.

use crate::{
    SourceFile,
    format::token::{Kind, Token, tokens},
    syntax,
    threads::Threads,
};
use std::{collections::BTreeSet, ops::Range, slice};
use wharf_model::{Edit, Literal, Origin};

/// How far a node in a block stands in from the node that holds it.
const INDENT: &str = "    ";

/// The files in which the changes change something, each with what it then holds. A file in which one of its changes
/// cannot be made is left out: half of a change would mean something else.
pub fn edited<'a>(files: &'a [SourceFile], edits: &[Edit]) -> Vec<(&'a SourceFile, String)> {
    let own =
        |file: &SourceFile| edits.iter().filter(|edit| edit.origin().file == file.name).cloned().collect::<Vec<_>>();
    let edited = |file: &'a SourceFile| Some((file, edited_file(file, &own(file))?));
    files.iter().filter_map(edited).filter(|(file, after)| *file.text != **after).collect()
}

/// The file with the changes made in it. Changes within a node that goes do not count; of others, each place is changed
/// once. `None` when a place is not in the file, or when the outcome would not be KDL.
fn edited_file(file: &SourceFile, edits: &[Edit]) -> Option<String> {
    let text = &*file.text;
    let tokens = tokens(text);
    let edits: BTreeSet<&Edit> = edits.iter().collect();
    let pieces = edits.into_iter().map(|edit| piece(text, &tokens, edit)).collect::<Option<Vec<_>>>()?;
    let outcome = put_in(text, pieces);
    let again = SourceFile { name: file.name.clone(), text: outcome.as_str().into() };
    syntax::parse(slice::from_ref(&again), 0..1, Threads::Cores).problems.is_empty().then_some(outcome)
}

/// What of the text becomes what.
struct Piece {
    range: Range<usize>,
    text: String,
}

fn piece(text: &str, tokens: &[Token<'_>], edit: &Edit) -> Option<Piece> {
    let at = index(text, tokens, edit.origin())?;
    Some(match edit {
        Edit::Set { value, .. } => {
            let token = tokens[at];
            Piece { range: token.at..token.at + token.text.len(), text: written(value) }
        }
        Edit::Remove { .. } => Piece { range: whole(text, tokens, node(tokens, at)), text: String::new() },
        Edit::Add { name, value, .. } => add(text, tokens, at, &format!("{name} {}", written(value))),
    })
}

/// The token at a place.
fn index(text: &str, tokens: &[Token<'_>], origin: &Origin) -> Option<usize> {
    let line = usize::try_from(origin.line).ok()?.checked_sub(1)?;
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    let start = starts.into_iter().nth(line)?;
    let column = usize::try_from(origin.column).ok()?.checked_sub(1)?;
    let at = start + text[start..].char_indices().nth(column)?.0;
    let found = tokens.partition_point(|token| token.at <= at).checked_sub(1)?;
    (tokens[found].at == at && tokens[found].kind == Kind::Word).then_some(found)
}

/// The tokens of the node in whose name or values the token stands.
fn node(tokens: &[Token<'_>], at: usize) -> Range<usize> {
    let mut first = at;
    while let Some(before) = first.checked_sub(1) {
        let continued = || tokens[..before].iter().rev().find(|token| token.kind != Kind::Space && !is_comment(token));
        match tokens[before].kind {
            Kind::Open | Kind::Close | Kind::Semicolon => break,
            Kind::Newline if continued().is_none_or(|token| token.kind != Kind::Escape) => break,
            _ => first = before,
        }
    }
    while tokens[first].kind == Kind::Space {
        first += 1;
    }
    first..end(tokens, at)
}

/// Behind the last token of the node.
fn end(tokens: &[Token<'_>], at: usize) -> usize {
    let (mut depth, mut next, mut escaped) = (0_usize, at, false);
    while let Some(token) = tokens.get(next) {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close if depth == 0 => return next,
            Kind::Close if depth == 1 => return next + 1,
            Kind::Close => depth -= 1,
            Kind::Newline if depth == 0 && !escaped => return next,
            Kind::Semicolon | Kind::LineComment if depth == 0 => return next,
            _ => {}
        }
        escaped = match token.kind {
            Kind::Escape => true,
            Kind::Space | Kind::LineComment | Kind::BlockComment => escaped,
            _ => false,
        };
        next += 1;
    }
    next
}

fn is_comment(token: &Token<'_>) -> bool {
    matches!(token.kind, Kind::LineComment | Kind::BlockComment)
}

/// A node with what only stands there for it: its `;` and the blanks behind, or the whole of its lines.
fn whole(text: &str, tokens: &[Token<'_>], node: Range<usize>) -> Range<usize> {
    let start = tokens[node.start].at;
    let mut next = node.end;
    let blank = |next: usize| tokens.get(next).is_some_and(|token| token.kind == Kind::Space);
    while blank(next) {
        next += 1;
    }
    if tokens.get(next).is_some_and(|token| token.kind == Kind::Semicolon) {
        next += 1;
        while blank(next) {
            next += 1;
        }
    }
    let end = tokens.get(next).map_or(text.len(), |token| token.at);
    let line = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let alone = text[line..start].trim().is_empty();
    match tokens.get(next).map(|token| token.kind) {
        Some(Kind::Newline) if alone => line..end + tokens[next].text.len(),
        None if alone => line..end,
        _ => start..end,
    }
}

/// A node more, first in the block: on a line of its own, unless the block is written on one line.
fn add(text: &str, tokens: &[Token<'_>], at: usize, added: &str) -> Piece {
    let node = node(tokens, at);
    let start = tokens[node.start].at;
    let Some(open) = (node.start..node.end).find(|at| tokens[*at].kind == Kind::Open) else {
        let end = tokens[..node.end].iter().rev().find(|token| token.kind != Kind::Space);
        let end = end.map_or(start, |token| token.at + token.text.len());
        return Piece { range: end..end, text: format!(" {{ {added} }}") };
    };
    let behind = tokens[open].at + 1;
    let on_lines = text[behind..].trim_start_matches([' ', '\t']).starts_with(['\n', '\r', '/']);
    let line = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let indent: String = text[line..start].chars().take_while(|letter| letter.is_whitespace()).collect();
    let text = if on_lines { format!("\n{indent}{INDENT}{added}") } else { format!(" {added};") };
    Piece { range: behind..behind, text }
}

/// Puts the pieces in, the longest first where they lie in each other.
fn put_in(text: &str, mut pieces: Vec<Piece>) -> String {
    pieces.sort_by_key(|piece| (piece.range.start, std::cmp::Reverse(piece.range.end)));
    let (mut outcome, mut done) = (String::new(), 0);
    for piece in pieces {
        if piece.range.start < done {
            continue;
        }
        outcome.push_str(&text[done..piece.range.start]);
        outcome.push_str(&piece.text);
        // A place that is only added to is behind what was done, too.
        done = piece.range.end;
    }
    outcome + &text[done..]
}

/// A value as KDL writes it.
fn written(value: &Literal) -> String {
    match value {
        Literal::Number(number) => number.to_string(),
        Literal::Text(text) => crate::resolved::quoted(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "// one\ngateway \"public\" { listen 8600 }\n\nservice \"s\" {\n    timeout \"5s\"  // why\n    \
                        env { A \"1\"; B \"2\" }\n    expose \"public\" // here\n}\nservice \"t\" { port 1; instances 2 }\n\
                        service \"u\" \\\n    label=1\n";

    fn at(line: u32, column: u32) -> Origin {
        Origin { file: "a.kdl".into(), line, column }
    }

    fn check(edits: &[Edit], expected: &[(&str, &str)]) {
        let file = SourceFile { name: "a.kdl".into(), text: FILE.into() };
        let wanted = expected.iter().fold(FILE.to_owned(), |text, (old, new)| {
            assert_eq!(text.matches(old).count(), 1, "{old}");
            text.replacen(old, new, 1)
        });
        assert_eq!(edited_file(&file, edits).as_deref(), Some(&*wanted), "{edits:?}");
    }

    fn set(line: u32, column: u32, value: Literal) -> Edit {
        Edit::Set { at: at(line, column), value }
    }

    #[test]
    fn a_value_gives_way_to_another() {
        check(&[set(5, 13, Literal::Text("1m\"".into()))], &[("\"5s\"", "\"1m\\\"\"")]);
        check(&[set(2, 27, Literal::Number(1)), set(9, 33, Literal::Number(3))], &[("8600", "1"), ("s 2", "s 3")]);
    }

    #[test]
    fn a_node_goes_with_what_stands_there_for_it() {
        let remove = |line, column| Edit::Remove { at: at(line, column) };
        check(&[remove(2, 9)], &[("gateway \"public\" { listen 8600 }\n", "")]);
        check(&[remove(6, 11)], &[("A \"1\"; ", "")]);
        check(&[remove(9, 15)], &[("port 1; ", "")]);
        check(&[remove(9, 33)], &[("instances 2 ", "")]);
        check(&[remove(7, 12)], &[("expose \"public\" ", "")]);
        check(&[remove(10, 9)], &[("service \"u\" \\\n    label=1\n", "")]);
        check(
            &[remove(4, 9), set(5, 13, Literal::Number(1))],
            &[(&FILE[FILE.find("service \"s\"").unwrap()..FILE.find("service \"t\"").unwrap()], "")],
        );
    }

    #[test]
    fn a_node_comes_into_a_block() {
        let add =
            |line, column| Edit::Add { into: at(line, column), name: "timeout".into(), value: Literal::Number(9) };
        check(&[add(4, 9)], &[("\"s\" {", "\"s\" {\n    timeout 9")]);
        check(&[add(9, 9)], &[("{ port", "{ timeout 9; port")]);
        check(&[add(10, 9)], &[("label=1", "label=1 { timeout 9 }")]);
    }

    #[test]
    fn a_place_that_is_not_there_changes_nothing() {
        let file = SourceFile { name: "a.kdl".into(), text: FILE.into() };
        for place in [at(99, 1), at(2, 99), at(3, 1), at(2, 18), at(0, 0)] {
            assert_eq!(edited_file(&file, &[Edit::Remove { at: place }]), None);
        }
    }
}
