//! Connections that are joined to an instance as they are, whatever they carry.
//!
//! The same rules hold as for requests: limits, readiness, choice, one more try elsewhere when an instance takes no
//! connection, and counting as in flight until both sides have had enough.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout};

use crate::body::IDLE_LIMIT;
use crate::connection::Arrival;
use crate::endpoint::InFlight;
use crate::forward::Quest;
use crate::live::LiveRoute;
use crate::outlier::Fault;
use crate::refusal::Refusal;
use crate::upstream::CONNECT_LIMIT;

/// Joins a client to an instance of the route. A client that is refused is closed: there is nothing one could say.
pub(crate) async fn join<S>(arrival: &Arrival, mut client: S, route: &str) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let proxy = &arrival.proxy;
    let Some(mut route) = proxy.live.named(route) else { return Ok(()) };
    let limits = arrival.entrance.rules.load().limits;
    let let_in = || {
        let now = || proxy.live.millis();
        Ok::<_, Refusal>((arrival.entrance.load.admit(&limits, now)?, route.load.admit(&route.limits, now)?))
    };
    let _held = match let_in() {
        Ok(held) => held,
        Err(refusal) => return refuse(&route, refusal),
    };
    let quest = Quest { key: None, deadline: Instant::now() + route.timeout.unwrap_or(IDLE_LIMIT) };
    let mut retried = false;
    loop {
        let mut in_flight = match proxy.admit(&mut route, quest).await {
            Ok(in_flight) => in_flight,
            Err(refusal) => return refuse(&route, refusal),
        };
        match connect(&mut in_flight, &route).await {
            Ok(mut instance) => {
                in_flight.note_joined();
                let cut = in_flight.endpoint().cut();
                let copied = tokio::select! {
                    copied = tokio::io::copy_bidirectional(&mut client, &mut instance) => copied,
                    () = cut.cancelled() => return Ok(()),
                };
                return copied.map(|_| ());
            }
            Err(error) => {
                in_flight.endpoint().note_fault(Fault::Unreachable);
                tracing::debug!(endpoint = in_flight.endpoint().name, %error, "cannot connect");
                if std::mem::replace(&mut retried, true) {
                    return refuse(&route, Refusal::CannotConnect);
                }
            }
        }
    }
}

async fn connect(in_flight: &mut InFlight, route: &LiveRoute) -> io::Result<TcpStream> {
    in_flight.note_tried();
    let limit = route.timeouts.connect_ms.map_or(CONNECT_LIMIT, Duration::from_millis);
    let stream = timeout(limit, TcpStream::connect(in_flight.endpoint().address)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn refuse(route: &Arc<LiveRoute>, refusal: Refusal) -> io::Result<()> {
    route.load.note_refused(refusal);
    tracing::debug!(route = route.name, ?refusal, "a connection is refused");
    Ok(())
}
