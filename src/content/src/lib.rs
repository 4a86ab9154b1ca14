//! What a host keeps of folders that come from elsewhere. A folder is listed, its files are fetched in pieces that are each
//! hashed and written down, verified, and linked into a snapshot that never changes. A snapshot has its name only when every
//! byte of it is verified. Files are kept by what they hold, so snapshots share them, and with them the page cache.
//!
//! What is decided (which names are safe, what is still to be fetched, what may be collected) are functions of values:
//! `listing`, `name`, `piece`, `check`, `collect`, `pace`. What a source is, and how it is spoken to, is for others.

#![allow(clippy::disallowed_methods, reason = "the store is files, and waiting takes time")]

mod check;
mod collect;
mod combine;
mod doubt;
mod error;
mod fetch;
mod follow;
mod ledger;
mod listing;
mod name;
mod pace;
mod part;
mod piece;
mod snapshot;
mod source;
mod store;
mod throttle;
mod usage;
mod work;
mod written;

pub use check::Checksum;
pub use collect::Standing;
pub use error::{Conflict, FetchError, SendError};
pub use fetch::{Fetch, fetch};
pub use listing::{Listing, Turnover};
pub use name::NameProblem;
pub use source::{Body, Depot, Fault, Known, Object, Sink, Source};
pub use store::{Kept, Store};
pub use throttle::Throttle;
pub use usage::Usage;
pub use work::Patience;
pub use written::{Baseline, Batch, Sent, UNTOUCHED, lay_out, take};
