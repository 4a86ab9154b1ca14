//! A project whose environment is on the engine.

use crate::{
    engine::{self, image},
    support::Site,
};
use bollard::{
    Docker,
    models::{ContainerSummary, ContainerSummaryStateEnum},
    query_parameters::ListContainersOptionsBuilder,
};
use std::{collections::BTreeMap, future::Future, path::Path};

/// Two instances of a program that greets, with times as short as a busy machine allows.
const PROJECT: &str = r#"project "@NAME"

secret "hello-token" { file "secrets/hello-token" }

environment "default" { provider "docker" host="@HOST" }

gateway "public" { listen @PORT }

service "hello" {
    image "@IMAGE"
    command "python3" "/mnt/data/app.py"
    port 8000
    env { GREETING "one" }
    mount "/mnt/data" { folder "./app" read-only=#true }
    instances 2
    health {
        readiness { http "/health"; every "1s"; timeout "1s"; failures 5 }
    }
    rollout { min-ready "300ms"; deadline "30s" }
    shutdown { grace "10s" }
    auth { token (secret)"hello-token" }
    expose "public"
}
"#;

/// The token of [`PROJECT`].
pub(crate) const TOKEN: &str = "open-sesame";

/// The folder of an example.
pub(crate) fn example(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

/// A folder with [`PROJECT`] in it.
pub(crate) fn hello(name: &str) -> Site {
    hello_at(name, &engine::host())
}

/// The same on the engine at this address.
pub(crate) fn hello_at(name: &str, host: &str) -> Site {
    let site = Site::empty(name);
    let text = PROJECT.replace("@NAME", name).replace("@HOST", host).replace("@IMAGE", image::PYTHON);
    site.write("wharf.kdl", &site.filled(&text));
    site.write("app/app.py", &std::fs::read_to_string(example("docker-quickstart").join("app/app.py")).unwrap());
    site.write("secrets/hello-token", TOKEN);
    site
}

/// Waits for an answer of the engine.
pub(crate) fn ask<T>(question: impl AsyncFnOnce(Docker) -> T) -> T {
    ask_at(&engine::host(), question)
}

/// Waits for an answer of the engine at this address.
pub(crate) fn ask_at<T>(host: &str, question: impl AsyncFnOnce(Docker) -> T) -> T {
    wait(async { question(Docker::connect_with_host(host).unwrap()).await })
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Every container of a project, with whether it runs, by its name.
pub(crate) fn containers(project: &str) -> BTreeMap<String, bool> {
    containers_at(&engine::host(), project)
}

/// The same of a project on the engine at this address.
pub(crate) fn containers_at(host: &str, project: &str) -> BTreeMap<String, bool> {
    let filters = std::collections::HashMap::from([("label", vec![format!("wharf.project={project}")])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let found = ask_at(host, async |engine| engine.list_containers(Some(options)).await.unwrap());
    let name = |container: &ContainerSummary| container.names.as_ref().unwrap()[0].trim_start_matches('/').to_owned();
    found
        .iter()
        .map(|container| (name(container), container.state == Some(ContainerSummaryStateEnum::RUNNING)))
        .collect()
}

/// What holds after every apply of [`PROJECT`] that went well: two instances, all ready, with their gateway and what they
/// mount, no container beyond those, and nothing left to do.
pub(crate) fn assert_settled(site: &Site, project: &str, note: &str) {
    assert_settled_at(&engine::host(), site, project, note);
}

/// The same on the engine at this address.
pub(crate) fn assert_settled_at(host: &str, site: &Site, project: &str, note: &str) {
    let instances = site.instances();
    assert!(instances.len() == 2 && instances.values().all(|state| state == "ready"), "{note}: {instances:?}");
    let containers = containers_at(host, project);
    let running: Vec<_> = containers.iter().filter(|(_, runs)| **runs).map(|(name, _)| name.clone()).collect();
    let prefix = format!("{project}.default.");
    let expected = instances.keys().map(|name| format!("{prefix}{name}")).chain([format!("{prefix}gateway.public")]);
    let mut expected: Vec<_> = expected.collect();
    expected.sort();
    assert_eq!(running, expected, "{note}: {containers:#?}");
    let resting = containers.iter().filter(|(_, runs)| !**runs).map(|(name, _)| name);
    let resting: Vec<_> = resting.filter(|name| !name.contains(".content.")).collect();
    assert!(resting.is_empty(), "{note}: {resting:?}");
    let plan = site.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, 0, "{note}: the plan must be empty\n{}", plan.said);
}
