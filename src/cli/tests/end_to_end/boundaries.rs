//! P4 at every boundary: wharf is killed before and after each write of its journal, each commit and each call of the
//! runtime, through the life of a service. After one more apply everything is as if nobody had.
//!
//! A life has chapters; each is cut off at its n-th boundary, then finished, then compared with a life that nobody
//! disturbed. `make kill-test` plays every n; the tests play a few.

use crate::support::{Running, Site};
use std::{
    collections::BTreeMap,
    panic,
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};
use wharf_bucket_server::{Habit, Server};

/// What a person would see: the slots with their states, what the service answers, and how many processes there are.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape {
    slots: BTreeMap<String, String>,
    answer: String,
    processes: usize,
    plan: i32,
    chapter: &'static str,
}

struct Chapter {
    name: &'static str,
    write: fn(&Site),
    command: &'static [&'static str],
    /// How it ends when nobody disturbs it.
    ends: i32,
}

const APPLY: &[&str] = &["apply", "--yes", "-q"];
const DESTROY: &[&str] = &["destroy", "--yes", "-q"];

/// The second service of the chapter that deletes one.
const OTHER: &str = r#"
service "other" {
    command "python3" "/mnt/data/app.py"
    port 8000
    mount "/mnt/data" { folder "./app" read-only=#true }
    health { readiness { http "/health" } }
    rollout { min-ready "300ms" }
    shutdown { grace "1s" }
}
"#;

const LIFE: [Chapter; 7] = [
    Chapter { name: "create all", write: |site| site.write("other.kdl", OTHER), command: APPLY, ends: 0 },
    Chapter { name: "roll", write: |site| site.replace("wharf.kdl", "\"one\"", "\"two\""), command: APPLY, ends: 0 },
    Chapter {
        name: "roll back",
        write: |site| {
            site.replace("wharf.kdl", "GREETING \"two\"", "GREETING \"two\"; BROKEN \"yes\"");
            site.replace("wharf.kdl", "\"python3\" \"/mnt/data/app.py\"", "\"python3\" \"-c\" \"raise SystemExit(3)\"");
        },
        command: APPLY,
        ends: 6,
    },
    Chapter {
        name: "mend",
        write: |site| {
            site.replace("wharf.kdl", "; BROKEN \"yes\"", "");
            site.replace("wharf.kdl", "\"python3\" \"-c\" \"raise SystemExit(3)\"", "\"python3\" \"/mnt/data/app.py\"");
        },
        command: APPLY,
        ends: 0,
    },
    Chapter {
        name: "scale",
        write: |site| site.replace("wharf.kdl", "instances 2", "instances 3"),
        command: APPLY,
        ends: 0,
    },
    Chapter {
        name: "delete",
        write: |site| std::fs::remove_file(site.dir.join("other.kdl")).unwrap(),
        command: APPLY,
        ends: 0,
    },
    Chapter { name: "destroy", write: |_| {}, command: DESTROY, ends: 0 },
];

fn shape(site: &Site, chapter: &Chapter) -> Shape {
    let slot = |(name, state): (String, String)| (name.rsplit_once("-g").unwrap().0.to_owned(), state);
    let gone = chapter.command == DESTROY;
    let answer = if gone { String::new() } else { site.done(&["invoke", "hello"]) };
    // Which instance answers is chance.
    let answer = answer.split("instance").next().unwrap().to_owned();
    let plan = if gone { 0 } else { site.run(&["plan", "--detailed-exitcode"]).code };
    Shape {
        slots: site.instances().into_iter().map(slot).collect(),
        answer,
        processes: site.processes().len(),
        plan,
        chapter: chapter.name,
    }
}

/// Every object is recorded, and everything recorded is there: `status` shows both, and the processes are its instances'.
fn assert_recorded(site: &Site, note: &str) {
    for (name, state) in site.instances() {
        assert_eq!(state, "ready", "{note}: {name}");
        let supervised = site.processes().iter().any(|process| {
            process.has_role("supervise") && process.words().last().is_some_and(|word| word.ends_with(&name))
        });
        assert!(supervised, "{note}: {name} is recorded, and nothing runs it");
    }
}

/// Lives a life whose every chapter is cut off at its `at`-th boundary, and finished. Says how often it was cut off.
fn live(site: Site, at: Option<u64>, undisturbed: &[Shape]) -> (Vec<Shape>, u64) {
    let (mut shapes, mut kills) = (Vec::new(), 0);
    for chapter in &LIFE {
        (chapter.write)(&site);
        let note = format!("{} cut off at boundary {at:?}", chapter.name);
        if let Some(at) = at {
            let mut command = site.wharf(chapter.command);
            command.env("WHARF_DIES_AT", at.to_string());
            let cut = Running::start(&mut command).end();
            assert!(cut.code == 137 || cut.code == chapter.ends, "{note}: {}: {}", cut.code, cut.said);
            kills += u64::from(cut.code == 137);
        }
        let ended = site.run(chapter.command);
        let nothing_left = at.is_some() && ended.code == 0;
        assert!(ended.code == chapter.ends || nothing_left, "{note}: {}: {}", ended.code, ended.said);
        assert_recorded(&site, &note);
        let found = shape(&site, chapter);
        if let Some(expected) = undisturbed.get(shapes.len()) {
            assert_eq!(&found, expected, "{note}");
        }
        shapes.push(found);
    }
    (shapes, kills)
}

/// Plays lives cut off at these boundaries, several at once, until one is not cut off any more.
fn lives(
    prefix: &str,
    place: fn(&str) -> Site,
    boundaries: impl Iterator<Item = u64> + Send,
    at_once: usize,
) -> (u64, Vec<u64>) {
    let (undisturbed, _) = live(place(&format!("{prefix}-calm")), None, &[]);
    let (queue, kills, failed) = (Mutex::new(boundaries), AtomicU64::new(0), Mutex::new(Vec::new()));
    let player = || {
        loop {
            let Some(at) = queue.lock().unwrap().next() else { return };
            match panic::catch_unwind(|| live(place(&format!("{prefix}-{at}")), Some(at), &undisturbed).1) {
                Ok(0) => return,
                Ok(cut) => drop(kills.fetch_add(cut, Ordering::SeqCst)),
                Err(_) => failed.lock().unwrap().push(at),
            }
        }
    };
    thread::scope(|scope| (0..at_once).for_each(|_| drop(scope.spawn(player))));
    (kills.into_inner(), failed.into_inner().unwrap())
}

#[test]
fn a_life_that_is_cut_off_here_and_there_ends_the_same() {
    let (kills, failed) = lives("kill-some", Site::hello, [1, 4, 9, 14, 22, 31].into_iter(), 3);
    assert!(failed.is_empty(), "cut off at {failed:?}, it ended otherwise");
    assert!(kills >= 30, "only {kills} were killed in time");
}

/// The same with the record in a bucket. Nobody but the lease tells there that somebody has ended.
#[test]
fn a_life_in_a_bucket_that_is_cut_off_here_and_there_ends_the_same() {
    static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start(Habit::Honours));
    let place = |name: &str| Site::in_bucket(name, SERVER.address());
    let (kills, failed) = lives("kill-bucket", place, [2, 5, 12, 19, 27].into_iter(), 3);
    assert!(failed.is_empty(), "cut off at {failed:?}, it ended otherwise");
    assert!(kills >= 20, "only {kills} were killed in time");
}

#[test]
#[ignore = "takes minutes; `make kill-test` plays it"]
fn a_life_that_is_cut_off_anywhere_ends_the_same() {
    let (kills, failed) = lives("kill-all", Site::hello, 1.., 4);
    let lost = failed.len() as u64;
    if lost > 0 {
        println!("cut off at {failed:?}, it ended otherwise");
    }
    let score = 100.0 * kills as f64 / (kills + lost) as f64;
    println!("convergence: {score:.2} % of {} kills", kills + lost);
    assert_eq!(lost, 0);
}
