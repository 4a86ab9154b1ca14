//! Since when: a look writes nothing, so what remembers is the report of the look before.

use super::{Class, Finding, format};
use std::collections::BTreeMap;
use wharf_model::Timestamp;

/// When each finding of an earlier report was seen first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Former(pub(super) BTreeMap<Key, Timestamp>);

/// What makes two findings of two reports the same: path, object and class.
pub(super) type Key = (String, Option<String>, String);

/// A text that is no report of drift.
#[derive(Debug, thiserror::Error)]
pub enum FormerError {
    /// It cannot be read.
    #[error("it is no report of drift in JSON")]
    Shape(#[from] serde_json::Error),
    /// Another build wrote it.
    #[error("it has the format {found}; this build reads {known}")]
    Format {
        /// What it has.
        found: String,
        /// What is known.
        known: &'static str,
    },
    /// It is about something else.
    #[error("it is about {0}")]
    Other(String),
}

impl Former {
    /// Reads [`Drift::json`](super::Drift::json) of an earlier look at the same environment.
    ///
    /// # Errors
    /// When it is something else.
    pub fn read(json: &str, project: &str, environment: &str) -> Result<Self, FormerError> {
        format::read(json, project, environment)
    }

    pub(super) fn first_seen(&self, finding: &Finding) -> Option<Timestamp> {
        let key = key(finding.path(), finding.object.as_ref().map(ToString::to_string), finding.class);
        self.0.get(&key).copied()
    }
}

fn key(path: String, object: Option<String>, class: Class) -> Key {
    (path, object, class.as_str().to_owned())
}
