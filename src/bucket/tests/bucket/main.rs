//! A store in a bucket, and folders of buckets that are mounted: everything that they promise, on servers that are good, bad
//! and far away.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "what is tested is servers and time")]

mod backend;
mod doubt;
mod faults;
mod folders;
mod killed;
mod place;
mod probe;
mod support;
mod written;
