//! Version 1 on disk. Names, addresses and digests stand as their text forms; durations in milliseconds.

mod container;
mod elastic;
mod gateway;
mod journal;
mod mount;
mod object;
mod record;
mod resources;
mod spec;
mod stored;

pub(super) use journal::{print_entry, read_entry};
pub(super) use record::{print_commit, read_commit};

use std::{fmt::Display, str::FromStr, time::Duration};

/// What a commit of this version calls itself.
pub(super) const COMMIT: &str = "wharf.record/1";

fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
