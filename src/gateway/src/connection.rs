//! One client's connection: TLS if it is spoken here, then HTTP/1 or HTTP/2 as the client begins, or the bytes as they are.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;

use crate::batch::batch;
use crate::entrance::Entrance;
use crate::framing::{LARGEST_HEAD, MOST_HEADERS};
use crate::http1::{self, Ended, Rewound};
use crate::join;
use crate::outgoing::Guest;
use crate::proxy::Proxy;
use crate::stall::Stall;

/// How long a client may take for a request's head where the listener says nothing, and for the greeting of TLS.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
const GREETING_LIMIT: Duration = Duration::from_secs(10);

/// How long a client may take nothing of what is sent to it.
const STALL_LIMIT: Duration = Duration::from_secs(60);

/// How long, and for how much, a client that was refused may go on sending before the connection is cut.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: u64 = 64 << 20;

/// So much is read at once, at most.
const BUFFER: usize = 128 << 10;

/// In HTTP/2: requests at once on a connection, and how much of one body and of all may be on its way, in bytes.
const STREAMS: u32 = 200;
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
const SEND_BUFFER: usize = 64 << 10;

/// What an HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection comes in with.
#[derive(Clone)]
pub(crate) struct Arrival {
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) entrance: Arc<Entrance>,
    /// Nothing new is to begin; what is under way may end.
    pub(crate) closing: CancellationToken,
    /// Another process takes over: connections move there, each when its client next asks for something.
    pub(crate) leaving: CancellationToken,
}

/// Answers the requests of one connection.
pub(crate) async fn serve(arrival: Arrival, stream: TcpStream, peer: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let rules = arrival.entrance.rules.load_full();
    // Each way is boxed: a connection's future need not be as large as the largest of them.
    let ended = match (&rules.tls, &rules.joins) {
        (None, None) => plain(arrival, stream, peer).await,
        (Some(tls), None) => secured(arrival, tls.clone(), stream, peer).await,
        (None, Some(route)) => Box::pin(join::join(&arrival, stream, route)).await,
        (Some(tls), Some(route)) => match Box::pin(greet(tls.clone(), stream)).await {
            Ok(stream) => Box::pin(join::join(&arrival, stream, route)).await,
            Err(error) => Err(error),
        },
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a client's connection broke");
    }
}

async fn plain(arrival: Arrival, stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
    let limit = arrival.entrance.rules.load().head.unwrap_or(HEAD_LIMIT);
    let begins_http2 = tokio::select! {
        found = Box::pin(timeout(limit, begins_http2(&stream))) => found??,
        () = arrival.closing.cancelled() => return Ok(()),
    };
    let visitor = Visitor::new(arrival, peer, "http");
    if begins_http2 { Box::pin(http2(visitor, stream)).await } else { Box::pin(http1(visitor, stream)).await }
}

async fn secured(arrival: Arrival, tls: Arc<ServerConfig>, stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
    let stream = Box::pin(greet(tls, stream)).await?;
    let agreed = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let visitor = Visitor::new(arrival, peer, "https");
    if agreed { Box::pin(http2(visitor, stream)).await } else { Box::pin(http1(visitor, stream)).await }
}

/// Speaks HTTP/1, until a request is for a service that speaks HTTP/2.
async fn http1<S>(visitor: Visitor, stream: S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let head = visitor.arrival.entrance.rules.load().head.unwrap_or(HEAD_LIMIT);
    match http1::serve(&visitor, stream, head).await? {
        Ended::Closed => Ok(()),
        Ended::Elsewhere(stream, read) => Box::pin(translated(visitor, Rewound::new(stream, read))).await,
    }
}

async fn greet(tls: Arc<ServerConfig>, stream: TcpStream) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    timeout(GREETING_LIMIT, TlsAcceptor::from(tls).accept(stream)).await?
}

