//! Whatever the project, and whatever somebody does to what was made of it: after an apply there is no drift, after a
//! change by hand drift names exactly that, and the next apply repairs exactly that.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "records are files")]

mod memory;

use memory::{Site, parse};
use proptest::prelude::*;
use std::{collections::BTreeSet, fmt::Write};
use wharf_model::{Deployment, Record, Timestamp};
use wharf_plan::drift::{Drift, DriftInput, Former, drift};

/// A service as it is generated.
#[derive(Debug, Clone)]
struct Service {
    instances: u32,
    /// Through which gateways it is reached, one bit each.
    gateways: u8,
    mounted: bool,
}

#[derive(Debug, Clone)]
struct Project {
    gateways: u8,
    services: Vec<Service>,
}

fn project() -> impl Strategy<Value = Project> {
    let service = (1..4_u32, any::<u8>(), any::<bool>());
    let service = service.prop_map(|(instances, gateways, mounted)| Service { instances, gateways, mounted });
    (1..3_u8, prop::collection::vec(service, 1..4)).prop_map(|(gateways, services)| Project { gateways, services })
}

impl Project {
    fn text(&self) -> String {
        let mut text = "project \"shop\"\n".to_owned();
        for gateway in 0..self.gateways {
            writeln!(text, "gateway \"g{gateway}\" {{ listen {} }}", 8_600 + u16::from(gateway)).unwrap();
        }
        for (number, Service { instances, mounted, .. }) in self.services.iter().enumerate() {
            let mount = if *mounted { "mount \"/m\" { folder \"./app\" read-only=#true };" } else { "" };
            let exposes: String = self.exposes(number).map(|gateway| format!("expose \"{gateway}\";")).collect();
            writeln!(
                text,
                "service \"s{number}\" {{ command \"x\"; port 8000; env {{ A \"1\" }}; instances {instances}; {mount} {exposes}\n\
                 health {{ readiness {{ http \"/\" }} }}; rollout {{ min-ready \"0s\" }}; shutdown {{ grace \"1s\" }} }}"
            )
            .unwrap();
        }
        text
    }

    fn exposes(&self, service: usize) -> impl Iterator<Item = String> {
        let bits = self.services[service].gateways;
        (0..self.gateways).filter(move |gateway| bits >> gateway & 1 == 1).map(|gateway| format!("g{gateway}"))
    }
}

/// Something that somebody does, what it is done to, and the finding that it must lead to.
struct Deed {
    line: String,
    target: String,
    finding: String,
}

/// Everything that could be done to what was recorded.
fn deeds(project: &Project, record: &Record) -> Vec<Deed> {
    let mut deeds = Vec::new();
    let mut add = |line: String, target: &str, finding: String| {
        deeds.push(Deed { line, target: target.to_owned(), finding });
    };
    for gateway in record.gateways.keys() {
        let (target, at) = (gateway.to_string(), format!("gateway.{gateway}"));
        add(format!("gateway-gone {gateway}"), &target, format!("{at}.object"));
        add(format!("gateway-down {gateway}"), &target, format!("{at}.process"));
        add(format!("gateway-listen {gateway} 127.0.0.1:9999"), &target, format!("{at}.listen"));
        add(format!("gateway-set {gateway} max-body 9MiB"), &target, format!("{at}.max-body"));
        add(format!("gateway-relabel {gateway}"), &target, format!("{at}.settings"));
        add(format!("gateway-copy {gateway} extra"), "extra", "gateway.extra.object".to_owned());
    }
    for (gateway, service) in record.routes.keys() {
        let (target, at) = (format!("{gateway}/{service}"), format!("route.{gateway}/{service}"));
        add(format!("route-gone {gateway} {service}"), &target, format!("{at}.object"));
        add(format!("route-set {gateway} {service} timeout 77s"), &target, format!("{at}.timeout"));
        add(format!("route-set {gateway} {service} path:/x served"), &target, format!("{at}.path /x"));
        add(format!("route-relabel {gateway} {service}"), &target, format!("{at}.settings"));
    }
    for (number, service) in record.services.values().enumerate() {
        let routed = project.exposes(number).next().is_some();
        for id in service.instances.keys() {
            let (target, at) = (id.to_string(), format!("instance.{}[{}]", id.service, id.slot));
            add(format!("kill {id}"), &target, format!("{at}.process"));
            add(format!("exit {id} 3"), &target, format!("{at}.process"));
            add(format!("remove {id}"), &target, format!("{at}.object"));
            add(format!("relabel {id} 9"), &target, format!("{at}.revision"));
            add(format!("remake {id}"), &target, format!("{at}.made-by"));
            add(format!("rehouse {id} 29999"), &target, format!("{at}.listen"));
            add(format!("set {id} env:A 2"), &target, format!("{at}.env.A"));
            add(format!("new {id}"), &target, format!("{at}.requests"));
            add(format!("drained {id}"), &target, format!("{at}.requests"));
            if routed {
                add(format!("drain {id}"), &target, format!("{at}.requests"));
                add(format!("unroute {id}"), &target, format!("{at}.requests"));
            }
            let new = format!("{}-7-g1", id.service);
            add(format!("copy {id} {new}"), &new, format!("instance.{}[7].object", id.service));
        }
    }
    deeds
}

