//! What instances write, and when it shows.

use crate::support::{Site, TOKEN, http, until};
use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    sync::{Arc, Mutex},
    thread,
};

const PROGRAM: &str = r#"
import os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path != "/health":
            print("asked for", self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass

for number in range(5):
    print("line", number)
print("a complaint", file=sys.stderr)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Hello).serve_forever()
"#;

fn site(name: &str) -> Site {
    let site = Site::hello(name);
    site.write("app/app.py", PROGRAM);
    site.done(&["apply", "--yes", "-q"]);
    site
}

/// What follows the time of each line.
fn lines(said: &str) -> Vec<&str> {
    said.lines().map(|line| line.split_once("Z ").unwrap().1).collect()
}

#[test]
fn logs_shows_the_lines_of_every_instance() {
    let site = site("logs");
    let said = site.done(&["logs"]);
    let lines_of = |instance: &str| -> Vec<String> {
        let rows = lines(&said).into_iter().filter_map(|line| line.strip_prefix(instance));
        rows.map(|row| row.trim_start_matches([' ', '│']).to_owned()).collect()
    };
    for instance in ["hello-0-g1", "hello-1-g1"] {
        let mut rows = lines_of(instance);
        // Two pipes lead to the log, and only what came through one is in order.
        rows.sort();
        assert_eq!(rows, ["a complaint", "line 0", "line 1", "line 2", "line 3", "line 4"], "{said}");
    }
    assert_eq!(site.done(&["logs", "hello"]), said);
    let unknown = site.run(&["logs", "helo"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.said.contains("there is no service `helo`"), "{}", unknown.said);
}

#[test]
fn a_tail_is_as_long_as_was_asked_for() {
    let site = site("logs-tail");
    assert_eq!(lines(&site.done(&["logs", "-n", "2"])).len(), 4);
    assert_eq!(lines(&site.done(&["logs", "-n", "0"])).len(), 0);
}

#[test]
fn a_follower_hears_of_new_lines() {
    let site = site("logs-follow");
    let mut follower = site.wharf(&["logs", "-f", "-n", "1"]).stdout(Stdio::piped()).spawn().unwrap();
    let heard = Arc::new(Mutex::new(Vec::<String>::new()));
    let (output, heard_too) = (follower.stdout.take().unwrap(), heard.clone());
    let reader = thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).for_each(|line| heard_too.lock().unwrap().push(line));
    });
    let hears = |text: &str| heard.lock().unwrap().iter().filter(|line| line.ends_with(text)).count();
    until("the tail is shown", || heard.lock().unwrap().len() >= 2);
    for path in ["/first", "/second"] {
        assert_eq!(hears(path), 0);
        http::get(site.port, &format!("/api/predict/hello{path}"), Some(TOKEN)).unwrap();
        until("the new line is shown", || hears(&format!("asked for {path}")) == 1);
    }
    follower.kill().unwrap();
    follower.wait().unwrap();
    reader.join().unwrap();
    assert_eq!((hears("/first"), hears("/second")), (1, 1), "each once");
}
