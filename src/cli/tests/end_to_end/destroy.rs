//! Destroy leaves nothing behind.

use crate::support::{Site, ports};
use serde_json::Value;
use std::{collections::BTreeSet, fs};

/// The ports that status names.
fn ports_of(status: &Value) -> BTreeSet<u16> {
    let port = |value: &Value| value.as_str().unwrap().rsplit_once(':').unwrap().1.parse().unwrap();
    let gateways = status["gateways"].as_array().unwrap().iter().map(|gateway| port(&gateway["listen"]));
    let services = status["services"].as_array().unwrap().iter();
    let instances = services.flat_map(|service| service["instances"].as_array().unwrap());
    gateways.chain(instances.map(|instance| port(&instance["endpoint"]))).collect()
}

#[test]
fn no_process_no_folder_and_no_port_is_left() {
    let site = Site::hello("destroy");
    let files = |site: &Site| -> BTreeSet<_> {
        fs::read_dir(&site.dir).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    let before = files(&site);
    site.done(&["apply", "--yes", "-q"]);
    let ports = ports_of(&site.status());
    assert_eq!(ports.len(), 3);
    assert!(ports.is_subset(&ports::listening()));

    site.done(&["destroy", "--yes", "-q"]);
    assert!(site.processes().is_empty(), "{:#?}", site.processes());
    let listening = ports::listening();
    assert!(ports.is_disjoint(&listening), "{:?}", ports.intersection(&listening).collect::<Vec<_>>());
    let mut after = files(&site);
    assert!(after.remove(std::ffi::OsStr::new(".wharf")));
    assert_eq!(after, before);
    assert!(!site.dir.join(".wharf/default/local").exists(), "the runtime's folder is left");
    for folder in ["home", "tmp"] {
        assert_eq!(fs::read_dir(site.root().join(folder)).unwrap().count(), 0, "something is left in {folder}");
    }

    assert_eq!(site.run(&["destroy", "--yes", "-q"]).code, 0, "a second time");
    site.done(&["apply", "--yes", "-q"]);
    site.assert_settled("applied anew");
}

/// Who destroys may have lost the secrets already.
#[test]
fn the_values_of_secrets_are_not_needed() {
    let site = Site::hello("destroy-secrets");
    site.done(&["apply", "--yes", "-q"]);
    fs::remove_dir_all(site.dir.join("secrets")).unwrap();
    site.done(&["destroy", "--yes", "-q"]);
    assert!(site.processes().is_empty());
}

/// The files may say something else by now: what goes is what was made.
#[test]
fn what_is_not_declared_any_more_goes_too() {
    let site = Site::hello("destroy-undeclared");
    site.done(&["apply", "--yes", "-q"]);
    site.write("wharf.kdl", "project \"destroy-undeclared\"\n");
    site.done(&["destroy", "--yes", "-q"]);
    assert!(site.processes().is_empty());
}
