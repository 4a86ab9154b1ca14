//! A folder of a bucket that instances write to: each has a copy, and what it wrote goes back when it ends.

use crate::support::{Site, http};
use std::{fs, path::PathBuf};
use wharf_bucket_server::{ACCESS_KEY, Habit, SECRET_KEY, Server};

const PROGRAM: &str = include_str!("support/writer.py");

const PROJECT: &str = r#"project "written"
secret "id" { env "BUCKET_ID" }
secret "key" { env "BUCKET_KEY" }
gateway "public" { listen @PORT }
service "chat" {
    command "python3" "/mnt/app/app.py"
    port 8000
    env { GREETING "one" }
    health { readiness { http "/health"; every "200ms" } }
    rollout { min-ready "0s"; deadline "30s" }
    mount "/mnt/app" { folder "app" read-only=#true }
    mount "/mnt/out" {
        s3 "results/chat/" endpoint="http://@SERVER" region="eu-central-1" access-key=(secret)"id" secret-key=(secret)"key"
    }
    expose "public"
}
"#;

/// A server with an empty folder, that folder, and a site that was applied.
fn running() -> (Server, PathBuf, Site) {
    let server = Server::start(Habit::Honours);
    let there = server.bucket("results").join("chat");
    fs::create_dir(&there).unwrap();
    let mut site = Site::empty("written");
    site.write("app/app.py", PROGRAM);
    site.write("wharf.kdl", &site.filled(&PROJECT.replace("@SERVER", &server.address().to_string())));
    let keys = [("BUCKET_ID", ACCESS_KEY), ("BUCKET_KEY", SECRET_KEY)];
    site.env.extend(keys.map(|(name, value)| (name.to_owned(), value.to_owned())));
    site.done(&["apply", "--yes", "-q"]);
    (server, there, site)
}

fn write(site: &Site, name: &str, text: &str) {
    let path = format!("/api/predict/chat/put/{name}/{text}");
    assert!(http::get(site.port, &path, None).unwrap().body.contains(text));
}

fn read(site: &Site) -> String {
    http::get(site.port, "/api/predict/chat/", None).unwrap().body
}

#[test]
fn what_an_instance_wrote_goes_back_when_it_ends() {
    let (_server, there, site) = running();
    write(&site, "answers.txt", "42");
    assert!(fs::read_dir(&there).unwrap().next().is_none(), "it goes when the instance ends");
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(fs::read_to_string(there.join("answers.txt")).unwrap(), "42");

    // What went back is no change of the service; a revision that is made anyway takes it along.
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    assert_eq!(site.run(&["drift"]).code, 0);
    assert_eq!(read(&site), "");
    site.replace("wharf.kdl", "\"two\"", "\"three\"");
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(read(&site), "answers.txt=42");
    write(&site, "answers.txt", "43");
    site.done(&["destroy", "--yes", "-q"]);
    assert_eq!(fs::read_to_string(there.join("answers.txt")).unwrap(), "43");
    assert!(site.processes().is_empty());
}

#[test]
fn what_somebody_else_wrote_is_a_conflict_until_it_is_moved_away() {
    let (_server, there, site) = running();
    write(&site, "answers.txt", "mine");
    fs::write(there.join("answers.txt"), "theirs").unwrap();
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    let apply = site.run(&["apply", "--yes", "-q"]);
    assert_ne!(apply.code, 0, "{}", apply.said);
    assert!(apply.said.contains("answers.txt was made there meanwhile"), "{}", apply.said);
    assert!(apply.said.contains("what it wrote is in "), "{}", apply.said);
    assert_eq!(fs::read_to_string(there.join("answers.txt")).unwrap(), "theirs");
    fs::rename(there.join("answers.txt"), there.join("theirs.txt")).unwrap();
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(fs::read_to_string(there.join("answers.txt")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(there.join("theirs.txt")).unwrap(), "theirs");
    assert_eq!(site.instances().len(), 1);
}

#[test]
fn what_was_written_goes_back_whenever_somebody_asks() {
    let (_server, there, site) = running();
    let read_there = |name: &str| fs::read_to_string(there.join(name)).unwrap();
    assert!(site.done(&["mounts", "write-back"]).contains("Nothing was written"));
    write(&site, "answers.txt", "42");
    let said = site.done(&["mounts", "write-back"]);
    assert!(said.contains("chat-0-g1: 1 file written at /mnt/out went back to results/chat/"), "{said}");
    assert_eq!(read_there("answers.txt"), "42");
    assert!(site.done(&["mounts", "write-back"]).contains("Nothing was written"));
    write(&site, "answers.txt", "43");
    site.done(&["mounts", "write-back"]);
    assert_eq!(read_there("answers.txt"), "43");
    // What went before its end is its own at its end, too.
    write(&site, "answers.txt", "44");
    write(&site, "more.txt", "1");
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!((read_there("answers.txt"), read_there("more.txt")), ("44".to_owned(), "1".to_owned()));

    write(&site, "theirs.txt", "mine");
    fs::write(there.join("theirs.txt"), "theirs").unwrap();
    write(&site, "own.txt", "mine");
    let ran = site.run(&["mounts", "write-back"]);
    let said = ran.said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(ran.code == 1 && said.contains("theirs.txt was made there meanwhile"), "{said}");
    assert_eq!((read_there("theirs.txt"), read_there("own.txt")), ("theirs".to_owned(), "mine".to_owned()));
}

#[test]
fn a_live_folder_is_what_it_was_until_a_revision_is_made_anyway() {
    let server = Server::start(Habit::Honours);
    let there = server.bucket("results").join("chat");
    fs::create_dir(&there).unwrap();
    fs::write(there.join("prompt.txt"), "old").unwrap();
    let mut site = Site::empty("live-folder");
    site.write("app/app.py", PROGRAM);
    let project = PROJECT.replace("@SERVER", &server.address().to_string());
    let read_only = |live: bool| format!("region=\"eu-central-1\" read-only=#true live=#{live}");
    site.write("wharf.kdl", &site.filled(&project.replace("region=\"eu-central-1\"", &read_only(true))));
    let kept = site.dir.join("kept");
    let own = [("BUCKET_ID", ACCESS_KEY), ("BUCKET_KEY", SECRET_KEY), ("WHARF_CONTENT_DIR", kept.to_str().unwrap())];
    site.env.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let changes = |site: &Site| site.run(&["plan", "--detailed-exitcode"]).code == 2;
    site.done(&["apply", "--yes", "-q"]);
    fs::write(there.join("prompt.txt"), "new").unwrap();
    assert!(!changes(&site), "what it holds later is no change");
    assert_eq!(read(&site), "prompt.txt=old");
    // One that is not live would have changed.
    site.replace("wharf.kdl", &read_only(true), &read_only(false));
    assert!(changes(&site));
    site.replace("wharf.kdl", &read_only(false), &read_only(true));
    assert!(!changes(&site));
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(read(&site), "prompt.txt=new");
    // What this host has no more cannot stay.
    fs::write(there.join("prompt.txt"), "newest").unwrap();
    assert!(!changes(&site));
    fs::rename(&kept, site.dir.join("lost")).unwrap();
    assert!(changes(&site));
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(read(&site), "prompt.txt=newest");
}

#[test]
fn a_roll_that_is_killed_anywhere_loses_nothing_that_was_written() {
    let (_server, there, mut site) = running();
    let mut greeting = "one".to_owned();
    for boundary in (1..).step_by(2) {
        // What a predecessor writes is not seen by who has begun already: each has a file of its own.
        let file = format!("answers-{boundary}.txt");
        write(&site, &file, "42");
        let next = format!("round-{boundary}");
        site.replace("wharf.kdl", &format!("GREETING \"{greeting}\""), &format!("GREETING \"{next}\""));
        greeting = next;
        site.env.insert("WHARF_DIES_AT".to_owned(), boundary.to_string());
        let cut = site.run(&["apply", "--yes", "-q"]);
        site.env.remove("WHARF_DIES_AT");
        assert!(matches!(cut.code, 0 | 137), "{boundary}: {}", cut.said);
        site.done(&["apply", "--yes", "-q"]);
        assert_eq!(fs::read_to_string(there.join(&file)).unwrap(), "42", "{boundary}");
        if cut.code == 0 {
            assert!(boundary > 8, "it was hardly killed at all");
            return;
        }
    }
}
