//! P9: a secret's value reaches its instances and its callers, and nobody else.

use crate::support::{Running, Site, http, processes::Process};
use std::{fs, path::Path};

const CANARY: &str = "canary-4f9d2c81b7e6";
const OTHER: &str = "canary-0a5b6c7d8e9f";
const PATH: &str = "/api/predict/hello/";

const PROGRAM: &str = r#"
import hashlib, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = hashlib.sha256(os.environ["API_KEY"].encode()).hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Hello).serve_forever()
"#;

/// A webhook that nobody answers, told by an address and a header that are secret.
const NOTIFY: &str = "
notify \"chat\" {
    url \"http://127.0.0.1:1/\"
    headers { Authorization (secret)\"hello-token\" }
    retries 0
}
notify \"call\" { url (secret)\"hello-token\"; retries 0 }
";

/// A project whose secret is a token, a variable, a header and an address.
fn site(name: &str) -> Site {
    let mut site = Site::hello(name);
    site.replace("wharf.kdl", "file \"secrets/hello-token\"", "env \"CANARY\"");
    site.replace("wharf.kdl", "GREETING \"one\"", "API_KEY (secret)\"hello-token\"");
    site.write("notify.kdl", NOTIFY);
    site.write("app/app.py", PROGRAM);
    fs::remove_dir_all(site.dir.join("secrets")).unwrap();
    site.env.insert("CANARY".to_owned(), CANARY.to_owned());
    site
}

/// Every file below a folder that holds the text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            found.extend(holding(&path, text));
        } else if kind.is_file() {
            let bytes = fs::read(&path).unwrap();
            let holds = bytes.windows(text.len()).any(|window| window == text.as_bytes());
            found.extend(holds.then(|| path.display().to_string()));
        }
    }
    found
}

fn assert_untold(site: &Site, said: &str, when: &str) {
    for value in [CANARY, OTHER] {
        assert!(!said.contains(value), "{when} told it: {said}");
        // What programs keep at home and put aside for a while counts, too.
        let files = holding(site.root(), value);
        assert!(files.is_empty(), "{when} wrote it down: {files:?}");
        let processes = site.processes().into_iter().map(|Process { command, .. }| command);
        let shown: Vec<_> = processes.filter(|command| command.contains(value)).collect();
        assert!(shown.is_empty(), "{when} shows it in the list of processes: {shown:?}");
    }
}

/// The answer that proves that an instance has the value.
fn proof(value: &str) -> String {
    let sum = std::process::Command::new("python3")
        .args(["-c", "import hashlib, sys; print(hashlib.sha256(sys.argv[1].encode()).hexdigest(), end='')", value])
        .output();
    String::from_utf8(sum.unwrap().stdout).unwrap()
}

#[test]
fn a_value_shows_up_nowhere_but_where_it_is_needed() {
    let site = site("secret-canary");
    let commands: [&[&str]; 32] = [
        &["validate", "-vvv"],
        &["show", "--expanded", "--defaults"],
        &["explain", "service.hello"],
        &["plan", "-vvv"],
        &["plan", "--format", "json", "-vvv", "--out", "plan.json"],
        &["plan", "--format", "markdown", "--since", "plan.json"],
        &["plan", "--format", "svg"],
        &["plan", "--format", "html"],
        &["apply", "--yes", "-vvv", "--events", "events.ndjson", "--format", "json"],
        &["plan", "-vvv"],
        &["lock", "status", "-vvv"],
        &["recover", "--explain", "-vvv"],
        &["recover", "-vvv"],
        &["status", "-vvv"],
        &["status", "--format", "json", "-vvv"],
        &["invoke", "--include", "-vvv"],
        &["logs", "-vvv"],
        &["drift", "-vvv"],
        &["drift", "--format", "json"],
        &["drift", "--format", "markdown"],
        &["drift", "--format", "sarif"],
        &["drift", "--format", "prometheus"],
        &["state", "list"],
        &["state", "show", "service.hello", "--format", "json"],
        &["state", "show", "route.public/hello", "--format", "json"],
        &["show", "@1", "--format", "json"],
        &["log", "--format", "json"],
        &["log", "--operations", "--format", "json"],
        &["graph", "--format", "json"],
        &["rollout", "status", "--format", "json"],
        &["top", "--every", "100ms"],
        &["apply", "--yes", "-vvv"],
    ];
    for command in commands {
        assert_untold(&site, &site.done(command), &command.join(" "));
    }
    assert_eq!(site.done(&["invoke"]).trim(), proof(CANARY));
    assert_untold(&site, &site.done(&["destroy", "--yes", "-vvv"]), "destroy");
}

