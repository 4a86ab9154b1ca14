//! What wharf writes down about an environment, in a folder: numbered commits, a journal behind the last of them, a lock,
//! and the key of its secrets' digests.
//!
//! A commit is created only if no other has its number, so two writers cannot both succeed whatever the lock says. The
//! journal after commit N begins empty and holds what was about to be done and what came of it; the record as it stands
//! is commit N with the journal absorbed. This crate decides when a byte is safe, and nothing about what it means.
//!
//! Who writes holds a [`Writer`], which holds the lock:
//!
//! ```
//! fn write(store: &mut wharf_store::Writer, record: &wharf_model::Record) {
//!     let _ = store.commit(record);
//! }
//! ```
//!
//! A [`Reader`] has no way to:
//!
//! ```compile_fail,E0599
//! fn write(store: &mut wharf_store::Reader, record: &wharf_model::Record) {
//!     let _ = store.commit(record);
//! }
//! ```

#![allow(clippy::disallowed_methods, reason = "a store on disk is files")]

mod commit;
mod error;
mod format;
mod history;
mod journal;
mod lock;
mod store;

pub use error::StoreError;
pub use history::{Author, Commit, Made};
pub use journal::{Begin, Entry, Journal};
pub use lock::Holder;
pub use store::{Reader, Standing, Writer};
