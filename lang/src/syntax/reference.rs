//! The `kdl` crate as the reference: what both read, they read alike, and they agree on what can be read, except where
//! the specification is against the crate.

#![expect(clippy::disallowed_methods, reason = "the golden cases are files")]

use super::{Entry, Node, Scalar, Word, parser};
use crate::problem::Code;
use kdl::{KdlDocument, KdlEntry, KdlIdentifier, KdlNode, KdlValue};
use proptest::prelude::*;
use std::{fmt::Write as _, fs, path::Path};

/// Prints a node with everything that is compared: names, values, types, and where each of them stands.
fn ours(page: &mut String, text: &str, node: &Node) {
    let word = |word: &Option<Word>| word.as_ref().map(|word| format!("{:?}@{}", word.text, word.at.start()));
    let _ = write!(page, "{:?}@{} {:?} [", node.name.text, node.name.at.start(), word(&node.annotation));
    for Entry { key, annotation, value, at } in &node.entries {
        let value = match value {
            Scalar::Float(number) => format!("Float({number:?})"),
            other => format!("{other:?}"),
        };
        let written = &text[at.range()];
        let _ = write!(page, "{:?} {:?} {value} {written:?}@{}, ", word(key), word(annotation), at.start());
    }
    page.push(']');
    for (index, node) in node.block.iter().flatten().enumerate() {
        page.push_str(if index == 0 { "{ " } else { "; " });
        ours(page, text, node);
    }
    page.push_str(if node.block.is_some() { " }" } else { "" });
}

fn theirs(page: &mut String, node: &KdlNode) {
    let word = |word: Option<&KdlIdentifier>| word.map(|word| format!("{:?}@{}", word.value(), word.span().offset()));
    let name = node.name();
    let _ = write!(page, "{:?}@{} {:?} [", name.value(), name.span().offset(), word(node.ty()));
    for entry in node.entries() {
        let value = match entry.value() {
            KdlValue::String(text) => format!("Text({text:?})"),
            KdlValue::Integer(number) => format!("Integer({number})"),
            KdlValue::Float(number) => format!("Float({number:?})"),
            KdlValue::Bool(value) => format!("Boolean({value})"),
            KdlValue::Null => "Null".to_owned(),
        };
        let (written, at) = written(entry);
        let _ = write!(page, "{:?} {:?} {value} {written:?}@{at}, ", word(entry.name()), word(entry.ty()));
    }
    page.push(']');
    for (index, node) in node.children().iter().flat_map(|block| block.nodes()).enumerate() {
        page.push_str(if index == 0 { "{ " } else { "; " });
        theirs(page, node);
    }
    page.push_str(if node.children().is_some() { " }" } else { "" });
}

/// A value alone stands at the end of its entry.
fn written(entry: &KdlEntry) -> (&str, usize) {
    let written = entry.format().map_or("", |format| &format.value_repr);
    (written, entry.span().offset() + entry.span().len() - written.len())
}

/// Reads a text with both.
fn both(text: &str) -> (Result<String, String>, Result<String, String>) {
    let (nodes, problems) = parser::parse(0, text);
    for problem in &problems {
        let span = problem.span().unwrap();
        assert!(text.get(span.clone()).is_some(), "{problem} at {span:?} of {text:?}");
    }
    let mut page = String::new();
    nodes.iter().for_each(|node| {
        ours(&mut page, text, node);
        page.push('\n');
    });
    // That depth is bounded is no matter of the specification.
    let deep = problems.iter().any(|problem| problem.code() == Code::TooDeep);
    let own = problems.first().map_or(Ok(page), |problem| Err(problem.to_string()));
    if deep {
        return (Err(String::new()), Err(String::new()));
    }
    let other = KdlDocument::parse_v2(text).map_err(|error| {
        let told = error.diagnostics.iter().filter_map(|error| error.message.clone());
        told.collect::<Vec<_>>().join("; ")
    });
    let other = other.map(|document| {
        let mut page = String::new();
        document.nodes().iter().for_each(|node| {
            theirs(&mut page, node);
            page.push('\n');
        });
        page
    });
    (own, other)
}

/// Where the specification is against the crate, or does not decide.
fn disputed(text: &str) -> bool {
    let suspicious = [
        // The crate takes a commented-out node or value for space.
        "/-", // It reads `-inf` as text, and `0X` as a prefix.
        "-inf", "0X", "0O", "0B",      // It lets three quotes begin a raw text on one line.
        "#\"\"\"", // It lets these stand in comments, the last of them anywhere.
        "\u{7f}",
    ];
    let long_digits = text.split(|letter: char| !letter.is_ascii_digit() && letter != '_').any(|run| run.len() > 37);
    let unseen = |letter: char| super::character::is_disallowed(letter.to_string().as_bytes());
    suspicious.iter().any(|piece| text.contains(piece)) || long_digits || text.contains(unseen)
}

