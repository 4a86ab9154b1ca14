//! WebSocket: after the handshake the gateway copies bytes both ways until one side has had enough.
//!
//! Only WebSocket is let through. Any other protocol, HTTP/2 above all, would carry further requests to the instance
//! that no token was checked for.

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::endpoint::InFlight;
use crate::headers;
use crate::story::Visit;

/// A client's wish to change the protocol.
pub(crate) struct Upgrade {
    pub(crate) protocol: HeaderValue,
    client: OnUpgrade,
}

impl Upgrade {
    /// The request's wish, if it has one that is let through.
    pub(crate) fn wanted(request: &mut Request<Incoming>) -> Option<Self> {
        let protocol = headers::wanted_upgrade(request.headers())?;
        protocol.as_bytes().eq_ignore_ascii_case(b"websocket").then_some(())?;
        Some(Self { protocol, client: hyper::upgrade::on(request) })
    }

    /// Joins client and instance. Counted as in flight for as long as it lasts.
    pub(crate) async fn join(self, instance: OnUpgrade, in_flight: InFlight, mut visit: Option<Box<Visit>>) {
        let copied = async {
            let (client, instance) = tokio::try_join!(self.client, instance).map_err(std::io::Error::other)?;
            tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(instance)).await
        };
        match copied.await {
            Ok(_) => visit.iter_mut().for_each(|visit| visit.finish()),
            Err(error) => {
                tracing::debug!(endpoint = in_flight.endpoint().name, %error, "an upgraded connection broke");
            }
        }
    }
}
