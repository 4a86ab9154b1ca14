//! Who reads, and what they read.

use age::{secrecy::ExposeSecret as _, x25519::Identity};
use std::{error::Error, path::PathBuf, sync::Arc};
use tempfile::TempDir;
use wharf_encrypt::{Encrypted, Encryption, Identities, Recipients, Wanted};
use wharf_model::{Record, Timestamp};
use wharf_store::{Author, Backend, Holder, Made, Patience, Reader, StoreError, Writer};

/// Somebody with an identity in a file.
pub(crate) struct Somebody {
    dir: TempDir,
    pub(crate) recipient: Arc<str>,
}

impl Somebody {
    pub(crate) fn new() -> Self {
        let (dir, identity) = (tempfile::tempdir().unwrap(), Identity::generate());
        let text = format!("# made for a test\n{}\n", identity.to_string().expose_secret());
        std::fs::write(dir.path().join("identity"), text).unwrap();
        Self { dir, recipient: identity.to_public().to_string().into() }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("identity")
    }

    pub(crate) fn identities(&self) -> Identities {
        Identities::in_file(Some(self.file()))
    }

    /// A record encrypted for all of these, as this one sees it.
    pub(crate) fn sees(&self, inner: &Arc<dyn Backend>, recipients: &[&Self]) -> Arc<dyn Backend> {
        over(inner, encrypted_for(recipients), self.identities())
    }
}

pub(crate) fn encrypted_for(recipients: &[&Somebody]) -> Wanted {
    let texts: Vec<_> = recipients.iter().map(|somebody| somebody.recipient.clone()).collect();
    Wanted::For(Recipients::read(&texts).unwrap().unwrap())
}

pub(crate) fn over(inner: &Arc<dyn Backend>, wanted: Wanted, identities: Identities) -> Arc<dyn Backend> {
    Arc::new(Encrypted::new(inner.clone(), Arc::new(Encryption::new(wanted, identities))))
}

pub(crate) fn record() -> Record {
    Record::empty("chat".parse().unwrap(), "dev".parse().unwrap())
}

pub(crate) fn holder() -> Holder {
    Holder::this("tester@here".to_owned(), "apply", Timestamp(5))
}

pub(crate) fn writer(backend: &Arc<dyn Backend>) -> Result<Writer, StoreError> {
    let Record { project, environment, .. } = record();
    Writer::open(backend.clone(), project, environment, &holder(), Patience::none(&mut |_| {}))
}

pub(crate) fn reader(backend: &Arc<dyn Backend>) -> Reader {
    let Record { project, environment, .. } = record();
    Reader::over(backend.clone(), project, environment)
}

/// Makes so many commits.
pub(crate) fn commit(backend: &Arc<dyn Backend>, times: usize) {
    let mut writer = writer(backend).unwrap();
    for _ in 0..times {
        let _standing = writer.read().unwrap();
        let made = Made { at: Timestamp(1), doing: "apply".to_owned(), by: Author::default(), plan: None };
        writer.commit(&record(), made).unwrap();
    }
}

/// An error in the words that a person sees.
pub(crate) fn words(error: &StoreError) -> String {
    format!("{error}: {}: {}", error.source().map(ToString::to_string).unwrap_or_default(), error.help())
}
