//! Golden plans: `testdata/plan/<case>/` holds `before.kdl`, which is applied to a runtime in memory, then what somebody
//! does by hand (`meddle.txt`), then `project.kdl`, whose plan is compared with `plan.txt`, `plan.json`, `plan.md`,
//! `plan.svg` and `plan.html` (in which the picture and the style, which are the same everywhere, are left out).
//! `command.txt` asks for the plan of another command than `wharf plan`: `adopt`, `forget ADDRESS …`, `rename FROM TO`.
//! Where there is a `no-renames.txt`, the runtime calls nothing otherwise.
//!
//! `UPDATE=1` rewrites what is expected.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "cases are files")]

mod memory;
mod views;

use jsonschema::Validator;
use memory::{CANARY, Site, read};
use std::{
    fs,
    path::{Path, PathBuf},
};
use wharf_model::Address;
use wharf_plan::{Input, Plan, Selection, adopt, check, forget, rename};

async fn run(case: &Path) -> Vec<(&'static str, String)> {
    let mut site = if case.join("no-renames.txt").exists() { Site::without_renames() } else { Site::new() };
    if case.join("before.kdl").exists() {
        site.apply(&read(&case.join("before.kdl"), "project.kdl")).await;
    }
    for line in fs::read_to_string(case.join("meddle.txt")).unwrap_or_default().lines() {
        site.meddle(line);
    }
    let desired = read(&case.join("project.kdl"), "project.kdl");
    let selection = selection(&fs::read_to_string(case.join("select.txt")).unwrap_or_default());
    let command = fs::read_to_string(case.join("command.txt")).ok();
    let make = || async {
        match &command {
            None => site.plan(&desired).await.select(&selection),
            Some(command) => site.with_input(&desired, |input| of_command(command.trim_end(), input)).await,
        }
    };
    let (plan, again) = (make().await, make().await);
    assert_eq!(check(&plan), []);
    assert_eq!(plan.json(), again.json(), "the same in, the same bytes out");
    let views = views::views(&plan);
    assert_eq!(views, views::views(&again), "the same plan, the same views");
    if command.is_some() {
        site.carry_out(&plan).await;
        if command.as_deref() == Some("adopt\n") {
            assert!(make().await.is_empty(), "nothing is left to take over");
        }
    }
    site.apply(&desired).await;
    assert!(site.plan(&desired).await.is_empty(), "{}: after an apply the plan is empty", case.display());
    views
}

fn of_command(command: &str, input: &Input) -> Plan {
    let address = |text: &&str| text.parse::<Address>().unwrap();
    match command.split(' ').collect::<Vec<_>>().as_slice() {
        ["adopt"] => adopt(input).unwrap(),
        ["forget", addresses @ ..] => forget(input, &addresses.iter().map(address).collect()).unwrap(),
        ["rename", from, to] => rename(input, &address(from), &address(to)).unwrap(),
        words => panic!("what is {words:?}?"),
    }
}

fn selection(text: &str) -> Selection {
    let mut selection = Selection::default();
    for line in text.lines() {
        let (option, service) = line.split_once(' ').unwrap();
        let chosen = if option == "--only" { &mut selection.only } else { &mut selection.except };
        chosen.insert(service.parse().unwrap());
    }
    selection
}

/// The schema that `docs/plan-format.md` points at.
fn schema() -> Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/plan.schema.json");
    let schema = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn compare(path: &Path, found: &str, wrong: &mut Vec<PathBuf>) {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, found).unwrap();
    }
    if fs::read_to_string(path).unwrap_or_default() != found {
        wrong.push(path.to_owned());
    }
}

/// A schema that admits anything would say nothing: what is not in the format is refused.
#[test]
fn the_schema_refuses_what_is_no_plan() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/plan/every-kind-removed/plan.json");
    let text = fs::read_to_string(case).unwrap();
    let schema = schema();
    let fits = |text: &str| schema.is_valid(&serde_json::from_str(text).unwrap());
    assert!(fits(&text));
    for (known, other) in [
        ("\"action\": \"delete\"", "\"action\": \"remove\""),
        ("\"kind\": \"not-declared\"", "\"kind\": \"undeclared\""),
        ("\"digest\"", "\"fingerprint\""),
        ("\"kind\": \"data-loss\",", "\"kind\": \"data-loss\", \"much\": true,"),
        ("wharf.plan/1", "wharf.plan/2"),
    ] {
        assert!(text.contains(known), "{known}");
        assert!(!fits(&text.replacen(known, other, 1)), "{other}");
    }
}

#[tokio::test(start_paused = true)]
async fn plans_read_as_they_did() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/plan");
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let (mut wrong, schema) = (Vec::new(), schema());
    for case in cases {
        for (name, view) in run(&case).await {
            assert!(!view.contains(CANARY), "{} tells a secret", case.join(name).display());
            if name == "plan.json"
                && let Err(error) = schema.validate(&serde_json::from_str(&view).unwrap())
            {
                panic!("{}: the JSON is not what its schema says: {error} at {}", case.display(), error.instance_path);
            }
            compare(&case.join(name), &view, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "these read otherwise (UPDATE=1 takes them over): {wrong:#?}");
}
