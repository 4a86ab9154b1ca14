//! TLS: certificates by name, HTTP/2 by agreement, new certificates without a new connection being refused.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use wharf_gateway::{Certificate, ControlError};

use crate::support::*;

/// Makes a certificate for a name, and writes it and its key beside each other.
fn certificate(dir: &Path, file: &str, domain: &str) -> (Certificate, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed([domain.to_owned()]).unwrap();
    let (chain, key) = (dir.join(format!("{file}.pem")), dir.join(format!("{file}.key")));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (Certificate { domain: domain.into(), chain, key }, made.cert.der().clone())
}

/// Connects as somebody who trusts these certificates and asks for a name.
async fn connect(
    address: SocketAddr,
    trusted: &[&CertificateDer<'static>],
    name: &str,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    trusted.iter().for_each(|certificate| roots.add((*certificate).clone()).unwrap());
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await
}

#[tokio::test]
async fn each_name_has_its_certificate_and_new_ones_are_taken_up() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    let dir = tempfile::tempdir().unwrap();
    let (first, first_der) = certificate(dir.path(), "first", "chat.example.com");
    let (second, second_der) = certificate(dir.path(), "second", "*.models.example.com");
    let mut wanted = config(1, vec![route("hello", vec![serving("hello-0-g1", echo.address)])]);
    wanted.listeners[0].certificates = vec![first, second];
    gateway.replace(&wanted).await;
    let address = gateway.address().await;
    let both = [&first_der, &second_der];
    for (name, shown) in [("chat.example.com", &first_der), ("a.models.example.com", &second_der)] {
        let stream = connect(address, &both, name, &["http/1.1"]).await.unwrap();
        assert_eq!(&stream.get_ref().1.peer_certificates().unwrap()[0], shown, "{name}");
    }
    // An unknown name is shown the first certificate, which is not for it.
    assert!(connect(address, &both, "other.example.com", &[]).await.is_err());

    let stream = connect(address, &both, "chat.example.com", &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut ask = async || {
        let request = Request::get("https://chat.example.com/hello").body(whole("")).unwrap();
        let response = sender.send_request(request).await.unwrap();
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    };
    assert!(ask().await.contains("x-forwarded-proto: https\n"));

    // A broken file changes nothing; a whole one is shown to the next who comes.
    std::fs::write(dir.path().join("first.pem"), "half a certi").unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    connect(address, &both, "chat.example.com", &[]).await.unwrap();
    let (_, renewed_der) = certificate(dir.path(), "first", "chat.example.com");
    eventually("the new one is shown", async || {
        connect(address, &[&renewed_der], "chat.example.com", &[]).await.is_ok()
    })
    .await;
    assert!(ask().await.contains("x-forwarded-proto: https\n"), "the old connection goes on");
}

#[tokio::test]
async fn certificates_that_cannot_be_shown_are_refused_with_the_configuration() {
    let gateway = Gateway::start().await;
    gateway.replace(&config(1, vec![])).await;
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = certificate(dir.path(), "first", "a.example.com");
    let (second, _) = certificate(dir.path(), "second", "b.example.com");
    let mut wanted = config(2, vec![]);
    wanted.listeners[0].certificates = vec![Certificate { key: second.key, ..first }];
    let error = gateway.client().await.replace(&wanted).await.unwrap_err();
    let ControlError::Refused { problems } = error else { panic!("{error}") };
    assert!(problems[0].starts_with("listener public: certificate ") && problems.len() == 1, "{problems:?}");
    wanted.listeners[0].certificates[0].chain = dir.path().join("none.pem");
    let error = gateway.client().await.replace(&wanted).await.unwrap_err();
    assert!(error.to_string().contains("cannot read"), "{error}");
    assert_eq!(gateway.status().await.generation, 1);
}
