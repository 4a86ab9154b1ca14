//! The way to an engine over TLS: who it must be and who we are, by the three files in which Docker's own command line keeps
//! that. The engine must have a certificate of that authority, and of no other, for the name that it is called by.

use crate::error::{Trouble, beneath};
use hyper::http::uri::Authority;
use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, AlertDescription, CertificateError, ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    },
};

/// Where an engine listens that speaks TLS and was not told otherwise.
const PORT: u16 = 2376;

/// An engine that speaks TLS.
pub(crate) struct Tls {
    host: String,
    port: u16,
    name: ServerName<'static>,
    connector: TlsConnector,
    folder: PathBuf,
    /// Whether we can say who we are.
    named: bool,
}

impl Tls {
    /// The engine at `host[:port]`, with what it takes from this folder. Nothing is sent yet.
    pub(crate) fn of(address: &str, folder: &Path) -> Result<Self, Trouble> {
        let unfit = || Trouble::rejected(format!("{address} is no host and port"), "write `host=\"tcp://box:2376\"`");
        let authority: Authority = address.trim_end_matches('/').parse().map_err(|_| unfit())?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| unfit())?;
        let (config, named) = config(folder)?;
        let connector = TlsConnector::from(Arc::new(config));
        let port = authority.port_u16().unwrap_or(PORT);
        Ok(Self { host, port, name, connector, folder: folder.to_owned(), named })
    }

    /// A connection to it.
    pub(crate) async fn dial(&self) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect((&*self.host, self.port)).await?;
        stream.set_nodelay(true)?;
        self.connector.connect(self.name.clone(), stream).await.map_err(|error| self.lost(error))
    }

    /// Why there is no talking to it. That we are not wanted is told where an answer should be.
    pub(crate) fn lost(&self, error: impl Error + Send + Sync + 'static) -> io::Error {
        let Some(cause) = beneath::<rustls::Error>(&error) else { return io::Error::other(error) };
        let Self { host, port, folder, .. } = self;
        let ca = folder.join(CA);
        let what = match cause {
            // The second is of an authority of the same name.
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                let what = format!("the certificate of {host}:{port} is of no authority in {}", ca.display());
                Trouble::denied(what, "put the certificate of the authority there that signed the engine's own")
            }
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => {
                let what = format!("the certificate of {host}:{port} is for other names than {host}");
                Trouble::denied(what, "name the engine as its certificate does, or have one made for this name")
            }
            rustls::Error::InvalidCertificate(_) => {
                let what = format!("the certificate of {host}:{port} does not hold");
                Trouble::denied(what, "look at the cause; the engine takes another with `--tlscert` and `--tlskey`")
            }
            rustls::Error::AlertReceived(alert) if is_about_us(*alert) && !self.named => {
                let what = format!("the engine at {host}:{port} wants to know who asks");
                let help =
                    format!("put `{CERT}` and `{KEY}` into {}, signed by an authority of the engine", folder.display());
                Trouble::denied(what, help)
            }
            rustls::Error::AlertReceived(alert) if is_about_us(*alert) => {
                let what = format!("the engine at {host}:{port} refuses {}", folder.join(CERT).display());
                Trouble::denied(
                    what,
                    "put a certificate there that an authority of the engine has signed, with its key",
                )
            }
            rustls::Error::InvalidMessage(_) => {
                let what = format!("what listens at {host}:{port} does not speak TLS");
                let help = "name the port at which it does (2376 is usual), or leave the certificates out";
                Trouble::rejected(what, help)
            }
            _ => return io::Error::other(error),
        };
        what.because(cause.clone()).into()
    }
}

/// Whether an engine says by it that it does not want us. Which one it says is up to its release and its kind of TLS.
fn is_about_us(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::HandshakeFailure
    )
}

const CA: &str = "ca.pem";
const CERT: &str = "cert.pem";
const KEY: &str = "key.pem";

/// What TLS takes, and whether we have a certificate of our own. An engine may want none.
fn config(folder: &Path) -> Result<(ClientConfig, bool), Trouble> {
    let (ca, cert, key) = (folder.join(CA), folder.join(CERT), folder.join(KEY));
    let mut roots = RootCertStore::empty();
    for authority in certificates(&ca)? {
        let unfit = format!("{} holds a certificate that is none of an authority", ca.display());
        roots.add(authority).map_err(|cause| Trouble::rejected(unfit, REMAKE).because(cause))?;
    }
    // Whom this machine trusts otherwise says nothing of an engine: who holds it holds its machine.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|cause| Trouble::rejected("this build has no TLS".to_owned(), "use another build").because(cause))?
        .with_root_certificates(roots);
    if !cert.exists() && !key.exists() {
        return Ok((config.with_no_client_auth(), false));
    }
    let own = certificates(&cert)?;
    let unfit = |cause| {
        let what = format!("{} holds no key that wharf can read", key.display());
        Trouble::rejected(what, "put an unencrypted key in PEM there, as `openssl genpkey` makes it").because(cause)
    };
    let secret = PrivateKeyDer::from_pem_slice(&read(&key)?).map_err(unfit)?;
    let config = config.with_client_auth_cert(own, secret).map_err(|cause| {
        let what = format!("the key in {} is not that of the certificate in {}", key.display(), cert.display());
        Trouble::rejected(what, "put the two there that were made together").because(cause)
    })?;
    Ok((config, true))
}

const REMAKE: &str = "put a certificate in PEM there, as `openssl x509` shows it";

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(file)?).collect();
    let unfit = || Trouble::rejected(format!("{} holds no certificate", file.display()), REMAKE);
    let found = found.map_err(|cause| unfit().because(cause))?;
    if found.is_empty() { Err(unfit()) } else { Ok(found) }
}

fn read(file: &Path) -> Result<Vec<u8>, Trouble> {
    fs::read(file).map_err(|cause| {
        let help = format!(
            "the folder of `certificates`, or of DOCKER_CERT_PATH, holds `{CA}`, and `{CERT}` with `{KEY}`, as for `docker --tlsverify`"
        );
        Trouble::rejected(format!("cannot read {}", file.display()), help).because(cause)
    })
}
