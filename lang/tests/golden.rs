//! Walks `testdata/lang`: each folder is a project and what is expected of it.
//!
//! A case holds `*.kdl`, and either `diagnostics.txt` or `deployment.txt` with `expanded.txt`, or all of them when there
//! are warnings only; `allowed.txt` has those that it allows. Files in its folders are there to be included. Lines of `request.txt` add to the request: `env NAME`,
//! `input NAME=VALUE`, `values FILE`, `variable NAME=VALUE`, `unset VARIABLE`. `explain NAME` adds the values below that
//! name to `explained.txt`. `UPDATE=1` rewrites expectations.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use miette::{GraphicalReportHandler, GraphicalTheme};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    num::NonZero,
    path::{Path, PathBuf},
    sync::Arc,
};
use support::{check_alone, without_places};
use wharf_lang::{
    Code, Defaults, FilledIn, IncludeError, Loaded, Problems, Region, Request, Resolved, SetBy, Severity, SourceFile,
    Speaker, features, load, problems_github, problems_json, problems_sarif, schema_json, schema_kdl, schema_markdown,
    schema_text,
};
use wharf_model::{Address, CopyLimits, Deployment, Entry, EnvValue, Field, FieldPath, NotifySpec, Pins, SecretSource};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/lang")
}

#[derive(Default)]
struct Settings {
    environment: Option<String>,
    inputs: BTreeMap<String, String>,
    unset: Vec<String>,
    values: Vec<String>,
    variables: BTreeMap<String, String>,
    explained: Vec<String>,
}

impl Settings {
    fn read(case: &Path) -> Self {
        let mut settings = Self::default();
        for line in fs::read_to_string(case.join("request.txt")).unwrap_or_default().lines() {
            match line.split_once(' ').unwrap() {
                ("env", name) => settings.environment = Some(name.to_owned()),
                ("unset", variable) => settings.unset.push(variable.to_owned()),
                ("input", pair) => settings.inputs.extend([Self::pair(pair)]),
                ("variable", pair) => settings.variables.extend([Self::pair(pair)]),
                ("values", file) => settings.values.push(file.to_owned()),
                ("explain", name) => settings.explained.push(name.to_owned()),
                _ => panic!("{}: what is `{line}`?", case.display()),
            }
        }
        settings
    }

