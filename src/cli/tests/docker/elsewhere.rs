//! An engine behind ssh: every command gets there through the `ssh` that the user has, and none leaves one behind.

use crate::{
    engine::{self, sshd::Sshd},
    site::{TOKEN, containers, hello_at},
    support::{Site, http, until},
};
use std::{fs, os::unix::fs::PermissionsExt as _};

const NAME: &str = "dk-elsewhere";

/// Puts an `ssh` first on the site's path that has the settings of one who may go through this server.
fn set_up(site: &mut Site, sshd: &Sshd) {
    let words: Vec<_> = sshd.words("known", "key").iter().map(|word| word.to_str().unwrap().to_owned()).collect();
    let folder = site.root().join("bin");
    fs::create_dir(&folder).unwrap();
    let program = folder.join("ssh");
    fs::write(&program, format!("#!/bin/sh\nexec /usr/bin/{} \"$@\"\n", words.join(" "))).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    site.env.insert("PATH".to_owned(), path);
}

#[test]
fn a_project_lives_on_an_engine_behind_ssh() {
    let sshd = Sshd::start(&std::env::var("PATH").unwrap());
    let socket = sshd.path_to(engine::host().trim_start_matches("unix://"));
    let mut site = hello_at(NAME, &sshd.host(&socket));
    // Who is to heal instances is on the engine's machine, and needs its socket there.
    site.replace(
        "wharf.kdl",
        "failures 5 }",
        "failures 5 }\n        liveness { http \"/health\"; every \"1s\"; failures 9 }",
    );
    set_up(&mut site, &sshd);
    let greets = |word: &str| {
        let answer = http::get(site.port, "/api/predict/hello/", Some(TOKEN)).unwrap();
        assert!(answer.body.contains(word), "{answer:?}");
    };
    site.done(&["apply", "--yes", "-q"]);
    greets("one");
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    site.done(&["apply", "--yes", "-q"]);
    greets("two");
    assert!(containers(NAME).iter().any(|(name, runs)| name.contains("supervisor") && *runs), "{:?}", containers(NAME));
    assert!(site.done(&["status"]).contains("2/2 ready"));
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    site.done(&["drift"]);
    site.done(&["logs", "-n", "1"]);
    site.done(&["destroy", "--yes", "-q"]);
    assert!(containers(NAME).is_empty(), "{:?}", containers(NAME));
    until("nobody is left on the way", || sshd.clients().is_empty());
}
