//! P7 and P8: what callers see while revisions change under a load.

use crate::support::{Site, TOKEN, http, load::Load, load::Tally, until};
use std::time::Duration;

const PATH: &str = "/api/predict/hello/";

/// Starts a load and waits until it is answered.
fn under_load(site: &Site) -> Load {
    until("the gateway answers", || http::get(site.port, PATH, Some(TOKEN)).is_ok_and(|answer| answer.status == 200));
    Load::start(site.port, PATH, TOKEN)
}

fn assert_not_one_failed(tally: &Tally, took: Duration) {
    assert!(
        tally.failures.is_empty(),
        "{} failed: {:?}",
        tally.failures.len(),
        tally.failures.iter().take(20).collect::<Vec<_>>()
    );
    let pace = tally.answered() as f64 / took.as_secs_f64();
    assert!(pace >= 200.0, "the load was only {pace:.0} requests a second");
    let whole = |body: &str| body.starts_with("{\"greeting\": \"") && body.ends_with("\"}\n");
    let broken: Vec<_> = tally.bodies.keys().filter(|body| !whole(body)).collect();
    assert!(broken.is_empty(), "{broken:?}");
}

/// How many answers came from instances of this greeting.
fn greeted(tally: &Tally, greeting: &str) -> usize {
    let said = format!("\"greeting\": \"{greeting}\"");
    tally.bodies.iter().filter(|(body, _)| body.contains(&said)).map(|(_, count)| count).sum()
}

#[test]
fn no_request_fails_during_a_roll() {
    let site = Site::hello("load-roll");
    site.done(&["apply", "--yes", "-q"]);
    let load = under_load(&site);
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    site.done(&["apply", "--yes", "-q"]);
    let (tally, took) = load.stop();
    assert_not_one_failed(&tally, took);
    assert!(greeted(&tally, "one") > 0 && greeted(&tally, "two") > 0, "{:?}", tally.bodies);
    let instances: Vec<_> = site.instances().into_keys().collect();
    assert_eq!(instances, ["hello-0-g2", "hello-1-g2"]);
    site.assert_settled("after the roll");
}

#[test]
fn no_request_fails_while_a_bad_revision_is_rolled_back() {
    let site = Site::hello("load-rollback");
    site.done(&["apply", "--yes", "-q"]);
    let load = under_load(&site);
    site.write("app/app.py", "import sys\nsys.exit('cannot open the model')\n");
    let apply = site.run(&["apply", "--yes", "-q"]);
    let (tally, took) = load.stop();
    assert_eq!(apply.code, 6, "{}", apply.said);
    assert!(apply.said.contains("cannot open the model"), "{}", apply.said);
    assert_not_one_failed(&tally, took);
    assert_eq!(greeted(&tally, "one"), tally.answered());
    assert!(site.instances().values().all(|state| state == "ready"));
}

#[test]
fn no_request_fails_while_a_revision_that_is_never_ready_is_rolled_back() {
    let site = Site::hello("load-never-ready");
    site.done(&["apply", "--yes", "-q"]);
    let load = under_load(&site);
    site.replace("wharf.kdl", "deadline \"30s\"", "deadline \"2s\"");
    site.replace("app/app.py", "self.answer(b\"ok\\n\", \"text/plain\")", "self.send_error(500)");
    let apply = site.run(&["apply", "--yes", "-q"]);
    let (tally, took) = load.stop();
    assert_eq!(apply.code, 6, "{}", apply.said);
    assert_not_one_failed(&tally, took);
    assert_eq!(greeted(&tally, "one"), tally.answered());
}
