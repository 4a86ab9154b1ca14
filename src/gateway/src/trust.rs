//! Whom wharf believes to be who they say, where it is the one who calls by TLS: collectors of traces, and those who are notified.

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Speaks TLS to whom this machine trusts, as `SSL_CERT_FILE` and `SSL_CERT_DIR` or the system say. Where it knows nobody, as
/// in a container of nothing but the gateway, whom browsers trust. Reads the machine's certificates: not for where time counts.
///
/// # Panics
/// Never: the provider has suites for the default versions.
pub fn connector() -> TlsConnector {
    let mut roots = RootCertStore::empty();
    // Where some cannot be read, the others are enough.
    let (known, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if known == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = versions
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}