/// Picks deeds that do not undo or hide each other.
fn pick(deeds: Vec<Deed>, choices: &[prop::sample::Index]) -> Vec<Deed> {
    let mut left: Vec<_> = deeds;
    let mut picked: Vec<Deed> = Vec::new();
    for choice in choices {
        if left.is_empty() {
            break;
        }
        let deed = left.swap_remove(choice.index(left.len()));
        // What is done to a gateway shows on its routes and their instances, and the other way round.
        let way =
            |deed: &Deed| deed.line.contains("gateway") || deed.line.contains("rout") || deed.line.starts_with("drain");
        let names = |one: &Deed, other: &Deed| one.line.contains(&other.target);
        let hides = |other: &Deed| names(other, &deed) || names(&deed, other) || way(other) && way(&deed);
        if !picked.iter().any(hides) {
            picked.push(deed);
        }
    }
    picked
}

async fn look(site: &Site, files: &Deployment) -> Drift {
    let former = Former::default();
    site.plan_with(files, |_, input| {
        let &wharf_plan::Input { capabilities, recorded, observed, .. } = input;
        drift(&DriftInput { files, capabilities, recorded, observed, former: &former, now: Timestamp(5) })
    })
    .await
}

fn paths(drift: &Drift) -> BTreeSet<String> {
    drift.findings.iter().map(wharf_plan::drift::Finding::path).collect()
}

async fn check(project: &Project, choices: &[prop::sample::Index]) {
    let files = parse(&project.text(), "project.kdl");
    let mut site = Site::new();
    site.apply(&files).await;
    assert_eq!(paths(&look(&site, &files).await), BTreeSet::new(), "after an apply\n{}", project.text());
    let deeds = pick(deeds(project, &site.record()), choices);
    deeds.iter().for_each(|deed| site.meddle(&deed.line));
    let lines: Vec<_> = deeds.iter().map(|deed| deed.line.as_str()).collect();
    let expected: BTreeSet<_> = deeds.iter().map(|deed| deed.finding.clone()).collect();
    let found = look(&site, &files).await;
    assert_eq!(paths(&found), expected, "after {lines:?}\n{}", project.text());
    assert!(found.findings.iter().all(|finding| !finding.restore.is_empty()), "apply repairs all: {found:#?}");
    let (before, plan) = (site.memory.live(), site.plan(&files).await);
    site.carry_out(&plan).await;
    assert_eq!(paths(&look(&site, &files).await), BTreeSet::new(), "repaired after {lines:?}\n{}", project.text());
    assert!(site.plan(&files).await.is_empty(), "the plan is empty after {lines:?}\n{}", project.text());
    let touched = |name: &&String| deeds.iter().any(|deed| deed.line.contains(*name));
    let after = site.memory.live();
    let lost: Vec<_> = before.keys().filter(|name| !after.contains_key(*name)).filter(|name| !touched(name)).collect();
    // One that nobody asked for goes, and nobody touched it by its name.
    let lost: Vec<_> = lost.into_iter().filter(|name| !name.contains("-7-")).collect();
    assert_eq!(lost, Vec::<&String>::new(), "instances that nobody touched stay, after {lines:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn drift_names_what_was_done_and_apply_repairs_it(project in project(), choices in prop::collection::vec(any::<prop::sample::Index>(), 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(check(&project, &choices));
    }
}
