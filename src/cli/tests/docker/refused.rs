//! An engine that is not there, and one that may not be used: one clear error each.

use crate::{site::hello, support::Site};
use std::{fs, os::unix::net::UnixListener};

fn planned(site: &Site) -> String {
    let ran = site.run(&["plan"]);
    assert_eq!(ran.code, 1, "{}", ran.said);
    ran.said.lines().map(|line| line.trim_start_matches([' ', '│', '╰', '─', '▶', '×'])).collect::<Vec<_>>().join(" ")
}

#[test]
fn an_engine_that_is_not_there_is_one_clear_error() {
    let site = hello("dk-missing");
    let text = fs::read_to_string(site.dir.join("wharf.kdl")).unwrap();
    let with = |host: &str| {
        let host = format!("host=\"{host}\"");
        let begin = text.find("host=").unwrap();
        let end = begin + text[begin..].find(" }").unwrap();
        site.write("wharf.kdl", &text.replace(&text[begin..end], &host));
    };
    with("unix:///nowhere/docker.sock");
    let said = planned(&site);
    assert!(said.contains("no Docker Engine listens at /nowhere/docker.sock"), "{said}");
    assert!(said.contains("systemctl start docker"), "{said}");

    // A socket that nobody listens on any more.
    let stale = site.root().join("stale.sock");
    drop(UnixListener::bind(&stale).unwrap());
    with(&format!("unix://{}", stale.display()));
    let said = planned(&site);
    assert!(said.contains("Connection refused") && said.contains("stale.sock"), "{said}");

    with("ftp://somewhere");
    let said = planned(&site);
    assert!(said.contains("is no address of an engine") && said.contains("unix:///path/to/docker.sock"), "{said}");
}

#[test]
fn a_bucket_in_place_needs_a_driver_and_shows_its_keys_to_who_may_use_the_engine() {
    let mut site = hello("dk-in-place");
    let text = fs::read_to_string(site.dir.join("wharf.kdl")).unwrap();
    let secrets = "secret \"id\" { env \"BUCKET_ID\" }\nsecret \"bucket\" { env \"BUCKET_KEY\" }\n";
    let mount = "    mount \"/mnt/pages\" {\n        s3 \"acme/pages/\" endpoint=\"https://s3.example.com\" mode=\"fuse\" \
                 access-key=(secret)\"id\" secret-key=(secret)\"bucket\"\n    }\n";
    let at = text.find("    mount ").unwrap();
    let text = format!("{}{mount}{}{secrets}", &text[..at], &text[at..]);
    site.write("wharf.kdl", &text);
    for name in ["BUCKET_ID", "BUCKET_KEY"] {
        site.env.insert(name.to_owned(), format!("value of {name}"));
    }
    let said = planned(&site);
    assert!(said.contains("no volume driver is named that would mount it"), "{said}");

    let end = text.find("host=\"").map(|host| host + text[host..].find(" }").unwrap()).unwrap();
    site.write("wharf.kdl", &format!("{} {{ fuse \"rclone\" }}{}", &text[..end], &text[end..]));
    let plan = site.done(&["plan"]);
    let words = plan.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("`docker inspect` shows the secrets bucket, id of service."), "{plan}");
    assert!(!plan.contains("value of"), "{plan}");
}
