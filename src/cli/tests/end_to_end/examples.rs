//! Every example is planned, applied, called and destroyed as a user would do it, its libraries fetched for real.

use crate::support::{Site, http};
use serde_json::Value;
use std::{fs, path::Path};
use wharf_bucket_server::{ACCESS_KEY, Habit, SECRET_KEY, Server};

const TOKEN: &str = "example-token";

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.file_name().is_some_and(|name| name == ".wharf") {
            continue;
        }
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// How libraries are found is the host's affair.
fn let_pip_find(site: &mut Site) {
    let of_pip = |name: &str| name.starts_with("PIP_") || name.ends_with("_proxy") || name.starts_with("SSL_CERT");
    site.env.extend(std::env::vars().filter(|(name, _)| of_pip(name)));
}

#[test]
fn the_quick_start_runs_as_it_is() {
    let mut site = Site::empty("quickstart");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart");
    copy(&example, &site.dir);
    site.replace("wharf.kdl", "listen 8600", &format!("listen {}", site.port));
    site.env.insert("HELLO_TOKEN".to_owned(), TOKEN.to_owned());
    let_pip_find(&mut site);

    let plan = site.done(&["plan"]);
    assert!(plan.contains("5 to create"), "{plan}");
    site.done(&["apply", "--yes", "-q"]);
    let answer = site.done(&["invoke", "hello"]);
    assert!(answer.contains(r#""greeting":"Hello from wharf""#), "{answer}");
    assert_eq!(http::get(site.port, "/api/predict/hello/", None).unwrap().status, 401);
    assert_eq!(http::get(site.port, "/api/predict/hello/", Some(TOKEN)).unwrap().status, 200);
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);

    // Prepared once, shared by what comes next: a roll fetches nothing.
    site.replace("wharf.kdl", "Hello from wharf", "Good morning");
    let said = site.done(&["apply", "--yes"]);
    assert!(!said.contains("prepare packages"), "{said}");
    assert!(site.done(&["invoke"]).contains("Good morning"));
    site.done(&["destroy", "--yes", "-q"]);
    assert_eq!(site.processes().len(), 0);
}

#[test]
fn a_program_in_a_bucket_runs_as_it_is() {
    let mut site = Site::empty("object-storage");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/object-storage");
    let server = Server::start(Habit::Honours);
    let bucket = server.bucket("examplebucket");
    copy(&example, &site.dir);
    copy(&site.dir.join("code"), &bucket.join("code"));
    fs::remove_dir_all(site.dir.join("code")).unwrap();
    site.replace("wharf.kdl", "listen 8603", &format!("listen {}", site.port));
    let own = [
        ("OSS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
        ("OSS_ACCESS_KEY_SECRET", SECRET_KEY.to_owned()),
        ("WHARF_INPUT_endpoint", format!("http://{}", server.address())),
    ];
    site.env.extend(own.map(|(name, value)| (name.to_owned(), value)));
    let_pip_find(&mut site);

    let plan = site.done(&["plan"]);
    assert!(plan.contains("287B to fetch; 1 files, 287B"), "{plan}");
    site.done(&["apply", "--yes", "-q"]);
    let hello = |site: &Site| http::get(site.port, "/api/predict/hello_flask/hello/model", None).unwrap();
    assert_eq!((hello(&site).status, hello(&site).body.as_str()), (200, "Hello World"));
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    assert_eq!(site.run(&["drift"]).code, 0);

    // Another program is another revision, and the way back fetches nothing.
    let program = fs::read_to_string(bucket.join("code/app.py")).unwrap();
    fs::write(bucket.join("code/app.py"), program.replace("Hello World", "Good morning")).unwrap();
    fs::write(bucket.join("code/extra.txt"), "x").unwrap();
    let plan = site.done(&["plan"]);
    assert!(plan.contains("1 to roll") && plan.contains("1 added: extra.txt; 1 changed: app.py"), "{plan}");
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(hello(&site).body, "Good morning");
    let said = site.done(&["rollback", "@1", "--yes"]);
    assert!(!said.contains("prepare mount"), "what is kept is not fetched: {said}");
    assert_eq!(hello(&site).body, "Hello World");

    // Both states are kept for the environment that knows them.
    let kept =
        |site: &Site| serde_json::from_str::<Value>(&site.done(&["mounts", "status", "--format", "json"])).unwrap();
    let both = kept(&site);
    assert_eq!((both["copies"].as_array().unwrap().len(), &both["reclaimable"]), (2, &Value::from(0)), "{both}");
    let said = site.done(&["mounts", "status"]);
    assert!(said.contains("oss://examplebucket/code/") && said.contains("needed by "), "{said}");
    site.done(&["mounts", "collect"]);
    assert_eq!(kept(&site)["stored"], both["stored"]);

    // A folder that is gone is no reason to touch what runs, and is told.
    fs::remove_dir_all(bucket.join("code")).unwrap();
    let plan = site.run(&["plan"]);
    assert!(plan.code == 1 && plan.said.contains("there is nothing in oss://examplebucket/code/"), "{}", plan.said);
    site.done(&["destroy", "--yes", "-q"]);
    assert_eq!(site.processes().len(), 0);
    // What nobody needs stays for whoever comes next, until somebody wants the room.
    let left = kept(&site);
    assert!(left["stored"].as_u64().unwrap() > 0 && left["stored"] == left["reclaimable"], "{left}");
    assert!(site.done(&["mounts", "status"]).contains("nobody needs it"));
    site.done(&["mounts", "collect"]);
    assert!(site.done(&["mounts", "status"]).starts_with("Nothing is kept in "));
}
