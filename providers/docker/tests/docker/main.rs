//! The Docker runtime against a real engine, which the tests start and end themselves.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod buckets;
mod conformance;
#[path = "../../../local/tests/support/copied.rs"]
mod copied;
mod copies;
mod file_systems;
mod gateways;
mod healing;
mod instances;
mod networks;
mod packages;
mod place;
mod registry;
mod remote;
#[path = "../support/mod.rs"]
mod support;
mod units;
