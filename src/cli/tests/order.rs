//! A plan is the same whatever order the files of a project are read in: every case of `testdata/plan`, one file for each
//! node, forwards, backwards and turned round by one.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "cases are files")]

mod views;

use std::{collections::BTreeMap, fs, path::Path};
use wharf_lang::{Request, SourceFile, load};
use wharf_model::Record;
use wharf_plan::{Input, Plan, plan, sources};
use wharf_provider::{MemoryProvider, Observe, Scope};

/// One file for each node at the top, in the order of the nodes.
fn files(project: &str) -> Vec<SourceFile> {
    let mut nodes: Vec<String> = vec![String::new()];
    for line in project.lines() {
        let begins = line.starts_with(|letter: char| letter.is_ascii_alphabetic());
        if begins && !nodes.last().unwrap().is_empty() {
            nodes.push(String::new());
        }
        let node = nodes.last_mut().unwrap();
        node.push_str(line);
        node.push('\n');
    }
    let file = |(number, text): (usize, String)| SourceFile { name: format!("{number}.kdl").into(), text: text.into() };
    nodes.into_iter().enumerate().map(file).collect()
}

async fn first_plan(files: &[SourceFile]) -> Plan {
    let loaded = load(&Request { files, wharf_version: "0.1.0", ..Request::default() });
    let desired = loaded.deployment.unwrap();
    let memory = MemoryProvider::default();
    let scope = Scope { services: None, probe: true, sources: sources(&desired) };
    let observed = memory.observe(&scope).await.unwrap();
    let recorded = Record::empty(desired.project.clone(), desired.environment.clone());
    let (capabilities, digests) = (memory.capabilities(), BTreeMap::new());
    plan(&Input { desired: &desired, capabilities, recorded: &recorded, observed: &observed, digests: &digests })
        .unwrap()
}

#[tokio::test]
async fn files_in_any_order_give_the_same_plan() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/plan");
    let mut compared = 0;
    for case in fs::read_dir(folder).unwrap() {
        let case = case.unwrap().path();
        let mut files = files(&fs::read_to_string(case.join("project.kdl")).unwrap());
        let expected = views::views(&first_plan(&files).await);
        compared += usize::from(files.len() > 1);
        for shuffle in [<[SourceFile]>::reverse, |files: &mut [SourceFile]| files.rotate_left(1)] {
            shuffle(&mut files);
            assert_eq!(views::views(&first_plan(&files).await), expected, "{}", case.display());
        }
    }
    assert!(compared > 20, "only {compared} projects have several files");
}
