//! A project that is expanded asks for the same as the project itself, whatever it is laid together from.

#![allow(clippy::disallowed_methods, reason = "the support reads files")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use proptest::prelude::*;
use std::fmt::Write;
use support::{check_alone, without_places};
use wharf_lang::Defaults;

/// What a service, a template or an overlay may say; each part at most once.
const PARTS: &[&[&str]] = &[
    &[
        "command \"serve\" \"--x\" \"a b\"",
        "script \"\"\"\n    one \"two\"\n\n      three\\n\n    \"\"\"",
        "command #\"a\"b\\c\"#",
    ],
    &["port 8000", "port \"${input.port}\""],
    &["image \"i:${input.tag}\"", "image \"i:1\""],
    &["packages \"flask\"", "packages \"flask==2\" \"uvicorn[standard]>=0.2; python_version > '3'\""],
    &["mount \"/mnt/a\" { folder \"./a\" }", "mount \"/mnt/a/\" { folder \"./b\" read-only=#true live=#false }"],
    &["mount \"/mnt/b\" { folder \"${input.tag}\" read-only=#true }"],
    &["instances 3", "instances \"${input.port}\"", "instances 0"],
    &[
        "rollout { max-surge \"50%\" }",
        "rollout { min-ready \"3s\"; on-failure \"halt\" }",
        "rollout { max-surge 2; max-unavailable 1 }",
    ],
    &["shutdown { grace \"90s\"; sigterm #true }", "shutdown { grace \"0s\" }"],
    &["timeout \"1500ms\""],
    &["health { readiness { tcp } }", "health { readiness { http \"/x?y=1\"; every \"2s\" } }"],
    &["expose \"g\"", "expose \"g\" path=\"/p/\""],
    &["auth { token (secret)\"s\" }"],
];

/// What else an environment may say of a service that has it all.
const REMOVALS: &[&str] =
    &["env \"A\"", "mount \"/mnt/a\"", "packages", "rollout", "shutdown { grace }", "auth", "timeout"];

/// A text between quotes, written so that nothing in it is an interpolation.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.replace("${", "$${").chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            _ if letter.is_ascii_graphic() || letter == ' ' => quoted.push(letter),
            _ => write!(quoted, "\\u{{{:x}}}", u32::from(letter)).unwrap(),
        }
    }
    quoted + "\""
}

fn variable() -> impl Strategy<Value = String> {
    let text = prop_oneof!["[ -~]{0,8}", "[\n\r\t\"\\\\$\\{\\}é\u{feff}\u{2028}\u{200f}]{0,6}", "\\PC{0,6}"];
    prop_oneof![
        text.prop_filter("no zero", |text| !text.contains('\0')).prop_map(|text| quoted(&text)),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| format!("{number:?}")),
        Just("#true".to_owned()),
        Just("(secret)\"s\"".to_owned()),
        Just("\"<${input.tag}>\"".to_owned()),
    ]
}

/// The block of a service, as far as the choices go.
fn body() -> impl Strategy<Value = String> {
    let part = |choices: &'static [&'static str]| prop::option::of(prop::sample::select(choices));
    let parts: Vec<_> = PARTS.iter().map(|choices| part(choices)).collect();
    (parts, variable(), prop::option::of(variable())).prop_map(|(parts, a, b)| {
        let b = b.map(|b| format!("; \"b \\\"${{1}}\" {b}; B_2 {b}")).unwrap_or_default();
        let b = b.replace("\"b \\\"${1}\" ", "B_1 ");
        let parts: String = parts.into_iter().flatten().map(|part| format!("    {part}\n")).collect();
        format!("{parts}    env {{ A {a}{b} }}\n")
    })
}

/// A service that lacks nothing, so that whatever is laid over it leaves it whole.
const WHOLE: &str = "template \"whole\" {\n    command \"x\"\n    port 8001\n    packages \"numpy\"\n    mount \"/mnt/a\" { folder \".\" }\n    \
    env { A 1; C \"${param.c}\" }\n    rollout { deadline \"1m\" }\n    shutdown { grace \"5s\" }\n    timeout \"9s\"\n    \
    auth { token (secret)\"s\" }\n    param \"c\" default=\"${}\"\n}\n";

fn project() -> impl Strategy<Value = String> {
    let removals = prop::sample::subsequence(REMOVALS, 0..=REMOVALS.len());
    (body(), body(), body(), removals, variable()).prop_map(|(template, own, over, removals, given)| {
        let given = if given.starts_with('(') { "1".to_owned() } else { given };
        format!(
            "project \"p\"\ninput \"tag\" default=\"t$1\"\ninput \"port\" type=\"integer\" default=81\n\
             secret \"s\" {{ command \"a\" \"b c\" }}\ngateway \"g\" {{ listen 8600 }}\n{WHOLE}\
             template \"t\" {{\n{template}}}\n\
             environment \"e\" {{\n provider \"local\" {{ image \"host\" }}\n service \"a\" {{\n{over}    \
             remove {{ {} }}\n}} }}\n\
             service \"a\" {{\n    use \"whole\" c={given}\n    use \"t\"\n{own}}}\n\
             service \"b\" {{\n    use \"whole\"\n{own}    remove {{ packages }}\n}}\n",
            removals.join("; ")
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn expanded_it_means_the_same(text in project()) {
        let loaded = check_alone(&text);
        let told: Vec<_> = loaded.problems.iter().map(ToString::to_string).collect();
        // Two services under one path, a mount in a mount: what was put together need not hold together.
        prop_assume!(!told.iter().any(|problem| problem.contains("same path")));
        let Some(deployment) = loaded.deployment else { panic!("{text}\n{told:#?}") };
        let resolved = loaded.resolved.unwrap();
        for defaults in [Defaults::Hidden, Defaults::Shown] {
            let expanded = resolved.text(defaults);
            let again = check_alone(&expanded);
            let told: Vec<_> = again.problems.errors().map(ToString::to_string).collect();
            prop_assert!(again.deployment.is_some(), "{text}\n{expanded}\n{told:#?}");
            let same = without_places(again.deployment.unwrap()) == without_places(deployment.clone());
            prop_assert!(same, "{text}\n{expanded}");
            prop_assert_eq!(again.resolved.unwrap().text(defaults), expanded);
        }
    }

    #[test]
    fn every_value_has_one_name_and_the_written_ones_a_place(text in project()) {
        let Some(resolved) = check_alone(&text).resolved else { return Ok(()) };
        let fields = resolved.fields();
        let mut names: Vec<_> = fields.iter().map(|field| field.name()).collect();
        names.sort();
        names.dedup();
        prop_assert_eq!(names.len(), fields.len());
        for said in fields.iter().flat_map(|field| &field.chain) {
            prop_assert!(said.at.is_some());
        }
        for field in fields.iter().filter(|field| !field.chain.is_empty()) {
            prop_assert_eq!(&field.chain[0].value, &field.value);
        }
    }
}
