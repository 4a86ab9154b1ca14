//! Nothing needs root but the engine itself: the whole way as a user who may use its socket, and has no other rights beyond
//! the project's folder.

use crate::{
    engine,
    life::Stage as _,
    lives::{self, OnEngine},
    site::containers,
    support::{http, nobody},
};
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
};

const NAME: &str = "dk-ordinary";
/// A group that nobody else is in.
const GROUP: u32 = 64_017;

/// Lets the group use the engine's socket, as that of an installed engine is for the group `docker`.
fn let_in() {
    let host = engine::host();
    let socket = Path::new(host.trim_start_matches("unix://"));
    fs::set_permissions(socket.parent().unwrap(), fs::Permissions::from_mode(0o711)).unwrap();
    chown(socket, None, Some(GROUP)).unwrap();
    fs::set_permissions(socket, fs::Permissions::from_mode(0o660)).unwrap();
}

#[test]
fn an_ordinary_user_needs_the_socket_and_nothing_else() {
    if let Some(obstacle) = nobody::obstacle() {
        eprintln!("skipped: {obstacle}");
        return;
    }
    let stage = OnEngine::set(NAME);
    let site = stage.site();
    site.write("unit.kdl", &lives::unit());
    let_in();
    let nobody = nobody::Nobody::at(site, Some(GROUP));
    nobody.run(&["plan"]);
    nobody.run(&["apply", "--yes", "-q"]);
    let answer = || http::get(site.port, "/api/predict/hello/", None).unwrap();
    assert!(answer().body.contains("one"), "{:?}", answer());
    assert!(nobody.run(&["status"]).contains("1/1 ready"));
    nobody.run(&["plan", "--detailed-exitcode"]);
    nobody.run(&["drift"]);
    site.replace("wharf.kdl", "\"one\"", "\"two\"");
    nobody.run(&["apply", "--yes", "-q"]);
    assert!(answer().body.contains("two"), "{:?}", answer());
    nobody.run(&["logs", "-n", "1"]);
    nobody.run(&["mounts", "status"]);
    nobody.run(&["destroy", "--yes", "-q"]);
    assert!(containers(NAME).is_empty(), "{:?}", containers(NAME));
}
