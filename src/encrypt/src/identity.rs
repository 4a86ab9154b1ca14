//! As whom a record is read: the file of identities that a user names. It is read when it is needed, and its text goes
//! into no message.

use crate::EncryptError;
use age::x25519::Identity;
use std::{fmt, fs, path::PathBuf};

/// A file with identities as `age-keygen` writes it, or none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Identities {
    file: Option<PathBuf>,
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({:?})", self.file)
    }
}

impl Identities {
    /// Those in a file, if one is named.
    pub fn in_file(file: Option<PathBuf>) -> Self {
        Self { file }
    }

    /// The file's name, for people.
    pub(crate) fn place(&self) -> String {
        self.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default()
    }

    pub(crate) fn read(&self) -> Result<Vec<Identity>, EncryptError> {
        let file = self.file.as_ref().ok_or(EncryptError::NoIdentity)?;
        let text = fs::read_to_string(file).map_err(|source| EncryptError::File { file: self.place(), source })?;
        let lines = text.lines().map(str::trim).enumerate();
        let found: Vec<_> = lines
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(index, line)| {
                line.parse().map_err(|_| EncryptError::NotAnIdentity { file: self.place(), line: index + 1 })
            })
            .collect::<Result<_, _>>()?;
        if found.is_empty() { Err(EncryptError::NotAnIdentity { file: self.place(), line: 1 }) } else { Ok(found) }
    }
}
