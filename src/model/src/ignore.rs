//! What drift is not to be told of, for a while.

use crate::{Date, Origin, ServiceName};
use std::sync::Arc;

/// A rule of the files: what somebody else is known to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignore {
    /// What it is about: an address, or an address and a field, with `*` for any run of characters. Within a service: a
    /// field of whatever belongs to it.
    pub path: Arc<str>,
    /// The service in which it stands.
    pub service: Option<ServiceName>,
    /// Why, in the user's words.
    pub reason: Arc<str>,
    /// The last day on which it holds, in UTC; for ever when absent.
    pub until: Option<Date>,
    /// Where it is written.
    pub origin: Option<Origin>,
}

impl Ignore {
    /// Whether it does not hold any more.
    pub fn is_expired(&self, today: Date) -> bool {
        self.until.is_some_and(|last| last < today)
    }
}
