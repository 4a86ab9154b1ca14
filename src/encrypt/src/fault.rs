//! What can go wrong with an encrypted record, and what helps.

use std::io;
use wharf_store::{Attempt, StoreError};

/// Why something cannot be encrypted or made out.
#[derive(Debug, thiserror::Error)]
pub enum EncryptError {
    /// A recipient is none.
    #[error("`{text}` is no recipient of age: {why}")]
    Recipient {
        /// What was written.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nobody said as whom to read.
    #[error("it is encrypted, and no identity is named that it could be read with")]
    NoIdentity,
    /// The file of identities cannot be read.
    #[error("the identities in {file} cannot be read")]
    File {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// Something in it is no identity.
    #[error("line {line} of {file} is no identity of age")]
    NotAnIdentity {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// None of the identities is a recipient's.
    #[error("it is encrypted for others: no identity in {file} can read it")]
    NotForUs {
        /// The file.
        file: String,
        /// For whom, as far as the files of the project say.
        recipients: Option<String>,
    },
    /// The files do not say that the record is encrypted.
    #[error("it is encrypted, and the files do not say so")]
    Unasked,
    /// The files say that the record is encrypted.
    #[error("it is not encrypted, and the files say that it is to be")]
    NotEncrypted {
        /// The place of the record.
        place: String,
    },
    /// The files name others.
    #[error("it is encrypted for {found}, and the files name others")]
    OtherRecipients {
        /// For whom it is.
        found: String,
        /// The place of the record.
        place: String,
    },
    /// Something lies where another thing was written.
    #[error("it is an old record or a foreign one in the place of another: it was written as {written}")]
    Misplaced {
        /// As what.
        written: String,
    },
    /// What is there is not what was written.
    #[error("it is not what was written there: {why}")]
    Altered {
        /// How that is known.
        why: &'static str,
    },
    /// It was written by a newer build.
    #[error("it is encrypted in a way that this build does not know")]
    TooNew,
    /// It could not be encrypted.
    #[error("it could not be encrypted: {0}")]
    Failed(String),
}

impl EncryptError {
    /// The way out.
    pub fn help(&self) -> String {
        let name = "`--identity FILE` or WHARF_IDENTITY names a file with an age identity";
        match self {
            Self::Recipient { .. } => "`age-keygen -y FILE` prints the recipient of the identity in a file".to_owned(),
            Self::NoIdentity => format!("{name} of one of its recipients"),
            Self::File { .. } => format!("{name}; see that it is there, and that you may read it"),
            Self::NotAnIdentity { .. } => format!(
                "{name}: lines that begin with AGE-SECRET-KEY-1, as `age-keygen -o FILE` writes them. Identities of plugins, \
                 of SSH and behind a passphrase are not understood"
            ),
            Self::NotForUs { recipients: Some(recipients), .. } => format!("{name} of one of these: {recipients}"),
            Self::NotForUs { recipients: None, .. } => format!("{name} of one of its recipients"),
            Self::Unasked => "write `{ encrypt age recipient=\"age1…\" }` behind `state`, with its recipients; or let `state` name \
                              another prefix, and move it there in plain with `wharf state migrate --from PLACE`"
                .to_owned(),
            Self::NotEncrypted { place } => format!(
                "let `state` name another prefix, and `wharf state migrate --from '{place}'` encrypts it there; put the endpoint \
                 behind it where it has one, as `?endpoint=https://…`"
            ),
            Self::OtherRecipients { place, .. } => format!(
                "name those; or let `state` name another prefix, and `wharf state migrate --from '{place}'` encrypts it for the \
                 new ones there; put the endpoint behind it where it has one, as `?endpoint=https://…`"
            ),
            Self::Misplaced { .. } | Self::Altered { .. } => {
                "find out who can write there. Put back what belongs there from a backup, if there is one; else move it \
                 elsewhere and apply: what the other objects tell, and what is found by its labels, is taken up"
                    .to_owned()
            }
            Self::TooNew => "use the wharf that wrote it, or a newer one".to_owned(),
            Self::Failed(_) => "try again".to_owned(),
        }
    }

    pub(crate) fn into_store(self, attempt: Attempt, at: String) -> StoreError {
        StoreError::Remote { attempt, at, help: self.help(), source: Box::new(self) }
    }
}
