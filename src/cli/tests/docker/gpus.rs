//! GPUs: who gets which card, what the plan says when there is no seat, and what becomes of an instance whose card is gone.
//! The driver is a stand-in that tells what a file says; the engine is a real one, and puts nothing into its containers.

use crate::{
    engine::{self, image},
    site::{ask, containers, example},
    support::Site,
};
use bollard::query_parameters::InspectContainerOptions;
use std::{collections::BTreeMap, path::Path, process::Command};

const PROJECT: &str = r#"project "dk-gpus"

environment "default" { provider "docker" host="@HOST" }

service "chat" {
    image "@IMAGE"
    script "exec sleep 1000"
    env { MODEL "one" }
    resources { gpu 1 { driver ">=550" } }
    instances 2
    rollout { max-surge 1; max-unavailable 0; min-ready "100ms"; deadline "30s" }
    shutdown { grace "1s" }
}
"#;

const CARDS: &str = "driver 550.54.15\ncard GPU-1 24564 NVIDIA A10\ncard GPU-2 24564 NVIDIA A10\n";

/// Has the commands of the site find a driver that says this.
fn drive(site: &mut Site, says: &str) {
    let folder = site.dir.parent().unwrap().join("driver");
    if !folder.exists() {
        std::fs::create_dir(&folder).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../providers/gpu/tests/stand_in.c");
        let library = folder.join("libnvidia-ml.so.1");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status().unwrap();
        assert!(built.success());
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        site.env.insert("LD_LIBRARY_PATH".to_owned(), text(&folder));
        site.env.insert("STAND_IN_GPUS".to_owned(), text(&folder.join("gpus")));
    }
    std::fs::write(folder.join("gpus"), says).unwrap();
}

/// The cards of each instance, as the engine says.
fn seats(project: &str) -> BTreeMap<String, Vec<String>> {
    let instances = containers(project).into_iter().filter(|(name, runs)| *runs && !name.contains(".gateway."));
    let cards = |name: &str| {
        let found = ask(async |engine| engine.inspect_container(name, None::<InspectContainerOptions>).await.unwrap());
        let requests = found.host_config.unwrap().device_requests.unwrap_or_default();
        requests.into_iter().flat_map(|request| request.device_ids.unwrap_or_default()).collect()
    };
    instances.map(|(name, _)| (name.rsplit_once('.').unwrap().1.to_owned(), cards(&name))).collect()
}

/// The cards of all instances. Which of them gets which is theirs to find out, as they start side by side.
fn cards() -> Vec<String> {
    let mut cards: Vec<_> = seats("dk-gpus").into_values().flatten().collect();
    cards.sort();
    cards
}

/// A text without what an excerpt puts around it, or between its words when it wraps them.
fn words(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_whitespace() && *letter != '│').collect()
}

/// Holds that there is no plan, and that it says so in these words.
fn refused(site: &Site, expected: &[&str]) {
    let plan = site.run(&["plan"]);
    assert!(plan.code == 1 && plan.said.contains("wharf::plan::gpu"), "{}", plan.said);
    let said = words(&plan.said);
    expected.iter().for_each(|text| assert!(said.contains(&words(text)), "{text}\nis not in\n{}", plan.said));
}

