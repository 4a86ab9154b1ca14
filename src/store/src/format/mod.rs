//! Records and journals as bytes. Every file names its format; each format has types of its own, apart from the model, so
//! that the model can change and old files stay readable.

mod v1;

use crate::{Entry, StoreError};
use std::path::Path;
use wharf_model::{Lineage, Record};

pub(crate) fn print_commit(serial: u64, lineage: &Lineage, record: &Record) -> String {
    v1::print_commit(serial, lineage, record)
}

pub(crate) fn read_commit(text: &str, path: &Path, serial: u64) -> Result<(Lineage, Record), StoreError> {
    #[derive(serde::Deserialize)]
    struct Head {
        format: String,
    }
    let damaged = |problem: String| StoreError::Damaged { path: path.to_owned(), problem };
    let head: Head = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    if head.format != v1::COMMIT {
        return Err(StoreError::TooNew { path: path.to_owned(), found: head.format, known: v1::COMMIT });
    }
    v1::read_commit(text, serial).map_err(damaged)
}

pub(crate) fn print_entry(entry: &Entry) -> String {
    v1::print_entry(entry)
}

pub(crate) fn read_entry(json: &str, path: &Path) -> Result<Entry, StoreError> {
    v1::read_entry(json).map_err(|problem| StoreError::Damaged { path: path.to_owned(), problem })
}
