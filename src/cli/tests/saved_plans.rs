//! A plan that was saved does what it says or nothing: whatever else changes, it holds; whatever it rests on changes, it
//! is refused, with what was, what is, and what is asked for.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "the runtime in memory has its record in a folder")]

mod memory;

use memory::{Site, parse};
use wharf_model::{Deployment, Fingerprint};
use wharf_plan::{Became, Files, Plan, SavedPlan, SavedPlanError, Selection, Side, Stale, StaleReason};

const BEFORE: &str = r#"
project "shop"
gateway "public" { listen 8600 }
service "hello" { command "serve" "1"; port 8000; health { readiness { tcp } }; expose "public" }
service "other" { command "serve"; port 8000; health { readiness { tcp } }; instances 2; expose "public" }
"#;

fn project(text: &str) -> Deployment {
    parse(text, "project.kdl")
}

fn files(text: &str) -> Files {
    Files::from([("project.kdl".into(), Fingerprint::of([text.as_bytes()]))])
}

/// A site that stands as `BEFORE` says, and the plan to get to `after`, saved and read back.
async fn saved(after: &str, selection: &Selection) -> (Site, SavedPlan) {
    let site = Site::new();
    site.apply(&project(BEFORE)).await;
    let plan = site.plan(&project(after)).await.select(selection).made_from(files(after));
    (site, SavedPlan::read(&plan.json()).unwrap())
}

async fn find(site: &Site, saved: &SavedPlan, now: &str) -> Result<Plan, Stale> {
    site.plan_with(&project(now), |plan, input| saved.find_in(plan.made_from(files(now)), input)).await
}

fn after() -> String {
    BEFORE.replace("\"serve\" \"1\"", "\"serve\" \"2\"")
}

#[tokio::test(start_paused = true)]
async fn holds_while_nothing_changes_and_keeps_its_id() {
    let (site, saved) = saved(&after(), &Selection::default()).await;
    let found = find(&site, &saved, &after()).await.unwrap();
    assert_eq!(found.id(), *saved.id());
    site.carry_out(&found).await;
    assert!(site.plan(&project(&after())).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_happens_elsewhere_is_left_alone() {
    let (site, saved) = saved(&after(), &Selection::default()).await;
    site.memory.kill(&"other-1-g1".parse().unwrap());
    let found = find(&site, &saved, &after()).await.unwrap();
    let addresses: Vec<_> = found.changes().iter().map(|change| change.address.to_string()).collect();
    assert_eq!(addresses, ["service.hello"]);
    site.carry_out(&found).await;
    let left = site.plan(&project(&after())).await;
    let addresses: Vec<_> = left.changes().iter().map(|change| change.address.to_string()).collect();
    assert_eq!(addresses, ["instance.other[1]"], "what broke elsewhere is still to be repaired");
}

#[tokio::test(start_paused = true)]
async fn what_it_rests_on_is_told_then_and_now() {
    let (site, saved) = saved(&after(), &Selection::default()).await;
    site.memory.kill(&"hello-0-g1".parse().unwrap());
    let Stale(reasons) = find(&site, &saved, &after()).await.unwrap_err();
    let fact = StaleReason::Fact {
        address: "service.hello".to_owned(),
        side: Side::Observed,
        field: Some("hello-0-g1".to_owned()),
        then: Some("runs, r1 at 127.0.0.1:20001".to_owned()),
        now: Some("killed by SIGKILL, r1 at 127.0.0.1:20001".to_owned()),
        wanted: None,
    };
    assert_eq!(reasons, [fact]);
}

#[tokio::test(start_paused = true)]
async fn an_apply_between_is_told_with_what_is_asked_for() {
    let (site, saved) = saved(&after(), &Selection::default()).await;
    site.apply(&project(&BEFORE.replace("\"serve\" \"1\"", "\"serve\" \"3\""))).await;
    let Stale(reasons) = find(&site, &saved, &after()).await.unwrap_err();
    let fact = StaleReason::Fact {
        address: "service.hello".to_owned(),
        side: Side::Recorded,
        field: Some("command".to_owned()),
        then: Some("serve 1".to_owned()),
        now: Some("serve 3".to_owned()),
        wanted: Some("serve 2".to_owned()),
    };
    assert!(reasons.contains(&fact), "{reasons:#?}");
}

#[tokio::test(start_paused = true)]
async fn files_that_changed_since_are_named() {
    let (site, saved) = saved(&after(), &Selection::default()).await;
    let edited = format!("{}// a remark", after());
    let Stale(reasons) = find(&site, &saved, &edited).await.unwrap_err();
    assert_eq!(reasons, [StaleReason::File { name: "project.kdl".to_owned(), became: Became::Changed }]);
}

#[tokio::test(start_paused = true)]
async fn an_edited_plan_is_refused() {
    let site = Site::new();
    let json = site.plan(&project(BEFORE)).await.json();
    let edited = json.replace("\"listen\"", "\"Listen\"");
    assert!(matches!(SavedPlan::read(&edited), Err(SavedPlanError::Changed { .. })));
    assert!(matches!(SavedPlan::read("{}"), Err(SavedPlanError::Shape(_))));
    assert!(matches!(SavedPlan::read("{\"format\": \"wharf.plan/9\"}"), Err(SavedPlanError::Format { .. })));
}