fn check(text: &str) {
    let (own, other) = both(text);
    match (&own, &other) {
        (Ok(own), Ok(other)) => assert_eq!(own, other, "{text:?}"),
        (Err(_), Err(_)) => {}
        _ if disputed(text) => {}
        _ => panic!("{text:?}\nours: {own:?}\nreference: {other:?}"),
    }
}

/// Words, texts and numbers, each with all that the grammar allows.
fn text() -> impl Strategy<Value = String> {
    let letters = "([a-zé_ \t'{}()/#;=<>.,!-]|\\\\[nrtbfs\"\\\\]|\\\\u\\{[0-9a-d]{1,5}\\}|\\\\ +\n? *){0,8}";
    let raw = "[a-z \\\\{}/;=\u{e9}'-]{0,8}";
    prop_oneof![
        "[a-zA-Z_é<>?!,.:*|~$%^&@'`-][a-z0-9_é.-]{0,6}".prop_map(|word| format!("a{word}")),
        Just("+".to_owned()),
        Just("-a".to_owned()),
        Just(".".to_owned()),
        Just("-.a".to_owned()),
        letters.prop_map(|body| format!("\"{body}\"")),
        (1..4_usize, raw).prop_map(|(n, body)| format!("{0}\"{body}\"{0}", "#".repeat(n))),
        lines("[a-z \"#{};/]{0,6}|\\\\n[a-z]|\\\\ *\n *[a-z]", ""),
        lines("[a-z \"{};/\\\\]{0,6}", "#"),
    ]
}

/// A text of several lines, indented alike.
fn lines(body: &'static str, hashes: &'static str) -> impl Strategy<Value = String> {
    let newline = prop::sample::select(vec!["\n", "\r\n", "\r", "\u{2028}"]);
    (prop::collection::vec(body, 0..4), "[ \t]{0,3}", newline).prop_map(move |(lines, indent, newline)| {
        let body: String = lines.iter().map(|line| format!("{indent}{line}{newline}")).collect();
        format!("{hashes}\"\"\"{newline}{body}{indent}\"\"\"{hashes}")
    })
}

fn value() -> impl Strategy<Value = String> {
    let number = "[+-]?(0|[1-9][0-9_]{0,6})(\\.[0-9][0-9_]{0,3})?([eE][+-]?[0-9]{1,2})?";
    let other = "[+-]?(0x[0-9a-fA-F][0-9a-fA-F_]{0,6}|0o[0-7][0-7_]{0,5}|0b[01][01_]{0,5})";
    let keyword = prop::sample::select(vec!["#true", "#false", "#null", "#inf", "#-inf", "#nan"]);
    let plain = prop_oneof![text(), number, other, keyword.prop_map(str::to_owned)];
    (prop::option::of((space0(), text(), space0())), plain).prop_map(|(annotation, value)| match annotation {
        Some((before, word, after)) => format!("({before}{word}{after}){value}"),
        None => value,
    })
}

fn space0() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just(String::new()), space()]
}

fn space() -> impl Strategy<Value = String> {
    let one = prop::sample::select(vec![
        " ",
        " ",
        "  ",
        "\t",
        "\u{a0}\u{3000}",
        " /* a /* b */ { */ ",
        " \\\n ",
        " \\ // c\r\n",
    ]);
    one.prop_map(str::to_owned)
}

fn entry() -> impl Strategy<Value = String> {
    let property =
        (text(), space0(), space0(), value()).prop_map(|(key, one, two, value)| format!("{key}{one}={two}{value}"));
    prop_oneof![value(), property].prop_flat_map(|entry| {
        (space(), prop::bool::weighted(0.1))
            .prop_map(move |(space, off)| format!("{space}{}{entry}", if off { "/-" } else { "" }))
    })
}

fn node() -> impl Strategy<Value = String> {
    let head = (text(), prop::collection::vec(entry(), 0..4))
        .prop_map(|(name, entries)| format!("{name}{}", entries.concat()));
    head.prop_recursive(3, 12, 3, |inner| {
        let block = prop::collection::vec((inner.clone(), end()), 0..3);
        (inner, space(), block).prop_map(|(head, space, nodes)| {
            let nodes: String = nodes.into_iter().map(|(node, end)| format!("{node}{end}")).collect();
            if head.ends_with('}') { head } else { format!("{head}{space}{{{nodes}}}") }
        })
    })
}

fn end() -> impl Strategy<Value = String> {
    let ends = vec!["\n", "\r\n", "\n\n  ", " ;", "; ", " // note {\n", "\u{85}", "\u{2028}\t"];
    prop::sample::select(ends).prop_map(str::to_owned)
}

