//! An instance of several containers, as a user has it: the example as it is, a member that dies, and a new program.

use crate::{
    engine::{self, image},
    site::{ask, containers, example},
    support::{Site, http, until},
};
use bollard::query_parameters::KillContainerOptionsBuilder;
use std::fs;

const PROJECT: &str = "distributed-unit";

fn kill(name: &str) {
    let options = KillContainerOptionsBuilder::default().signal("KILL").build();
    let container = format!("{PROJECT}.box.{name}");
    ask(async |engine| engine.kill_container(&container, Some(options)).await.unwrap());
}

/// The containers of the instance, of which all run.
fn members() -> Vec<String> {
    let all = containers(PROJECT);
    let own = all.iter().filter(|(name, _)| name.contains(".squares-"));
    assert!(own.clone().all(|(_, runs)| *runs), "{all:#?}");
    own.map(|(name, _)| name.trim_start_matches("distributed-unit.box.").to_owned()).collect()
}

fn sum(site: &Site) -> Option<String> {
    let answer = http::get(site.port, "/api/predict/squares/1000", None).ok()?;
    (answer.status == 200).then(|| answer.body.trim().to_owned())
}

#[test]
fn a_unit_works_together_and_is_replaced_as_a_whole() {
    let mut site = Site::empty(PROJECT);
    let from = example(PROJECT);
    for file in ["wharf.kdl", "code/unit.py"] {
        site.write(file, &fs::read_to_string(from.join(file)).unwrap());
    }
    site.replace("wharf.kdl", "listen 8603", &format!("listen {}", site.port));
    let env = [("DOCKER_HOST", engine::host()), ("WHARF_INPUT_image", image::PYTHON.to_owned())];
    site.env.extend(env.map(|(name, value)| (name.to_owned(), value)));

    let plan = site.done(&["plan"]);
    assert!(plan.contains("3 machines"), "{plan}");
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(members(), ["squares-0-g1", "squares-0-g1.1", "squares-0-g1.2"]);
    let squares: u64 = (0..1000).map(|number| number * number).sum();
    assert_eq!(sum(&site), Some(squares.to_string()));
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    assert_eq!(site.run(&["drift"]).code, 0);

    // What each of them printed is there.
    let logs = site.done(&["logs", "squares"]);
    for words in ["squares-0-g1 │ all 3 ranks are here", "squares-0-g1.2 │ rank 2 of 3 met rank 0"] {
        assert!(logs.contains(words), "{words}: {logs}");
    }

    // A member that dies: the instance is dead, drift says who it was, and apply replaces all three.
    kill("squares-0-g1.2");
    let drift = site.run(&["drift"]);
    assert!(drift.code == 2 && drift.said.contains("rank 2: killed by SIGKILL"), "{}", drift.said);
    let status = site.done(&["status"]);
    assert!(status.contains("rank 2: killed by SIGKILL"), "{status}");
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(members(), ["squares-0-g2", "squares-0-g2.1", "squares-0-g2.2"]);
    until("the new unit answers", || sum(&site) == Some(squares.to_string()));

    // A larger one is another one, whole before the old one goes.
    site.replace("wharf.kdl", "unit size=3", "unit size=2");
    let plan = site.done(&["plan"]);
    assert!(plan.contains("3 machines → 2 machines"), "{plan}");
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(members(), ["squares-0-g3", "squares-0-g3.1"]);
    assert_eq!(sum(&site), Some(squares.to_string()));

    // One that never comes together is rolled back, and what served serves on.
    site.replace(
        "wharf.kdl",
        "command \"python3\" \"/mnt/code/unit.py\"",
        "script \"test $RANK_ID = 0 && exec sleep 60; exit 4\"",
    );
    let failed = site.run(&["apply", "--yes"]);
    assert!(failed.code == 6 && failed.said.contains("rank 1: exited with code 4"), "{}", failed.said);
    assert_eq!(members(), ["squares-0-g3", "squares-0-g3.1"]);
    assert_eq!(sum(&site), Some(squares.to_string()));
    site.done(&["destroy", "--yes", "-q"]);
    assert!(containers(PROJECT).is_empty());
}
