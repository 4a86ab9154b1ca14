//! Golden plans: `testdata/plan/<case>/` holds `before.kdl`, which is applied to a runtime in memory, then what somebody
//! does by hand (`meddle.txt`), then `project.kdl`, whose plan is compared with `plan.txt` and `plan.json`.
//!
//! `UPDATE=1` rewrites what is expected.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "cases are files")]

mod memory;

use memory::{CANARY, Site, read};
use std::{
    fs,
    path::{Path, PathBuf},
};
use wharf_report::Layout;

async fn run(case: &Path) -> (String, String) {
    let mut site = Site::new();
    if case.join("before.kdl").exists() {
        site.apply(&read(&case.join("before.kdl"), "project.kdl")).await;
    }
    for line in fs::read_to_string(case.join("meddle.txt")).unwrap_or_default().lines() {
        site.meddle(line);
    }
    let desired = read(&case.join("project.kdl"), "project.kdl");
    let plan = site.plan(&desired).await;
    let again = site.plan(&desired).await;
    assert_eq!(plan.json(), again.json(), "the same in, the same bytes out");
    let shown = plain(&wharf_report::plan(&plan, Layout { width: 100 }));
    site.apply(&desired).await;
    assert!(site.plan(&desired).await.is_empty(), "{}: after an apply the plan is empty", case.display());
    (shown, plan.json() + "\n")
}

/// Takes the colours out.
fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

fn compare(path: &Path, found: &str, wrong: &mut Vec<PathBuf>) {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, found).unwrap();
    }
    if fs::read_to_string(path).unwrap_or_default() != found {
        wrong.push(path.to_owned());
    }
}

#[tokio::test(start_paused = true)]
async fn plans_read_as_they_did() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/plan");
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let mut wrong = Vec::new();
    for case in cases {
        let (shown, json) = run(&case).await;
        assert!(!shown.contains(CANARY) && !json.contains(CANARY), "{} tells a secret", case.display());
        compare(&case.join("plan.txt"), &shown, &mut wrong);
        compare(&case.join("plan.json"), &json, &mut wrong);
    }
    assert!(wrong.is_empty(), "these read otherwise (UPDATE=1 takes them over): {wrong:#?}");
}
