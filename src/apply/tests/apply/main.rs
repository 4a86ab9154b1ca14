//! Applies against a runtime in memory and a store in memory: what a plan says comes about, whatever happens on the way.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod any_project;
mod faults;
mod scenes;
mod simulation;
mod site;
