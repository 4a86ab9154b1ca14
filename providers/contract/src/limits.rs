//! How many calls a platform takes at once, as data.

use std::collections::BTreeMap;
use wharf_model::Verb;

/// The limits of one provider. Where all its objects live on one host, these are the host's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Calls of any kind.
    pub at_once: usize,
    /// Calls of one kind, where fewer.
    pub of_kind: BTreeMap<Verb, usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { at_once: usize::MAX, of_kind: BTreeMap::new() }
    }
}

impl Limits {
    /// How many calls of this kind there may be, when `most` are allowed at all.
    pub fn of(&self, verb: Verb, most: usize) -> usize {
        let kind = self.of_kind.get(&verb).copied().unwrap_or(usize::MAX);
        kind.min(self.at_once).min(most).max(1)
    }
}
