//! Applies against a runtime in memory and a store in memory: what a plan says comes about, whatever happens on the way.

#![allow(clippy::disallowed_methods, reason = "a seed to play again comes from the environment")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod any_project;
mod faults;
mod scenes;
mod simulation;
mod site;
