//! A record that only its recipients can read, wherever it is kept: a [`Backend`](wharf_store::Backend) around another.
//!
//! Every object and every part of a log is encrypted with the record's own key, and bound to its name: what was written
//! as commit 1 cannot be passed off as commit 2, nor the beginning of a journal as its end. That key lies beside the
//! record, encrypted by age for each recipient. Names and lengths stay readable, since a store finds by names what there
//! is, who comes after whom, and whether a lease lives; signs of life are empty. What the bytes mean is for others.
//!
//! Who can write to the place can still take away what is there, and so also set the whole of it back to an earlier day.

#![allow(clippy::disallowed_methods, reason = "identities are in a file of the user's")]

mod backend;
mod envelope;
mod fault;
mod frame;
mod identity;
mod recipient;

pub use backend::{Encrypted, Encryption, Wanted};
pub use fault::EncryptError;
pub use identity::Identities;
pub use recipient::Recipients;
