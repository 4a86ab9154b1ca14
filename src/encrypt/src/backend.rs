//! The backend around another. It is what the files want, or an error: nothing is written in plain that was to be
//! encrypted, and nothing that is encrypted is taken for damage.

use crate::{
    EncryptError, Identities, Recipients,
    envelope::{self, Opened},
    frame,
};
use std::{
    collections::BTreeMap,
    fmt, io,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use wharf_store::{Attempt, Backend, Created, Guard, Look, Presence, StoreError};

/// What a record is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// In plain.
    Plain,
    /// Encrypted for these and no others.
    For(Recipients),
    /// As it is found; a new one is in plain.
    AsFound,
}

/// How one record is encrypted, for all who hold it in this process.
pub struct Encryption {
    wanted: Wanted,
    identities: Identities,
    /// The record's key, or that it has none: of a record that is to be in plain, once somebody has looked.
    opened: OnceLock<Option<Opened>>,
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encryption({:?}, {:?})", self.wanted, self.identities)
    }
}

/// A backend, or its reading half, whose bytes only recipients can read.
#[derive(Debug)]
pub struct Encrypted<B: ?Sized> {
    inner: Arc<B>,
    encryption: Arc<Encryption>,
    /// How long the logs are that we have written to: in plain, and as they lie there.
    ends: Mutex<BTreeMap<String, (u64, u64)>>,
}

impl Encryption {
    /// Nothing is read yet.
    pub fn new(wanted: Wanted, identities: Identities) -> Self {
        Self { wanted, identities, opened: OnceLock::new() }
    }

    /// For how many the record is encrypted; none where it is to be in plain.
    pub fn recipients(&self) -> Option<&Recipients> {
        match &self.wanted {
            Wanted::For(recipients) => Some(recipients),
            Wanted::Plain | Wanted::AsFound => None,
        }
    }

    /// The record's key; none where it has none.
    fn opened(&self, look: &(impl Look + ?Sized), attempt: Attempt) -> Result<Option<&Opened>, StoreError> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened.as_ref());
        }
        let opened = match look.read(envelope::KEY)? {
            Some(bytes) => {
                let at = || look.place(envelope::KEY);
                Some(self.open(&bytes, look).map_err(|error| error.into_store(attempt, at()))?)
            }
            // Somebody may make it at any time.
            None if self.recipients().is_some() => return Ok(None),
            None => None,
        };
        Ok(self.opened.get_or_init(|| opened).as_ref())
    }

    fn open(&self, bytes: &[u8], look: &(impl Look + ?Sized)) -> Result<Opened, EncryptError> {
        if self.wanted == Wanted::Plain {
            return Err(EncryptError::Unasked);
        }
        let opened = envelope::open(bytes, &self.identities, self.recipients())?;
        match self.recipients() {
            Some(wanted) if *wanted != opened.recipients => {
                Err(EncryptError::OtherRecipients { found: opened.recipients.to_string(), place: place(look) })
            }
            _ => Ok(opened),
        }
    }

    /// The record's key, for one who writes; none where it is in plain. Makes one for a record that has nothing yet.
    fn for_writing(&self, backend: &(impl Backend + ?Sized)) -> Result<Option<&Opened>, StoreError> {
        let attempt = Attempt::Write;
        if let Some(opened) = self.opened(backend, attempt)? {
            return Ok(Some(opened));
        }
        let Wanted::For(recipients) = &self.wanted else { return Ok(None) };
        let failed = |error: EncryptError| error.into_store(attempt, backend.place(envelope::KEY));
        // Whoever writes to a record holds its lease, so a record without one has nothing in it.
        if !backend.list("lease")?.is_empty() {
            return Err(failed(EncryptError::NotEncrypted { place: place(backend) }));
        }
        let made = envelope::make(recipients).map_err(failed)?;
        // Who cannot read what they write would be locked out by it.
        self.open(&made, backend).map_err(failed)?;
        // Of two who begin a record at once, the key of the first is that of both.
        let _made: Created = backend.create(envelope::KEY, &made)?;
        self.opened(backend, attempt)
    }
}

