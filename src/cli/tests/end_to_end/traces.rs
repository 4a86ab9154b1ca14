//! Traces of requests: a collector that is named in the files is told of them, and its key stays a secret.

use crate::support::{Site, TOKEN, http, until};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

const PATH: &str = "/api/predict/hello/";
const KEY: &str = "only-for-collectors";
const NEW_KEY: &str = "for-collectors-of-today";

/// What a collector was sent: the key that came with it, and the spans.
type Sent = Arc<Mutex<Vec<(String, Value)>>>;

/// Takes what is sent, each on a connection of its own, until the test's process ends.
fn collector() -> (u16, Sent) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let sent = Sent::default();
    let kept = sent.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            kept.lock().unwrap().extend(take(stream));
        }
    });
    (port, sent)
}

fn take(stream: TcpStream) -> Vec<(String, Value)> {
    let mut stream = BufReader::new(stream);
    let (mut key, mut length, mut line) = (String::new(), 0, String::new());
    while stream.read_line(&mut line).unwrap_or(0) > 2 {
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("x-key") => key = value.to_owned(),
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
            _ => {}
        }
        line.clear();
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let told = &body["resourceSpans"][0];
    let from = told["resource"]["attributes"].to_string();
    assert!(from.contains("\"public\"") && from.contains("\"traces\"") && from.contains("\"default\""), "{from}");
    let spans = told["scopeSpans"][0]["spans"].as_array().unwrap();
    spans.iter().map(|span| (key.clone(), span.clone())).collect()
}

#[test]
fn a_collector_is_told_of_requests_and_its_key_stays_secret() {
    let (port, sent) = collector();
    let site = Site::hello("traces");
    site.done(&["apply", "--yes", "-q"]);
    let before = site.instances();
    let traces = format!(
        "{{\n    listen {}\n    traces {{\n        otlp \"http://127.0.0.1:{port}\"\n        headers {{ X-Key (secret)\"key\" }}\n    }}\n}}\n\
         secret \"key\" {{ file \"secrets/key\" }}",
        site.port
    );
    site.replace("wharf.kdl", &format!("{{ listen {} }}", site.port), &traces);
    site.write("secrets/key", KEY);
    let plan = site.run(&["plan"]).said;
    assert!(plan.contains("gateway.traces.headers.X-Key") && !plan.contains(KEY), "{plan}");
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(site.instances(), before, "nobody is started anew for it");
    until("a request is told of", || {
        http::get(site.port, PATH, Some(TOKEN)).is_ok() && !sent.lock().unwrap().is_empty()
    });
    let (key, span) = sent.lock().unwrap().last().unwrap().clone();
    println!("{span:#}");
    assert_eq!((key.as_str(), &span["name"]), (KEY, &Value::from("GET public/hello")));
    site.assert_settled("with a collector");
    assert_eq!(site.run(&["drift"]).code, 0);

    // Another key is a change that the plan tells of without telling it, and the gateway sends that one from then on.
    site.write("secrets/key", NEW_KEY);
    let plan = site.run(&["plan"]).said;
    assert!(plan.contains("gateway.traces.headers.X-Key") && !plan.contains(NEW_KEY), "{plan}");
    site.done(&["apply", "--yes", "-q"]);
    until("the other key is sent", || {
        http::get(site.port, PATH, Some(TOKEN)).is_ok() && sent.lock().unwrap().iter().any(|(key, _)| key == NEW_KEY)
    });
    site.assert_settled("with another key");
    let told =
        [site.done(&["show", "@2"]), site.done(&["log", "--operations"]), site.done(&["status", "--format", "json"])];
    let told = told.concat();
    assert!(!told.contains(KEY) && !told.contains(NEW_KEY), "{told}");
    // The gateway has to know it, also when it is started again by itself: in a file for its user alone.
    let holding = files(&site.dir.join(".wharf")).into_iter().filter(|file| {
        let text = fs::read(file).unwrap_or_default();
        String::from_utf8_lossy(&text).contains(NEW_KEY) || String::from_utf8_lossy(&text).contains(KEY)
    });
    for file in holding {
        assert_eq!(file.file_name().unwrap(), "config.json", "{}", file.display());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0, "{}", file.display());
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
