//! Changes of a project's files, as others than their author propose them.

use crate::Origin;
use std::sync::Arc;

/// One change. Whoever holds the texts carries it out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edit {
    /// The value that stands there becomes another.
    Set {
        /// Where the value is written.
        at: Origin,
        /// What it becomes.
        value: Literal,
    },
    /// The node goes, with everything in it.
    Remove {
        /// Where its name or its first value is written.
        at: Origin,
    },
    /// A node comes into the block of another.
    Add {
        /// Where the name or the first value of the other is written.
        into: Origin,
        /// What it is called.
        name: Arc<str>,
        /// Its value.
        value: Literal,
    },
}

impl Edit {
    /// Where it changes something.
    pub fn origin(&self) -> &Origin {
        match self {
            Self::Set { at, .. } | Self::Remove { at } | Self::Add { into: at, .. } => at,
        }
    }
}

/// A value of the language.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Literal {
    /// A number, written bare.
    Number(u32),
    /// A text, written in quotes.
    Text(Arc<str>),
}
