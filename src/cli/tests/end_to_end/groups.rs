//! A gradual release: the requests of a group move from one service to another, by weights, while callers go on.

use crate::support::{Site, TOKEN, http, load::Load, until};
use std::collections::BTreeMap;

const ENTRY: &str = "/api/predict/chat/";

const SERVICE: &str = r#"
service "NAME" {
    command "python3" "/mnt/data/app.py"
    port 8000
    env { GREETING "NAME" }
    mount "/mnt/data" { folder "./app" read-only=#true }
    health { readiness { http "/health"; every "1s"; timeout "1s"; failures 5 } }
    rollout { min-ready "300ms"; deadline "30s" }
    auth { token (secret)"hello-token" name="callers" }
    group "chat" weight=WEIGHT
    expose "public"
}
"#;

/// Writes these services, with their weights, and has them applied.
fn apply(site: &Site, services: &[(&str, u32)]) {
    let head = "project \"groups\"\nsecret \"hello-token\" { file \"secrets/hello-token\" }\n\
                gateway \"public\" { listen @PORT }\ngroup \"chat\" policy=\"weights\"\n";
    let service = |(name, weight): &(&str, u32)| SERVICE.replace("NAME", name).replace("WEIGHT", &weight.to_string());
    let services: String = services.iter().map(service).collect();
    site.write("wharf.kdl", &site.filled(&format!("{head}{services}")));
    site.done(&["apply", "--yes", "-q"]);
}

fn greeting(body: &str) -> String {
    let told: serde_json::Value = serde_json::from_str(body).unwrap();
    told["greeting"].as_str().unwrap().to_owned()
}

/// Sends requests, and counts who answered.
fn asks(site: &Site, path: &str, count: usize) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    let mut caller = http::Caller::new(site.port);
    for _ in 0..count {
        let answer = caller.get(path, Some(TOKEN)).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        *tally.entry(greeting(&answer.body)).or_default() += 1;
    }
    tally
}

fn only(name: &str, count: usize) -> BTreeMap<String, usize> {
    BTreeMap::from([(name.to_owned(), count)])
}

#[test]
fn a_weight_that_somebody_changed_in_the_gateway_is_drift() {
    let site = Site::hello("groups-by-hand");
    apply(&site, &[("chat", 90), ("next", 10)]);
    let folder = site.gateway();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let text = std::fs::read_to_string(folder.join("config.json")).unwrap();
        let mut config: wharf_gateway::Config = serde_json::from_str(&text).unwrap();
        config.generation += 1;
        let next = config.routes.iter_mut().find(|route| route.service == "next").unwrap();
        next.entry.as_mut().unwrap().weight = Some(1_000);
        let mut client = wharf_gateway::Client::connect(&folder).await.unwrap();
        client.replace(&config).await.unwrap();
    });
    let drift = site.run(&["drift"]);
    println!("{}", drift.said);
    assert_eq!(drift.code, 2, "{}", drift.said);
    assert!(drift.said.contains("route.public/next") && drift.said.contains("1 changed"), "{}", drift.said);
    assert!(drift.said.contains("weight 10 → chat, weight 1000"), "{}", drift.said);
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(site.run(&["drift"]).code, 0);
}

#[test]
fn a_release_moves_from_one_service_to_another_by_weights() {
    let site = Site::hello("groups");
    apply(&site, &[("chat", 100)]);
    until("the group answers", || http::get(site.port, ENTRY, Some(TOKEN)).is_ok_and(|answer| answer.status == 200));
    let load = Load::start(site.port, ENTRY, TOKEN);

    // One that weighs nothing is there, and is tried out by itself.
    apply(&site, &[("chat", 100), ("next", 0)]);
    assert_eq!(asks(&site, ENTRY, 200), only("chat", 200));
    for path in ["/api/predict/next/", "/api/predict/chat.next/"] {
        assert_eq!(asks(&site, path, 5), only("next", 5), "{path}");
    }
    assert_eq!(asks(&site, "/api/predict/chat.chat/", 5), only("chat", 5));

    // Weights change in place: nobody is started anew.
    let before = site.instances();
    apply(&site, &[("chat", 70), ("next", 30)]);
    let divided = asks(&site, ENTRY, 1_000);
    println!("70 to 30: {divided:?}");
    assert!((240..=360).contains(&divided["next"]), "{divided:?}");
    apply(&site, &[("chat", 0), ("next", 100)]);
    assert_eq!(asks(&site, ENTRY, 200), only("next", 200));
    assert_eq!(site.instances(), before);
    assert_eq!(site.run(&["drift"]).code, 0);

    // The old one goes, and nothing is left to do.
    apply(&site, &[("next", 100)]);
    assert_eq!(asks(&site, ENTRY, 50), only("next", 50));
    let plan = site.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, 0, "{}", plan.said);
    let (tally, _) = load.stop();
    println!("{} answered, {} failed", tally.answered(), tally.failures.len());
    assert!(tally.failures.is_empty() && tally.answered() > 0, "{:?}", tally.failures);
    let no_token = http::get(site.port, ENTRY, None).unwrap();
    assert_eq!(no_token.status, 401, "{}", no_token.body);

    site.done(&["destroy", "--yes", "-q"]);
    assert!(site.processes().is_empty());
    assert!(!site.dir.join(".wharf/default/objects").exists());
}
