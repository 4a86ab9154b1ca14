//! Projects in several files, with inputs, templates and overlays, as the command reads, prints and explains them.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

const PROJECT: &str = r#"include "shared/llm.kdl"
project "chat"
input "tag" default="1"
input "replicas" type="integer" default=1 { allowed 1 2 3 4 }
environment "dev" { provider "local" { image "host" } }
environment "prod" {
    provider "local" { image "host" }
    remove { gateway "inner" }
    service "chat" { instances 4; env { LEVEL "warn" }; remove { expose "inner" } }
}
gateway "public" { listen 8600 }
gateway "inner" { listen 8601 }
service "chat" {
    use "llm" model="qwen:${input.tag}"
    env { LEVEL "info" }
    expose "public"
    expose "inner"
}
"#;

const TEMPLATE: &str = r#"template "llm" {
    param "model"
    command "serve" "${param.model}"
    port 8000
    instances "${input.replicas}"
    health { readiness { tcp } }
}
"#;

fn project() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("shared")).unwrap();
    fs::write(dir.path().join("wharf.kdl"), PROJECT).unwrap();
    fs::write(dir.path().join("shared/llm.kdl"), TEMPLATE).unwrap();
    dir
}

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    command.args(arguments).current_dir(dir).env_clear();
    command
}

fn wharf(dir: &Path, arguments: &[&str]) -> Output {
    command(dir, arguments).output().unwrap()
}

