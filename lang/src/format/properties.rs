//! What holds of any text: what it says and every comment stay, and a second time changes nothing.

#![allow(clippy::disallowed_methods, reason = "the projects of this repository are read")]

use super::*;
use proptest::prelude::*;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The comments of a text, without the blanks around them.
fn comments(text: &str) -> Vec<String> {
    let tokens = token::tokens(text).into_iter();
    let comments = tokens.filter(|token| matches!(token.kind, token::Kind::LineComment | token::Kind::BlockComment));
    comments.map(|token| token.text.trim().replace("\r\n", "\n").replace('\r', "\n")).collect()
}

fn again(text: &str) -> Result<String, String> {
    let file = SourceFile { name: "a.kdl".into(), text: text.into() };
    format(&file).map_err(|problems| problems.iter().map(|problem| format!("{problem}\n")).collect())
}

/// What holds of everything that can be formatted; says whether this could be.
fn check(text: &str) -> bool {
    let file = SourceFile { name: "a.kdl".into(), text: text.into() };
    if tree(&Sources::new(slice::from_ref(&file))).is_err() {
        assert!(format(&file).is_err());
        return false;
    }
    let once = again(text).unwrap_or_else(|problem| panic!("{problem} of {text:?}"));
    assert_eq!(again(&once).as_ref(), Ok(&once), "twice: {text:?}");
    assert_eq!(comments(&once), comments(text), "{text:?}");
    assert!(once.is_empty() || once.ends_with('\n'), "{text:?}");
    true
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_document_keeps_its_meaning_and_its_comments(text in document()) {
        prop_assume!(check(&text));
    }
}

/// Every `*.kdl` file of this repository.
fn files() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut folders, mut files) =
        (["examples", "testdata", "src/cli/src/starter"].map(|name| root.join(name)).to_vec(), Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(end) if end == "kdl" => files.push((path.clone(), fs::read_to_string(path).unwrap())),
                _ => {}
            }
        }
    }
    files
}

#[test]
fn every_file_of_the_repository_keeps_its_meaning_and_its_comments() {
    let files = files();
    assert!(files.iter().filter(|(_, text)| check(text)).count() > 20);
    for (path, text) in files {
        let shown = ["examples", "starter"].iter().any(|name| path.components().any(|part| part.as_os_str() == *name));
        assert!(!shown || again(&text) == Ok(text), "{} is not formatted", path.display());
    }
}

/// Documents put together from the grammar, with every kind of white space and comment where it may stand.
fn any(choices: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    prop::sample::select(choices).prop_map(str::to_owned)
}

/// What may stand between two things on a line; comments are numbered later, to tell them apart.
fn space() -> impl Strategy<Value = String> + Clone {
    any(&[
        " ",
        " ",
        " ",
        "  ",
        "\t",
        "\u{3000}",
        " /* @ */ ",
        " /*@\r\n /*@*/*/ ",
        " \\\n",
        " \\ // @\n  ",
        " \\  \r\n",
    ])
}

fn maybe_space() -> impl Strategy<Value = String> + Clone {
    prop_oneof![3 => Just(String::new()), 1 => space()]
}

fn value() -> impl Strategy<Value = String> + Clone {
    any(&[
        "1",
        "-0x1F",
        "1_000",
        "2.5e-3",
        "#true",
        "#null",
        "#-inf",
        "#nan",
        "word",
        "\"two words\"",
        "\"{;}\"",
        "\"a\\\n   b\"",
        "\"\\u{202e} \\\"\"",
        "#\"raw \" //\"#",
        "\"\"\"\n  a\n    b {\n  \"\"\"",
        "#\"\"\"\r\n /* a\r\n \"\"\"#",
        "(t)1",
        "( t ) \"x\"",
        "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"",
    ])
}

fn entry() -> impl Strategy<Value = String> + Clone {
    let property = (any(&["k", "\"k k\"", "#\"k\"#"]), maybe_space(), maybe_space(), value());
    let property = property.prop_map(|(key, one, two, value)| format!("{key}{one}={two}{value}"));
    let entry = prop_oneof![3 => value().boxed(), 1 => property.boxed()];
    (any(&["", "", "", "/-", "/- ", "/-\n  "]), entry).prop_map(|(dash, entry)| dash + &entry)
}

fn head() -> impl Strategy<Value = String> + Clone {
    let name = any(&["a", "b-c", "\"d e\"", "(t)f", "( t )g", "/-h", "/- i", "/-\n j", "/- // @\n k"]);
    (name, prop::collection::vec((space(), entry()), 0..4))
        .prop_map(|(name, entries)| entries.into_iter().fold(name, |head, (space, entry)| head + &space + &entry))
}

fn end() -> impl Strategy<Value = String> + Clone {
    any(&[
        "\n",
        "\n",
        "\n",
        "\r\n",
        "\r",
        "\u{2028}",
        ";",
        "; ",
        ";\n",
        " // @\n",
        "   // @ \r\n",
        "; // @\n",
        "; /*@*/\n",
        "\n\n",
        "\n \n\n\n",
        "\n// @\n",
        "\n\n  /* @\n @ */\n",
        " /* @ */;",
    ])
}

fn nodes(node: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = String> + Clone {
    let line = (maybe_space(), node, end()).prop_map(|(space, node, end)| space + &node + &end);
    prop::collection::vec(line, 0..4).prop_map(|lines| lines.concat())
}

/// A whole document.
fn document() -> impl Strategy<Value = String> {
    let node = head().boxed().prop_recursive(3, 24, 4, |inner| {
        let inside = any(&["", " ", "\n", " // @\n", "   // @\n", " /* @ */\n", "\n\n"]);
        let block = (inside, nodes(inner)).prop_map(|(inside, nodes)| format!("{{{inside}{nodes}}}"));
        let blocks = (any(&["", " ", " /- { a; b // @\n } "]), block);
        (head(), blocks).prop_map(|(head, (before, block))| head + &before + &block).boxed()
    });
    (any(&["", "\u{feff}", "\n\n", "// @\n"]), nodes(node)).prop_map(|(start, nodes)| number(&(start + &nodes)))
}

fn number(text: &str) -> String {
    let pieces = text.split('@').enumerate();
    pieces.map(|(index, piece)| if index == 0 { piece.to_owned() } else { format!("c{index}.{piece}") }).collect()
}
