//! Claims of the lease.

use super::LEASE;
use crate::Holder;
use serde::{Deserialize, Serialize};
use wharf_model::Timestamp;

/// Only read by waiters, which may be older than the holder: what they do not know they pass over.
#[derive(Serialize, Deserialize)]
struct LeaseV1 {
    format: String,
    who: String,
    pid: u32,
    doing: String,
    since_ms: u64,
    #[serde(default)]
    machine: String,
}

pub(in crate::format) fn print_lease(holder: &Holder) -> String {
    let Holder { who, pid, doing, since, machine } = holder.clone();
    let lease = LeaseV1 { format: LEASE.to_owned(), who, pid, doing, since_ms: since.0, machine };
    serde_json::to_string(&lease).expect("strings and numbers become JSON")
}

pub(in crate::format) fn read_lease(bytes: &[u8]) -> Result<Holder, String> {
    let LeaseV1 { format: _, who, pid, doing, since_ms, machine } =
        serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    Ok(Holder { who, pid, doing, since: Timestamp(since_ms), machine })
}
