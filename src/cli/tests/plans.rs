//! Golden plans: `testdata/plan/<case>/` holds `before.kdl`, which is applied to a runtime in memory, then what somebody
//! does by hand (`meddle.txt`), then `project.kdl`, whose plan is compared with `plan.txt`, `plan.json`, `plan.md`,
//! `plan.svg` and `plan.html` (in which the picture and the style, which are the same everywhere, are left out).
//!
//! `UPDATE=1` rewrites what is expected.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "cases are files")]

mod memory;
mod views;

use memory::{CANARY, Site, read};
use std::{
    fs,
    path::{Path, PathBuf},
};

async fn run(case: &Path) -> Vec<(&'static str, String)> {
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
    let views = views::views(&plan);
    assert_eq!(views, views::views(&again), "the same plan, the same views");
    site.apply(&desired).await;
    assert!(site.plan(&desired).await.is_empty(), "{}: after an apply the plan is empty", case.display());
    views
}

/// Holds a golden file against what was found; `UPDATE=1` takes it over.
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
        for (name, view) in run(&case).await {
            assert!(!view.contains(CANARY), "{} tells a secret", case.join(name).display());
            compare(&case.join(name), &view, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "these read otherwise (UPDATE=1 takes them over): {wrong:#?}");
}
