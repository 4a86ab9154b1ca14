//! The object that holds a record's key, encrypted by age for its recipients. `age -d` opens it, too.

use crate::{EncryptError, Identities, Recipients};
use age::{DecryptError, Decryptor, Encryptor, Identity, Recipient};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use std::io::{Read, Write};

/// Where it lies.
pub(crate) const KEY: &str = "encryption";
const FORMAT: &str = "wharf.encryption/1";

#[derive(serde::Serialize, serde::Deserialize)]
struct Letter {
    format: String,
    key: String,
    recipients: Vec<String>,
}

/// What is in it.
pub(crate) struct Opened {
    pub(crate) cipher: XChaCha20Poly1305,
    pub(crate) recipients: Recipients,
}

/// A new key in an envelope for these.
pub(crate) fn make(recipients: &Recipients) -> Result<Vec<u8>, EncryptError> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| EncryptError::Failed(error.to_string()))?;
    let letter = Letter {
        format: FORMAT.to_owned(),
        key: hex::encode(key),
        recipients: recipients.texts().iter().map(ToString::to_string).collect(),
    };
    let text = serde_json::to_vec_pretty(&letter).map_err(|error| EncryptError::Failed(error.to_string()))?;
    let keys = recipients.keys()?;
    let encryptor = Encryptor::with_recipients(keys.iter().map(|key| key as &dyn Recipient))
        .map_err(|error| EncryptError::Failed(error.to_string()))?;
    let mut made = Vec::new();
    let written = encryptor.wrap_output(&mut made).and_then(|mut writer| {
        writer.write_all(&text)?;
        writer.finish()
    });
    written.map_err(|error| EncryptError::Failed(error.to_string()))?;
    Ok(made)
}

/// Opens one. `wanted` are those whom the files name, for the message.
pub(crate) fn open(bytes: &[u8], with: &Identities, wanted: Option<&Recipients>) -> Result<Opened, EncryptError> {
    let altered = EncryptError::Altered { why: "the record's key cannot be made out" };
    let identities = with.read()?;
    let decryptor = Decryptor::new(bytes).map_err(|_| EncryptError::Altered { why: "it is no envelope of age" })?;
    let mut reader = match decryptor.decrypt(identities.iter().map(|identity| identity as &dyn Identity)) {
        Ok(reader) => reader,
        Err(DecryptError::NoMatchingKeys) => {
            return Err(EncryptError::NotForUs { file: with.place(), recipients: wanted.map(ToString::to_string) });
        }
        Err(_) => return Err(altered),
    };
    let mut text = Vec::new();
    reader.read_to_end(&mut text).map_err(|_| EncryptError::Altered { why: "the envelope is not whole" })?;
    let letter: Letter = serde_json::from_slice(&text).map_err(|_| EncryptError::TooNew)?;
    if letter.format != FORMAT {
        return Err(EncryptError::TooNew);
    }
    let texts: Vec<_> = letter.recipients.into_iter().map(Into::into).collect();
    let key = hex::decode(&letter.key).ok().and_then(|key| XChaCha20Poly1305::new_from_slice(&key).ok());
    let (Some(cipher), Some(recipients)) = (key, Recipients::read(&texts)?) else { return Err(altered) };
    Ok(Opened { cipher, recipients })
}
