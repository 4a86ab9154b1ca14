//! Values of a runtime's own language.

use std::{fmt, sync::Arc};

/// A JSON value in its canonical text, made by whoever read and understood it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json(pub Arc<str>);

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
