//! Every example for an engine is planned, applied, called and destroyed as a user would do it.

use crate::{
    engine::{
        self, image,
        registry::{PASSWORD, Registry},
    },
    site::{ask, containers, example},
    support::{Site, http},
};
use std::fs;

const TOKEN: &str = "example-token";

#[test]
fn the_quick_start_on_docker_runs_as_it_is() {
    let mut site = Site::empty("docker-quickstart");
    let from = example("docker-quickstart");
    site.write("wharf.kdl", &fs::read_to_string(from.join("wharf.kdl")).unwrap());
    site.write("app/app.py", &fs::read_to_string(from.join("app/app.py")).unwrap());
    site.replace("wharf.kdl", "listen 8601", &format!("listen {}", site.port));
    let env = [("HELLO_TOKEN", TOKEN), ("DOCKER_HOST", &engine::host()), ("WHARF_INPUT_image", image::PYTHON)];
    site.env.extend(env.map(|(name, value)| (name.to_owned(), value.to_owned())));

    let plan = site.done(&["plan"]);
    assert!(plan.contains("(docker): 5 to create"), "{plan}");
    site.done(&["apply", "--yes", "-q"]);
    let answer = site.done(&["invoke", "hello"]);
    assert!(answer.contains(r#""greeting": "Hello from a container""#), "{answer}");
    assert_eq!(http::get(site.port, "/api/predict/hello/", None).unwrap().status, 401);
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    assert!(site.done(&["status"]).contains("2/2 ready"));

    // A look around in an instance.
    let ask = "import os, sys; print(os.environ['WHARF_INSTANCE'], sys.stdin.read()); sys.exit(3)";
    let ran = site.run(&["exec", "hello-1-g1", "--", "python3", "-c", ask]);
    assert!(ran.code == 1 && ran.said.contains("hello-1-g1") && ran.said.contains("ended with code 3"), "{}", ran.said);
    let ran = site.run(&["exec", "hello", "--", "python3"]);
    assert!(ran.code == 1 && ran.said.contains("name one of: hello-0-g1, hello-1-g1"), "{}", ran.said);
    site.done(&["destroy", "--yes", "-q"]);
    assert!(containers("docker-quickstart").is_empty());
}

#[test]
fn the_private_registry_lets_those_in_who_know_the_password() {
    let registry = Registry::start();
    ask(async |_| drop(registry.push("team/word", "swordfish").await));
    let mut site = Site::empty("private-registry");
    site.write("wharf.kdl", &fs::read_to_string(example("private-registry").join("wharf.kdl")).unwrap());
    site.replace("wharf.kdl", "listen 8602", &format!("listen {}", site.port));
    site.replace(
        "wharf.kdl",
        "registry \"registry.example.com\" user",
        &format!("registry \"{}\" user", registry.host),
    );
    let env = [("DOCKER_HOST", engine::host()), ("WHARF_INPUT_registry", registry.host.clone())];
    site.env.extend(env.map(|(name, value)| (name.to_owned(), value)));

    site.env.insert("REGISTRY_PASSWORD".to_owned(), "wrong".to_owned());
    let refused = site.run(&["apply", "--yes"]);
    assert!(refused.code != 0 && refused.said.contains("does not let us"), "{}", refused.said);
    site.env.insert("REGISTRY_PASSWORD".to_owned(), PASSWORD.to_owned());
    let said = site.done(&["apply", "--yes"]);
    assert!(said.contains("pulling ") && !said.contains(PASSWORD), "{said}");
    assert_eq!(site.done(&["invoke"]).trim(), "swordfish");
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    site.done(&["destroy", "--yes", "-q"]);
    assert!(containers("private-registry").is_empty());
}
