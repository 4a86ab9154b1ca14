//! What the language can say, held against everything behind it: each golden project that is sound is written down and
//! reads back, what a runtime cannot honour is refused at its line, and `docs/language.md` is true.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "what is tested is files")]

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};
use wharf_docker::{DockerReader, DockerSettings};
use wharf_lang::{Feature, IncludeError, NodeSchema, Request, SourceFile, features, load, schema};
use wharf_local::{Fuse, LocalReader, LocalSettings};
use wharf_model::{
    Capabilities, Cost, Deployment, Field, FuseClient, Observed, Pins, Record, RecordedGateway, RecordedRoute,
    RecordedService, Revision, RevisionNumber, Timestamp,
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
    let named = |case: PathBuf| (case.file_name().unwrap().to_str().unwrap().to_owned(), deployment(&case));
    let projects: BTreeMap<_, _> = sound.map(named).collect();
    assert!(projects.len() >= 20);
    projects
}

/// What a case asks for, with all that it includes and is given.
fn deployment(case: &Path) -> Deployment {
    let settings = fs::read_to_string(case.join("request.txt")).unwrap_or_default();
    let said = |word: &'static str| settings.lines().filter_map(move |line| line.strip_prefix(word)?.strip_prefix(' '));
    let pairs = |word| -> BTreeMap<String, String> {
        let pair = |text: &str| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        said(word).filter_map(pair).collect()
    };
    let (inputs, variables) = (pairs("input"), pairs("variable"));
    let file = |name: &str| -> io::Result<SourceFile> {
        Ok(SourceFile { name: name.into(), text: fs::read_to_string(case.join(name))?.into() })
    };
    let entries = fs::read_dir(case).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.filter(|name| name.ends_with(".kdl")).collect();
    names.sort();
    let files: Vec<_> = names.iter().map(|name| file(name).unwrap()).collect();
    let values: Vec<_> = said("values").map(|name| file(name).unwrap()).collect();
    let include = |path: &str| {
        let read = file(path).map(|file| file.text);
        read.map_err(|error| IncludeError::Unreadable(error.to_string()))
    };
    let variable = |name: &str| variables.get(name).cloned();
    let request = Request {
        files: &files,
        include: Some(&include),
        environment: said("env").next(),
        inputs: &inputs,
        input_files: &values,
        variable: Some(&variable),
        wharf_version: "0.1.0",
        ..Request::default()
    };
    load(&request).deployment.unwrap_or_else(|| panic!("{} asks for nothing", case.display()))
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
            rollout: None,
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
        fuse: Fuse::Ready(FuseClient::Rclone),
        vmtouch: Some("vmtouch".into()),
        content_dir: PathBuf::new(),
        copying: Default::default(),
        depot: Arc::new(wharf_bucket::BucketDepot::default()),
        program: PathBuf::new(),
        environment: BTreeMap::new(),
    };
    LocalReader::new(settings).capabilities().clone()
}

fn docker() -> Capabilities {
    // Nobody is asked for what the table says, but the socket of an engine on this machine must be there.
    let socket = tempfile::NamedTempFile::new().unwrap();
    let settings = DockerSettings {
        host: Some(format!("unix://{}", socket.path().display())),
        certificates: None,
        fuse: Some("rclone".to_owned()),
        ssh: Vec::new(),
        project_dir: PathBuf::from("/nowhere"),
        owner: Owner { project: "p".parse().unwrap(), environment: "e".parse().unwrap() },
        content_dir: PathBuf::from("/nowhere"),
        copying: Default::default(),
        depot: Arc::new(wharf_bucket::BucketDepot::default()),
        program: PathBuf::from("/nowhere"),
        logins: Default::default(),
        secrets: Default::default(),
        pip: BTreeMap::new(),
    };
    DockerReader::new(settings).unwrap().capabilities().clone()
}

#[test]
fn what_a_runtime_cannot_honour_is_refused_at_its_line() {
    runtimes().iter().for_each(check);
}

