//! Records, journals and leases as bytes. Every object names its format; each format has types of its own, apart from the
//! model, so that the model can change and old objects stay readable.

mod seal;
mod v1;

use crate::{Commit, Entry, Holder, Line, Request, StoreError};
use wharf_model::Timestamp;

pub(crate) fn print_commit(commit: &Commit) -> String {
    seal::seal(&v1::print_commit(commit))
}

pub(crate) fn read_commit(bytes: &[u8], at: &str, serial: u64) -> Result<Commit, StoreError> {
    let damaged = |problem| StoreError::Damaged { at: at.to_owned(), problem };
    let text = std::str::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
    let text = seal::unseal(text).map_err(damaged)?;
    let text = checked(text.as_bytes(), at, v1::COMMIT)?;
    v1::read_commit(text, serial).map_err(damaged)
}

pub(crate) fn print_line(entry: &Entry, at: Timestamp) -> String {
    v1::print_line(entry, at)
}

pub(crate) fn read_line(json: &str) -> Result<Line, String> {
    v1::read_line(json)
}

pub(crate) fn print_lease(holder: &Holder) -> String {
    v1::print_lease(holder)
}

pub(crate) fn read_lease(bytes: &[u8], at: &str) -> Result<Holder, StoreError> {
    checked(bytes, at, v1::LEASE)?;
    v1::read_lease(bytes).map_err(|problem| StoreError::Damaged { at: at.to_owned(), problem })
}

pub(crate) fn print_request(request: &Request) -> String {
    v1::print_request(request)
}

pub(crate) fn read_request(text: &str) -> Result<Request, String> {
    v1::read_request(text)
}

/// The text of an object that says that it has the format.
fn checked<'a>(bytes: &'a [u8], at: &str, known: &'static str) -> Result<&'a str, StoreError> {
    #[derive(serde::Deserialize)]
    struct Head {
        format: String,
    }
    let damaged = |problem: String| StoreError::Damaged { at: at.to_owned(), problem };
    let text = std::str::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
    let head: Head = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    if head.format != known {
        return Err(StoreError::TooNew { at: at.to_owned(), found: head.format, known });
    }
    Ok(text)
}
