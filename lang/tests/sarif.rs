//! Holds the SARIF of every golden case against the structure that SARIF 2.1.0 asks for: its objects are closed, so what
//! each may hold is listed here, with the kinds of values and what must be there.

#![allow(clippy::disallowed_methods, reason = "the cases are files")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::Value;
use std::{fs, path::Path, sync::Arc};
use wharf_lang::{Problems, Request, SourceFile, load, problems_sarif};

/// What a value must be.
enum Shape {
    /// Some text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// The number of a line or a column: 1 or more.
    Position,
    /// The number of something in a list: 0 or more.
    Index,
    /// A reference to a file: nothing that must be written otherwise.
    Uri,
    /// A list of objects.
    List(fn() -> Object),
    /// An object.
    One(fn() -> Object),
}

/// What an object holds, and what of it must be there.
struct Object {
    must: &'static [&'static str],
    may: Vec<(&'static str, Shape)>,
}

use Shape::{Index, List, One, Position, Text, Uri, Word};

fn log() -> Object {
    Object {
        must: &["version", "runs"],
        may: vec![("$schema", Text), ("version", Word(&["2.1.0"])), ("runs", List(run))],
    }
}

fn run() -> Object {
    let columns = Word(&["utf16CodeUnits", "unicodeCodePoints"]);
    Object { must: &["tool"], may: vec![("tool", One(tool)), ("columnKind", columns), ("results", List(result))] }
}

fn tool() -> Object {
    Object { must: &["driver"], may: vec![("driver", One(driver))] }
}

fn driver() -> Object {
    Object { must: &["name"], may: vec![("name", Text), ("semanticVersion", Text), ("rules", List(rule))] }
}

fn rule() -> Object {
    let texts = ["shortDescription", "fullDescription", "help"].map(|name| (name, One(text)));
    Object { must: &["id"], may: [("id", Text), ("name", Text)].into_iter().chain(texts).collect() }
}

fn text() -> Object {
    Object { must: &["text"], may: vec![("text", Text), ("markdown", Text)] }
}

fn result() -> Object {
    let may = vec![
        ("ruleId", Text),
        ("ruleIndex", Index),
        ("level", Word(&["none", "note", "warning", "error"])),
        ("message", One(text)),
        ("locations", List(location)),
        ("relatedLocations", List(location)),
        ("suppressions", List(suppression)),
    ];
    Object { must: &["message"], may }
}

fn location() -> Object {
    Object { must: &["physicalLocation"], may: vec![("physicalLocation", One(place)), ("message", One(text))] }
}

fn place() -> Object {
    Object { must: &["artifactLocation"], may: vec![("artifactLocation", One(file)), ("region", One(region))] }
}

fn file() -> Object {
    Object { must: &["uri"], may: vec![("uri", Uri)] }
}

fn region() -> Object {
    let lines = ["startLine", "startColumn", "endLine", "endColumn"];
    Object { must: &["startLine"], may: lines.map(|name| (name, Position)).into_iter().collect() }
}

fn suppression() -> Object {
    let may = vec![
        ("kind", Word(&["inSource", "external"])),
        ("status", Word(&["accepted", "underReview", "rejected"])),
        ("justification", Text),
        ("location", One(location)),
    ];
    Object { must: &["kind"], may }
}

/// What is wrong with the value at `way`.
fn hold(value: &Value, object: &Object, way: &str, wrong: &mut Vec<String>) {
    let Some(fields) = value.as_object() else { return wrong.push(format!("{way} is no object")) };
    let missing = object.must.iter().filter(|name| !fields.contains_key(**name));
    wrong.extend(missing.map(|name| format!("{way} has no {name}")));
    for (name, value) in fields {
        let way = format!("{way}.{name}");
        match object.may.iter().find(|(known, _)| known == name) {
            Some((_, shape)) => fits(value, shape, &way, wrong),
            None => wrong.push(format!("{way} is not known")),
        }
    }
}

fn fits(value: &Value, shape: &Shape, way: &str, wrong: &mut Vec<String>) {
    let fits = match shape {
        Text => value.as_str().is_some_and(|text| !text.is_empty()),
        Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        Position => value.as_u64().is_some_and(|number| number >= 1),
        Index => value.is_u64(),
        Uri => value.as_str().is_some_and(|uri| uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')),
        One(object) => return hold(value, &object(), way, wrong),
        List(object) => {
            let Some(list) = value.as_array() else { return wrong.push(format!("{way} is no list")) };
            return list.iter().for_each(|value| hold(value, &object(), way, wrong));
        }
    };
    if !fits {
        wrong.push(format!("{way} cannot be {value}"));
    }
}

/// Holds one text, and that its results refer to the rules they mean.
fn check(problems: &Problems, title: &str) {
    let text = problems_sarif(problems, "deploy to/", "0.1.0");
    let page: Value = serde_json::from_str(&text).unwrap();
    let mut wrong = Vec::new();
    hold(&page, &log(), "log", &mut wrong);
    assert!(wrong.is_empty(), "{title}: {wrong:?}");
    let run = &page["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), problems.len() + problems.allowed().count(), "{title}");
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"], "{title}");
    }
}

#[test]
fn every_case_is_told_as_sarif_asks_for() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/lang");
    let mut allowed = 0;
    for case in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let paths = fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "kdl")).collect();
        paths.sort();
        let file = |path: &std::path::PathBuf| SourceFile {
            name: path.file_name().unwrap().to_str().unwrap().into(),
            text: Arc::from(fs::read_to_string(path).unwrap()),
        };
        let files: Vec<_> = paths.iter().map(file).collect();
        let loaded = load(&Request { files: &files, wharf_version: "0.1.0", ..Request::default() });
        allowed += loaded.problems.allowed().count();
        check(&loaded.problems, &case.display().to_string());
    }
    assert!(allowed > 5);
}

#[test]
fn what_sarif_does_not_ask_for_is_found() {
    let mut wrong = Vec::new();
    let page = r#"{ "version": "2.1", "runs": [{ "results": [{ "message": {}, "levle": "error",
        "locations": [{ "physicalLocation": { "artifactLocation": { "uri": "a b" }, "region": { "startLine": 0 } } }] }] }] }"#;
    hold(&serde_json::from_str(page).unwrap(), &log(), "log", &mut wrong);
    assert_eq!(wrong.len(), 6, "{wrong:?}");
}
