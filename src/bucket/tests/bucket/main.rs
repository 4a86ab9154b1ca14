//! A store in a bucket: everything that a store promises, on servers that are good, bad and far away.

#![allow(clippy::disallowed_methods, reason = "what is tested is servers and time")]

mod backend;
mod faults;
mod probe;
mod support;