/// Looks at the first bytes without taking them. One that says nothing yet is waited for.
async fn begins_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut start = [0; PREFACE.len()];
    loop {
        let count = stream.peek(&mut start).await?;
        if count == 0 || start[..count] != PREFACE[..count] {
            return Ok(false);
        }
        // No method is called so: four letters tell.
        if count >= 4 {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// One client, for all its requests.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) arrival: Arrival,
    client: HeaderValue,
    scheme: &'static str,
}

impl Visitor {
    fn new(arrival: Arrival, peer: SocketAddr, scheme: &'static str) -> Self {
        let client = HeaderValue::try_from(peer.ip().to_canonical().to_string());
        Self { arrival, client: client.unwrap_or_else(|_| HeaderValue::from_static("unknown")), scheme }
    }

    pub(crate) fn guest(&self) -> Guest<'_> {
        Guest { client: &self.client, scheme: self.scheme, trace: None }
    }

    /// Whether connections are to end with what they do now.
    pub(crate) fn leaves(&self) -> bool {
        self.arrival.leaving.is_cancelled() || self.arrival.closing.is_cancelled()
    }
}

async fn translated<S>(visitor: Visitor, stream: S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let closing = visitor.arrival.closing.clone();
    let head = visitor.arrival.entrance.rules.load().head.unwrap_or(HEAD_LIMIT);
    let refused = Arc::new(AtomicBool::new(false));
    let seen = refused.clone();
    let visitor = Arc::new(visitor);
    let service = service_fn(move |request| {
        let (visitor, refused) = (visitor.clone(), seen.clone());
        async move {
            let Arrival { proxy, entrance, leaving, .. } = &visitor.arrival;
            let mut response = proxy.answer(request, entrance, visitor.guest()).await;
            if response.headers().contains_key(CONNECTION) {
                refused.store(true, Ordering::Relaxed);
            } else if leaving.is_cancelled() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_headers(MOST_HEADERS)
        .max_header_size(LARGEST_HEAD)
        .max_buf_size(BUFFER);
    let mut connection = http.serve_connection(TokioIo::new(Stall::new(stream, STALL_LIMIT)), service);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = closing.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    if refused.load(Ordering::Relaxed) {
        linger(connection.into_parts().io.into_inner().into_inner()).await;
    }
    ended.map_err(io::Error::other)
}

async fn http2<S>(visitor: Visitor, stream: S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Arrival { closing, leaving, .. } = visitor.arrival.clone();
    // An HTTP/2 client can be told which of its requests are still answered here: it loses none.
    let ends = async move {
        tokio::select! {
            () = closing.cancelled() => {}
            () = leaving.cancelled() => {}
        }
    };
    let visitor = Arc::new(visitor);
    let service = service_fn(move |request| {
        let visitor = visitor.clone();
        async move {
            let Arrival { proxy, entrance, .. } = &visitor.arrival;
            Ok::<_, Infallible>(proxy.answer(request, entrance, visitor.guest()).await)
        }
    });
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(LARGEST_HEAD as u32)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    let (stream, sender) = batch(Stall::new(stream, STALL_LIMIT));
    let mut connection = http.serve_connection(TokioIo::new(stream), service);
    let (mut ends, mut ending) = (pin!(ends), false);
    poll_fn(|cx| {
        if !ending && ends.as_mut().poll(cx).is_ready() {
            ending = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        let polled = Pin::new(&mut connection).poll(cx);
        // All answers that are ready go with one write.
        if let Poll::Ready(Err(error)) = sender.poll(cx) {
            return Poll::Ready(Err(error));
        }
        polled.map_err(io::Error::other)
    })
    .await
}

/// Reads what a refused client still sends. Closing a socket with unread input resets the connection, and the reset
/// can overtake the answer, which the client then never sees.
async fn linger(stream: impl AsyncRead + Unpin) {
    let mut rest = stream.take(LINGER_BYTES);
    let mut sink = tokio::io::sink();
    let until = Instant::now() + LINGER;
    let _ = tokio::time::timeout_at(until, tokio::io::copy(&mut rest, &mut sink)).await;
}
