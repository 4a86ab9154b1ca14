//! What the language can say, held against everything behind it: each golden project that is sound is written down and
//! reads back, what the local runtime cannot honour is refused at its line, and `docs/language.md` is true.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "what is tested is files")]

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use wharf_lang::{NodeSchema, Request, SourceFile, load, schema};
use wharf_local::{LocalReader, LocalSettings};
use wharf_model::{
    Capabilities, Cost, Deployment, Field, Observed, Pins, Record, RecordedGateway, RecordedRoute, RecordedService,
    Revision, RevisionNumber, Timestamp,
};
use wharf_plan::{Input, Problem, plan};
use wharf_provider::{Observe, Owner};
use wharf_store::{Author, FolderBackend, Holder, Made, Patience, Reader, Writer};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every golden project that is sound, by the name of its case.
fn projects() -> BTreeMap<String, Deployment> {
    let cases = fs::read_dir(root().join("testdata/lang")).unwrap().map(|entry| entry.unwrap().path());
    let sound = cases.filter(|case| case.join("deployment.txt").exists());
    let named = |case: PathBuf| Some((case.file_name()?.to_str()?.to_owned(), deployment(&case)?));
    let projects: BTreeMap<_, _> = sound.filter_map(named).collect();
    assert!(projects.len() >= 12, "nearly all sound projects are of one folder's files");
    projects
}

/// What a case asks for; none of one that needs more than its folder's own files and inputs.
fn deployment(case: &Path) -> Option<Deployment> {
    let settings = fs::read_to_string(case.join("request.txt")).unwrap_or_default();
    let environment = settings.lines().find_map(|line| line.strip_prefix("env "));
    let inputs = settings.lines().filter_map(|line| line.strip_prefix("input ")?.split_once('='));
    let inputs = inputs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let paths = fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "kdl")).collect();
    paths.sort();
    let file = |path: &PathBuf| SourceFile {
        name: path.file_name().unwrap().to_str().unwrap().into(),
        text: fs::read_to_string(path).unwrap().into(),
    };
    let files: Vec<_> = paths.iter().map(file).collect();
    let request = Request { files: &files, environment, inputs: &inputs, wharf_version: "0.1.0", ..Request::default() };
    load(&request).deployment
}

/// A record in which everything that the deployment asks for has been made.
fn record(desired: &Deployment) -> Record {
    let mut record = Record::empty(desired.project.clone(), desired.environment.clone());
    for (name, spec) in &desired.gateways {
        record.gateways.insert(name.clone(), RecordedGateway { spec: spec.clone() });
    }
    for (name, spec) in &desired.services {
        for route in desired.routes_of(name, &BTreeMap::new()) {
            record.routes.insert((route.gateway.clone(), name.clone()), RecordedRoute { spec: route });
        }
        let number = RevisionNumber(1);
        let revision = Revision { number, template: spec.template.clone(), pins: Pins::default() };
        let service = RecordedService {
            spec: spec.clone(),
            current: Some(number),
            revisions: BTreeMap::from([(number, Arc::new(revision))]),
            instances: BTreeMap::new(),
            generations: BTreeMap::new(),
            trouble: None,
        };
        record.services.insert(name.clone(), service);
    }
    record
}

#[test]
fn what_can_be_said_is_written_down_and_read_back() {
    for (case, desired) in projects() {
        let dir = tempfile::tempdir().unwrap();
        let reader = || Reader::new(dir.path(), desired.project.clone(), desired.environment.clone());
        let holder = Holder::this("tester".to_owned(), "apply", Timestamp(5));
        let (project, environment) = (desired.project.clone(), desired.environment.clone());
        let backend = Arc::new(FolderBackend::new(dir.path()));
        let mut writer = Writer::open(backend, project, environment, &holder, Patience::none(&mut |_| {})).unwrap();
        let by = Author { who: "tester".to_owned(), ..Author::default() };
        let made = Made { at: Timestamp(5), doing: "apply".to_owned(), by, plan: None };
        writer.commit(&record(&desired), made).unwrap();
        assert_eq!(reader().read().unwrap().record, record(&desired), "{case}");
    }
}

