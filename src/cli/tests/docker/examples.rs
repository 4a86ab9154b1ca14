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
use wharf_bucket_server::{ACCESS_KEY, Habit, SECRET_KEY, Server};

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
fn a_program_in_a_bucket_runs_in_containers_as_it_is() {
    let mut site = Site::empty("docker-object-storage");
    let server = Server::start(Habit::Honours);
    let code = server.bucket("examplebucket").join("code");
    fs::create_dir(&code).unwrap();
    fs::copy(example("object-storage").join("code/app.py"), code.join("app.py")).unwrap();
    site.write("wharf.kdl", &fs::read_to_string(example("object-storage").join("wharf.kdl")).unwrap());
    site.replace("wharf.kdl", "project \"object-storage\"", "project \"docker-object-storage\"");
    site.replace("wharf.kdl", "listen 8603", &format!("listen {}", site.port));
    let image = with_flask(&site);
    site.write(
        "where.kdl",
        &format!(
            "environment \"box\" {{\n    provider \"docker\"\n    service \"hello_flask\" {{ image \"{image}\" }}\n}}\n"
        ),
    );
    let env = [
        ("DOCKER_HOST", engine::host()),
        ("OSS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
        ("OSS_ACCESS_KEY_SECRET", SECRET_KEY.to_owned()),
        ("WHARF_INPUT_endpoint", format!("http://{}", server.address())),
        ("PIP_NO_INDEX", "1".to_owned()),
        ("PIP_FIND_LINKS", "/wheels".to_owned()),
    ];
    site.env.extend(env.map(|(name, value)| (name.to_owned(), value)));

    let plan = site.done(&["plan"]);
    assert!(plan.contains("287B to fetch; 1 files, 287B"), "{plan}");
    site.done(&["apply", "--yes", "-q"]);
    let hello = |site: &Site| http::get(site.port, "/api/predict/hello_flask/hello/model", None).unwrap();
    assert_eq!((hello(&site).status, hello(&site).body.as_str()), (200, "Hello World"));
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    assert_eq!(site.run(&["drift"]).code, 0);

    // Another program is another revision, and the way back fetches nothing.
    let program = fs::read_to_string(code.join("app.py")).unwrap();
    fs::write(code.join("app.py"), program.replace("Hello World", "Good morning")).unwrap();
    let plan = site.done(&["plan"]);
    assert!(plan.contains("1 to roll") && plan.contains("1 changed: app.py"), "{plan}");
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(hello(&site).body, "Good morning");
    let said = site.done(&["rollback", "@1", "--yes"]);
    assert!(!said.contains("prepare mount"), "what is kept is not fetched: {said}");
    assert_eq!(hello(&site).body, "Hello World");

    site.done(&["destroy", "--yes", "-q"]);
    assert!(containers("docker-object-storage").is_empty());
    let lent = site.root().join("home/.cache/wharf/content/engines");
    let left: Vec<_> =
        fs::read_dir(lent).unwrap().flat_map(|engine| fs::read_dir(engine.unwrap().path()).unwrap()).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// An image with Python and what pip needs to install Flask without a network. How that is found is the host's affair.
fn with_flask(site: &Site) -> &'static str {
    let (name, wheels) = ("test/python-with-flask:1", site.root().join("wheels"));
    let mut pip = std::process::Command::new("/usr/bin/python3");
    pip.args(["-m", "pip", "download", "-q", "-d"]).arg(&wheels).arg("flask==2.3.3");
    assert!(pip.status().unwrap().success());
    let files = fs::read_dir(&wheels).unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.path(), format!("wheels/{}", entry.file_name().to_string_lossy()))
    });
    let archive = image::python_with(&files.collect::<Vec<_>>());
    let variables = ["ENV PATH=/usr/bin:/bin", "ENV LANG=C.UTF-8"];
    ask(async |engine| image::import(&engine, name, archive, &variables).await);
    name
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

#[test]
fn a_gradual_release_moves_requests_by_weights_and_touches_no_instance() {
    let mut site = Site::empty("gradual-release");
    site.write("wharf.kdl", &fs::read_to_string(example("gradual-release").join("wharf.kdl")).unwrap());
    site.replace("wharf.kdl", "listen 8604", &format!("listen {}", site.port));
    let env = [("DOCKER_HOST", engine::host()), ("WHARF_INPUT_image", image::PYTHON.to_owned())];
    site.env.extend(env.map(|(name, value)| (name.to_owned(), value)));
    site.done(&["apply", "--yes", "-q"]);
    let before = containers("gradual-release");
    let words = |path: &str| -> Vec<String> {
        let ask = |_| http::get(site.port, path, None).unwrap().body.trim().to_owned();
        (0..200).map(ask).collect()
    };
    // Weights of 90 and 10: of 200 requests, some come to the new one, and far fewer than to the old one.
    let of_two = words("/api/predict/greeter/").iter().filter(|word| *word == "two").count();
    assert!((1..60).contains(&of_two), "{of_two} of 200");
    assert!(words("/api/predict/greeter-2/").iter().all(|word| word == "two"));

    let plan = site.done(&["plan", "--input", "new=0"]);
    assert!(plan.contains("group greeter weight") || plan.contains("weight"), "{plan}");
    site.done(&["apply", "--yes", "-q", "--input", "new=0"]);
    assert!(words("/api/predict/greeter/").iter().all(|word| word == "one"));
    assert_eq!(containers("gradual-release"), before, "no container was touched");
    site.done(&["destroy", "--yes", "-q"]);
    assert!(containers("gradual-release").is_empty());
}
