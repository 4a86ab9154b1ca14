//! What can go wrong on a platform, sorted by what can be done about it.

use std::{error::Error, time::Duration};

/// Why a call failed. The message names the thing and the attempt; `help` is the way out; the cause is apart.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The platform will not have it; trying again changes nothing.
    #[error("{attempt}")]
    Rejected {
        /// What was tried.
        attempt: String,
        /// What helps.
        help: String,
        /// What the platform said.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// Something that should be there is not.
    #[error("{attempt}")]
    Missing {
        /// What was tried.
        attempt: String,
        /// What helps.
        help: String,
    },
    /// Something else is in the way: a taken port, a name of somebody else's.
    #[error("{attempt}")]
    Conflict {
        /// What was tried.
        attempt: String,
        /// What helps.
        help: String,
    },
    /// The platform does not let us.
    #[error("{attempt}")]
    Denied {
        /// What was tried.
        attempt: String,
        /// What helps.
        help: String,
        /// What the platform said.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The platform did nothing, as it is asked too often. Tried again when it says so.
    #[error("{attempt}")]
    Throttled {
        /// What was tried.
        attempt: String,
        /// How long the platform asked us to wait.
        retry_after: Option<Duration>,
    },
    /// The platform did not answer, or was busy: the call may have been done or not. Tried again.
    #[error("{attempt}")]
    Unreachable {
        /// What was tried.
        attempt: String,
        /// How long the platform asked us to wait.
        retry_after: Option<Duration>,
        /// What came instead of an answer.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl ProviderError {
    /// The way out, where there is one to name.
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Rejected { help, .. }
            | Self::Missing { help, .. }
            | Self::Conflict { help, .. }
            | Self::Denied { help, .. } => Some(help),
            Self::Throttled { .. } | Self::Unreachable { .. } => None,
        }
    }
}
