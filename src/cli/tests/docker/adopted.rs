//! A network that somebody else made: instances lie in it, the gateway comes into it, and it is left as it was.

use crate::{
    engine::{self, image},
    site::{TOKEN, ask, containers},
    support::{Site, http, until},
};
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest, NetworkDisconnectRequest};
use std::collections::BTreeMap;

const PROJECT: &str = r#"project "dk-adopts"

secret "hello-token" { file "secrets/hello-token" }

environment "default" { provider "docker" host="@HOST" }

network "corp" { id "wharf-test-corp" }

gateway "public" { listen @PORT }

service "hello" {
    image "@IMAGE"
    command "python3" "/mnt/data/app.py"
    port 8000
    env { GREETING "one" }
    mount "/mnt/data" { folder "./app" read-only=#true }
    network "corp"
    instances 2
    health { readiness { http "/health"; every "1s" } }
    rollout { min-ready "300ms"; deadline "30s" }
    shutdown { grace "2s" }
    auth { token (secret)"hello-token" }
    expose "public"
}
"#;

const NETWORK: &str = "wharf-test-corp";

fn make() {
    let config = IpamConfig { subnet: Some("10.206.0.0/24".to_owned()), ..IpamConfig::default() };
    let request = NetworkCreateRequest {
        name: NETWORK.to_owned(),
        driver: Some("bridge".to_owned()),
        ipam: Some(Ipam { config: Some(vec![config]), ..Ipam::default() }),
        labels: Some([("owner".to_owned(), "somebody".to_owned())].into()),
        ..NetworkCreateRequest::default()
    };
    ask(async |engine| engine.create_network(request).await.map(drop).unwrap());
}

/// Whoever is in it, by name, with the address there.
fn inside() -> BTreeMap<String, String> {
    let found = ask(async |engine| engine.inspect_network(NETWORK, None).await.unwrap());
    assert_eq!(found.labels.unwrap().keys().collect::<Vec<_>>(), ["owner"], "it is as it was made");
    let containers = found.containers.unwrap_or_default().into_values();
    containers.map(|one| (one.name.unwrap(), one.ipv4_address.unwrap())).collect()
}

/// Its owner takes it away, whoever is in it.
fn take_away() {
    for container in inside().into_keys() {
        let request = NetworkDisconnectRequest { container, force: Some(true) };
        ask(async |engine| engine.disconnect_network(NETWORK, request).await.unwrap());
    }
    ask(async |engine| engine.remove_network(NETWORK).await.unwrap());
}

fn settled(site: &Site) {
    let path = "/api/predict/hello/";
    until("the gateway answers", || http::get(site.port, path, Some(TOKEN)).is_ok_and(|answer| answer.status == 200));
    let plan = site.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, 0, "{}", plan.said);
    let drift = site.run(&["drift"]);
    assert_eq!(drift.code, 0, "{}", drift.said);
}

#[test]
fn a_network_of_somebody_else_is_used_and_left_as_it_is() {
    let site = Site::empty("dk-adopts");
    let text = PROJECT.replace("@HOST", &engine::host()).replace("@IMAGE", image::PYTHON);
    site.write("wharf.kdl", &site.filled(&text));
    let app = crate::site::example("docker-quickstart").join("app/app.py");
    site.write("app/app.py", &std::fs::read_to_string(app).unwrap());
    site.write("secrets/hello-token", TOKEN);

    // Nobody makes it: the plan says where it is named, and what helps.
    let refused = site.run(&["plan"]);
    assert_eq!(refused.code, 1, "{}", refused.said);
    for words in ["network.corp: the engine at", "wharf.kdl:7", "docker network create --subnet"] {
        assert!(refused.said.contains(words), "{words}: {}", refused.said);
    }

    make();
    site.done(&["apply", "--yes", "-q"]);
    settled(&site);
    let own = |names: [&str; 3]| names.map(|name| format!("dk-adopts.default.{name}"));
    assert_eq!(inside().into_keys().collect::<Vec<_>>(), own(["gateway.public", "hello-0-g1", "hello-1-g1"]));
    // The engine gives others the first addresses.
    assert!(inside().values().all(|address| address.starts_with("10.206.0.25")), "{:?}", inside());

    take_away();
    let drift = site.run(&["drift"]);
    assert!(drift.code == 2 && drift.said.contains("network.corp"), "{}", drift.said);
    let refused = site.run(&["apply", "--yes", "-q"]);
    assert!(refused.code == 1 && refused.said.contains("network.corp: the engine at"), "{}", refused.said);
    make();
    assert_eq!(site.run(&["drift"]).code, 2, "its instances are in none");
    site.done(&["apply", "--yes", "-q"]);
    settled(&site);
    assert!(site.instances().values().all(|state| state == "ready"));

    // In a network of the project's own, nothing is left in the other, which stays.
    site.replace("wharf.kdl", "network \"corp\" { id \"wharf-test-corp\" }", "network \"corp\"");
    site.done(&["apply", "--yes", "-q"]);
    settled(&site);
    assert_eq!(inside(), BTreeMap::new());
    site.replace("wharf.kdl", "\n\nnetwork \"corp\"", "\n\nnetwork \"corp\" { id \"wharf-test-corp\" }");
    site.done(&["apply", "--yes", "-q"]);
    settled(&site);

    // Also when it is gone, what lies in it can be removed.
    take_away();
    site.done(&["destroy", "--yes", "-q"]);
    assert!(containers("dk-adopts").is_empty(), "{:#?}", containers("dk-adopts"));
    make();
    site.done(&["apply", "--yes", "-q"]);
    settled(&site);
    site.done(&["destroy", "--yes", "-q"]);
    assert!(containers("dk-adopts").is_empty(), "{:#?}", containers("dk-adopts"));
    assert_eq!(inside(), BTreeMap::new());
}
