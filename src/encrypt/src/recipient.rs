//! For whom a record is encrypted.

use crate::EncryptError;
use std::{fmt, sync::Arc};

/// Those for whom a record is encrypted, each once, in their order. There is one at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipients(Vec<Arc<str>>);

impl Recipients {
    /// Reads them as age writes them, `age1…`; none where there are none.
    ///
    /// # Errors
    /// When one of them is none of age's.
    pub fn read(texts: &[Arc<str>]) -> Result<Option<Self>, EncryptError> {
        for text in texts {
            key_of(text)?;
        }
        let mut sorted = texts.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        Ok((!sorted.is_empty()).then_some(Self(sorted)))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn texts(&self) -> &[Arc<str>] {
        &self.0
    }

    pub(crate) fn keys(&self) -> Result<Vec<age::x25519::Recipient>, EncryptError> {
        self.0.iter().map(|text| key_of(text)).collect()
    }
}

fn key_of(text: &str) -> Result<age::x25519::Recipient, EncryptError> {
    text.parse().map_err(|why: &str| EncryptError::Recipient { text: text.to_owned(), why: why.to_owned() })
}

impl fmt::Display for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}