fn check(capabilities: &Capabilities) {
    let mut refused = Vec::new();
    for (case, desired) in projects() {
        let recorded = Record::empty(desired.project.clone(), desired.environment.clone());
        let (observed, digests) = (Observed::default(), BTreeMap::new());
        let input =
            Input { desired: &desired, capabilities, recorded: &recorded, observed: &observed, digests: &digests };
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
    assert!(untold.is_empty(), "{}: no golden project shows {untold:?}", capabilities.provider());
}

/// The field that a node sets, or that the nearest node around it does.
fn field(row: &NodeSchema) -> Option<Field> {
    let mut path = match row.path {
        "service.script" => "service.command",
        "network.vswitches" | "network.security-group" => "network.vpc",
        "network.allow-in" | "network.allow-out" => "network.rules",
        path => path,
    };
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

/// The field that a part of a feature's syntax sets, which may be a matter of a property's value.
fn field_of(said: &str) -> Option<Field> {
    let (path, property) = said.split_once(' ').unwrap_or((said, ""));
    match property {
        "size" if path == "service.mount.cache" => Some(Field::MountCacheSize),
        "mode=stream" => Some(Field::MountStream),
        "mode=fuse" => Some(Field::MountFuse),
        "read-only=#false" => Some(Field::MountWritable),
        _ => field(schema().iter().find(|row| row.path == path).unwrap()),
    }
}

/// The runtimes that there are. One that is added here has its own columns.
fn runtimes() -> Vec<Capabilities> {
    vec![local(), docker()]
}

/// How a change of the field is carried out.
fn how(cost: &Cost) -> &'static str {
    match cost {
        Cost::InPlace => "in place",
        Cost::Roll => "roll",
        Cost::Replace => "replace",
        Cost::Unsupported { .. } => "no",
    }
}

/// How a runtime honours a feature. Where its nodes differ, each that differs from the first is named.
fn honoured(feature: &Feature, runtime: &Capabilities) -> String {
    let known = |said: &&'static str| Some((*said, how(runtime.cost(field_of(said)?))));
    let mut all: Vec<_> = feature.syntax.iter().filter_map(known).collect();
    all.iter_mut().for_each(|(said, _)| *said = said.split(' ').next().unwrap_or(said));
    all.dedup();
    let Some((_, first)) = all.first() else { return "yes".to_owned() };
    let name =
        |path: &str| path.rsplit('.').take(2).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(" ");
    let others = all.iter().filter(|(_, how)| how != first).map(|(path, how)| format!("; `{}` {how}", name(path)));
    format!("{first}{}", others.collect::<String>())
}

/// Each feature, how it is said, and how each runtime honours it.
fn feature_table(page: &mut String) {
    let runtimes = runtimes();
    let mut topic = "";
    for feature in features() {
        if feature.topic != topic {
            topic = feature.topic;
            let names: String = runtimes.iter().map(|runtime| format!(" {} |", runtime.provider())).collect();
            let rules = " --- |".repeat(runtimes.len());
            let _ = write!(page, "\n### {}\n\n| feature | syntax |{names}\n| --- | --- |{rules}\n", capital(topic));
        }
        let syntax: Vec<_> = feature.syntax.iter().map(|said| link(said)).collect();
        let honoured: String = runtimes.iter().map(|runtime| format!(" {} |", honoured(feature, runtime))).collect();
        let _ = writeln!(page, "| {} | {} |{honoured}", feature.name, syntax.join(", "));
    }
}

fn link(said: &str) -> String {
    let (path, property) =
        said.split_once(' ').map_or((said, String::new()), |(path, name)| (path, format!(" {}", property(name))));
    format!("[`{}{property}`](reference.md#{})", path.replace('.', " "), path.replace('.', "-"))
}

/// `mode=` of a property's name, and `mode="sync"` where its value counts, too.
fn property(said: &str) -> String {
    match said.split_once('=') {
        None => format!("{said}="),
        Some((name, value)) if value.starts_with('#') => format!("{name}={value}"),
        Some((name, value)) => format!("{name}=\"{value}\""),
    }
}

fn capital(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_uppercase() + rest
}

fn page() -> String {
    let mut page = "# The language\n\nWhat can be asked for, and how the files say it. Made from the schema that wharf reads \
        them by; the [reference](reference.md) has every node in full, and `wharf schema` prints it for a terminal.\n\n\
        ## Features\n\nA column for each runtime says how it honours a feature: a change takes effect *in place*, by a *roll* \
        to new instances, or\nby *replacing* the object. Where it says *no*, a plan is refused at the field's line; *yes* is wharf's own doing.\n"
        .to_owned();
    feature_table(&mut page);
    page.push_str("\n## Nodes\n");
    let runtimes = runtimes();
    let names: String = runtimes.iter().map(|runtime| format!(" {} |", runtime.provider())).collect();
    let rules = " --- |".repeat(runtimes.len());
    for top in schema().iter().filter(|row| row.parent().is_empty()) {
        let _ =
            write!(page, "\n### {}\n\n| node | syntax | what for |{names}\n| --- | --- | --- |{rules}\n", top.name());
        let within = |row: &&&NodeSchema| row.path == top.path || row.path.starts_with(&format!("{}.", top.path));
        for row in schema().iter().filter(within) {
            let cost = |runtime: &Capabilities| field(row).map_or("", |field| how(runtime.cost(field)));
            let honoured: String = runtimes.iter().map(|runtime| format!(" {} |", cost(runtime))).collect();
            let default = row.default.map(|default| format!(" (default `{default}`)")).unwrap_or_default();
            let doc = row.doc.replace('|', "\\|");
            let _ =
                writeln!(page, "| {} | `{}` | {doc}{default} |{honoured}", row.path.replace('.', " → "), shape(row));
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
    let reference = fs::read_to_string(root().join("docs/reference.md")).unwrap();
    let anchors = written.split("(reference.md#").skip(1).map(|rest| rest.split(')').next().unwrap());
    let lost: Vec<_> = anchors.filter(|anchor| !reference.contains(&format!("<a id=\"{anchor}\"></a>"))).collect();
    assert!(lost.is_empty(), "{lost:?} lead nowhere");
}
