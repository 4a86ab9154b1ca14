//! An encrypted record keeps every promise of a store, tells nothing to who has no identity, and is not fooled.

#![allow(clippy::disallowed_methods, reason = "identities are files")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod moving;
mod promises;
mod refusals;
mod support;
