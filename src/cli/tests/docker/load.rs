//! What callers see, and what the engine says, while revisions change under a load.

use crate::{
    site::{TOKEN, assert_settled, hello},
    support::{Site, http, load::Load, load::Tally, until},
    watch::Watch,
};
use std::collections::BTreeSet;

const PATH: &str = "/api/predict/hello/";

fn under_load(site: &Site) -> Load {
    until("the gateway answers", || http::get(site.port, PATH, Some(TOKEN)).is_ok_and(|answer| answer.status == 200));
    Load::start(site.port, PATH, TOKEN)
}

fn greeted(tally: &Tally, greeting: &str) -> usize {
    tally.bodies.iter().filter(|(body, _)| body.contains(greeting)).map(|(_, count)| count).sum()
}

#[test]
fn no_request_fails_during_a_roll_and_the_counts_are_kept() {
    let site = hello("dk-roll");
    site.done(&["apply", "--yes", "-q"]);
    let load = under_load(&site);
    let running: BTreeSet<_> = site.instances().into_keys().collect();
    let watch = Watch::start("dk-roll", running);
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    site.done(&["apply", "--yes", "-q"]);
    let (seen, (tally, _)) = (watch.end(), load.stop());
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    assert!(greeted(&tally, "one") > 0 && greeted(&tally, "two") > 0, "{:?}", tally.bodies);
    assert_eq!(seen.started.into_iter().collect::<Vec<_>>(), ["hello-0-g2", "hello-1-g2"]);
    assert_eq!(seen.ended.into_iter().collect::<Vec<_>>(), ["hello-0-g1", "hello-1-g1"]);
    // One more than there are to be, and never one less.
    assert_eq!((seen.most, seen.fewest), (3, 2));
    assert_settled(&site, "dk-roll", "after the roll");
}

#[test]
fn no_request_fails_while_a_bad_revision_is_rolled_back() {
    let site = hello("dk-rollback");
    site.done(&["apply", "--yes", "-q"]);
    let load = under_load(&site);
    site.write("app/app.py", "import sys\nsys.exit('cannot open the model')\n");
    let apply = site.run(&["apply", "--yes", "-q"]);
    let (tally, _) = load.stop();
    assert_eq!(apply.code, 6, "{}", apply.said);
    assert!(apply.said.contains("cannot open the model"), "{}", apply.said);
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    assert_eq!(greeted(&tally, "one"), tally.answered());
}
