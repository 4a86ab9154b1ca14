//! Whatever the texts hold: no panic, no overflow, and every problem points into a file, at whole characters.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use std::{fs, path::Path, sync::Arc};
use wharf_lang::{Code, Loaded, Request, SourceFile, load};
use wharf_model::SecretSource;

fn check(texts: &[&str]) -> Loaded {
    let file =
        |(index, text): (usize, &&str)| SourceFile { name: format!("{index}.kdl").into(), text: Arc::from(*text) };
    let files: Vec<_> = texts.iter().enumerate().map(file).collect();
    let unset = |_: &SecretSource| Err("not set".to_owned());
    let loaded = load(&Request { files: &files, wharf_version: "0.1.0", secrets: Some(&unset), ..Request::default() });
    for problem in &loaded.problems {
        let (Some(name), Some(span)) = (problem.file(), problem.span()) else { continue };
        let file = files.iter().find(|file| *file.name == *name).unwrap();
        assert!(file.text.get(span.clone()).is_some(), "{problem} at {span:?} of {:?}", file.text);
        assert!(!problem.message().ends_with('.') && !problem.message().is_empty(), "{problem}");
    }
    assert_ne!(loaded.deployment.is_some(), loaded.problems.has_errors());
    loaded
}

/// Every project of the golden cases, as one text each.
fn projects() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/lang");
    let kdl = |path: &Path| path.extension().is_some_and(|end| end == "kdl");
    let cases = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = cases.flat_map(|case| fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path()));
    let mut files: Vec<_> = files.filter(|path| kdl(path)).collect();
    files.sort();
    files.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

fn mutated() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[{}()\"#/*\\\\;=\n]{1,4}",
        Just("/-".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("/*".to_owned()),
        Just("${".to_owned()),
        Just("é\u{2028}\u{85}\u{feff}".to_owned()),
        Just("1e400 -0x".to_owned()),
        Just("99999999999999999999999999999999999999999".to_owned()),
        "\\PC{0,8}",
    ];
    let edit = (any::<prop::sample::Index>(), 0_usize..12, piece);
    (prop::sample::select(projects()), prop::collection::vec(edit, 1..6)).prop_map(|(mut text, edits)| {
        for (at, cut, piece) in edits {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.floor_char_boundary((start + cut).min(text.len())).max(start);
            text.replace_range(start..end, &piece);
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_survived(text in "(\\PC|[{}()\"#/*\\\\;=\n\r\t]){0,200}") {
        check(&[&text]);
    }

    #[test]
    fn any_change_of_a_project_is_survived(one in mutated(), two in mutated()) {
        check(&[&one, &two]);
    }
}

#[test]
fn text_made_to_overflow_is_survived() {
    let many = 200_000;
    for text in [
        "{".repeat(many),
        "}".repeat(many),
        "/*".repeat(many),
        "/-".repeat(many),
        "\"".repeat(many),
        "#".repeat(many),
        "=".repeat(many),
        "a=\n".repeat(many),
        "a {\n".repeat(many),
        "service {\n".repeat(many),
        "{}".repeat(many),
        "a{\n}".repeat(many),
        "(".repeat(many),
        "\\".repeat(many),
        "\\\n".repeat(many),
        "/-\n".repeat(many),
        "${".repeat(many),
        format!("a \"{}", "\\\"{".repeat(many)),
        format!("a r\"{}\"", "= { ".repeat(30_000)),
        format!("a {}", "\"\\q\" ".repeat(20_000)),
        format!("project \"{}\"", "${input.x".repeat(10_000)),
    ] {
        assert!(check(&[&text]).problems.len() < 1_000, "{}", &text[..8]);
    }
}

#[test]
fn the_work_grows_with_the_text() {
    let mut text = "project \"large\"\ngateway \"public\" { listen 8600 }\n".to_owned();
    for number in 0..2_000 {
        text += &format!(
            "service \"s{number}\" {{\n    command \"serve\" \"--name\" \"s{number}\"\n    port 8000\n    \
             env {{ A \"1\"; B \"2\" }}\n    health {{ readiness {{ http \"/health\"; every \"2s\" }} }}\n    \
             expose \"public\" path=\"/s{number}\"\n}}\n"
        );
    }
    let deployment = check(&[&text]).deployment.unwrap();
    assert_eq!(deployment.services.len(), 2_000);
}

#[test]
fn templates_that_multiply_are_stopped() {
    let mut text = "project \"many\"\n".to_owned();
    for number in 0..40 {
        for side in ["a", "b"] {
            let next = number + 1;
            text += &format!("template \"t{number}{side}\" {{ use \"t{next}a\"; use \"t{next}b\" }}\n");
        }
    }
    text +=
        "template \"t40a\" { port 1 }\ntemplate \"t40b\" { port 2 }\nservice \"s\" { use \"t0a\"; command \"x\" }\n";
    let problems = check(&[&text]).problems;
    assert!(problems.iter().any(|problem| problem.code() == Code::TooDeep));
    assert!(problems.len() < 1_000, "{}", problems.len());
}

#[test]
fn a_template_may_be_used_by_many() {
    let mut text = "project \"large\"\ntemplate \"t\" { param \"n\"; command \"serve\" \"${param.n}\"; port 8000; \
                    env { A 1; B 2 }; health { readiness { tcp } } }\nenvironment \"e\" {\n    provider \"local\"\n"
        .to_owned();
    for number in 0..1_000 {
        text += &format!("    service \"s{number}\" {{ use \"t\" n=\"over\"; remove {{ env \"B\" }} }}\n");
    }
    text += "}\n";
    for number in 0..1_000 {
        text += &format!("service \"s{number}\" {{ use \"t\" n=\"{number}\"; instances 2 }}\n");
    }
    let loaded = check(&[&text]);
    assert_eq!(loaded.deployment.unwrap().services.len(), 1_000);
    assert!(loaded.resolved.unwrap().fields().len() > 10_000);
}