    fn pair(text: &str) -> (String, String) {
        let (name, value) = text.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
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

fn run(case: &Path, settings: &Settings) -> Loaded {
    run_on(case, settings, None)
}

fn run_on(case: &Path, settings: &Settings, threads: Option<NonZero<usize>>) -> Loaded {
    let secrets = |source: &SecretSource| settings.check(source);
    let include = |path: &str| match path.contains("linked") {
        true => Err(IncludeError::Outside),
        false => fs::read_to_string(case.join(path))
            .map(Arc::from)
            .map_err(|_| IncludeError::Unreadable("no such file".to_owned())),
    };
    let value = |name: &String| {
        let text = fs::read_to_string(case.join(name)).unwrap().into();
        SourceFile { name: name.as_str().into(), text }
    };
    load(&Request {
        files: &sources(case),
        include: Some(&include),
        environment: settings.environment.as_deref(),
        inputs: &settings.inputs,
        input_files: &settings.values.iter().map(value).collect::<Vec<_>>(),
        variable: Some(&|name| settings.variables.get(name).cloned()),
        wharf_version: "0.1.0",
        secrets: Some(&secrets),
        threads,
        ..Request::default()
    })
}

/// The values of a project below some names, with who said them.
fn explain(resolved: &Resolved, names: &[String]) -> String {
    let mut page = String::new();
    let below = |name: &str, wanted: &String| {
        name.strip_prefix(&**wanted).is_some_and(|rest| ["", "."].contains(&&rest[..rest.len().min(1)]))
    };
    for field in resolved.fields().iter().filter(|field| names.iter().any(|wanted| below(&field.name(), wanted))) {
        let _ = writeln!(
            page,
            "{} = {}{}",
            field.name(),
            field.value,
            if field.chain.is_empty() { "  (default)" } else { "" }
        );
        for said in &field.chain {
            let at = said.at.as_ref().map_or("nowhere".to_owned(), |at| format!("{at}:{}", at.column));
            let _ = writeln!(page, "    {}  {}  {at}", said.value, speaker(&said.by));
            filled(&mut page, &said.filled, 2);
        }
    }
    page
}

fn speaker(by: &Speaker) -> String {
    match by {
        Speaker::Project => "project".to_owned(),
        Speaker::Environment(name) => format!("environment {name}"),
        Speaker::Template { name, used, within } => {
            format!("template {name}, used at {used}:{} by {}", used.column, speaker(within))
        }
    }
}

fn filled(page: &mut String, all: &[FilledIn], depth: usize) {
    for one in all {
        let by = match &one.by {
            SetBy::Argument => "--input".to_owned(),
            SetBy::Variable(name) => format!("variable {name}"),
            SetBy::File(at) | SetBy::Use(at, _) => format!("{at}:{}", at.column),
            SetBy::Default(at) => format!("default at {at}:{}", at.column),
        };
        let _ = writeln!(page, "{}{} is {}, set by {by}", "    ".repeat(depth), one.name, one.value);
        if let SetBy::Use(_, inner) = &one.by {
            filled(page, inner, depth + 1);
        }
    }
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

/// The warnings that the files allow, one line each.
fn allowed(problems: &Problems) -> String {
    let mut page = String::new();
    for problem in problems.allowed() {
        let place = |region: Option<&Region>| {
            region.map(|region| format!("{}:{}:{}", region.file, region.start.line, region.start.column)).unwrap()
        };
        let (code, at, by) = (problem.code().as_str(), place(problem.region()), place(problem.allowed_region()));
        let _ = writeln!(page, "{code} at {at}, allowed at {by}: {}", problem.allowed().unwrap());
    }
    page
}

fn print(deployment: &Deployment) -> String {
    let usual = format!(", copying: {:?}", CopyLimits::default());
    let provider = format!("{:?}", deployment.provider).replace(&usual, "");
    let mut page = format!("project {}\nenvironment {} on {provider}\n", deployment.project, deployment.environment);
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
    for rule in &deployment.ignores {
        let (service, until) = (rule.service.as_ref(), rule.until.map(|day| format!(" until {day}")));
        let of = service.map(|name| format!(" of service {name}")).unwrap_or_default();
        let at = rule.origin.as_ref().map(|at| format!("{at}:{}", at.column)).unwrap_or_default();
        let _ = writeln!(page, "ignore {}{of}{}: {}  ({at})", rule.path, until.unwrap_or_default(), rule.reason);
    }
    for (to, from) in &deployment.renamed {
        let at = deployment.origins.of(to, &FieldPath::of(Field::Was)).unwrap();
        let _ = writeln!(page, "{to} was {from}  ({at}:{})", at.column);
    }
    for (name, policy) in &deployment.policies {
        let _ = writeln!(page, "policy {name}");
        for rule in &policy.rules {
            let at = rule.origin.as_ref().unwrap();
            let _ = writeln!(page, "    {}  ({at}:{})", rule.demand, at.column);
        }
    }
    for (name, notify) in &deployment.notifies {
        let NotifySpec { url, headers, on, timeout, retries } = notify;
        let told = |value: &EnvValue| match value {
            EnvValue::Plain(text) => text.to_string(),
            EnvValue::Secret(secret) => format!("(secret){secret}"),
        };
        let words: Vec<_> = on.iter().map(|on| on.as_str()).collect();
        let _ = writeln!(page, "notify {name}");
        let _ = writeln!(page, "    {} on {} within {timeout:?}, {retries} more tries", told(url), words.join(" "));
        for (header, value) in headers {
            let _ = writeln!(page, "    {header}: {}", told(value));
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
        let settings = Settings::read(case);
        let loaded = run(case, &settings);
        assert_ne!(loaded.deployment.is_some(), loaded.problems.has_errors(), "{}", case.display());
        for problem in loaded.problems.iter().chain(loaded.problems.allowed()) {
            assert_eq!(problem.severity() == Severity::Warning, problem.code().is_warning(), "{problem}");
        }
        expect(&case.join("diagnostics.txt"), &draw(&loaded.problems), &mut failed);
        expect(&case.join("allowed.txt"), &allowed(&loaded.problems), &mut failed);
        expect(&case.join("deployment.txt"), &loaded.deployment.as_ref().map(print).unwrap_or_default(), &mut failed);
        let text = loaded.resolved.as_ref().map(|resolved| resolved.text(Defaults::Hidden));
        expect(&case.join("expanded.txt"), &text.unwrap_or_default(), &mut failed);
        let explained = loaded.resolved.as_ref().map(|resolved| explain(resolved, &settings.explained));
        expect(&case.join("explained.txt"), &explained.unwrap_or_default(), &mut failed);
    }
    assert!(failed.is_empty(), "{}\nUPDATE=1 rewrites what is expected", failed.join("\n"));
}

#[test]
fn how_many_threads_there_are_changes_nothing() {
    for case in fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let settings = Settings::read(&case);
        let [alone, two, many] = [1, 2, 9].map(|threads| run_on(&case, &settings, NonZero::new(threads)));
        for other in [two, many] {
            assert_eq!(draw(&other.problems), draw(&alone.problems), "{}", case.display());
            assert_eq!(allowed(&other.problems), allowed(&alone.problems), "{}", case.display());
            assert_eq!(other.deployment, alone.deployment, "{}", case.display());
            let fields = |loaded: &Loaded| loaded.resolved.as_ref().map(Resolved::fields);
            assert_eq!(fields(&other), fields(&alone), "{}", case.display());
        }
    }
}

#[test]
fn every_project_means_the_same_when_it_is_expanded() {
    for case in fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let loaded = run(&case, &Settings::read(&case));
        let (Some(deployment), Some(resolved)) = (loaded.deployment, loaded.resolved) else { continue };
        for defaults in [Defaults::Hidden, Defaults::Shown] {
            let text = resolved.text(defaults);
            let again = check_alone(&text);
            let errors = draw(&again.problems);
            let again = again.deployment.unwrap_or_else(|| panic!("{}\n{text}\n{errors}", case.display()));
            assert_eq!(without_places(again), without_places(deployment.clone()), "{}\n{text}", case.display());
        }
    }
}

#[test]
fn machines_are_told_as_expected() {
    let mut failed = Vec::new();
    for name in ["everything-at-once", "two-services-of-one-name", "warnings-that-are-allowed"] {
        let (case, problems) =
            (folder().join(name), run(&folder().join(name), &Settings::read(&folder().join(name))).problems);
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

/// How many cases there are at least in which something is wrong, and in which five things are. Cases come, and none goes.
const WRONG: usize = 149;
const WRONG_FIVE_TIMES: usize = 116;

#[test]
fn what_can_be_wrong_is_shown_in_many_cases() {
    let cases = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let told = |case: PathBuf| fs::read_to_string(case.join("diagnostics.txt")).ok();
    let errors = |told: String| told.lines().filter(|line| line.starts_with("  × ")).count();
    let errors: Vec<_> = cases.filter_map(told).map(errors).filter(|count| *count > 0).collect();
    let many = errors.iter().filter(|count| **count >= 5).count();
    assert!(errors.len() >= WRONG && many >= WRONG_FIVE_TIMES, "{} cases, {many} of them with five", errors.len());
}

#[test]
fn every_case_says_what_it_shows() {
    for case in fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let first = sources(&case).remove(0);
        assert!(first.text.starts_with("//"), "{} opens without a comment", case.display());
    }
}

/// Notes what a project says, as the paths of nodes and properties. What an environment or a template says is said about
/// services and the like.
fn said(document: &kdl::KdlDocument, within: &str, found: &mut BTreeSet<String>) {
    for node in document.nodes() {
        let name = node.name().value();
        let path = match within {
            "" => name.to_owned(),
            "template" => format!("service.{name}"),
            "environment" if ["service", "gateway"].contains(&name) => name.to_owned(),
            _ => format!("{within}.{name}"),
        };
        for entry in node.entries() {
            let Some(key) = entry.name() else { continue };
            found.insert(format!("{path} {}", key.value()));
            let value = entry.value();
            found.insert(format!(
                "{path} {}={}",
                key.value(),
                value.as_string().map_or(value.to_string(), str::to_owned)
            ));
        }
        if let Some(block) = node.children() {
            said(block, &path, found);
        }
        found.insert(path);
    }
}

#[test]
fn every_feature_is_shown_by_a_project_that_asks_for_it() {
    let mut found = BTreeSet::new();
    let cases = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    for case in cases.filter(|case| case.join("deployment.txt").exists()) {
        let documents = sources(&case).into_iter().filter_map(|file| kdl::KdlDocument::parse(&file.text).ok());
        documents.for_each(|document| said(&document, "", &mut found));
    }
    let missing: Vec<_> =
        features().iter().flat_map(|feature| feature.syntax).filter(|syntax| !found.contains(**syntax)).collect();
    assert!(missing.is_empty(), "no sound case says {missing:?}");
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
