//! WebSocket: after the handshake the gateway copies bytes both ways until one side has had enough.
//!
//! Only WebSocket is let through. Any other protocol, HTTP/2 above all, would carry further requests to the instance
//! that no token was checked for. When a drain's grace has run out, the client is told so with a close frame, between
//! two frames of the instance.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::boundary::Frames;
use crate::endpoint::InFlight;
use crate::story::Visit;

/// A close frame that says "going away" (1001).
const GOING_AWAY: [u8; 4] = [0x88, 0x02, 0x03, 0xe9];

/// How long a client that was told goodbye has to say it, too.
const GOODBYE: Duration = Duration::from_millis(500);

/// Joins client and instance. Counted as in flight for as long as it lasts.
pub(crate) async fn join<C, I>(client: C, instance: I, in_flight: InFlight, mut visit: Option<Box<Visit>>)
where
    C: AsyncRead + AsyncWrite + Unpin,
    I: AsyncRead + AsyncWrite + Unpin,
{
    let cut = in_flight.endpoint().cut();
    match copy(client, instance, &cut).await {
        Ok(()) => visit.iter_mut().for_each(|visit| visit.finish()),
        Err(error) => {
            tracing::debug!(endpoint = in_flight.endpoint().name, %error, "an upgraded connection broke");
        }
    }
}

async fn copy<C, I>(client: C, instance: I, cut: &CancellationToken) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    I: AsyncRead + AsyncWrite + Unpin,
{
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_instance, mut to_instance) = tokio::io::split(instance);
    let up = async {
        tokio::io::copy(&mut from_client, &mut to_instance).await?;
        to_instance.shutdown().await
    };
    let down = async {
        copy_frames(&mut from_instance, &mut to_client, cut).await?;
        to_client.shutdown().await
    };
    let (mut up, mut down) = (std::pin::pin!(up), std::pin::pin!(down));
    tokio::select! {
        ended = &mut up => {
            ended?;
            down.await
        }
        ended = &mut down => {
            ended?;
            match cut.is_cancelled() {
                true => tokio::time::timeout(GOODBYE, up).await.unwrap_or(Ok(())),
                false => up.await,
            }
        }
    }
}

/// Copies until the instance ends, or until it is between two frames after `cut`.
async fn copy_frames(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    cut: &CancellationToken,
) -> io::Result<()> {
    let mut frames = Frames::default();
    let mut buffer = vec![0; 8 << 10];
    loop {
        if cut.is_cancelled() && frames.between() {
            return to.write_all(&GOING_AWAY).await;
        }
        let count = tokio::select! {
            count = from.read(&mut buffer) => count?,
            () = cut.cancelled(), if frames.between() => continue,
        };
        if count == 0 {
            return Ok(());
        }
        let end = frames.feed(&buffer[..count]);
        if cut.is_cancelled() && end < count {
            to.write_all(&buffer[..end]).await?;
            return to.write_all(&GOING_AWAY).await;
        }
        to.write_all(&buffer[..count]).await?;
    }
}
