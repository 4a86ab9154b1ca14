//! The values of secrets, in memory only.

use secrecy::{ExposeSecret, SecretString};
use std::{collections::BTreeMap, fmt};
use wharf_model::SecretName;

/// The values of a project's secrets. Prints as names; wiped when dropped.
#[derive(Clone, Default)]
pub struct SecretValues(BTreeMap<SecretName, SecretString>);

impl SecretValues {
    /// Adds a value.
    pub fn insert(&mut self, name: SecretName, value: SecretString) {
        self.0.insert(name, value);
    }

    /// The value, for the one place that must write it out. Never print it, never store it.
    pub fn expose(&self, name: &SecretName) -> Option<&str> {
        self.0.get(name).map(SecretString::expose_secret)
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &SecretName> {
        self.0.keys()
    }
}

impl fmt::Debug for SecretValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
