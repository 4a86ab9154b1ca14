//! Certificates: read from files, chosen by the name that a client asks for, read again when the files change.
//!
//! Files are looked at once a second; what they hold replaces what was shown before only if all of it is sound, so a half
//! written file costs nothing.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use thiserror::Error;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

use crate::config::{Certificate, Listener};

/// Why TLS can't be spoken.
#[derive(Debug, Error)]
pub(crate) enum TlsError {
    #[error("listener {listener}: cannot read {}: {source}", path.display())]
    Read { listener: String, path: PathBuf, source: pem::Error },
    #[error("listener {listener}: {} holds no certificate", path.display())]
    NoCertificate { listener: String, path: PathBuf },
    #[error("listener {listener}: certificate {} and key {} cannot be used: {source}", of.chain.display(), of.key.display())]
    Unusable { listener: String, of: Box<Certificate>, source: rustls::Error },
}

/// How TLS is spoken with these certificates; none where there are none.
pub(crate) fn server(listener: &Listener) -> Result<Option<Arc<ServerConfig>>, TlsError> {
    if listener.certificates.is_empty() {
        return Ok(None);
    }
    let provider = Arc::new(ring::default_provider());
    let mut shown = Shown::default();
    for certificate in &listener.certificates {
        let key = Arc::new(read(&listener.name, certificate, &provider)?);
        shown.fallback.get_or_insert_with(|| key.clone());
        shown.by_name.insert(certificate.domain.to_ascii_lowercase(), key);
    }
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut server = versions
        .expect("the provider has suites for the default versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(Arc::new(server)))
}

fn read(listener: &str, certificate: &Certificate, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let Certificate { chain, key, .. } = certificate;
    let listener = || listener.to_owned();
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Read { listener: listener(), path, source }
    };
    let read = CertificateDer::pem_file_iter(chain).map_err(failed(chain))?;
    let read: Vec<_> = read.collect::<Result<_, _>>().map_err(failed(chain))?;
    if read.is_empty() {
        return Err(TlsError::NoCertificate { listener: listener(), path: chain.clone() });
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(failed(key))?;
    CertifiedKey::from_der(read, secret, provider).map_err(|source| TlsError::Unusable {
        listener: listener(),
        of: Box::new(certificate.clone()),
        source,
    })
}

/// The certificates of a listener.
#[derive(Debug, Default)]
struct Shown {
    by_name: HashMap<String, Arc<CertifiedKey>>,
    fallback: Option<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| {
            let name = name.to_ascii_lowercase();
            let wild = || Some(format!("*.{}", name.split_once('.')?.1));
            self.by_name.get(&name).or_else(|| self.by_name.get(&wild()?))
        });
        named.or(self.fallback.as_ref()).cloned()
    }
}

/// When the files of some certificates were last changed, as far as can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(Vec<Option<(SystemTime, u64)>>);

impl Stamp {
    pub(crate) fn of(listener: &Listener) -> Self {
        let files = listener.certificates.iter().flat_map(|certificate| [&certificate.chain, &certificate.key]);
        let stamp = |path: &PathBuf| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        Self(files.map(stamp).collect())
    }
}
