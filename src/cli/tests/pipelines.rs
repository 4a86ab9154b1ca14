//! The example pipelines hold together: they are YAML, their scripts are shell, what they run of others is pinned, and what
//! they ask of wharf exists.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "what is tested is files and a program")]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use yaml_rust2::{Yaml, YamlLoader};

fn pipelines() -> Vec<(PathBuf, Yaml)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/ci");
    let files = ["github/plan.yml", "github/apply.yml", "github/drift.yml", "gitlab/.gitlab-ci.yml"];
    let read = |name: &str| {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        let mut documents = YamlLoader::load_from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(documents.len(), 1, "{name}");
        (PathBuf::from(name), documents.remove(0))
    };
    files.into_iter().map(read).collect()
}

/// Every text below a key of this name, wherever it stands.
fn below<'a>(yaml: &'a Yaml, key: &str, found: &mut Vec<&'a str>) {
    match yaml {
        Yaml::Hash(entries) => {
            for (name, value) in entries {
                match value {
                    Yaml::String(text) if name.as_str() == Some(key) => found.push(text),
                    Yaml::Array(texts) if name.as_str() == Some(key) => {
                        found.extend(texts.iter().filter_map(Yaml::as_str))
                    }
                    value => below(value, key, found),
                }
            }
        }
        Yaml::Array(values) => values.iter().for_each(|value| below(value, key, found)),
        _ => {}
    }
}

fn texts<'a>(yaml: &'a Yaml, key: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    below(yaml, key, &mut found);
    found
}

fn scripts(pipeline: &Yaml) -> Vec<&str> {
    [texts(pipeline, "run"), texts(pipeline, "script")].concat()
}

/// The options of a command, as its help tells them.
fn help(command: &str) -> String {
    let told = Command::new(env!("CARGO_BIN_EXE_wharf")).args([command, "--help"]).output().unwrap();
    assert!(told.status.success(), "there is no `wharf {command}`");
    String::from_utf8(told.stdout).unwrap()
}

#[test]
fn scripts_are_shell() {
    for (file, pipeline) in pipelines() {
        let scripts = scripts(&pipeline);
        assert!(!scripts.is_empty(), "{}", file.display());
        // GitLab runs the lines of a job in one shell, GitHub each step in its own.
        for script in scripts {
            let mut shell =
                Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            let said = shell.wait_with_output().unwrap();
            assert!(said.status.success() && said.stderr.is_empty(), "{}:\n{script}\n{said:?}", file.display());
        }
    }
}

#[test]
fn what_others_wrote_is_pinned_and_jobs_end() {
    for (file, pipeline) in pipelines() {
        for action in texts(&pipeline, "uses") {
            let commit = action.split_once('@').map(|(_, commit)| commit).unwrap_or_default();
            let whole = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(whole, "{}: {action} is not pinned to a commit", file.display());
        }
        let Yaml::Hash(jobs) = &pipeline["jobs"] else { continue };
        assert!(matches!(pipeline["permissions"], Yaml::Hash(_)), "{}: no permissions", file.display());
        for (name, job) in jobs {
            assert!(job["timeout-minutes"].as_i64().is_some(), "{}: {name:?} may run for ever", file.display());
        }
    }
}

#[test]
fn no_text_from_outside_becomes_shell() {
    for (file, pipeline) in pipelines() {
        for script in scripts(&pipeline) {
            assert!(!script.contains("${{"), "{}: pass it as a variable:\n{script}", file.display());
        }
    }
}

#[test]
fn what_is_asked_of_wharf_exists() {
    let mut asked = 0;
    for (file, pipeline) in pipelines() {
        for line in scripts(&pipeline).iter().flat_map(|script| script.lines()) {
            let Some(rest) = line.trim().strip_prefix("wharf ") else { continue };
            let mut words = rest.split([' ', '=']);
            let help = help(words.next().unwrap());
            for option in words.filter(|word| word.starts_with("--")) {
                assert!(help.contains(option), "{}: `{line}`: there is no {option}", file.display());
            }
            let format = rest.split("--format ").nth(1).and_then(|rest| rest.split(' ').next());
            assert!(format.is_none_or(|format| help.contains(format)), "{}: `{line}`", file.display());
            asked += 1;
        }
    }
    assert!(asked >= 6, "only {asked} commands were found");
}
