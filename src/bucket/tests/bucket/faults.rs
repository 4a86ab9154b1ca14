//! The road to the server is bad: nothing is lost, nothing is done twice, nobody waits forever, and what is said is clear.

use crate::support::{SHORT, backend, chance};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use wharf_bucket_server::{Asked, Habit, Mishap, Road, Server};
use wharf_model::{Record, Timestamp};
use wharf_store::{Author, Backend, Created, Holder, Made, Patience, Reader, StoreError, Times, Writer, conformance};

/// Every third request or so meets something, whatever it asks for.
fn misfortune(seed: u64) -> impl FnMut(&Asked) -> Mishap + Send {
    let mut chance = chance(seed);
    move |_| match chance() % 24 {
        0 | 1 => Mishap::Lost,
        2 | 3 => Mishap::AnswerLost,
        4 => Mishap::SlowDown,
        5 => Mishap::Cut,
        6 | 7 => Mishap::Twice,
        8 => Mishap::Late(Duration::from_millis(chance() % 50)),
        _ => Mishap::None,
    }
}

#[test]
fn a_store_keeps_all_its_promises_on_a_bad_road() {
    for seed in 1..=12 {
        let server = Server::start(Habit::Honours);
        let road = Road::to(server.address(), misfortune(seed));
        println!("seed {seed}");
        conformance(&|| backend(road.address()));
    }
}

#[test]
fn an_object_whose_answer_was_lost_was_made_by_us() {
    for mishap in [Mishap::AnswerLost, Mishap::Twice, Mishap::Cut, Mishap::AtOnce] {
        let server = Server::start(Habit::Honours);
        let road =
            Road::to(
                server.address(),
                move |asked: &Asked| {
                    if asked.method == "PUT" && asked.number == 0 { mishap } else { Mishap::None }
                },
            );
        let bucket = backend(road.address());
        assert_eq!(bucket.create("commits/1", b"ours").unwrap(), Created::Now, "{mishap:?}");
        assert_eq!(bucket.create("commits/1", b"ours").unwrap(), Created::Before, "{mishap:?}: it is made once");
    }
}

#[test]
fn a_part_of_a_journal_that_arrived_twice_is_there_once() {
    let server = Server::start(Habit::Honours);
    let road =
        Road::to(server.address(), |asked: &Asked| if asked.method == "PUT" { Mishap::Twice } else { Mishap::None });
    let bucket = backend(road.address());
    for at in 0..5 {
        bucket.append("journal/1", at * 2, b"x\n").unwrap();
    }
    assert_eq!(bucket.read("journal/1").unwrap().as_deref(), Some(b"x\nx\nx\nx\nx\n".as_slice()));
}

#[test]
fn a_list_that_is_out_of_date_hides_nothing_of_ours() {
    let server = Server::start(Habit::Honours);
    let road = Road::to(server.address(), |asked: &Asked| if asked.is_list() { Mishap::Stale } else { Mishap::None });
    let (ours, other) = (backend(road.address()), backend(road.address()));
    assert!(ours.list("lease").unwrap().is_empty());
    assert_eq!(ours.create("lease/1", b"me").unwrap(), Created::Now);
    assert_eq!(ours.list("lease").unwrap(), ["lease/1"], "what we made is there");
    // What others see of a log does not hang on lists.
    for at in 0..4 {
        ours.append("journal/1", at * 2, b"x\n").unwrap();
        assert_eq!(other.read("journal/1").unwrap().map(|bytes| bytes.len() as u64), Some(at * 2 + 2));
    }
    ours.delete("lease/1").unwrap();
    assert!(ours.list("lease").unwrap().is_empty(), "what we removed is gone");
    assert_eq!(other.create("lease/1", b"you").unwrap(), Created::Now);
}