fn local() -> Capabilities {
    let settings = LocalSettings {
        project_dir: PathBuf::new(),
        state_dir: PathBuf::new(),
        owner: Owner { project: "p".parse().unwrap(), environment: "e".parse().unwrap() },
        host_is_image: true,
        program: PathBuf::new(),
        environment: BTreeMap::new(),
    };
    LocalReader::new(settings).capabilities().clone()
}

#[test]
fn what_the_local_runtime_cannot_honour_is_refused_at_its_line() {
    let (capabilities, mut refused) = (local(), Vec::new());
    for (case, desired) in projects() {
        let recorded = Record::empty(desired.project.clone(), desired.environment.clone());
        let (observed, digests) = (Observed::default(), BTreeMap::new());
        let input = Input {
            desired: &desired,
            capabilities: &capabilities,
            recorded: &recorded,
            observed: &observed,
            digests: &digests,
        };
        for problem in plan(&input).err().unwrap_or_default() {
            let Problem::Unsupported { address, path, .. } = problem else { continue };
            assert!(desired.origins.of(&address, &path).is_some(), "{case}: {path} of {address} has no place");
            assert!(
                desired.origins.written(&address, path.field).is_some() || address.service().is_none(),
                "{case}: {path} of {address}"
            );
            refused.push(path.field);
        }
    }
    let unsupported = |field: &&Field| matches!(capabilities.cost(**field), Cost::Unsupported { .. });
    let untold: Vec<_> = Field::ALL.iter().filter(unsupported).filter(|field| !refused.contains(field)).collect();
    assert!(untold.is_empty(), "no golden project shows {untold:?}");
}

/// The field that a node sets, or that the nearest node around it does.
fn field(row: &NodeSchema) -> Option<Field> {
    let mut path = row.path;
    loop {
        let own = path.strip_prefix("service.").unwrap_or(path);
        let names = [own, path, path.rsplit_once('.').map_or(path, |(_, name)| name)];
        let known = |name: &&str| Field::ALL.iter().copied().find(|field| field.as_str() == *name);
        if let Some(field) = names[..2].iter().find_map(known) {
            return Some(field);
        }
        if let (true, Some(field)) = (path.starts_with("gateway."), known(&names[2])) {
            return Some(field);
        }
        path = path.rsplit_once('.')?.0;
    }
}

fn shape(row: &NodeSchema) -> String {
    let arguments: String = row.arguments.iter().map(|argument| format!(" <{}>", argument.ty.word())).collect();
    let more = if row.repeats { "…" } else { "" };
    let properties = row.properties.iter().map(|property| {
        let text = format!("{}=<{}>", property.name, property.ty.word());
        if property.required { format!(" {text}") } else { format!(" [{text}]") }
    });
    format!("{}{arguments}{more}{}", row.name(), properties.collect::<String>())
}

fn page() -> String {
    let capabilities = local();
    let mut page = "# The language\n\nEvery node of a project's files, made from the schema that wharf reads them by. \
        `wharf schema` prints the same for a terminal.\nThe last column says whether the local runtime honours a field; \
        where it does not, a plan is refused at the field's line.\n"
        .to_owned();
    for top in schema().iter().filter(|row| row.parent().is_empty()) {
        let _ =
            write!(page, "\n## {}\n\n| node | syntax | what for | local |\n| --- | --- | --- | --- |\n", top.name());
        let within = |row: &&&NodeSchema| row.path == top.path || row.path.starts_with(&format!("{}.", top.path));
        for row in schema().iter().filter(within) {
            let honoured = match field(row).map(|field| capabilities.cost(field)) {
                None => "",
                Some(Cost::Unsupported { .. }) => "no",
                Some(Cost::InPlace | Cost::Roll | Cost::Replace) => "yes",
            };
            let default = row.default.map(|default| format!(" (default `{default}`)")).unwrap_or_default();
            let doc = row.doc.replace('|', "\\|");
            let _ =
                writeln!(page, "| {} | `{}` | {doc}{default} | {honoured} |", row.path.replace('.', " → "), shape(row));
        }
    }
    page
}

#[test]
fn the_page_about_the_language_is_true() {
    let path = root().join("docs/language.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(root().join("docs")).unwrap();
        fs::write(&path, page()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page(), "docs/language.md is not what the schema says; UPDATE=1 rewrites it");
}
