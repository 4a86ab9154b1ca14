//! Holds the syntax layer against KDL 2.0, case by case: `testdata/kdl/valid` with the tree that each document stands
//! for, and `testdata/kdl/invalid`. The first comment of a case is what the specification says. `UPDATE=1` rewrites trees.

#![allow(clippy::disallowed_methods, reason = "the cases are files")]

use crate::{
    SourceFile,
    format::{self, outline},
    syntax,
    threads::Threads,
};
use std::{
    fs,
    path::{Path, PathBuf},
    slice,
};

fn cases(kind: &str) -> Vec<(PathBuf, SourceFile)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/kdl").join(kind);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "kdl")).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("// "), "{} does not say what it shows", path.display());
        (path, SourceFile { name: "case.kdl".into(), text: text.into() })
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn valid_documents_stand_for_their_tree() {
    let (cases, mut failed) = (cases("valid"), Vec::new());
    assert!(cases.len() >= 50);
    for (path, file) in cases {
        let tree = syntax::parse(slice::from_ref(&file), 0..1, Threads::Cores);
        let told: Vec<_> = tree.problems.iter().map(|problem| problem.message()).collect();
        let (found, expected) = (outline(&tree.nodes), path.with_extension("txt"));
        if !told.is_empty() {
            failed.push(format!("{}: {told:?}", path.display()));
        } else if std::env::var_os("UPDATE").is_some() {
            fs::write(expected, found).unwrap();
        } else if fs::read_to_string(expected).ok().as_deref() != Some(&found) {
            failed.push(format!("{} stands for\n{found}", path.display()));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn invalid_documents_are_refused() {
    let cases = cases("invalid");
    assert!(cases.len() >= 50);
    let fine = |file: &SourceFile| syntax::parse(slice::from_ref(file), 0..1, Threads::Cores).problems.is_empty();
    let passed: Vec<_> = cases.iter().filter(|(_, file)| fine(file)).map(|(path, _)| path).collect();
    assert!(passed.is_empty(), "{passed:?}");
    assert!(cases.iter().all(|(_, file)| format::format(file).is_err()));
}
