//! A record in a bucket: everything as in a folder, and what only a bucket can bring.

use crate::support::{Running, Site, until};
use rustix::process::Signal;
use std::fs;
use wharf_bucket_server::{BUCKET, Habit, Server};

#[test]
fn a_life_in_a_bucket_leaves_nothing_of_its_record_here() {
    let server = Server::start(Habit::Honours);
    let site = Site::in_bucket("bucket-life", server.address());
    site.done(&["apply", "--yes", "-q"]);
    site.assert_settled("the first apply");
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    site.done(&["apply", "--yes", "-q"]);
    site.assert_settled("a roll");
    assert!(!site.dir.join(".wharf/default/commits").exists(), "a commit is here");
    assert!(!site.dir.join(".wharf/default/journal").exists(), "a journal is here");
    let keys = server.keys();
    assert!(keys.iter().any(|key| key == "bucket-life/commits/0000002.json"), "{keys:#?}");
    assert!(!keys.iter().any(|key| key.contains("probe")), "{keys:#?}");
    let log = site.done(&["log", "--format", "json"]);
    assert!(log.contains("\"serial\": 2") && log.contains("\"serial\": 1"), "{log}");
    assert!(site.done(&["state", "list"]).contains("service.hello"));
    assert!(site.done(&["lock", "status"]).contains("Nobody has the lock."));
    assert_eq!(site.run(&["drift"]).code, 0);
    site.done(&["rollback", "@1", "--yes"]);
    assert!(site.done(&["invoke"]).contains("one"));
    site.done(&["destroy", "--yes", "-q"]);
    assert!(site.processes().is_empty());
}

#[test]
fn what_a_machine_was_about_to_do_is_known_when_it_is_gone() {
    let server = Server::start(Habit::Honours);
    let mut site = Site::in_bucket("bucket-gone", server.address());
    site.env.insert("WHARF_DIES_AT".to_owned(), "12".to_owned());
    assert_eq!(site.run(&["apply", "--yes", "-q"]).code, 137);
    site.env.remove("WHARF_DIES_AT");
    // Another machine has the files, and nothing else.
    let elsewhere = Site::empty("bucket-gone");
    for file in ["wharf.kdl", "where.kdl", "secrets/hello-token"] {
        elsewhere.write(file, &fs::read_to_string(site.dir.join(file)).unwrap());
    }
    let there = |arguments: &[&str]| {
        let mut command = site.wharf(arguments);
        Running::start(command.current_dir(&elsewhere.dir)).end()
    };
    let status = there(&["lock", "status"]);
    assert!(status.code == 0 && status.said.contains("wharf apply"), "{}", status.said);
    assert!(status.said.contains("open"), "{}", status.said);
    let log = there(&["log", "--operations"]);
    assert!(log.code == 0 && log.said.contains("hello"), "{}", log.said);
    // The machine comes back, and finishes.
    site.done(&["apply", "--yes", "-q"]);
    site.assert_settled("after the return");
}

#[test]
fn of_two_applies_at_once_one_has_the_lock() {
    let server = Server::start(Habit::Honours);
    let site = Site::in_bucket("bucket-two", server.address());
    let commands = ["one", "two"].map(|_| Running::start(&mut site.wharf(&["apply", "--yes", "-q"])));
    let mut ended = commands.map(Running::end);
    ended.sort_by_key(|ended| ended.code);
    let [first, second] = ended;
    assert!(matches!((first.code, second.code), (0, 0 | 4)), "{}\n\n{}", first.said, second.said);
    site.assert_settled("after both");
    let commits = server.keys().iter().filter(|key| key.contains("/commits/")).count();
    assert!(commits <= 2, "{commits} commits");
}

#[test]
fn an_apply_whose_lock_was_taken_away_cannot_commit() {
    let server = Server::start(Habit::Honours);
    let site = Site::in_bucket("bucket-taken", server.address());
    site.done(&["apply", "--yes", "-q"]);
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    let mut first = Running::start(&mut site.wharf(&["apply", "--yes", "-q"]));
    until("the first is at work", || {
        first.has_ended() || server.keys().iter().any(|key| key.contains("/journal/0000001."))
    });
    first.signal(Signal::STOP);
    site.done(&["lock", "release"]);
    site.done(&["apply", "--yes", "-q"]);
    first.signal(Signal::CONT);
    let ended = first.end();
    assert_eq!(ended.code, 1, "{}", ended.said);
    assert!(ended.said.contains("lock"), "{}", ended.said);
    site.done(&["apply", "--yes", "-q"]);
    site.assert_settled("after all");
}

