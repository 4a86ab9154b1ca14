//! Version 1 on disk. Names, addresses and digests stand as their text forms; durations in milliseconds.

mod container;
mod elastic;
mod gateway;
mod journal;
mod lease;
mod mount;
mod object;
mod record;
mod request;
mod resources;
mod spec;
mod stored;

pub(super) use journal::{print_line, read_line};
pub(super) use lease::{print_lease, read_lease};
pub(super) use record::{print_commit, read_commit};
pub(super) use request::{print_request, read_request};

use std::{fmt::Display, str::FromStr, time::Duration};

/// What a commit of this version calls itself.
pub(super) const COMMIT: &str = "wharf.record/1";
/// What a claim of the lease of this version calls itself.
pub(super) const LEASE: &str = "wharf.lease/1";

fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
