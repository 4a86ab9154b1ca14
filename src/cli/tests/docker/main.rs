//! The command line with environments on a Docker Engine: real commands, real containers, an engine that the tests start
//! and end themselves.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]

mod adopted;
mod away;
mod canaries;
mod drift;
mod elsewhere;
#[path = "../../../../providers/docker/tests/support/mod.rs"]
mod engine;
mod examples;
mod gpus;
mod healing;
mod kill;
#[path = "../end_to_end/boundaries/life.rs"]
mod life;
mod lives;
mod load;
mod networks;
mod ordinary_user;
mod refused;
mod site;
#[allow(dead_code, reason = "the other suite uses the rest")]
#[path = "../end_to_end/support/mod.rs"]
mod support;
mod units;
mod upgrade;
mod watch;