#[test]
fn a_commit_that_a_list_does_not_show_yet_is_found() {
    let server = Server::start(Habit::Honours);
    let road = Road::to(server.address(), |asked: &Asked| if asked.is_list() { Mishap::Stale } else { Mishap::None });
    let (project, environment) = ("chat".parse().unwrap(), "dev".parse().unwrap());
    let record = Record::empty(project, environment);
    let reader = Reader::over(backend(road.address()), record.project.clone(), record.environment.clone());
    let commit = || {
        let mut writer = open(&backend(server.address()), &record).unwrap();
        let _standing = writer.read().unwrap();
        writer.commit(&record, made()).unwrap()
    };
    assert_eq!(commit(), 1);
    assert_eq!(reader.read().unwrap().serial, 1);
    assert_eq!((commit(), commit()), (2, 3));
    assert_eq!(reader.read().unwrap().serial, 3, "its list ends at the first");
}

#[test]
fn of_two_writers_of_whom_one_sees_old_lists_one_commits() {
    let server = Server::start(Habit::Honours);
    let road = Road::to(server.address(), |asked: &Asked| if asked.is_list() { Mishap::Stale } else { Mishap::None });
    let (project, environment) = ("chat".parse().unwrap(), "dev".parse().unwrap());
    let record = Record::empty(project, environment);
    let (direct, stale) = (backend(server.address()), backend(road.address()));
    drop(open(&direct, &record).unwrap());
    assert!(stale.list("lease").unwrap().len() >= 2, "a turn that is over");
    let mut one = open(&direct, &record).unwrap();
    // It sees no sign of life, and so believes after a whole lease that nobody lives.
    let mut two = open(&stale, &record).unwrap();
    let _standing = (one.read().unwrap(), two.read().unwrap());
    let made = [one.commit(&record, made()), two.commit(&record, made())];
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1, "{made:?}");
    assert_eq!(one.reader().serials().unwrap(), [1]);
}

fn open(backend: &Arc<dyn Backend>, record: &Record) -> Result<Writer, StoreError> {
    let times =
        Times { lease: Duration::from_secs(2), beat: Duration::from_millis(200), look: Duration::from_millis(50) };
    let holder = Holder::this("tester@here".to_owned(), "apply", Timestamp(5));
    let patience = Patience { wait: Duration::ZERO, times, told: &mut |_| {} };
    Writer::open(backend.clone(), record.project.clone(), record.environment.clone(), &holder, patience)
}

fn made() -> Made {
    Made { at: Timestamp(1), doing: "apply".to_owned(), by: Author::default(), plan: None }
}

#[test]
fn what_never_gets_better_is_given_up_soon_and_said() {
    let says = [
        (Mishap::Lost, "cannot be reached"),
        (Mishap::AnswerLost, "cannot be reached"),
        (Mishap::SlowDown, "SlowDown"),
        (Mishap::AtOnce, "ConditionalRequestConflict"),
        (Mishap::Cut, "cannot be reached"),
        (Mishap::Late(Duration::from_secs(20)), "cannot be reached"),
    ];
    let server = Server::start(Habit::Honours);
    assert_eq!(backend(server.address()).create("commits/1", b"one").unwrap(), Created::Now);
    for (mishap, why) in says {
        let road = Road::to(server.address(), move |_: &Asked| mishap);
        let began = Instant::now();
        let failed = backend(road.address()).read("commits/1").unwrap_err();
        let took = began.elapsed();
        let cause = std::error::Error::source(&failed).unwrap().to_string();
        assert!(cause.contains(why), "{mishap:?}: {cause}");
        assert!(failed.to_string().contains("s3://state/chat/dev/commits/1"), "{failed}");
        assert!(failed.help().contains("run the command again"), "{}", failed.help());
        assert!(took < SHORT.whole * 2, "{mishap:?} took {took:?}");
        let asked = road.asked().len();
        assert!(asked <= 2 * SHORT.tries as usize, "{mishap:?}: {asked} requests");
    }
}

#[test]
fn what_is_refused_is_not_asked_for_again() {
    let server = Server::start(Habit::Refuses);
    let road = Road::to(server.address(), |_: &Asked| Mishap::None);
    let refused: Arc<dyn Backend> = backend(road.address());
    refused.create("commits/1", b"one").unwrap_err();
    assert_eq!(road.asked().len(), 1, "{:?}", road.asked());
}
