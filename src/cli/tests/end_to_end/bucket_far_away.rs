//! The road to the bucket of a record is bad: an apply gets there all the same, or gives up soon, says why, and loses
//! nothing.

use crate::support::{Site, eventually};
use std::time::{Duration, Instant};
use wharf_bucket_server::{Asked, Habit, Mishap, Road, Server};

/// How long an apply may take that cannot reach its bucket any more: what one request may, a few times over.
const SOON: Duration = Duration::from_secs(50);

#[test]
fn an_apply_on_a_bad_road_gets_there() {
    let server = Server::start(Habit::Honours);
    // Every eighth request meets something, in turn, so that no request meets it as often as it is tried.
    let road = Road::to(server.address(), |asked: &Asked| match asked.number % 40 {
        3 => Mishap::Lost,
        11 => Mishap::AnswerLost,
        19 => Mishap::SlowDown,
        27 => Mishap::Cut,
        35 => Mishap::Twice,
        _ => Mishap::None,
    });
    let site = Site::in_bucket("bad-road", road.address());
    site.done(&["apply", "--yes", "-q"]);
    for (before, after) in [("one", "two"), ("two", "three")] {
        site.replace("wharf.kdl", &format!("\"{before}\""), &format!("\"{after}\""));
        site.done(&["apply", "--yes", "-q"]);
    }
    site.assert_settled("after three applies");
    assert!(road.asked().len() > 80, "{} requests met too little", road.asked().len());
    let log = site.done(&["log", "--format", "json"]);
    assert!(log.contains("\"serial\": 3") && !log.contains("\"serial\": 4"), "{log}");
}

#[test]
fn an_apply_whose_bucket_is_gone_gives_up_says_why_and_is_finished_by_the_next() {
    let says =
        [(Mishap::Lost, "cannot be reached"), (Mishap::SlowDown, "SlowDown"), (Mishap::Cut, "cannot be reached")];
    let server = Server::start(Habit::Honours);
    for (number, (mishap, why)) in says.into_iter().enumerate() {
        let road = Road::to(server.address(), |_: &Asked| Mishap::None);
        let site = Site::in_bucket(&format!("road-ends-{number}"), road.address());
        // It ends in the middle of the apply: once the first part of the journal is there.
        let journals = |asked: &Asked| asked.method == "PUT" && asked.target.contains("/journal/");
        let mut seen = 0;
        road.now(move |asked: &Asked| {
            seen += usize::from(journals(asked));
            if seen > 1 { mishap } else { Mishap::None }
        });
        let began = Instant::now();
        let failed = site.run(&["apply", "--yes"]);
        let took = began.elapsed();
        assert_eq!(failed.code, 1, "{mishap:?}: {}", failed.said);
        let said = failed.said.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        assert!(said.contains(why), "{mishap:?}: {}", failed.said);
        assert!(said.contains("run the command again"), "{mishap:?}: {}", failed.said);
        assert!(took < SOON, "{mishap:?} took {took:?}");
        let puts = road.asked().iter().filter(|asked| asked.method == "PUT").count();
        assert!(puts < 100, "{mishap:?}: {puts} writes were tried");
        road.now(|_| Mishap::None);
        // Its lock could not be given back.
        eventually("the next apply has the lock", || {
            let next = site.run(&["apply", "--yes", "-q", "--wait", "20s"]);
            (next.code == 0).then_some(())
        });
        site.assert_settled(&format!("after {mishap:?}"));
    }
}
