//! What somebody does to containers by hand: `wharf drift` names exactly that, and an apply repairs it.

use crate::{
    engine::image,
    site::{ask, assert_settled, hello},
    support::Site,
};
use bollard::{
    models::{ContainerUpdateBody, NetworkDisconnectRequest},
    query_parameters::{RemoveContainerOptionsBuilder, TagImageOptionsBuilder},
};

const PROJECT: &str = "dk-drift";

fn container(instance: &str) -> String {
    format!("{PROJECT}.default.{instance}")
}

/// What drift says of one instance, and that it says nothing else; then repairs it.
fn found(site: &Site, class: &str, expected: &str) {
    let ran = site.run(&["drift", "--format", "json"]);
    assert_eq!(ran.code, 2, "{}", ran.said);
    let report: serde_json::Value = serde_json::from_str(&ran.said).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let text = |finding: &serde_json::Value| {
        let word = |name: &str| finding[name].as_str().unwrap_or("–").to_owned();
        format!("{} {}: {} → {}", word("class"), word("field"), word("recorded"), word("observed"))
    };
    let all: Vec<_> = findings.iter().map(text).collect();
    assert!(all.iter().all(|one| one.starts_with(class)), "{all:?}");
    assert!(all.iter().any(|one| one == expected), "{expected} is not in {all:?}");
    let addresses: Vec<_> = findings.iter().map(|finding| finding["address"].as_str().unwrap()).collect();
    assert!(addresses.windows(2).all(|pair| pair[0] == pair[1]), "{addresses:?}");
    site.done(&["apply", "--yes", "-q"]);
    assert_settled(site, PROJECT, expected);
    assert_eq!(site.run(&["drift"]).code, 0, "{expected}");
}

#[test]
fn what_is_done_to_containers_by_hand_is_drift() {
    let site = hello(PROJECT);
    site.replace("wharf.kdl", "    instances 2\n", "    instances 2\n    resources { memory \"256MiB\" }\n");
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(site.run(&["drift"]).code, 0);

    ask(async |engine| {
        let limits = ContainerUpdateBody { memory: Some(192 << 20), ..ContainerUpdateBody::default() };
        engine.update_container(&container("hello-0-g1"), limits).await.unwrap();
    });
    found(&site, "changed", "changed resources.memory: 256MiB → 192MiB");

    ask(async |engine| {
        let limits = ContainerUpdateBody { nano_cpus: Some(500_000_000), ..ContainerUpdateBody::default() };
        engine.update_container(&container("hello-1-g1"), limits).await.unwrap();
    });
    found(&site, "changed", "changed resources.cpu: – → 0.5");

    ask(async |engine| engine.stop_container(&container("hello-0-g2"), None).await.unwrap());
    let ran = site.run(&["drift", "--format", "json"]);
    assert!(ran.code == 2 && ran.said.contains("\"unhealthy\""), "{}", ran.said);
    site.done(&["apply", "--yes", "-q"]);

    ask(async |engine| {
        let force = RemoveContainerOptionsBuilder::default().force(true).build();
        engine.remove_container(&container("hello-1-g2"), Some(force)).await.unwrap();
    });
    found(&site, "missing", "missing object: – → –");

    // Nobody reaches it any more, so it is not ready either.
    ask(async |engine| {
        let request = NetworkDisconnectRequest { container: container("hello-0-g3"), force: Some(true) };
        engine.disconnect_network(&format!("{PROJECT}.default"), request).await.unwrap();
    });
    let said = site.run(&["drift"]).said;
    assert!(said.contains("network") && said.contains("disconnected"), "{said}");
    site.done(&["apply", "--yes", "-q"]);
    assert_settled(&site, PROJECT, "in its network again");

    // Another image under the same name is no drift: what runs is what was recorded. The plan tells of it.
    ask(async |engine| {
        let options = TagImageOptionsBuilder::default().repo("test/drifting").tag("1").build();
        engine.tag_image(image::PYTHON, Some(options)).await.unwrap();
    });
    site.replace("wharf.kdl", image::PYTHON, "test/drifting:1");
    site.done(&["apply", "--yes", "-q"]);
    ask(async |engine| image::import(&engine, "test/drifting:1", image::busybox_with(&[("other", "x")]), &[]).await);
    assert_eq!(site.run(&["drift"]).code, 0);
    let plan = site.run(&["plan", "--detailed-exitcode"]);
    assert!(plan.code == 2 && plan.said.contains("the content changed"), "{}", plan.said);
    ask(async |engine| {
        let options = TagImageOptionsBuilder::default().repo("test/drifting").tag("1").build();
        engine.tag_image(image::PYTHON, Some(options)).await.unwrap();
    });

    // A record that was lost is found again, as instances say from what they were started.
    std::fs::remove_dir_all(site.dir.join(".wharf/default/commits")).unwrap();
    std::fs::remove_dir_all(site.dir.join(".wharf/default/journal")).unwrap();
    site.done(&["adopt", "--yes", "-q"]);
    assert_settled(&site, PROJECT, "adopted");
    site.done(&["destroy", "--yes", "-q"]);
}
