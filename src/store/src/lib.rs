//! What wharf writes down about an environment: numbered commits, journals behind them, a lease, and the key of its
//! secrets' digests, in a folder or wherever else a [`Backend`] keeps objects and logs.
//!
//! A commit is created only if no other has its number, so two writers cannot both succeed whatever the lease says. The
//! journal behind commit N begins empty and holds what was about to be done and what came of it; the record as it stands
//! is commit N with the journals behind it absorbed. This crate decides when a byte is safe, and nothing about what it
//! means.
//!
//! Who writes holds a [`Writer`], which holds the lease:
//!
//! ```
//! fn write(store: &wharf_store::Writer) {
//!     let _ = store.journal();
//! }
//! ```
//!
//! A [`Reader`] has no way to:
//!
//! ```compile_fail,E0599
//! fn write(store: &wharf_store::Reader) {
//!     let _ = store.journal();
//! }
//! ```

#![allow(clippy::disallowed_methods, reason = "a store is files, and a lease is judged by a clock")]

mod audit;
mod backend;
mod commit;
mod error;
mod format;
mod journal;
mod lease;
mod moving;
mod request;
mod retention;
mod store;

pub use audit::{Author, Logged, Verdict};
pub use backend::{Backend, Created, FolderBackend, Guard, Look, MemoryBackend, Presence, conformance};
pub use commit::{Commit, Made};
pub use error::{Attempt, StoreError};
pub use journal::{Batch, Begin, Entry, Journal, Line, Mark, Want, Written};
pub use lease::{Epoch, Holder, Judgement, Lease, Patience, Times, Waiting, Watch};
pub use moving::{Moved, migrate};
pub use request::{Asked, Request, Requests, ask};
pub use store::{Reader, Released, Standing, Writer, release};

/// What stands beside bytes on a disk, so that it is noticed when they change.
fn checksum(bytes: &[u8]) -> String {
    hex::encode(&blake3::hash(bytes).as_bytes()[..8])
}
