//! Object storage: the one client, a store's [`Backend`](wharf_store::Backend) on it, and the folders of buckets that are
//! mounted, as [`Source`](wharf_content::Source)s.
//!
//! A bucket makes an object on the condition that there is none, and that is all that a store asks of it. Where a bucket
//! does not keep to that, a probe sees it before anything is written. Who we are is found where users and pipelines keep
//! it (environment, profile, web identity, instance role), and stands in no project. What the objects mean is for others.

mod backend;
mod client;
mod connect;
mod fault;
mod folder;
mod own;
mod probe;
mod sums;
mod waiting;

pub use backend::BucketBackend;
pub use client::{Client, Listed, Making, Patience};
pub use connect::Identity;
pub use fault::{BucketError, Told};
pub use folder::{BucketDepot, BucketFolder};
