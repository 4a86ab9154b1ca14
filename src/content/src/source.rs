//! Where files come from, as far as the store needs to know.

use crate::check::Checksum;
use async_trait::async_trait;
use bytes::Bytes;
use std::{ops::Range, sync::Arc};
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
}