/// What a command that must succeed prints.
fn printed(dir: &Path, arguments: &[&str]) -> String {
    let output = wharf(dir, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a command that must fail says.
fn refused(dir: &Path, arguments: &[&str]) -> String {
    let output = wharf(dir, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn instances(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().find(|line| line.contains("instances")).unwrap_or(&text).trim().to_owned()
}

#[test]
fn a_link_may_lead_about_in_the_project_but_not_out_of_it() {
    let (dir, outside) = (project(), tempfile::tempdir().unwrap());
    fs::rename(dir.path().join("shared/llm.kdl"), dir.path().join("shared/real.kdl")).unwrap();
    std::os::unix::fs::symlink("real.kdl", dir.path().join("shared/llm.kdl")).unwrap();
    printed(dir.path(), &["validate", "--env", "dev"]);

    fs::rename(dir.path().join("shared/real.kdl"), outside.path().join("real.kdl")).unwrap();
    fs::remove_file(dir.path().join("shared/llm.kdl")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("real.kdl"), dir.path().join("shared/llm.kdl")).unwrap();
    let said = refused(dir.path(), &["validate", "--env", "dev"]);
    assert!(said.contains("wharf::lang::include_outside"), "{said}");
    assert!(!said.contains("param"), "what lies outside is not shown: {said}");

    fs::remove_file(dir.path().join("shared/llm.kdl")).unwrap();
    fs::create_dir(dir.path().join("shared/llm.kdl")).unwrap();
    let said = refused(dir.path(), &["validate", "--env", "dev"]);
    assert!(said.contains("it is no file"), "{said}");
}

#[test]
fn the_nearer_source_of_an_input_has_the_last_word() {
    let dir = project();
    fs::write(dir.path().join("values.kdl-values"), "replicas 2\n").unwrap();
    fs::write(dir.path().join("values.json"), "{ \"replicas\": \"3\" }").unwrap();
    let show = ["show", "--expanded", "--env", "dev"];
    let check = |more: &[&str], variable: Option<&str>, expected: &str| {
        let mut command = command(dir.path(), &show);
        let output = command.args(more).envs(variable.map(|value| ("WHARF_INPUT_replicas", value))).output().unwrap();
        assert_eq!(instances(&output), expected, "{more:?}");
    };
    let (kdl, json) = (["--input-file", "values.kdl-values"], ["--input-file", "values.json"]);
    check(&[], None, "instances 1");
    check(&[], Some("4"), "instances 4");
    check(&kdl, Some("4"), "instances 2");
    check(&[kdl, json].concat(), Some("4"), "instances 3");
    check(&[json, kdl].concat(), Some("4"), "instances 2");
    check(&[&kdl[..], &["--input", "replicas=4"]].concat(), None, "instances 4");
}

#[test]
fn a_value_that_does_not_fit_is_told_with_who_gave_it() {
    let dir = project();
    fs::write(dir.path().join("v.json"), "{ \"replicas\": 9 }").unwrap();
    let said = refused(dir.path(), &["validate", "--env", "dev", "--input", "replicas=x"]);
    assert!(said.contains("`--input` sets it to `x`"), "{said}");
    let said = refused(dir.path(), &["validate", "--env", "dev", "--input-file", "v.json"]);
    assert!(said.contains("may only be `1`, `2`, `3` or `4`") && said.contains("v.json:1:3"), "{said}");
    let said = refused(dir.path(), &["validate", "--env", "dev", "--input-file", "none.json"]);
    assert!(said.contains("cannot read none.json"), "{said}");
    let output = command(dir.path(), &["validate", "--env", "dev"]).env("WHARF_INPUT_replicas", "x").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("WHARF_INPUT_replicas") && said.contains("`x`"), "{said}");
}

#[test]
fn what_is_shown_expanded_is_a_project_again() {
    let (dir, again) = (project(), tempfile::tempdir().unwrap());
    for more in [&[][..], &["--defaults"]] {
        let text = printed(dir.path(), &[&["show", "--expanded", "--env", "prod"], more].concat());
        fs::write(again.path().join("wharf.kdl"), &text).unwrap();
        assert_eq!(printed(again.path(), &[&["show", "--expanded"], more].concat()), text);
        for foreign in ["use", "include", "input", "template", "remove", "inner"] {
            assert!(!text.contains(foreign), "{foreign} in {text}");
        }
        assert_eq!(text.contains("max-surge"), !more.is_empty());
    }
}

#[test]
fn explain_tells_every_layer_that_said_a_value() {
    let dir = project();
    let said = printed(dir.path(), &["explain", "service.chat.instances", "--env", "prod"]);
    assert_eq!(
        said,
        "service.chat.instances = 4\n    \
         environment prod  4  wharf.kdl:9:32\n    \
         template llm      1  shared/llm.kdl:5:15, used at wharf.kdl:14:9\n        \
         input.replicas is 1, the default at wharf.kdl:4:41\n"
    );
    let said = printed(dir.path(), &["explain", "service.chat.command", "--env", "dev", "--input", "tag=7"]);
    assert_eq!(
        said,
        "service.chat.command = \"serve\" \"qwen:7\"\n    \
         template llm  \"serve\" \"qwen:7\"  shared/llm.kdl:3:13, used at wharf.kdl:14:9\n        \
         param.model is qwen:7, set at wharf.kdl:14:21\n            \
         input.tag is 7, set by --input\n"
    );
    let said = printed(dir.path(), &["explain", "service.chat.timeout", "--env", "dev"]);
    assert_eq!(said, "service.chat.timeout = \"5s\"  default\n");
}

#[test]
fn explain_takes_addresses_of_plans_and_knows_what_was_meant() {
    let dir = project();
    let whole = printed(dir.path(), &["explain", "service.chat", "--env", "dev"]);
    assert!(whole.starts_with("service.chat\n    project  service \"chat\"  wharf.kdl:13:9\n"), "{whole}");
    assert!(whole.contains("service.chat.rollout.max-surge = 1  default\n"), "{whole}");
    let route = printed(dir.path(), &["explain", "route.public/chat", "--env", "dev"]);
    assert!(route.contains("wharf.kdl:16:12"), "{route}");
    let said = refused(dir.path(), &["explain", "service.chat.instnces", "--env", "dev"]);
    assert!(said.contains("did you mean `service.chat.instances`?"), "{said}");
    let said = refused(dir.path(), &["explain", "service.nobody", "--env", "dev"]);
    assert!(said.contains("known: project, environment, gateway.public"), "{said}");
    let json = printed(dir.path(), &["explain", "service.chat.instances", "--env", "prod", "--format", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["fields"][0]["chain"][1]["by"]["name"], "llm");
    assert_eq!(json["fields"][0]["chain"][1]["filled"][0]["by"], "default");
}

#[test]
fn two_environments_are_compared_by_what_they_ask_for() {
    let dir = project();
    let said = printed(dir.path(), &["diff-env", "dev", "prod"]);
    assert_eq!(
        said,
        "dev → prod\n\n\
         only in dev\n    gateway.inner  wharf.kdl:12:9\n\
         service.chat\n    \
         env.LEVEL     \"info\" → \"warn\"           wharf.kdl:15:17 → wharf.kdl:9:47\n    \
         instances     1 → 4                     shared/llm.kdl:5:15 → wharf.kdl:9:32\n    \
         expose.inner  expose \"inner\" → nothing  wharf.kdl:17:12 → –\n"
    );
    assert_eq!(printed(dir.path(), &["diff-env", "dev", "dev"]), "dev and dev ask for the same.\n");
    let json: Value =
        serde_json::from_str(&printed(dir.path(), &["diff-env", "prod", "dev", "--format", "json"])).unwrap();
    assert_eq!(json["only_right"][0]["address"], "gateway.inner");
    assert_eq!(json["fields"][0]["left"]["value"], "\"warn\"");
    let said = refused(dir.path(), &["diff-env", "dev", "prd"]);
    assert!(said.contains("did you mean `prod`?"), "{said}");
}

#[test]
fn fmt_reaches_the_files_that_others_include() {
    let dir = project();
    fs::write(dir.path().join("shared/llm.kdl"), TEMPLATE.replace("    port", "  port")).unwrap();
    let output = wharf(dir.path(), &["fmt"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_to_string(dir.path().join("shared/llm.kdl")).unwrap(), TEMPLATE);
}
