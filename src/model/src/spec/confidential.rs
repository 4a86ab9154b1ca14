//! Instances that prove what they are before they are told how to read a model.

use std::{fmt, sync::Arc};

/// An instance that proves what it is before it gets the key to its mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confidential {
    /// Who is convinced, and hands out the key.
    pub trustee: Arc<str>,
    /// Which key.
    pub key: Arc<str>,
}

impl fmt::Display for Confidential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.key, self.trustee)
    }
}