/// While it runs, too: what is only there for a moment is still there.
#[test]
fn a_value_is_in_no_process_list_while_instances_start() {
    let site = site("secret-moment");
    let mut apply = Running::start(&mut site.wharf(&["apply", "--yes", "-vvv"]));
    while !apply.has_ended() {
        let told: Vec<_> = site.processes().into_iter().filter(|process| process.command.contains(CANARY)).collect();
        assert!(told.is_empty(), "{told:?}");
    }
    let ended = apply.end();
    assert_eq!(ended.code, 0, "{}", ended.said);
    assert_untold(&site, &ended.said, "apply");
}

/// A revision that fails after one that served: rolled back, then killed half-way, then recovered.
#[test]
fn a_rollback_and_a_killed_apply_do_not_tell_the_value() {
    let mut site = site("secret-back");
    site.done(&["apply", "--yes", "-q"]);
    site.write("app/app.py", "import os, sys\nsys.exit(f'no luck for {len(os.environ[\"API_KEY\"])}')\n");
    let events = ["apply", "--yes", "-vvv", "--events", "events.ndjson"];
    let back = site.run(&events);
    assert_eq!(back.code, 6, "{}", back.said);
    assert_untold(&site, &back.said, "a rollback");
    site.write("app/app.py", PROGRAM);
    site.replace("wharf.kdl", "API_KEY", "LEVEL \"two\"; API_KEY");
    for at in ["5", "9", "14"] {
        site.env.insert("WHARF_DIES_AT".to_owned(), at.to_owned());
        let killed = site.run(&events);
        assert_untold(&site, &killed.said, "an apply that was killed");
    }
    site.env.remove("WHARF_DIES_AT");
    assert_untold(&site, &site.done(&["recover", "--explain", "-vvv"]), "recover");
    assert_untold(&site, &site.done(&events), "the apply after it");
    assert_eq!(site.done(&["invoke"]).trim(), proof(CANARY));
}

#[test]
fn a_failing_revision_does_not_tell_the_value() {
    let site = site("secret-failing");
    site.replace("wharf.kdl", "deadline \"30s\"", "deadline \"1s\"");
    site.write("app/app.py", "import time\nprint('up')\ntime.sleep(600)\n");
    let apply = site.run(&["apply", "--yes", "-vvv"]);
    assert_ne!(apply.code, 0, "{}", apply.said);
    assert_untold(&site, &apply.said, "apply");
}

#[test]
fn another_value_rolls_the_service_and_shuts_the_old_token_out() {
    let mut site = site("secret-changed");
    site.done(&["apply", "--yes", "-q"]);
    let status = |value| http::get(site.port, PATH, Some(value)).unwrap().status;
    assert_eq!((status(CANARY), status(OTHER)), (200, 401));

    site.env.insert("CANARY".to_owned(), OTHER.to_owned());
    let plan = site.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, 2, "{}", plan.said);
    let rows: Vec<_> = plan.said.lines().filter(|line| line.contains("has another value")).collect();
    assert!(rows.iter().any(|row| row.contains("env.API_KEY")), "{}", plan.said);
    assert!(rows.iter().any(|row| row.contains("auth.token")), "{}", plan.said);
    assert_untold(&site, &plan.said, "plan");

    assert_untold(&site, &site.done(&["apply", "--yes", "-vvv"]), "apply");
    let status = |value| http::get(site.port, PATH, Some(value)).unwrap().status;
    assert_eq!((status(CANARY), status(OTHER)), (401, 200));
    assert_eq!(site.done(&["invoke"]).trim(), proof(OTHER));
    site.assert_settled("with the other value");
}
