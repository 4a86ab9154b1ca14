//! The tools of the language, as a user runs them: `fmt`, `validate --format`, `explain`, `schema`.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "what is tested is a program and its files")]

use serde_json::Value;
use std::{
    fs::{self, Permissions},
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A folder of its own for each test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tools").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn wharf(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    command.current_dir(folder).env_clear().env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Runs wharf, and shows the session: exit code, standard output, standard error.
fn run(folder: &Path, arguments: &[&str]) -> String {
    session(&wharf(folder).args(arguments).output().unwrap())
}

fn session(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!("{}\n{}--\n{}", output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn fed(folder: &Path, arguments: &[&str], text: &str) -> String {
    let mut command = wharf(folder);
    let mut child =
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    session(&child.wait_with_output().unwrap())
}

const UNTIDY: &str = "project \"x\"\nservice \"a\" {\n  command   \"x\" // why\n}\n";
const TIDY: &str = "project \"x\"\nservice \"a\" {\n    command \"x\" // why\n}\n";

#[test]
fn fmt_formats_the_project_and_says_which_files() {
    let folder = folder("project");
    fs::write(folder.join("a.kdl"), UNTIDY).unwrap();
    fs::write(folder.join("b.kdl"), TIDY).unwrap();
    fs::write(folder.join("notes.txt"), UNTIDY).unwrap();
    assert_eq!(run(&folder, &["fmt"]), "0\n--\nformatted a.kdl\n");
    assert_eq!(fs::read_to_string(folder.join("a.kdl")).unwrap(), TIDY);
    assert_eq!(fs::read_to_string(folder.join("notes.txt")).unwrap(), UNTIDY);
    assert_eq!(run(&folder, &["fmt"]), "0\n--\n2 files formatted already\n");
    assert_eq!(run(&folder, &["fmt", "-q"]), "0\n--\n");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
}

#[test]
fn fmt_check_shows_what_would_change_and_changes_nothing() {
    let folder = folder("check");
    fs::write(folder.join("a.kdl"), UNTIDY).unwrap();
    let expected = "1\na.kdl is not formatted\n@@ -1,4 +1,4 @@\n project \"x\"\n service \"a\" {\n-  command   \"x\" // why\n\
                    +    command \"x\" // why\n }\n\n--\n1 file is not formatted; `wharf fmt` puts that right\n";
    assert_eq!(run(&folder, &["fmt", "--check"]), expected);
    assert_eq!(fs::read_to_string(folder.join("a.kdl")).unwrap(), UNTIDY);
    fs::write(folder.join("a.kdl"), TIDY).unwrap();
    assert_eq!(run(&folder, &["fmt", "--check"]), "0\n--\n1 file formatted already\n");
}

#[test]
fn fmt_reads_standard_input() {
    let folder = folder("input");
    assert_eq!(fed(&folder, &["fmt", "-"], UNTIDY), format!("0\n{TIDY}--\n"));
    assert_eq!(fed(&folder, &["fmt", "-", "--check"], TIDY), "0\n--\n");
    assert!(fed(&folder, &["fmt", "-", "--check"], UNTIDY).starts_with("1\nstandard input is not formatted\n@@"));
    assert!(fed(&folder, &["fmt", "-"], "a {\n").contains("this block is never closed"));
    assert!(fed(&folder, &["fmt", "-", "a.kdl"], "").contains("cannot be formatted together with files"));
}

#[test]
fn fmt_leaves_alone_what_it_cannot_parse_and_goes_on() {
    let folder = folder("broken");
    fs::write(folder.join("a.kdl"), "a true\n  b\n").unwrap();
    fs::write(folder.join("b.kdl"), UNTIDY).unwrap();
    let told = run(&folder, &["fmt"]);
    assert!(told.starts_with("1\n--\nwharf::lang::syntax"), "{told}");
    assert!(told.contains("╭─[a.kdl:1:3]") && told.contains("formatted b.kdl"), "{told}");
    assert!(told.ends_with("1 file left as it was, because it cannot be parsed\n"), "{told}");
    assert_eq!(fs::read_to_string(folder.join("a.kdl")).unwrap(), "a true\n  b\n");
}

#[test]
fn fmt_keeps_modes_and_links() {
    let folder = folder("modes");
    fs::create_dir(folder.join("project")).unwrap();
    fs::write(folder.join("real"), UNTIDY).unwrap();
    fs::set_permissions(folder.join("real"), Permissions::from_mode(0o640)).unwrap();
    symlink("../real", folder.join("project/a.kdl")).unwrap();
    assert_eq!(run(&folder, &["fmt", "project"]), "0\n--\nformatted project/a.kdl\n");
    assert!(folder.join("project/a.kdl").is_symlink());
    assert_eq!(fs::read_to_string(folder.join("real")).unwrap(), TIDY);
    assert_eq!(fs::metadata(folder.join("real")).unwrap().mode() & 0o777, 0o640);
}

#[test]
fn validate_tells_machines_what_it_tells_people() {
    let folder = folder("validate");
    fs::create_dir(folder.join("deploy")).unwrap();
    fs::write(folder.join("deploy/wharf.kdl"), "project \"x\"\ngateway \"g\" { listen 8600; prot 1 }\n").unwrap();
    let output = |format| wharf(&folder).args(["-C", "deploy", "validate", "--format", format]).output().unwrap();

    let json = output("json");
    assert_eq!(json.status.code(), Some(1));
    assert!(json.stderr.is_empty());
    let page: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(page["format"], "wharf.problems/1");
    assert_eq!(page["problems"][0]["file"], "deploy/wharf.kdl");
    assert_eq!(page["problems"][0]["start"], serde_json::json!({ "line": 2, "column": 28 }));

    let sarif: Value = serde_json::from_slice(&output("sarif").stdout).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "wharf::lang::unknown_node");
    let github = session(&output("github"));
    let expected = "1\n::error file=deploy/wharf.kdl,line=2,endLine=2,col=28,endColumn=32,title=";
    assert!(github.starts_with(expected), "{github}");

    fs::write(folder.join("deploy/wharf.kdl"), "project \"x\"\n").unwrap();
    assert_eq!(session(&output("github")), "0\n--\n");
    assert_eq!(serde_json::from_slice::<Value>(&output("json").stdout).unwrap()["errors"], 0);
    assert_eq!(output("sarif").status.code(), Some(0));
}

#[test]
fn validate_says_how_many_warnings_the_files_allow() {
    let folder = folder("allowed");
    let service = |inner: &str| format!("service \"a\" {{ command \"x\"; port 8000; {inner} }}\n");
    let allow = "allow-warning \"no_readiness\" reason=\"it answers at once\"";
    fs::write(folder.join("a.kdl"), format!("project \"x\"\n{}", service(allow))).unwrap();
    let said = run(&folder, &["validate"]);
    assert!(said.starts_with("0\n") && said.ends_with("--\n1 warning that the files allow\n"), "{said}");
    assert!(run(&folder, &["validate", "-q"]).ends_with("--\n"));
    let json: Value =
        serde_json::from_slice(&wharf(&folder).args(["validate", "--format", "json"]).output().unwrap().stdout)
            .unwrap();
    assert_eq!((&json["warnings"], &json["allowed"][0]["reason"]), (&0.into(), &"it answers at once".into()));
    let gpu = format!("{allow}; resources {{ gpu 0 }}");
    fs::write(folder.join("a.kdl"), format!("project \"x\"\n{}", service(&gpu))).unwrap();
    assert!(run(&folder, &["validate"]).ends_with("1 warning, and 1 that the files allow\n"));
    assert!(run(&folder, &["explain", "no_readiness"]).contains("allow-warning"));
    assert!(!run(&folder, &["explain", "reserved_port"]).contains("allow-warning"));
}

#[test]
fn explain_tells_what_a_code_means() {
    let folder = folder("explain");
    let page = run(&folder, &["explain", "port_conflict"]);
    assert!(page.starts_with("1\n--\n") && page.contains("did you mean `wharf::lang::path_conflict`?"), "{page}");
    let page = run(&folder, &["explain", "wharf::plan::unsupported"]);
    assert!(page.starts_with("0\nwharf::plan::unsupported: the runtime cannot honour"), "{page}");
    assert!(page.contains("\nWrong:\n\n    environment") && page.contains("\nRight:\n\n    environment"), "{page}");
    let list = run(&folder, &["explain"]);
    assert!(list.lines().filter(|line| line.starts_with("wharf::")).count() > 35, "{list}");
    let hidden = run(&folder, &["explain", "disallowed_character"]);
    assert!(!hidden.contains('\u{202e}'), "{hidden}");
}

#[test]
fn every_code_of_a_plan_is_explained() {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../plan/src/problem.rs")).unwrap();
    let codes = source.split('"').filter(|text| text.starts_with("wharf::plan::"));
    let codes: Vec<_> = codes.map(|code| (code, wharf_lang::explain(code).is_some())).collect();
    assert!(codes.len() > 1 && codes.iter().all(|(_, explained)| *explained), "{codes:?}");
}

#[test]
fn schema_is_printed_for_people_programs_and_pages() {
    let folder = folder("schema");
    assert!(run(&folder, &["schema"]).starts_with("0\nproject <name>"));
    assert!(run(&folder, &["schema", "--format", "json"]).starts_with("0\n{"));
    assert!(run(&folder, &["schema", "--format", "markdown"]).starts_with("0\n# The language\n"));
    let kdl = run(&folder, &["schema", "--format", "kdl"]);
    let kdl = kdl.strip_prefix("0\n").unwrap().strip_suffix("--\n").unwrap();
    assert!(fed(&folder, &["fmt", "-"], kdl).starts_with("0\nschema version=1 {\n"));
}
