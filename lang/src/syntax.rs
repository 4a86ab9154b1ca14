//! From text to a tree of our own: the only module that knows the KDL parser.
//!
//! It turns the parser's terse errors into problems that name the KDL 2 spelling, drops those that only follow from an
//! earlier one, and leaves a tree whose values know exactly where they stand. What the nodes mean is not decided here.

use crate::{
    problem::{Code, Problem},
    scan::{self, Chunk},
    source::{Place, Sources},
};
use kdl::{KdlDiagnostic, KdlDocument, KdlEntry, KdlIdentifier, KdlNode, KdlValue};
use std::{ops::Range, sync::Arc, thread};

/// At most so many syntax errors of one file are shown: more of them help nobody.
const SHOWN: usize = 10;
/// The stack of the parsing thread, and what each byte of a node may add to it. The parser recurses once for each
/// piece that it cannot place, down to single bytes, with well under 8 KiB each time; pages not used are never
/// touched.
const STACK: usize = 16 << 20;
const STACK_PER_BYTE: usize = 8 << 10;

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

/// Reads every file.
pub(crate) fn parse(sources: &Sources<'_>) -> Tree {
    parse_files(sources, 0..sources.files().len())
}

/// Reads some of the files. A file, or a top-level node, with errors does not keep the others from being read.
pub(crate) fn parse_files(sources: &Sources<'_>, which: Range<usize>) -> Tree {
    let mut tree = Tree::default();
    for index in which {
        let file = sources.file(index);
        let mut scan = scan::scan(index, &file.text, SHOWN);
        let (nodes, problems) = parse_chunks(index, &file.text, &scan.chunks);
        tree.nodes.extend(nodes);
        scan.problems.extend(problems);
        scan.problems.truncate(SHOWN);
        tree.problems.append(&mut scan.problems);
    }
    tree
}

/// Parses on a thread of its own, because only there the size of the stack is ours to choose.
fn parse_chunks(file: usize, text: &str, chunks: &[Chunk]) -> (Vec<Node>, Vec<Problem>) {
    let longest = chunks.iter().map(|chunk| chunk.end - chunk.start).max().unwrap_or(0);
    let thread = thread::Builder::new().stack_size(STACK + STACK_PER_BYTE * longest);
    let failed = |why: String| {
        let at = Place { file, start: 0, len: 0 };
        (Vec::new(), vec![Problem::error(Code::Syntax, format!("cannot read this file: {why}")).at(at, "")])
    };
    thread::scope(|scope| {
        let work = || {
            let (mut nodes, mut problems) = (Vec::new(), Vec::new());
            for chunk in chunks {
                if problems.len() < SHOWN {
                    parse_chunk(file, text, chunk, &mut nodes, &mut problems);
                }
            }
            (nodes, problems)
        };
        match thread.spawn_scoped(scope, work) {
            Ok(handle) => handle.join().unwrap_or_else(|_| failed("the KDL parser gave up".to_owned())),
            Err(error) => failed(format!("no thread to parse it on ({error})")),
        }
    })
}

fn parse_chunk(file: usize, text: &str, chunk: &Chunk, nodes: &mut Vec<Node>, problems: &mut Vec<Problem>) {
    let piece = &text[chunk.start..chunk.end];
    let places = Places { file, base: chunk.start, end: chunk.end };
    match KdlDocument::parse_v2(piece) {
        Ok(document) => nodes.extend(document.nodes().iter().map(|node| places.node(node))),
        Err(error) => problems.extend(
            distinct(error.diagnostics, piece).into_iter().map(|error| describe(&error, piece, &places)).take(SHOWN),
        ),
    }
}

/// Turns places in a chunk into places in its file.
struct Places {
    file: usize,
    base: usize,
    end: usize,
}

impl Places {
    fn place(&self, start: usize, len: usize) -> Place {
        let start = (self.base + start).min(self.end);
        Place { file: self.file, start, len: len.min(self.end - start) }
    }

    fn word(&self, word: &KdlIdentifier) -> Word {
        let len = word.repr().map_or(word.span().len(), str::len);
        Word { text: word.value().into(), at: self.place(word.span().offset(), len) }
    }

    fn node(&self, node: &KdlNode) -> Node {
        Node {
            name: self.word(node.name()),
            annotation: node.ty().map(|ty| self.word(ty)),
            entries: node.entries().iter().map(|entry| self.entry(entry)).collect(),
            block: node.children().map(|block| block.nodes().iter().map(|node| self.node(node)).collect()),
        }
    }

    /// An entry's span covers its key and annotation as well; the value is what stands at its end.
    fn entry(&self, entry: &KdlEntry) -> Entry {
        let (start, len) = (entry.span().offset(), entry.span().len());
        let value = entry.format().map_or(len, |format| format.value_repr.len().min(len));
        Entry {
            key: entry.name().map(|name| self.word(name)),
            annotation: entry.ty().map(|ty| self.word(ty)),
            value: scalar(entry.value()),
            at: self.place(start + len - value, value),
        }
    }
}

