//! Whatever the texts hold: no panic, no overflow, and every problem points into a file, at whole characters.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use proptest::prelude::*;
use support::{check, check_format, check_print, texts};
use wharf_lang::Code;

/// Every project of the golden cases, as one text each.
fn projects() -> Vec<String> {
    texts("testdata/lang")
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
        check_format(&text);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let text = String::from_utf8_lossy(&bytes);
        check_print(&check(&[&text]));
        check_format(&text);
    }

    #[test]
    fn any_change_of_a_project_is_survived(one in mutated(), two in mutated()) {
        check_print(&check(&[&one, &two]));
        check_format(&one);
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
        format!("project \"{}\"", "x".repeat(4 << 20)),
        format!("project \"\"\"\n{}\n\"\"\"", "x\n".repeat(1 << 20)),
        format!("a // {}\n", "x".repeat(4 << 20)),
        "\u{202e}".repeat(many),
        "\0".repeat(many),
        "\r".repeat(many),
        "// a\n".repeat(many),
    ] {
        check_format(&text);
        assert!(check(&[&text]).problems.len() < 1_000, "{}", &text[..8]);
    }
}

#[test]
fn very_many_problems_are_told() {
    for text in ["a;".repeat(20_000), "a /*b*/;".repeat(6_000)] {
        let loaded = check(&[&text]);
        assert!(loaded.problems.len() > 5_000);
        check_print(&loaded);
        check_format(&text);
    }
}

#[test]
fn a_file_may_end_anywhere() {
    for text in texts("examples").iter().chain(&texts("src/cli/src/starter")) {
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            check(&[&text[..end]]);
            check_format(&text[..end]);
        }
    }
    for text in projects() {
        for end in (0..text.len()).step_by(23).filter(|end| text.is_char_boundary(*end)) {
            check(&[&text[..end]]);
        }
    }
}

#[test]
fn files_of_other_systems_mean_the_same() {
    for text in texts("examples") {
        let (plain, windows) = (check(&[&text]), text.replace('\n', "\r\n"));
        for other in [windows.clone(), format!("\u{feff}{text}"), format!("\u{feff}{windows}\r\n\r\n")] {
            assert_eq!(check(&[&other]).problems.len(), plain.problems.len());
            let file = |text: &str| wharf_lang::SourceFile { name: "a.kdl".into(), text: text.into() };
            assert_eq!(wharf_lang::format(&file(&other)).ok().as_deref(), Some(&*text));
        }
    }
}

#[test]
fn what_nobody_sees_is_told_wherever_it_stands() {
    for hidden in ['\0', '\u{7}', '\u{1b}', '\u{7f}', '\u{200f}', '\u{202e}', '\u{2066}', '\u{feff}'] {
        for text in [
            format!("project \"a{hidden}b\"\n"),
            format!("project \"ab\" // {hidden}\n"),
            format!("project \"ab\" /* {hidden} */\n"),
            format!("project a{hidden}b\n"),
            format!("project \"ab\"\nserv{hidden}ice \"x\"\n"),
            format!("project \"ab\"{hidden}\n"),
            format!("input \"x\" default=#\"{hidden}\"#\n"),
            format!("input \"x\" default=\"\"\"\n{hidden}\n\"\"\"\n"),
        ] {
            let problems = check(&[&text]).problems;
            let codes: Vec<_> = problems.iter().map(|problem| problem.code().as_str()).collect();
            assert!(codes.contains(&"wharf::lang::disallowed_character"), "{text:?}: {codes:?}");
            assert!(problems.iter().all(|found| !found.message().contains(hidden)), "{text:?}");
            assert!(!codes.contains(&"wharf::lang::syntax"), "{text:?}: {codes:?}");
        }
    }
}

#[test]
fn long_runs_of_one_character_are_survived() {
    for letter in (0..0x80).chain([0xa0, 0x85, 0x2028, 0x202e, 0xfeff, 0x1f600]).filter_map(char::from_u32) {
        let run = letter.to_string().repeat(30_000);
        for text in [
            run.clone(),
            format!("a {run}"),
            format!("a \"{run}"),
            format!("a {{ b \"\"\"\n{run}"),
            format!("a b={run}"),
        ] {
            assert!(check(&[&text]).problems.len() < 100, "{letter:?}");
        }
    }
}

#[test]
fn a_node_may_be_as_long_as_it_likes() {
    let script = "echo step\n".repeat(200_000);
    let variables: String = (0..20_000).map(|number| format!("        V{number} \"{number}\"\n")).collect();
    let text = format!(
        "project \"p\"\nservice \"s\" {{\n    script \"\"\"\n{script}\"\"\"\n    port 8000\n    env {{\n{variables}    }}\n    \
         health {{ readiness {{ tcp }} }}\n}}\n"
    );
    let loaded = check(&[&text]);
    let service = &loaded.deployment.unwrap().services[&"s".parse().unwrap()];
    assert_eq!(service.template.env.len(), 20_000);
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
