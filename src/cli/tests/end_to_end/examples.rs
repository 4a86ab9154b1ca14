//! Every example is planned, applied, called and destroyed as a user would do it, its libraries fetched for real.

use crate::support::{Site, http};
use std::{fs, path::Path};

const TOKEN: &str = "example-token";

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (path, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.file_name().is_some_and(|name| name == ".wharf") {
            continue;
        }
        if path.is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn the_quick_start_runs_as_it_is() {
    let mut site = Site::empty("quickstart");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart");
    copy(&example, &site.dir);
    site.replace("wharf.kdl", "listen 8600", &format!("listen {}", site.port));
    site.env.insert("HELLO_TOKEN".to_owned(), TOKEN.to_owned());
    // How libraries are found is the host's affair.
    let of_pip = |name: &str| name.starts_with("PIP_") || name.ends_with("_proxy") || name.starts_with("SSL_CERT");
    site.env.extend(std::env::vars().filter(|(name, _)| of_pip(name)));

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