#[test]
fn cards_are_handed_out_and_counted_before_anything_starts() {
    let mut site = Site::empty("dk-gpus");
    site.write("wharf.kdl", &PROJECT.replace("@HOST", &engine::host()).replace("@IMAGE", image::BUSYBOX));
    refused(&site, &["service.chat: the machine has no driver for GPUs"]);
    drive(&mut site, &CARDS.replace("550.54.15", "535.183.01"));
    refused(&site, &["the driver of the machine's GPUs is 535.183.01, and >=550 is asked for"]);
    drive(&mut site, CARDS);
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(cards(), ["GPU-1", "GPU-2"]);
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    assert_eq!(site.run(&["drift"]).code, 0);

    // One more than there are cards, for a moment: that is seen before anything is started.
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    let arithmetic = "chat-0-g2 finds no seat on a GPU when it is to be started: it takes a whole card; 0 of 2 free: GPU-1 \
                      (NVIDIA A10) is held by chat-";
    refused(&site, &[arithmetic, "`rollout { max-surge 0; max-unavailable 1 }`"]);
    site.replace("wharf.kdl", "max-surge 1; max-unavailable 0", "max-surge 0; max-unavailable 1");
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(cards(), ["GPU-1", "GPU-2"]);
    let stays = seats("dk-gpus").into_iter().find(|(_, cards)| cards[0] == "GPU-1").unwrap();

    // A card that is gone takes its instance with it; where there is another, the next one gets that.
    drive(&mut site, &CARDS.replace("card GPU-2", "lost GPU-2"));
    let drift = site.run(&["drift"]);
    assert!(drift.code == 2 && drift.said.contains("1 → GPU-2 is gone"), "{}", drift.said);
    refused(&site, &["it takes a whole card; 0 of 1 free"]);
    drive(&mut site, &format!("{}card GPU-3 24564 NVIDIA A10\n", CARDS.replace("card GPU-2", "lost GPU-2")));
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(cards(), ["GPU-1", "GPU-3"]);
    assert_eq!(seats("dk-gpus").get(&stays.0), Some(&stays.1));
    assert_eq!(site.run(&["drift"]).code, 0);

    // Shares of one card, as many as it has room for.
    site.replace("wharf.kdl", "gpu 1 { driver \">=550\" }", "gpu 0 { memory \"8GiB\"; cores 40 }");
    site.replace("wharf.kdl", "instances 2", "instances 3");
    refused(&site, &["it takes 8GiB and 40 of 100 cores of one card"]);
    site.done(&["destroy", "--yes", "-q"]);
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(cards(), ["GPU-1", "GPU-1", "GPU-3"]);
    site.done(&["destroy", "--yes", "-q"]);
}

#[test]
fn each_container_of_a_unit_gets_a_seat_or_none_does() {
    let mut site = Site::empty("dk-gpu-unit");
    let text = PROJECT.replace("dk-gpus", "dk-gpu-unit").replace("instances 2", "unit size=2");
    site.write("wharf.kdl", &text.replace("@HOST", &engine::host()).replace("@IMAGE", image::BUSYBOX));
    let card = |number: u32| format!("card GPU-{number} 24564 NVIDIA A10\n");
    drive(&mut site, &format!("driver 550.54.15\n{}", card(5)));
    refused(&site, &["chat-0-g1 finds no seat on a GPU", "0 of 1 free: GPU-5 (NVIDIA A10) is held by chat-0-g1"]);
    drive(&mut site, &format!("driver 550.54.15\n{}{}{}", card(5), card(6), card(7)));
    site.done(&["apply", "--yes", "-q"]);
    let own = || seats("dk-gpu-unit").into_values().flatten().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(own(), ["GPU-5".to_owned(), "GPU-6".to_owned()].into());
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);

    // The whole unit that comes finds no seats beside the whole one that is there; in its place, it does.
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    refused(&site, &["chat-0-g2 finds no seat on a GPU", "GPU-7 (NVIDIA A10) is held by chat-0-g2"]);
    site.replace("wharf.kdl", "max-surge 1; max-unavailable 0", "max-surge 0; max-unavailable 1");
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(own().len(), 2);
    site.done(&["destroy", "--yes", "-q"]);
}

#[test]
fn the_example_with_a_gpu_is_planned() {
    let mut site = Site::empty("llm");
    site.write("wharf.kdl", &std::fs::read_to_string(example("gpu-service").join("wharf.kdl")).unwrap());
    site.env.insert("DOCKER_HOST".to_owned(), engine::host());
    site.env.insert("WHARF_INPUT_image".to_owned(), image::PYTHON.to_owned());
    refused(&site, &["no driver"]);
    // Other cards than those that are handed out meanwhile: seats are counted on the whole engine.
    drive(&mut site, "driver 550.54.15\ncard GPU-8 24564 NVIDIA A10\ncard GPU-9 24564 NVIDIA A10\n");
    let plan = site.done(&["plan"]);
    assert!(plan.contains("service.llm"), "{plan}");
}