fn place(look: &(impl Look + ?Sized)) -> String {
    look.place("").trim_end_matches('/').to_owned()
}

impl<B: ?Sized> Encrypted<B> {
    /// What is kept there, encrypted so.
    pub fn new(inner: Arc<B>, encryption: Arc<Encryption>) -> Self {
        Self { inner, encryption, ends: Mutex::default() }
    }

    fn set_end(&self, log: &str, end: Option<(u64, u64)>) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        match end {
            Some(end) => drop(ends.insert(log.to_owned(), end)),
            None => drop(ends.remove(log)),
        }
    }
}

impl<B: Look + ?Sized> Encrypted<B> {
    /// The bytes of something in plain, and how many there are as it lies there.
    fn made_out(&self, key: &str) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
        let Some(bytes) = self.inner.read(key)? else { return Ok(None) };
        let length = bytes.len() as u64;
        // A sign of life has nothing to hide.
        if bytes.is_empty() {
            return Ok(Some((bytes, length)));
        }
        let failed = |error: EncryptError| error.into_store(Attempt::Read, self.place(key));
        match self.encryption.opened(&*self.inner, Attempt::Read)? {
            Some(opened) => Ok(Some((frame::read(&opened.cipher, key, &bytes).map_err(failed)?, length))),
            None if frame::is_one(&bytes) => Err(failed(EncryptError::Altered { why: "the record's key is gone" })),
            None if self.encryption.recipients().is_some() => {
                Err(failed(EncryptError::NotEncrypted { place: place(&*self.inner) }))
            }
            None => Ok(Some((bytes, length))),
        }
    }

    /// How long a log is, in plain and as it lies there.
    fn end(&self, log: &str) -> Result<(u64, u64), StoreError> {
        let known = self.ends.lock().unwrap_or_else(PoisonError::into_inner).get(log).copied();
        match known {
            Some(end) => Ok(end),
            None => Ok(self.made_out(log)?.map_or((0, 0), |(plain, length)| (plain.len() as u64, length))),
        }
    }
}

impl<B: Look + ?Sized> Look for Encrypted<B> {
    fn place(&self, key: &str) -> String {
        self.inner.place(key)
    }

    fn read(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.made_out(key)?.map(|(plain, _)| plain))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.inner.list(folder)
    }

    fn presence(&self) -> Result<Presence, StoreError> {
        self.inner.presence()
    }

    fn is_instant(&self) -> bool {
        self.inner.is_instant()
    }
}

impl<B: Backend + ?Sized> Backend for Encrypted<B> {
    fn create(&self, key: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        let failed = |error: EncryptError| error.into_store(Attempt::Write, self.place(key));
        match self.encryption.for_writing(&*self.inner)? {
            Some(opened) if !bytes.is_empty() => {
                self.inner.create(key, &frame::lay(&opened.cipher, key, 0, bytes).map_err(failed)?)
            }
            _ => self.inner.create(key, bytes),
        }
    }

    fn append(&self, log: &str, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let failed = |error: EncryptError| error.into_store(Attempt::Write, self.place(log));
        let Some(opened) = self.encryption.for_writing(&*self.inner)? else {
            return self.inner.append(log, at, bytes);
        };
        let (plain, end) = self.end(log)?;
        if plain != at {
            let source = io::Error::other("somebody else has written to it");
            return Err(StoreError::Write { at: self.place(log), source });
        }
        let frame = frame::lay(&opened.cipher, log, at, bytes).map_err(failed)?;
        self.set_end(log, None);
        self.inner.append(log, end, &frame)?;
        self.set_end(log, Some((at + bytes.len() as u64, end + frame.len() as u64)));
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.set_end(key, None);
        self.inner.delete(key)
    }

    fn guard(&self) -> Result<Guard, StoreError> {
        self.inner.guard()
    }
}
