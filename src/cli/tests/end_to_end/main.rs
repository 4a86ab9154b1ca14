//! The command line as people and pipelines use it: real commands, real instances, real gateways.
//!
//! `sessions` plays what is written down in `testdata/cli`; the other modules hold what no transcript can show.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]

mod balancers;
mod boundaries;
mod bucket;
mod bucket_far_away;
mod canaries;
mod destroy;
mod disk;
mod dumps;
mod encrypted;
mod events;
mod examples;
mod file_systems;
mod gateway;
mod groups;
mod healing;
mod kill;
mod ladder;
mod load;
mod logs;
mod losses;
mod notify;
mod ordinary_user;
mod paths;
mod plan_writes_nothing;
mod rollouts;
mod secrets;
mod served;
mod sessions;
mod signals;
mod streams;
mod support;
mod traces;
mod written;
