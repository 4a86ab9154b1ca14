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
