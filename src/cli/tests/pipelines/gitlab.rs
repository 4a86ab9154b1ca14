//! The scripts for GitLab, carried out as its runner does, against a server that keeps the notes of one merge request.

use super::{Runner, pipelines};
use crate::support::{Ran, Running, eventually};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

/// The part of GitLab's API that the scripts use. Notes of others begin with the same line as ours.
const SERVER: &str = r#"
import json, os, re, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

OWN, OTHER = {"id": 42}, {"id": 7}
kept = os.environ["KEPT"]
notes = [{"id": 1, "author": OTHER, "body": "<!-- wharf plan of gitlab in prod -->\n<!-- plan id: 0123 -->"}]

class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, found):
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def asked(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.headers.get("PRIVATE-TOKEN") != "let-me-in":
            return self.answer(401, {"message": "401 Unauthorized"})
        path = self.path.split("?")[0]
        request = (self.command, path)
        if request == ("GET", "/api/v4/user"):
            return self.answer(200, OWN)
        if request == ("GET", "/api/v4/projects/3/repository/commits/0123456789/merge_requests"):
            return self.answer(200, [{"iid": 9, "state": "merged"}, {"iid": 10, "state": "opened"}])
        own = re.fullmatch(r"/api/v4/projects/3/merge_requests/9/notes(?:/(\d+))?", path)
        if not own:
            return self.answer(404, {"message": "404 Not Found"})
        if self.command == "GET":
            return self.answer(200, notes)
        text = parse_qs(body)["body"][0]
        if self.command == "POST":
            notes.append({"id": len(notes) + 1, "author": OWN, "body": text})
        else:
            [note] = [note for note in notes if note["id"] == int(own[1])]
            note["body"] = text
        with open(kept + "/notes.json", "w") as file:
            json.dump(notes, file)
        with open(kept + "/asked", "a") as file:
            file.write(self.command + "\n")
        self.answer(200, {"id": 1})

    do_GET = do_POST = do_PUT = asked

server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
with open(kept + "/port.new", "w") as file:
    file.write(str(server.server_port))
os.rename(kept + "/port.new", kept + "/port")
server.timeout = 1
while os.getppid() == int(sys.argv[1]):
    server.handle_request()
"#;

/// A server that ends with this, and at the latest with the test.
struct Server(Child);

impl Server {
    /// Answers where it listens, too.
    fn start(runner: &Runner) -> (Self, u16) {
        let mut python = Command::new("python3");
        python.args(["-c", SERVER, &std::process::id().to_string()]).env("KEPT", &runner.kept).stdin(Stdio::null());
        let server = Self(python.spawn().unwrap());
        let port = eventually("the server listens", || fs::read_to_string(runner.kept.join("port")).ok()?.parse().ok());
        (server, port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Where it has ended there is nothing to end.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Runner {
    /// Carries out a job: its lines run in one shell, which stops at the first that fails.
    fn gitlab(&self, job: &str) -> Ran {
        let (_, yaml) = pipelines().into_iter().find(|(file, _)| file.starts_with("gitlab")).unwrap();
        let lines: Vec<_> = yaml[job]["script"].as_vec().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        let mut shell = Command::new("bash");
        shell.args(["-eo", "pipefail", "-c", &lines.join("\n")]).env_clear().envs(&self.site.env);
        Running::start(shell.current_dir(&self.site.dir).stdin(Stdio::null())).end()
    }

    fn notes(&self) -> Vec<String> {
        let notes: Value = serde_json::from_str(&self.kept("notes.json")).unwrap();
        notes.as_array().unwrap().iter().map(|note| note["body"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn the_scripts_for_gitlab_plan_comment_apply_and_look() {
    let mut runner = Runner::new("gitlab");
    let (_server, port) = Server::start(&runner);
    let more = [
        ("CI_API_V4_URL", format!("http://127.0.0.1:{port}/api/v4")),
        ("CI_PROJECT_ID", "3".to_owned()),
        ("CI_MERGE_REQUEST_IID", "9".to_owned()),
        ("CI_COMMIT_SHA", "0123456789".to_owned()),
        ("WHARF_COMMENTS", "let-me-in".to_owned()),
    ];
    runner.site.env.extend(more.map(|(name, value)| (name.to_owned(), value)));
    // What is looked for at the end must not be mended meanwhile.
    runner.site.replace("wharf.kdl", "instances 2", "instances 2\n    crash-block #true");

    // Nobody commented yet, so there is nothing to carry out.
    let unreviewed = runner.gitlab("apply");
    assert_eq!(unreviewed.code, 1, "{}", unreviewed.said);
    assert!(unreviewed.said.contains("merge request 9 has no plan"), "{}", unreviewed.said);

    // A plan is commented on, and when the request is changed the same note is: those of others stay as they are.
    let planned = runner.gitlab("plan");
    assert_eq!(planned.code, 0, "{}", planned.said);
    let first = runner.notes();
    assert!(first.len() == 2 && first[1].starts_with("<!-- wharf plan of gitlab in prod -->\n"), "{first:?}");
    runner.site.replace("wharf.kdl", "GREETING \"one\"", "GREETING \"two\"");
    assert_eq!(runner.gitlab("plan").code, 0);
    let second = runner.notes();
    assert_eq!((second.len(), &second[0]), (2, &first[0]));
    assert_ne!(second[1], first[1]);
    assert_eq!(runner.kept("asked"), "POST\nPUT\n");

    // It is merged. Had it become something else meanwhile, nothing would be done.
    runner.site.replace("wharf.kdl", "GREETING \"two\"", "GREETING \"three\"");
    assert_eq!(runner.gitlab("apply").code, 3);
    runner.site.replace("wharf.kdl", "GREETING \"three\"", "GREETING \"two\"");
    let applied = runner.gitlab("apply");
    assert_eq!(applied.code, 0, "{}", applied.said);
    assert_eq!(runner.site.instances().len(), 2);

    assert_eq!(runner.gitlab("drift").code, 0);
    let ends = |command: &str| command.contains("app.py");
    let instance = runner.site.processes().into_iter().find(|process| ends(&process.command)).unwrap();
    instance.signal(rustix::process::Signal::KILL);
    let drifted = eventually("the end is noticed", || {
        let ran = runner.gitlab("drift");
        (ran.code != 0).then_some(ran)
    });
    assert_eq!(drifted.code, 2, "{}", drifted.said);

    // Without the token the comment fails, and the job with it.
    runner.site.env.insert("WHARF_COMMENTS".to_owned(), "wrong".to_owned());
    assert_ne!(runner.gitlab("plan").code, 0);
    assert!(Path::new(&runner.site.dir).join("plan.json").exists());
}
