//! A project with networks and a balancer on an engine: what it is made of, what is done to it by hand, and how its parts
//! follow each other.

use crate::{
    engine::{self, image},
    site::{TOKEN, ask, containers},
    support::{Site, http, ports, until},
};
use bollard::{models::NetworkDisconnectRequest, query_parameters::InspectContainerOptions};
use std::collections::BTreeSet;

const PROJECT: &str = r#"project "dk-nets"

secret "hello-token" { file "secrets/hello-token" }

environment "default" { provider "docker" host="@HOST" }

network "inner" cidr="10.205.0.0/24" { egress "off" }
network "outer"

gateway "public" { listen @PORT; network "outer" }
nlb "edge" { listener @NEXT target="hello" }

service "hello" {
    image "@IMAGE"
    command "python3" "/mnt/data/app.py"
    port 8000
    env { GREETING "one" }
    mount "/mnt/data" { folder "./app" read-only=#true }
    network "inner"
    instances 2
    health { readiness { http "/health"; every "1s" } }
    rollout { min-ready "300ms"; deadline "30s" }
    shutdown { grace "2s" }
    auth { token (secret)"hello-token" }
    expose "public"
}
"#;

/// The networks that a container of the project is in.
fn networks(name: &str) -> BTreeSet<String> {
    let container = format!("dk-nets.default.{name}");
    let found =
        ask(async |engine| engine.inspect_container(&container, None::<InspectContainerOptions>).await.unwrap());
    found.network_settings.unwrap().networks.unwrap().into_keys().collect()
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(|name| format!("dk-nets.default{name}")).into()
}

fn answers(port: u16) {
    let path = "/api/predict/hello/";
    until("the gateway answers", || http::get(port, path, Some(TOKEN)).is_ok_and(|answer| answer.status == 200));
}

fn balances(port: u16) {
    until("the balancer leads to an instance", || {
        http::get(port, "/health", None).is_ok_and(|answer| answer.status == 200)
    });
}

fn settled(site: &Site) {
    let plan = site.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, 0, "{}", plan.said);
    let drift = site.run(&["drift"]);
    assert_eq!(drift.code, 0, "{}", drift.said);
}

#[test]
fn what_lies_in_a_network_is_reached_by_doors_and_follows_it() {
    let site = Site::empty("dk-nets");
    let text = PROJECT.replace("@HOST", &engine::host()).replace("@IMAGE", image::PYTHON);
    site.write("wharf.kdl", &site.filled(&text));
    let app = crate::site::example("docker-quickstart").join("app/app.py");
    site.write("app/app.py", &std::fs::read_to_string(app).unwrap());
    site.write("secrets/hello-token", TOKEN);
    site.done(&["apply", "--yes", "-q"]);
    answers(site.port);
    balances(site.port + 1);
    settled(&site);
    assert_eq!(networks("hello-0-g1"), names([".network.inner.g1"]));
    assert_eq!(networks("gateway.public"), names(["", ".network.inner.g1", ".network.outer.g1"]));
    assert_eq!(networks("nlb.edge.g1"), names(["", ".network.inner.g1"]));

    // Out of its network, an instance is of no use, and the gateway out of its own is told, too.
    let disconnect = |container: &str, network: &str| {
        let (network, container) = (format!("dk-nets.default.{network}"), format!("dk-nets.default.{container}"));
        let request = NetworkDisconnectRequest { container, force: Some(true) };
        ask(async |engine| engine.disconnect_network(&network, request).await.unwrap());
    };
    disconnect("hello-0-g1", "network.inner.g1");
    let drift = site.run(&["drift"]);
    assert!(drift.code == 2 && drift.said.contains("inner → disconnected"), "{}", drift.said);
    site.done(&["apply", "--yes", "-q"]);
    disconnect("gateway.public", "network.outer.g1");
    let drift = site.run(&["drift"]);
    assert!(drift.code == 2 && drift.said.contains("gateway.public"), "{}", drift.said);
    site.done(&["apply", "--yes", "-q"]);
    disconnect("nlb.edge.g1", "network.inner.g1");
    assert_eq!(site.run(&["drift"]).code, 2, "a balancer that reaches nobody");
    site.done(&["apply", "--yes", "-q"]);
    balances(site.port + 1);
    settled(&site);

    // Another range is another network: what lies in it moves, and the old one goes.
    site.replace("wharf.kdl", "10.205.0.0/24", "10.205.1.0/24");
    site.done(&["apply", "--yes", "-q"]);
    answers(site.port);
    balances(site.port + 1);
    settled(&site);
    assert!(site.instances().values().all(|state| state == "ready"));
    assert_eq!(networks("gateway.public"), names(["", ".network.inner.g2", ".network.outer.g1"]));
    let all = ask(async |engine| engine.list_networks(None).await.unwrap());
    assert!(!all.iter().any(|network| network.name.as_deref() == Some("dk-nets.default.network.inner.g1")));

    // Another port takes another container; the new one finds the instances.
    let other = ports::two_free();
    let (here, there) = (format!("listener {} ", site.port + 1), format!("listener {other} "));
    site.replace("wharf.kdl", &here, &there);
    let plan = site.done(&["plan"]);
    assert!(plan.contains("will be out of reach where it is now"), "{plan}");
    site.done(&["apply", "--yes", "-q"]);
    balances(other);
    settled(&site);

    site.done(&["destroy", "--yes", "-q"]);
    assert!(containers("dk-nets").is_empty(), "{:#?}", containers("dk-nets"));
    let left = ask(async |engine| engine.list_networks(None).await.unwrap());
    assert!(!left.iter().any(|network| network.name.as_deref().is_some_and(|name| name.starts_with("dk-nets"))));
}
