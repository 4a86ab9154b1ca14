//! The example pipelines hold together: they are YAML, their scripts are shell, what they run of others is pinned, and what
//! they ask of wharf exists. They are carried out, step by step, on a project of this host.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "what is tested is files and a program")]

#[allow(dead_code, reason = "the other suite uses the rest")]
#[path = "end_to_end/support/mod.rs"]
mod support;

#[path = "pipelines/gitlab.rs"]
mod gitlab;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use support::{Ran, Running, Site, eventually};
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

/// Stands in for the program of GitHub: keeps one comment and one artifact, as files.
const GH: &str = r#"#!/bin/bash
case "$*" in
*"run download"*) while [ "$1" != --dir ]; do shift; done; mkdir "$2" && cp "$KEPT/artifact" "$2/plan.json" ;;
*/pulls*) echo 7 ;;
*"--method "*) last="${@: -1}"; cp "${last#body=@}" "$KEPT/comment" && echo "$4" >> "$KEPT/asked" ;;
*".body | select"*) cat "$KEPT/comment" ;;
*"| .id"*) test ! -e "$KEPT/comment" || echo 11 ;;
*) echo "what is gh $*?" >&2; exit 1 ;;
esac
"#;

/// A job of the example pipelines on this host.
struct Runner {
    site: Site,
    kept: PathBuf,
}

impl Runner {
    fn new(name: &str) -> Self {
        let mut site = Site::hello(name);
        site.replace(
            "wharf.kdl",
            "gateway \"public\"",
            "environment \"prod\" { provider \"local\" }\ngateway \"public\"",
        );
        let kept = site.root().join("kept");
        for folder in ["kept", "bin", "runner"] {
            fs::create_dir(site.root().join(folder)).unwrap();
        }
        let gh = site.root().join("bin/gh");
        fs::write(&gh, GH).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&gh, mode).unwrap();
        let wharf = Path::new(env!("CARGO_BIN_EXE_wharf")).parent().unwrap();
        let path = format!("{}:{}:{}", site.root().join("bin").display(), wharf.display(), support::path());
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let more = [
            ("PATH", path),
            ("KEPT", text(kept.clone())),
            ("WHARF_ENV", "prod".to_owned()),
            ("RUNNER_TEMP", text(site.root().join("runner"))),
            ("GITHUB_STEP_SUMMARY", text(kept.join("summary"))),
            ("GITHUB_OUTPUT", text(kept.join("output"))),
            ("GITHUB_REPOSITORY", "acme/chat".to_owned()),
            ("GITHUB_SHA", "0123456789".to_owned()),
            ("NUMBER", "7".to_owned()),
        ];
        site.env.extend(more.map(|(name, value)| (name.to_owned(), value)));
        Self { site, kept }
    }

    /// Carries out the steps of a pipeline that have a script, as far as one fails.
    fn job(&self, pipeline: &str, job: &str, plan: &str) -> Ran {
        let (_, yaml) = pipelines().into_iter().find(|(file, _)| file.ends_with(pipeline)).unwrap();
        let steps = yaml["jobs"][job]["steps"].as_vec().unwrap().iter();
        let mut said = String::new();
        for script in steps.filter_map(|step| step["run"].as_str()) {
            let mut shell = Command::new("bash");
            shell.args(["-e", "-c", script]).env_clear().envs(&self.site.env).env("PLAN", plan);
            let ran = Running::start(shell.current_dir(&self.site.dir).stdin(Stdio::null())).end();
            said += &ran.said;
            if ran.code != 0 {
                return Ran { code: ran.code, said };
            }
        }
        Ran { code: 0, said }
    }

    fn plan(&self) {
        let ran = self.job("github/plan.yml", "plan", "");
        assert_eq!(ran.code, 0, "{}", ran.said);
        fs::copy(self.site.root().join("runner/plan.json"), self.kept.join("artifact")).unwrap();
    }

    fn kept(&self, file: &str) -> String {
        fs::read_to_string(self.kept.join(file)).unwrap_or_default()
    }

    /// The id that the apply finds on the pull request; the step after it is given it by the platform.
    fn reviewed(&self) -> String {
        let ran = self.job("github/apply.yml", "apply", "none");
        assert_eq!(ran.code, 3, "no plan has this id: {}", ran.said);
        self.kept("output").trim().strip_prefix("plan=").unwrap().to_owned()
    }
}

#[test]
fn the_steps_plan_comment_apply_and_look() {
    let runner = Runner::new("pipelines");
    let site = &runner.site;
    // What is looked for in the morning must not be mended overnight.
    site.replace("wharf.kdl", "instances 2", "instances 2\n    crash-block #true");
    runner.plan();
    let first = runner.kept("comment");
    assert!(first.starts_with("<!-- wharf plan of pipelines in prod -->\n"), "{first}");
    assert!(runner.kept("summary").contains(&first));

    // The pull request is changed: the same comment says what is planned otherwise now.
    site.replace("wharf.kdl", "GREETING \"one\"", "GREETING \"two\"");
    runner.plan();
    let second = runner.kept("comment");
    assert!(second.contains("since") || second.contains("Since"), "{second}");
    assert_eq!(runner.kept("asked"), "POST\nPATCH\n");

    // It is merged: what was reviewed is carried out, and nothing else.
    let reviewed = runner.reviewed();
    assert!(second.contains(&reviewed));
    let applied = site.run(&["apply", "--expect-plan", &reviewed]);
    assert_eq!(applied.code, 0, "{}", applied.said);
    let ran = runner.job("github/apply.yml", "apply", "0000000000000000");
    assert_eq!(ran.code, 0, "when nothing is left to do, any plan is carried out: {}", ran.said);

    // Every morning.
    assert_eq!(runner.job("github/drift.yml", "drift", "").code, 0);
    let instance = eventually("an instance runs", || {
        site.processes().into_iter().find(|process| process.command.contains("app.py"))
    });
    instance.signal(rustix::process::Signal::KILL);
    let ran = eventually("the end is noticed", || {
        let ran = runner.job("github/drift.yml", "drift", "");
        (ran.code != 0).then_some(ran)
    });
    assert_eq!(ran.code, 2, "{}", ran.said);
    assert!(runner.kept("summary").contains("killed by SIGKILL"), "{}", runner.kept("summary"));
}
