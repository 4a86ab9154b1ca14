//! A path of a gateway passes from one service to another, in one apply each.

use crate::support::{Site, http};

const SERVICE: &str = r#"
service "NAME" {
    WAS
    command "python3" "/mnt/data/app.py"
    port 8000
    env { GREETING "NAME" }
    mount "/mnt/data" { folder "./app" read-only=#true }
    health { readiness { http "/health"; every "1s"; timeout "1s"; failures 5 } }
    rollout { min-ready "100ms"; deadline "30s" }
    expose "public" PATH
}
"#;

/// Writes a project of services with what they were called before, and their paths.
fn write(site: &Site, services: &[(&str, &str, &str)]) {
    let head = "project \"paths\"\ngateway \"public\" { listen @PORT }\n";
    let service = |(name, was, path): &(&str, &str, &str)| {
        SERVICE.replace("NAME", name).replace("WAS", was).replace("PATH", path)
    };
    let services: String = services.iter().map(service).collect();
    site.write("wharf.kdl", &site.filled(&format!("{head}{services}")));
}

fn apply(site: &Site, services: &[(&str, &str, &str)]) {
    write(site, services);
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    assert_eq!(site.run(&["drift"]).code, 0);
}

fn who_answers(site: &Site) -> String {
    let answer = http::get(site.port, "/chat/", None).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    told["greeting"].as_str().unwrap().to_owned()
}

#[test]
fn a_path_passes_to_another_service_to_a_new_one_and_with_a_name() {
    let site = Site::hello("paths");
    let path = "path=\"/chat\"";
    apply(&site, &[("one", "", path), ("two", "", "")]);
    assert_eq!(who_answers(&site), "one");
    apply(&site, &[("one", "", ""), ("two", "", path)]);
    assert_eq!(who_answers(&site), "two");
    apply(&site, &[("one", "", ""), ("three", "", path)]);
    assert_eq!(who_answers(&site), "three");
    apply(&site, &[("one", "", ""), ("four", "was \"three\"", path)]);
    assert_eq!(who_answers(&site), "four");

    // Nobody could be first.
    apply(&site, &[("one", "", "path=\"/one\""), ("four", "", path)]);
    write(&site, &[("one", "", path), ("four", "", "path=\"/one\"")]);
    let refused = site.run(&["plan"]);
    assert_ne!(refused.code, 0, "{}", refused.said);
    assert!(refused.said.contains("take paths of each other"), "{}", refused.said);
    assert_eq!(who_answers(&site), "four");
}
