//! Walks `testdata/lang`: each folder is a project and what is expected of it.
//!
//! A case holds `*.kdl`, and either `diagnostics.txt` or `deployment.txt`, or both when there are warnings only. Lines of
//! `request.txt` add to the request: `env NAME`, `input NAME=VALUE`, `unset VARIABLE`. `UPDATE=1` rewrites expectations.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use miette::{GraphicalReportHandler, GraphicalTheme};
use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};
use wharf_lang::{
    Code, Loaded, Problems, Request, SourceFile, load, problems_github, problems_json, problems_sarif, schema_json,
    schema_kdl, schema_markdown, schema_text,
};
use wharf_model::{Address, Deployment, Entry, Pins, SecretSource};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/lang")
}

#[derive(Default)]
struct Settings {
    environment: Option<String>,
    inputs: BTreeMap<String, String>,
    unset: Vec<String>,
}

impl Settings {
    fn read(case: &Path) -> Self {
        let mut settings = Self::default();
        for line in fs::read_to_string(case.join("request.txt")).unwrap_or_default().lines() {
            match line.split_once(' ').unwrap() {
                ("env", name) => settings.environment = Some(name.to_owned()),
                ("unset", variable) => settings.unset.push(variable.to_owned()),
                ("input", pair) => {
                    let (name, value) = pair.split_once('=').unwrap();
                    settings.inputs.insert(name.to_owned(), value.to_owned());
                }
                _ => panic!("{}: what is `{line}`?", case.display()),
            }
        }
        settings
    }

    fn check(&self, source: &SecretSource) -> Result<(), String> {
        match source {
            SecretSource::Env(variable) if self.unset.iter().any(|unset| **unset == **variable) => {
                Err("no such variable in the environment".to_owned())
            }
            _ => Ok(()),
        }
    }
}

fn sources(case: &Path) -> Vec<SourceFile> {
    let entries = fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "kdl")).collect();
    files.sort();
    let file = |path: &PathBuf| SourceFile {
        name: path.file_name().unwrap().to_str().unwrap().into(),
        text: fs::read_to_string(path).unwrap().into(),
    };
    files.iter().map(file).collect()
}

fn run(case: &Path) -> Loaded {
    let settings = Settings::read(case);
    let secrets = |source: &SecretSource| settings.check(source);
    load(&Request {
        files: &sources(case),
        environment: settings.environment.as_deref(),
        inputs: &settings.inputs,
        wharf_version: "0.1.0",
        secrets: Some(&secrets),
    })
}

fn draw(problems: &Problems) -> String {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(80);
    let mut page = String::new();
    for problem in problems {
        handler.render_report(&mut page, problem).unwrap();
        page.push('\n');
    }
    page.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn print(deployment: &Deployment) -> String {
    let mut page = format!(
        "project {}\nenvironment {} on {:?}\n",
        deployment.project, deployment.environment, deployment.provider
    );
    for (name, source) in &deployment.secrets {
        let _ = writeln!(page, "secret {name} from {source:?}");
    }
    for (name, spec) in &deployment.gateways {
        print_fields(&mut page, deployment, &Address::Gateway(name.clone()), &spec.entries());
    }
    for (name, spec) in &deployment.services {
        print_fields(&mut page, deployment, &Address::Service(name.clone()), &spec.entries(&Pins::default()));
        for route in deployment.routes_of(name, &BTreeMap::new()) {
            let address = Address::Route(route.gateway.clone(), route.service.clone());
            print_fields(&mut page, deployment, &address, &route.entries());
        }
    }
    page
}

fn print_fields(page: &mut String, deployment: &Deployment, address: &Address, entries: &[Entry]) {
    let declared = deployment.origins.declared(address).unwrap();
    let _ = writeln!(page, "{address}  {declared}:{}", declared.column);
    for Entry { path, value } in entries {
        let value = value.to_string().replace('\n', "\n        ");
        let origin = deployment.origins.of(address, path).filter(|origin| *origin != declared);
        let origin = origin.map_or("default".to_owned(), |origin| format!("{origin}:{}", origin.column));
        let _ = writeln!(page, "    {path} = {value}  ({origin})");
    }
}

/// Compares with what is expected, or rewrites it. Empty text means that there is no such file.
fn expect(path: &Path, found: &str, failed: &mut Vec<String>) {
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected == found {
        return;
    }
    if std::env::var_os("UPDATE").is_none() {
        failed.push(format!("{}\n--- expected\n{expected}\n--- found\n{found}", path.display()));
    } else if found.is_empty() {
        fs::remove_file(path).unwrap();
    } else {
        fs::write(path, found).unwrap();
    }
}

#[test]
fn every_case_is_as_expected() {
    let mut cases: Vec<_> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.is_dir());
    cases.sort();
    assert!(!cases.is_empty());
    let mut failed = Vec::new();
    for case in &cases {
        let loaded = run(case);
        assert_ne!(loaded.deployment.is_some(), loaded.problems.has_errors(), "{}", case.display());
        expect(&case.join("diagnostics.txt"), &draw(&loaded.problems), &mut failed);
        expect(&case.join("deployment.txt"), &loaded.deployment.as_ref().map(print).unwrap_or_default(), &mut failed);
    }
    assert!(failed.is_empty(), "{}\nUPDATE=1 rewrites what is expected", failed.join("\n"));
}

#[test]
fn machines_are_told_as_expected() {
    let mut failed = Vec::new();
    for name in ["everything-at-once", "two-services-of-one-name"] {
        let (case, problems) = (folder().join(name), run(&folder().join(name)).problems);
        expect(&case.join("problems.json"), &problems_json(&problems, "."), &mut failed);
        expect(&case.join("problems.sarif"), &problems_sarif(&problems, "deploy", "0.1.0"), &mut failed);
        expect(&case.join("problems.github.txt"), &problems_github(&problems, "./deploy/"), &mut failed);
    }
    assert!(failed.is_empty(), "{}\nUPDATE=1 rewrites what is expected", failed.join("\n"));
}

#[test]
fn every_kind_of_problem_is_shown() {
    let cases = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let shown: String =
        cases.map(|case| fs::read_to_string(case.join("diagnostics.txt")).unwrap_or_default()).collect();
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !shown.contains(code.as_str())).collect();
    assert!(missing.is_empty(), "no case shows {missing:?}");
}

#[test]
fn every_case_says_what_it_shows() {
    for case in fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let first = sources(&case).remove(0);
        assert!(first.text.starts_with("//"), "{} opens without a comment", case.display());
    }
}

#[test]
fn the_reference_is_as_expected() {
    let mut failed = Vec::new();
    expect(&folder().join("schema.txt"), &schema_text(100), &mut failed);
    expect(&folder().join("schema.json"), &schema_json(), &mut failed);
    expect(&folder().join("schema.kdl"), &schema_kdl(), &mut failed);
    expect(&folder().join("../../docs/reference.md"), &schema_markdown(), &mut failed);
    assert!(failed.is_empty(), "{}\nUPDATE=1 rewrites what is expected", failed.join("\n"));
}