fn document() -> impl Strategy<Value = String> {
    let head = prop::sample::select(vec!["", "", "\u{feff}", "/- kdl-version 2\n", "// a\n/* b */\n"]);
    (head, prop::collection::vec((node(), end()), 0..5)).prop_map(|(head, nodes)| {
        let nodes: String = nodes.into_iter().map(|(node, end)| format!("{node}{end}")).collect();
        format!("{head}{nodes}")
    })
}

/// The projects of the golden cases.
fn projects() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/lang");
    let cases = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = cases.flat_map(|case| fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path()));
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "kdl")).collect();
    files.sort();
    files.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

fn mutated() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[{}()\"#/*\\\\;=\n -]{1,3}",
        prop::sample::select(vec!["\"\"\"", "/*", "*/", "#true", "true", "0x", "\\u{", "\r", "\u{a0}", "1.", "-"])
            .prop_map(str::to_owned),
        Just(String::new()),
    ];
    let edit = (any::<prop::sample::Index>(), 0_usize..6, piece);
    let texts = prop_oneof![prop::sample::select(projects()), document()];
    (texts, prop::collection::vec(edit, 1..4)).prop_map(|(mut text, edits)| {
        for (at, cut, piece) in edits {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.floor_char_boundary((start + cut).min(text.len())).max(start);
            text.replace_range(start..end, &piece);
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_by_the_grammar_is_read_as_the_reference_reads_it(text in document()) {
        let (own, other) = both(&text);
        prop_assert!(own.is_ok() || other.is_err(), "{:?} {:?}", text, own);
        check(&text);
    }

    #[test]
    fn what_is_changed_at_random_is_judged_as_the_reference_judges_it(text in mutated()) {
        check(&text);
    }
}

#[test]
fn each_piece_of_the_language_is_read_as_the_reference_reads_it() {
    projects().iter().for_each(|text| check(text));
    for text in [
        "a\"b\"",
        "a \"b\"c",
        "a b=",
        "a =b",
        "a (t)b=1",
        "a b=(t)1",
        "a (t) 1",
        "(t) a",
        "( t )a",
        "()a",
        "a (t)",
        "a {b}",
        "a{b}",
        "a { } b",
        "a {} {}",
        "a;b",
        ";",
        "a;;",
        "a \\",
        "a \\ b",
        "a /* /* */",
        "#true",
        "1",
        "\"a\" 1",
        "a 1.",
        "a .5",
        "a +1",
        "a +",
        "a 0x",
        "a 0b12",
        "a 1_0",
        "a _1",
        "a 1a",
        "a #tru",
        "a #\"b\"##",
        "a ##\"b\"#\"##",
        "a \"\"\"b\"\"\"",
        "a \"\"\"\n\"\"\"",
        "a \"\"\"\n  b\n c\n  \"\"\"",
        "a \"\"\"\n  b\n\n \t\n  c\\\n    d\n  \"\"\"",
        "a \"\"\"\n b\"\"\"",
        "a \"\"\"\n b\\\n \"\"\"",
        "a \"\"\"\n b\n \\\n \"\"\"",
        "a #\"\"\"\n \\n\n \"\"\"#",
        "a \"\\u{41}\"",
        "a \"\\u{d800}\"",
        "a \"\\u{110000}\"",
        "a \"\\u{}\"",
        "a \"\\u{1234567}\"",
        "a \"\\/\"",
        "a \"b\\ \n c\"",
        "a \"b\nc\"",
        "a \"\\\"",
        "a [b]",
        "a b/c",
        "a b,c",
        "a <b>",
        "}",
        "a {",
        "a {}}",
        "a 1e400",
        "a -0",
        "a --1",
        "a - 1",
        "r\"a\"",
        "a\u{a0}b",
        "a\u{85}b",
        "\u{feff}a",
        "a \"\t\"",
    ] {
        check(text);
    }
}

#[test]
fn the_specification_is_followed_where_the_reference_does_not() {
    let read = |text: &str| both(text).0.is_ok();
    assert!(
        read("a { /-b 1; c }")
            && read("a /-1 2 /-{ b } { c } /-{ d }")
            && read("/-a\nb")
            && read("a 1 /- b=2\n/- c {}\n")
    );
    assert!(!read("a /-{} 1") && !read("a {} /-1") && !read("/-") && !read("a /-") && !read("/-/-a"));
    assert!(!read("a -inf") && !read("a 0X1") && !read("a #\"\"\"b\"#") && !read("a #\"\"\"#"));
    assert!(!read("// \u{202e}") && !read("a \"\u{7f}\"") && !read("a \u{feff}") && read("a \"\\u{202e}\""));
    assert!(read(&format!("a {}.5", "9".repeat(40))) && !read(&format!("a {}", "9".repeat(40))));
}