#[test]
fn a_bucket_that_lets_itself_be_overwritten_is_refused_before_anything_is_written() {
    for habit in [Habit::Overwrites, Habit::Refuses] {
        let server = Server::start(habit);
        let site = Site::in_bucket("bucket-bad", server.address());
        let ended = site.run(&["apply", "--yes"]);
        assert_eq!(ended.code, 1, "{}", ended.said);
        assert!(ended.said.contains("cannot hold a record"), "{}", ended.said);
        assert!(ended.said.contains("If-None-Match"), "{}", ended.said);
        assert!(server.keys().is_empty(), "{:?}", server.keys());
        assert!(site.processes().is_empty());
    }
}

#[test]
fn a_record_moves_to_a_bucket_and_back_and_is_used_in_one_place() {
    let server = Server::start(Habit::Honours);
    let site = Site::in_bucket("bucket-move", server.address());
    let (at_bucket, at_folder) = (site.dir.join("where.kdl"), site.dir.join("where.txt"));
    // It begins in the folder.
    fs::rename(&at_bucket, &at_folder).unwrap();
    site.done(&["apply", "--yes", "-q"]);
    fs::rename(&at_folder, &at_bucket).unwrap();
    let forgotten = site.run(&["plan"]);
    assert_eq!(forgotten.code, 1, "{}", forgotten.said);
    assert!(forgotten.said.contains("wharf state migrate --from folder"), "{}", forgotten.said);
    let moved = site.done(&["state", "migrate", "--from", "folder"]);
    assert!(moved.contains("1 commits, up to 1"), "{moved}");
    site.assert_settled("in the bucket");
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    site.done(&["apply", "--yes", "-q"]);
    // The old place is used no more.
    fs::rename(&at_bucket, &at_folder).unwrap();
    let stale = site.run(&["plan"]);
    assert_eq!(stale.code, 1, "{}", stale.said);
    assert!(stale.said.contains("was moved to s3://state/bucket-move"), "{}", stale.said);
    // Back again, with what happened meanwhile.
    let place = format!("s3://{BUCKET}/bucket-move?endpoint=http://{}", server.address());
    let moved = site.done(&["state", "migrate", "--from", &place]);
    assert!(moved.contains("2 commits, up to 2"), "{moved}");
    site.assert_settled("in the folder again");
    site.done(&["rollback", "@1", "--yes"]);
    assert!(site.done(&["invoke"]).contains("one"));
}

/// What is said when a bucket cannot be used: which sentence, and which way out.
#[test]
fn each_reason_why_a_bucket_cannot_be_used_is_told_apart() {
    let server = Server::start(Habit::Honours);
    let check = |change: &dyn Fn(&mut Site), says: &[&str]| {
        let mut site = Site::in_bucket("bucket-why", server.address());
        change(&mut site);
        let ended = site.run(&["plan"]);
        assert_eq!(ended.code, 1, "{}", ended.said);
        let said = ended.said.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        for words in says {
            assert!(said.contains(words), "`{words}` is not in:\n{}", ended.said);
        }
    };
    check(&|site| drop(site.env.remove("AWS_ACCESS_KEY_ID")), &["no credentials", "AWS_PROFILE"]);
    check(
        &|site| drop(site.env.insert("AWS_SECRET_ACCESS_KEY".to_owned(), "wrong".to_owned())),
        &["does not let us", "SignatureDoesNotMatch", "does not accept these credentials"],
    );
    check(
        &|site| site.replace("where.kdl", &format!("bucket=\"{BUCKET}\""), "bucket=\"nowhere\""),
        &["there is no bucket `nowhere`", "make the bucket first"],
    );
    let endpoint = format!("http://{}", server.address());
    check(
        &|site| site.replace("where.kdl", &endpoint, "http://storage.invalid:9000"),
        &["cannot be reached", "`endpoint=` and `region=` are right"],
    );
    check(&|site| site.replace("where.kdl", &endpoint, "http://127.0.0.1:1"), &["cannot be reached", "refused"]);
    check(&|site| site.replace("where.kdl", &format!(" endpoint=\"{endpoint}\""), ""), &["no region", "AWS_REGION"]);
}
