//! Each kind of server is a backend.

use crate::support::backend;
use std::path::Path;
use wharf_bucket_server::{Habit, Moto, Server};
use wharf_store::conformance;

#[test]
fn a_bucket_is_a_backend() {
    let server = Server::start(Habit::Honours);
    conformance(&|| backend(server.address()));
    assert!(server.keys().is_empty(), "{:?}", server.keys());
}

#[test]
fn a_bucket_of_another_server_is_a_backend_too() {
    let builds = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let server = Moto::start(builds);
    crate::support::bucket(server.address()).probe().unwrap();
    conformance(&|| backend(server.address()));
}
