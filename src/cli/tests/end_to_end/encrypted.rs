//! A record that is encrypted in its bucket: everything as in plain for who may read it, and nothing for others.

use crate::support::{Running, Site};
use std::{fs, path::Path};
use wharf_bucket_server::{BUCKET, Habit, Server};

/// Every object that a server keeps, with its bytes.
fn objects(server: &Server) -> Vec<(String, Vec<u8>)> {
    let (keys, folder) = (server.keys(), server.bucket(BUCKET));
    keys.into_iter().map(|key| (key.clone(), fs::read(folder.join(&key)).unwrap())).collect()
}

/// What nobody must be able to read anywhere in the bucket.
const TELLTALES: &[&str] = &["hello", "GREETING", "app.py", "tester", "public", "apply", "intent", "open-sesame"];

fn assert_nothing_shows(server: &Server) {
    let found = objects(server);
    assert!(found.len() > 5, "{} objects", found.len());
    for (key, bytes) in found {
        let text = String::from_utf8_lossy(&bytes);
        // The first line of each part says which object it is.
        let told = TELLTALES.iter().find(|word| text.contains(**word));
        assert_eq!(told, None, "{key} can be read");
    }
}

/// What was said, in one line.
fn flat(said: &str) -> String {
    said.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

#[test]
fn a_life_in_an_encrypted_bucket_tells_nothing_to_others() {
    let server = Server::start(Habit::Honours);
    let mut site = Site::in_encrypted_bucket("sealed", server.address());
    let first = site.done(&["apply", "--yes"]);
    assert!(flat(&first).contains("The record in s3://state/sealed is encrypted, for age1"), "{first}");
    site.assert_settled("the first apply");
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    let commands = ["one", "two"].map(|_| Running::start(&mut site.wharf(&["apply", "--yes", "-q"])));
    let mut ended = commands.map(Running::end);
    ended.sort_by_key(|ended| ended.code);
    let [first, second] = ended;
    assert!(matches!((first.code, second.code), (0, 0 | 4)), "{}\n\n{}", first.said, second.said);
    site.assert_settled("after two at once");
    assert_nothing_shows(&server);
    assert!(site.done(&["log"]).contains("+ service.hello"));
    assert!(site.done(&["lock", "status"]).contains("tester@"));
    assert_eq!(site.run(&["drift"]).code, 0);

    let named = site.env.remove("WHARF_IDENTITY").unwrap();
    let nobody = site.run(&["plan"]);
    assert_eq!(nobody.code, 1, "{}", nobody.said);
    assert!(flat(&nobody.said).contains("no identity is named"), "{}", nobody.said);
    assert!(flat(&nobody.said).contains("WHARF_IDENTITY"), "{}", nobody.said);
    assert_eq!(site.run(&["plan", "--identity", &named]).code, 0);
    site.be_somebody("other");
    let stranger = site.run(&["apply", "--yes"]);
    assert_eq!(stranger.code, 1, "{}", stranger.said);
    assert!(flat(&stranger.said).contains("it is encrypted for others"), "{}", stranger.said);
    site.env.insert("WHARF_IDENTITY".to_owned(), named);
    site.done(&["destroy", "--yes", "-q"]);
    assert!(site.processes().is_empty());
}

#[test]
fn an_old_record_that_is_put_back_is_refused() {
    let server = Server::start(Habit::Honours);
    let site = Site::in_encrypted_bucket("replay", server.address());
    site.done(&["apply", "--yes", "-q"]);
    let kept = |serial: u32| server.bucket(BUCKET).join(format!("replay/commits/{serial:07}.json"));
    let first = fs::read(kept(1)).unwrap();
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    site.done(&["apply", "--yes", "-q"]);
    let second = fs::read(kept(2)).unwrap();
    put(&kept(2), &first);
    for command in [&["plan"][..], &["apply", "--yes"]] {
        let fooled = site.run(command);
        assert_eq!(fooled.code, 1, "{}", fooled.said);
        let said = flat(&fooled.said);
        assert!(said.contains("s3://state/replay/commits/0000002.json"), "{}", fooled.said);
        assert!(said.contains("it was written as commits/0000001.json"), "{}", fooled.said);
    }
    put(&kept(2), &second);
    site.assert_settled("after the right one is back");
}

/// Puts bytes where a server keeps an object.
fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_record_is_encrypted_by_moving_it_and_comes_back_in_plain() {
    let server = Server::start(Habit::Honours);
    let mut site = Site::in_bucket("to-seal", server.address());
    site.done(&["apply", "--yes", "-q"]);
    let recipient = site.be_somebody("identity");
    site.encrypt_for(&recipient);
    let unmoved = site.run(&["apply", "--yes"]);
    assert_eq!(unmoved.code, 1, "{}", unmoved.said);
    assert!(
        flat(&unmoved.said).contains("it is not encrypted, and the files say that it is to be"),
        "{}",
        unmoved.said
    );

    let place = |prefix: &str| format!("s3://{BUCKET}/{prefix}?endpoint=http://{}", server.address());
    site.replace("where.kdl", "prefix=\"to-seal\"", "prefix=\"sealed\"");
    let moved = site.done(&["state", "migrate", "--from", &place("to-seal")]);
    assert!(moved.contains("1 commits, up to 1") && flat(&moved).contains("as readable as it was"), "{moved}");
    site.assert_settled("encrypted");
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    site.done(&["apply", "--yes", "-q"]);

    site.replace("where.kdl", &format!(" {{ encrypt age recipient=\"{recipient}\" }}"), "");
    let unasked = site.run(&["plan"]);
    assert_eq!(unasked.code, 1, "{}", unasked.said);
    assert!(flat(&unasked.said).contains("it is encrypted, and the files do not say so"), "{}", unasked.said);
    site.replace("where.kdl", "prefix=\"sealed\"", "prefix=\"open-again\"");
    let moved = site.done(&["state", "migrate", "--from", &place("sealed")]);
    assert!(moved.contains("2 commits, up to 2"), "{moved}");
    site.env.remove("WHARF_IDENTITY");
    site.assert_settled("in plain again");
    site.done(&["rollback", "@1", "--yes"]);
    assert!(site.done(&["invoke"]).contains("one"));
}
