//! The command line with environments on a Docker Engine: real commands, real containers, an engine that the tests start
//! and end themselves.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]

mod canaries;
mod drift;
#[path = "../../../../providers/docker/tests/support/mod.rs"]
mod engine;
mod examples;
mod gpus;
mod kill;
mod load;
mod networks;
mod refused;
mod site;
#[allow(dead_code, reason = "the other suite uses the rest")]
#[path = "../end_to_end/support/mod.rs"]
mod support;
mod watch;
