//! Where a value was written.

use crate::{Address, Field, FieldPath};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

/// A place in a project's files, as a person counts: lines and columns start at 1. Line 0 is the whole of something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The file, relative to the project's folder.
    pub file: Arc<str>,
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// Where every resource and every written field of a deployment stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    fields: HashMap<Address, BTreeMap<FieldPath, Origin>>,
    resources: HashMap<Address, Origin>,
}

impl Origins {
    /// Notes where a resource is declared.
    pub fn declare(&mut self, address: Address, origin: Origin) {
        self.resources.insert(address, origin);
    }

    /// Notes where a field is written; the last word counts.
    pub fn write(&mut self, address: &Address, path: FieldPath, origin: Origin) {
        match self.fields.get_mut(address) {
            Some(fields) => drop(fields.insert(path, origin)),
            None => drop(self.fields.insert(address.clone(), BTreeMap::from([(path, origin)]))),
        }
    }

    /// Takes in what was noted elsewhere; of two words about one thing, that one counts.
    pub fn absorb(&mut self, later: Self) {
        self.resources.extend(later.resources);
        for (address, fields) in later.fields {
            self.fields.entry(address).or_default().extend(fields);
        }
    }

    /// Where the resource is declared.
    pub fn declared(&self, address: &Address) -> Option<&Origin> {
        self.resources.get(address)
    }

    /// Where the field is written: the very entry, else the field as a whole, else the resource.
    pub fn of(&self, address: &Address, path: &FieldPath) -> Option<&Origin> {
        let exact = |wanted: &FieldPath| self.fields.get(address)?.get(wanted);
        exact(path).or_else(|| exact(&FieldPath::of(path.field))).or_else(|| self.declared(address))
    }

    /// Where a field is written, if it is written at all.
    pub fn written(&self, address: &Address, field: Field) -> Option<&Origin> {
        let entries = self.fields.get(address)?.range(FieldPath::of(field)..);
        entries.take_while(|(path, _)| path.field == field).map(|(_, origin)| origin).next()
    }
}
