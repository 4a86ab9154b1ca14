//! What must hold of any text, and the texts to begin with.

#![allow(dead_code, reason = "each suite uses a part")]

pub(crate) mod generate;
pub(crate) mod random;

use std::{fs, path::Path, sync::Arc};
use wharf_lang::{Defaults, Loaded, Request, SourceFile, format, load, problems_github, problems_json, problems_sarif};
use wharf_model::{Deployment, Origins, SecretSource};

/// Loads the texts as the files of a project, and holds that every problem points into a file at whole characters.
pub(crate) fn check(texts: &[&str]) -> Loaded {
    let file =
        |(index, text): (usize, &&str)| SourceFile { name: format!("{index}.kdl").into(), text: Arc::from(*text) };
    let files: Vec<_> = texts.iter().enumerate().map(file).collect();
    let unset = |_: &SecretSource| Err("not set".to_owned());
    let loaded = load(&Request { files: &files, wharf_version: "0.1.0", secrets: Some(&unset), ..Request::default() });
    for problem in &loaded.problems {
        let (Some(name), Some(span)) = (problem.file(), problem.span()) else { continue };
        let file = files.iter().find(|file| *file.name == *name).unwrap();
        assert!(file.text.get(span.clone()).is_some(), "{problem} at {span:?} of {:?}", file.text);
        assert!(!problem.message().ends_with('.') && !problem.message().is_empty(), "{problem}");
        let region = problem.region().unwrap();
        assert!((region.start.line, region.start.column) <= (region.end.line, region.end.column), "{problem}");
    }
    assert_ne!(loaded.deployment.is_some(), loaded.problems.has_errors());
    loaded
}

/// Formats a text, and holds that a second time changes nothing, and that what was there is there.
pub(crate) fn check_format(text: &str) {
    let file = |text: &str| SourceFile { name: "a.kdl".into(), text: text.into() };
    let solid = |text: &str| text.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>();
    match format(&file(text)) {
        Ok(once) => {
            assert_eq!(format(&file(&once)).ok(), Some(once.clone()), "formatting {text:?} twice");
            assert_eq!(solid(&once), solid(text));
        }
        Err(problems) => {
            let mistake = problems.iter().find(|problem| problem.message().contains("without changing"));
            assert!(mistake.is_none(), "{text:?} would change");
        }
    }
}

/// Prints what a project came to, with everything laid together, and holds that this, read again, means the same and is
/// printed the same.
pub(crate) fn check_expanded(loaded: &Loaded) {
    let (Some(deployment), Some(resolved)) = (&loaded.deployment, &loaded.resolved) else { return };
    for defaults in [Defaults::Hidden, Defaults::Shown] {
        let text = resolved.text(defaults);
        let again = check_alone(&text);
        let told: Vec<_> = again.problems.errors().map(ToString::to_string).collect();
        let read = again.deployment.map(without_places);
        assert!(read == Some(without_places(deployment.clone())), "{text}\n{told:#?}");
        assert_eq!(again.resolved.map(|resolved| resolved.text(defaults)), Some(text));
    }
}

/// What a formatted project means is what it meant.
pub(crate) fn check_meaning(text: &str, loaded: &Loaded) {
    let formatted = format(&SourceFile { name: "a.kdl".into(), text: text.into() }).unwrap();
    let again = check_alone(&formatted).deployment.map(without_places);
    assert!(again == loaded.deployment.clone().map(without_places), "{text}\n{formatted}");
}

/// Loads one file, without asking for secrets.
pub(crate) fn check_alone(text: &str) -> Loaded {
    let files = [SourceFile { name: "0.kdl".into(), text: text.into() }];
    load(&Request { files: &files, wharf_version: "0.1.0", ..Request::default() })
}

/// What a project asks for, wherever that is written.
pub(crate) fn without_places(mut deployment: Deployment) -> Deployment {
    deployment.policies.values_mut().flat_map(|policy| &mut policy.rules).for_each(|rule| rule.origin = None);
    deployment.ignores.iter_mut().for_each(|rule| rule.origin = None);
    Deployment { origins: Origins::default(), ..deployment }
}

/// Prints the problems for machines, and holds that every command of GitHub's is one line.
pub(crate) fn check_print(loaded: &Loaded) {
    let problems = &loaded.problems;
    assert_eq!(problems_github(problems, ".").lines().count(), problems.len());
    assert!(problems_json(problems, ".").starts_with('{') && problems_sarif(problems, ".", "0.1.0").starts_with('{'));
}

/// Every `*.kdl` file of the folder and of those in it, in order.
pub(crate) fn texts(folder: &str) -> Vec<String> {
    let (mut folders, mut files) = (vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(end) if end == "kdl" => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    files.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}