fn scalar(value: &KdlValue) -> Scalar {
    match value {
        KdlValue::String(text) => Scalar::Text(text.as_str().into()),
        KdlValue::Integer(number) => Scalar::Integer(*number),
        KdlValue::Float(number) => Scalar::Float(*number),
        KdlValue::Bool(value) => Scalar::Boolean(*value),
        KdlValue::Null => Scalar::Null,
    }
}

const STRAY: &str = "Expected end of document";

/// Drops the errors that follow from an earlier one: those in or right after its span, those in the rest of a line that
/// holds a piece out of place, and all but the first about such a piece. That braces close is known already, so an error
/// about them is a consequence, too.
fn distinct(mut errors: Vec<KdlDiagnostic>, piece: &str) -> Vec<KdlDiagnostic> {
    errors.sort_by_key(|error| error.span.offset());
    let about_braces = |error: &KdlDiagnostic| error.message.as_deref().is_some_and(|text| text.contains("losing '}'"));
    let all_about_braces = errors.iter().all(about_braces);
    let mut kept: Vec<KdlDiagnostic> = Vec::new();
    for error in errors {
        let stray = |error: &KdlDiagnostic| error.message.as_deref() == Some(STRAY);
        let follows = kept.last().is_some_and(|last| {
            let (end, start) = (last.span.offset() + last.span.len(), error.span.offset());
            let same_line = piece.get(end..start).is_some_and(|between| !between.contains('\n'));
            start <= end || stray(&error) || (stray(last) && same_line)
        });
        if !follows && (all_about_braces || !about_braces(&error)) {
            kept.push(error);
        }
    }
    kept
}

fn describe(error: &KdlDiagnostic, piece: &str, places: &Places) -> Problem {
    let start = piece.floor_char_boundary(error.span.offset());
    if piece[start..].starts_with(';') {
        let problem =
            Problem::error(Code::Syntax, "no node stands before this `;`").at(places.place(start, 1), "ends nothing");
        return problem.help("begin a new line instead".to_owned());
    }
    let token = token_at(piece, start);
    if let Some(habit) = habit(token) {
        let label = places.place(start, token.len());
        return Problem::error(Code::Syntax, habit.message).at(label, habit.label).help(habit.help);
    }
    let own = error.message.as_deref().unwrap_or("this is not KDL");
    let stray = own == STRAY;
    let word = token.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_')) && !token.is_empty();
    let first = piece[start..].chars().next().map_or_else(String::new, String::from);
    let shown = if word { token.to_owned() } else { first };
    let message = if stray { format!("`{shown}` does not belong here") } else { lower_first(own) };
    let len = if stray { shown.len() } else { piece.floor_char_boundary(start + error.span.len()) - start };
    let label = error.label.as_deref().filter(|_| !stray).unwrap_or("not expected here").to_owned();
    let help = if stray { stray_help(&shown) } else { error.help.as_deref().map(lower_first) };
    Problem::error(Code::Syntax, message).at(places.place(start, len.max(shown.len())), label).help(help)
}

fn token_at(piece: &str, start: usize) -> &str {
    let rest = &piece[start..];
    let end = |letter: char| letter.is_whitespace() || matches!(letter, ';' | '{' | '}' | '(' | ')' | '=');
    &rest[..rest.find(end).unwrap_or(rest.len())]
}

/// A spelling from elsewhere, with the right one.
struct Habit {
    message: String,
    label: &'static str,
    help: String,
}

fn habit(token: &str) -> Option<Habit> {
    let spelling = |message: String, help: String| Some(Habit { message, label: "not KDL 2", help });
    match token {
        "true" | "false" | "null" | "inf" | "nan" => spelling(
            format!("`{token}` needs a `#` in KDL 2"),
            format!("write `#{token}`, or `\"{token}\"` for the text"),
        ),
        _ if token.starts_with("r\"") || token.starts_with("r#") => {
            spelling("`r\"…\"` is how KDL 1 writes raw text".to_owned(), "write `#\"…\"#`".to_owned())
        }
        _ if token.len() > 38 && token.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') => {
            let (message, help) = ("this number is too large", "no field takes a number of that size");
            Some(Habit { message: message.to_owned(), label: "too large", help: help.to_owned() })
        }
        _ => None,
    }
}

fn stray_help(found: &str) -> Option<String> {
    let help = match found {
        "=" => "a node takes its values after a space, without `=`: `LOG_LEVEL \"info\"`",
        "[" => "several values stand side by side: `command \"python\" \"app.py\"`",
        "(" | ")" => "a type stands right before its value: `(secret)\"name\"`",
        _ => "nodes are separated by `;` or by a new line",
    };
    Some(help.to_owned())
}

fn lower_first(text: &str) -> String {
    let text = text.strip_suffix('.').unwrap_or(text);
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SourceFile;

    fn check(text: &str, expected: &[&str]) {
        let files = [SourceFile { name: "a.kdl".into(), text: text.into() }];
        let sources = Sources::new(&files);
        let tree = parse(&sources);
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
        check("a { /-b 1; c }", &[";: no node stands before this `;`"]);
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
        let tree = parse(&sources);
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
            assert!(!parse(&Sources::new(&files)).problems.is_empty());
        }
    }
}
