//! Where files come from, as far as the store needs to know.

use crate::check::Checksum;
use async_trait::async_trait;
use bytes::Bytes;
use std::{ops::Range, path::Path, sync::Arc};
use wharf_model::BucketMount;

/// One thing in a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// Its name below the folder; one that ends with `/` stands for a folder.
    pub key: String,
    /// How many bytes it has.
    pub size: u64,
    /// What tells this state of it from every other.
    pub tag: String,
}

/// Why a source did not give what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The object is not as it was listed.
    #[error("it was changed in the meantime")]
    Changed,
    /// There is no such object.
    #[error("it is listed, and not there")]
    Missing,
    /// Another try may go better.
    #[error("{0}")]
    Passing(String),
    /// No other try will go better.
    #[error("{said}")]
    Refused {
        /// What was said.
        said: String,
        /// The way out.
        help: String,
    },
}

/// A folder of objects. One call is one request: whoever asks tries again.
#[async_trait]
pub trait Source: Send + Sync {
    /// The folder's address, for people, and what tells it from other folders.
    fn place(&self) -> &str;

    /// Everything in the folder, below it as well.
    ///
    /// # Errors
    /// When it cannot be listed.
    async fn list(&self) -> Result<Vec<Object>, Fault>;

    /// What the source knows of the whole object to hold its bytes against, if anything.
    ///
    /// # Errors
    /// When it cannot be asked.
    async fn checksum(&self, object: &Object) -> Result<Option<Checksum>, Fault>;

    /// The bytes of a range, of the very object that was listed.
    ///
    /// # Errors
    /// [`Fault::Changed`] when it is another by now.
    async fn get(&self, object: &Object, range: Range<u64>) -> Result<Box<dyn Body>, Fault>;
}

/// What may be there where a file is sent.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What was listed there.
    pub listed: Option<&'a Object>,
    /// The hashes of what we may have sent there.
    pub ours: &'a [String],
}

/// A folder of objects that may be written to. One call is one attempt: whoever calls tries again.
#[async_trait]
pub trait Sink: Source {
    /// Sends a file to where still is what is known, or where nothing is. Its hash is kept beside it, so that a file that was
    /// sent before is known again; sending it twice is fine.
    ///
    /// # Errors
    /// [`Fault::Changed`] when something else is there; it stays as it is.
    async fn put(&self, key: &str, known: Known<'_>, file: &Path, hash: &str) -> Result<(), Fault>;
}

/// Bytes that arrive.
#[async_trait]
pub trait Body: Send {
    /// The next bytes; none at the end, which may come too early.
    ///
    /// # Errors
    /// When they break off.
    async fn next(&mut self) -> Result<Option<Bytes>, Fault>;

    /// What the answer said of the whole object to hold its bytes against.
    fn checksum(&self) -> Option<Checksum>;
}

/// Who opens sources.
pub trait Depot: Send + Sync + std::fmt::Debug {
    /// The folder of a mount. Nothing is asked of anybody yet.
    ///
    /// # Errors
    /// When it is known without asking that it cannot be opened.
    fn open(&self, mount: &BucketMount) -> Result<Arc<dyn Source>, Fault>;

    /// The same folder, to write to.
    ///
    /// # Errors
    /// When it is known without asking that it cannot be opened.
    fn open_to_write(&self, mount: &BucketMount) -> Result<Arc<dyn Sink>, Fault>;
}
