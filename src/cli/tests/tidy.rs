//! The house is in order: crates depend on each other as the design says, every folder of cases has a runner, and the
//! pages point at what exists.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "what is tested is files")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Each crate with what its manifest says it needs to run.
fn needs() -> BTreeMap<String, BTreeSet<String>> {
    let folders = [
        "lang",
        "src/model",
        "src/seats",
        "src/plan",
        "src/store",
        "src/apply",
        "src/gateway",
        "src/report",
        "src/cli",
    ];
    let folders = folders.into_iter().chain(["src/bucket", "src/bucket-server", "src/content", "src/encrypt"]);
    let folders = folders.chain([
        "providers/contract",
        "providers/serving",
        "providers/mounts",
        "providers/gpu",
        "providers/local",
        "providers/docker",
    ]);
    folders
        .map(|folder| {
            let text = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
            let start = text.find("\n[dependencies]\n").unwrap() + "\n[dependencies]\n".len();
            let section = text[start..].split("\n[").next().unwrap_or_default();
            let names = section.lines().filter_map(|line| line.split([' ', '.', '=']).next());
            (folder.to_owned(), names.filter(|name| !name.is_empty()).map(str::to_owned).collect())
        })
        .collect()
}

#[test]
fn crates_depend_on_each_other_as_the_design_says() {
    let arrows = [
        ("lang", vec!["model"]),
        ("src/model", vec![]),
        ("src/seats", vec!["model"]),
        ("src/plan", vec!["model", "seats"]),
        ("src/store", vec!["model"]),
        ("src/bucket", vec!["content", "model", "store"]),
        ("src/content", vec!["model"]),
        ("src/bucket-server", vec![]),
        ("src/encrypt", vec!["store"]),
        ("src/report", vec!["model", "plan"]),
        ("src/gateway", vec![]),
        ("src/apply", vec!["model", "plan", "provider", "store"]),
        ("providers/contract", vec!["model"]),
        ("providers/serving", vec!["gateway", "model", "provider"]),
        ("providers/gpu", vec!["model"]),
        ("providers/mounts", vec!["content", "model", "provider"]),
        ("providers/local", vec!["content", "gateway", "model", "mounts", "provider", "serving"]),
        ("providers/docker", vec!["content", "gateway", "gpu", "model", "mounts", "provider", "seats", "serving"]),
    ];
    let needs = needs();
    for (folder, allowed) in arrows {
        let ours = needs[folder].iter().filter_map(|name| name.strip_prefix("wharf-"));
        assert_eq!(ours.collect::<Vec<_>>(), allowed, "{folder}");
    }
}

#[test]
fn waiting_and_graphs_stay_where_they_belong() {
    for (folder, needs) in needs() {
        let waits = matches!(
            folder.as_str(),
            "src/store"
                | "src/bucket"
                | "src/bucket-server"
                | "src/content"
                | "src/apply"
                | "src/gateway"
                | "src/cli"
                | "providers/contract"
                | "providers/mounts"
                | "providers/local"
                | "providers/docker"
        );
        assert!(waits || !needs.contains("tokio"), "{folder} needs tokio");
        assert!(folder == "src/plan" || !needs.contains("petgraph"), "{folder} needs petgraph");
        assert!(folder == "lang" || !needs.contains("kdl"), "{folder} needs kdl");
        assert!(folder == "src/bucket" || !needs.contains("aws-sdk-s3"), "{folder} needs aws-sdk-s3");
        assert!(folder == "src/encrypt" || !needs.contains("age"), "{folder} needs age");
    }
}

#[test]
fn every_folder_of_cases_has_a_runner() {
    let runners = [
        ("cli", "src/cli/tests"),
        ("drift", "src/cli/tests"),
        ("gateway", "src/gateway/src/cases"),
        ("kdl", "lang/src"),
        ("lang", "lang/tests"),
        ("plan", "src/cli/tests"),
        ("store", "src/store/tests"),
    ];
    let runners = BTreeMap::from(runners);
    for entry in fs::read_dir(root().join("testdata")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let runner = runners.get(name.as_str()).unwrap_or_else(|| panic!("nothing runs testdata/{name}"));
        assert!(root().join(runner).is_dir(), "{runner}");
    }
}

#[test]
fn pages_point_at_what_exists() {
    for page in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs/plan-format.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let outside = target.starts_with("http");
            let file = target.split('#').next().unwrap_or_default();
            let beside = root().join(page).with_file_name(file);
            assert!(outside || beside.exists(), "{page} points at {target}");
        }
    }
}

#[test]
fn every_dependency_earns_its_place() {
    let told = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let told = told.split("## Dependencies").nth(1).unwrap();
    let words: BTreeSet<&str> =
        told.split(|letter: char| !letter.is_alphanumeric() && !"-_".contains(letter)).collect();
    for (folder, needs) in needs() {
        for name in needs.iter().filter(|name| !name.starts_with("wharf-")) {
            assert!(words.contains(name.as_str()), "{folder} needs {name}, and ARCHITECTURE.md does not say what for");
        }
    }
}

#[test]
fn the_readme_shows_a_plan_as_it_is() {
    let plan = fs::read_to_string(root().join("testdata/plan/a-plan-to-review/plan.md")).unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (before, rest) = readme.split_once("<!-- from testdata/plan/a-plan-to-review/plan.md -->\n").unwrap();
    let (shown, after) = rest.split_once("<!-- to here -->\n").unwrap();
    if std::env::var_os("UPDATE").is_some() {
        let marks = ["<!-- from testdata/plan/a-plan-to-review/plan.md -->\n", "<!-- to here -->\n"];
        fs::write(root().join("README.md"), [before, marks[0], &plan, marks[1], after].concat()).unwrap();
    } else {
        assert_eq!(shown, plan, "UPDATE=1 takes the plan over");
    }
    for danger in ["data loss", "downtime", "capacity dip", "replacement", "1 to move", "delete 40 instances"] {
        assert!(plan.contains(danger), "the plan in the README has no {danger}");
    }
}
