//! One probe of one address, and its answer in plain words.
//!
//! The gateway asks this of its endpoints over and over; whoever starts instances asks it to learn when they are ready.
//! How many answers make an endpoint ready or not is for `readiness.rs`.

mod grpc;
mod told;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::config::Check;

/// So much of a failing probe's body is kept: enough for a reason.
const BODY_LIMIT: usize = 512;

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An HTTP response, passing or not.
    Http {
        /// Its status.
        status: u16,
        /// The first 512 bytes of its body, with a mark in place of what is not UTF-8.
        body: String,
    },
    /// What the health service of gRPC said.
    Grpc {
        /// Whether it serves.
        serving: bool,
        /// Its answer in words.
        words: String,
    },
    /// What was told in the instance's place.
    Told {
        /// Whether it is ready.
        passed: bool,
        /// Why, in words.
        words: String,
    },
    /// The port accepted a connection.
    Connected,
    /// Nothing listens there. Holds the system's words.
    Refused(String),
    /// No answer within this time.
    TimedOut(Duration),
    /// Anything else, in words.
    Failed(String),
}

impl Answer {
    /// Whether the probe passed: a connection, a status from 200 to 399, or a gRPC server that serves.
    #[must_use]
    pub fn passed(&self) -> bool {
        match self {
            Self::Http { status, .. } => (200..400).contains(status),
            Self::Grpc { serving, .. } => *serving,
            Self::Told { passed, .. } => *passed,
            Self::Connected => true,
            Self::Refused(_) | Self::TimedOut(_) | Self::Failed(_) => false,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { status, body } if body.trim().is_empty() => write!(f, "HTTP {status}"),
            Self::Http { status, body } => write!(f, "HTTP {status}: {}", body.trim()),
            Self::Grpc { words, .. } => write!(f, "gRPC {words}"),
            Self::Told { words, .. } => f.write_str(words),
            Self::Connected => f.write_str("connected"),
            Self::Refused(_) => f.write_str("connection refused"),
            Self::TimedOut(limit) => write!(f, "no answer within {limit:?}"),
            Self::Failed(words) => f.write_str(words),
        }
    }
}

/// Probes `address` once and answers within `timeout`. Redirects are not followed. Dropping it half-way closes the
/// connection.
pub async fn probe(check: &Check, address: SocketAddr, timeout: Duration) -> Answer {
    let asked = async {
        match check {
            Check::Tcp => TcpStream::connect(address).await.map_or_else(|error| refused(&error), |_| Answer::Connected),
            Check::Http { path } => ask(path, address).await,
            Check::Grpc { service } => grpc::ask(service, address).await,
            Check::Told { socket } => told::ask(socket).await,
        }
    };
    tokio::time::timeout(timeout, asked).await.unwrap_or(Answer::TimedOut(timeout))
}

async fn ask(path: &str, address: SocketAddr) -> Answer {
    let stream = match TcpStream::connect(address).await {
        Ok(stream) => stream,
        Err(error) => return refused(&error),
    };
    get(stream, path, address).await.unwrap_or_else(|error| Answer::Failed(in_words(&*error)))
}

async fn get(
    stream: TcpStream,
    path: &str,
    address: SocketAddr,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path)
        .header(HOST, address.to_string())
        .header(USER_AGENT, "wharf-probe")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    // The connection is driven here, not in a task of its own, so that it ends with this future. It may end before the
    // answer has been read out; then there is only the reading left.
    let drive = async {
        let _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        answer = async { read(sender.send_request(request).await?).await } => Ok(answer?),
        never = drive => match never {},
    }
}

async fn read(response: Response<Incoming>) -> hyper::Result<Answer> {
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut start = Vec::new();
    while start.len() < BODY_LIMIT
        && let Some(frame) = body.frame().await
    {
        if let Ok(data) = frame?.into_data() {
            start.extend_from_slice(&data);
        }
    }
    start.truncate(BODY_LIMIT);
    Ok(Answer::Http { status, body: String::from_utf8_lossy(&start).into_owned() })
}

fn refused(error: &io::Error) -> Answer {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Answer::Refused(error.to_string()),
        _ => Answer::Failed(format!("cannot connect: {error}")),
    }
}

/// The error and its causes, on one line.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    /// Probes a server that answers any request with `response`, and compares the answer's words.
    fn check(response: &'static str, passed: bool, words: &str) {
        let answer = block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                let count = stream.read(&mut request).await.unwrap();
                stream.write_all(response.as_bytes()).await.unwrap();
                String::from_utf8_lossy(&request[..count]).into_owned()
            });
            let check = Check::Http { path: "/health?deep=1".into() };
            let answer = probe(&check, address, Duration::from_secs(5)).await;
            let request = server.await.unwrap();
            assert!(request.starts_with("GET /health?deep=1 HTTP/1.1\r\n"), "{request}");
            answer
        });
        assert_eq!((answer.passed(), answer.to_string().as_str()), (passed, words));
    }

    #[test]
    fn a_status_below_400_passes() {
        check("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", true, "HTTP 200: ok");
        check("HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n", true, "HTTP 302");
        check("HTTP/1.0 204 No Content\r\n\r\n", true, "HTTP 204");
    }

    #[test]
    fn a_failure_tells_what_the_instance_said() {
        check("HTTP/1.1 500 Oops\r\ncontent-length: 9\r\n\r\nno model\n", false, "HTTP 500: no model");
        check("HTTP/1.1 503 Wait\r\n\r\nloading", false, "HTTP 503: loading");
    }

    #[test]
    fn a_long_body_is_cut() {
        let response = format!("HTTP/1.1 500 Oops\r\n\r\n{}", "x".repeat(100_000));
        check(response.leak(), false, &format!("HTTP 500: {}", "x".repeat(512)));
    }

    #[test]
    fn what_is_not_http_is_said_so() {
        check("hello\r\n\r\n", false, "invalid HTTP version parsed");
    }

    #[test]
    fn a_closed_port_refuses_and_a_silent_one_times_out() {
        block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            assert_eq!(probe(&Check::Tcp, address, Duration::from_secs(5)).await, Answer::Connected);

            let limit = Duration::from_millis(50);
            let answer = probe(&Check::Http { path: "/".into() }, address, limit).await;
            assert_eq!(answer.to_string(), "no answer within 50ms");

            drop(listener);
            let answer = probe(&Check::Tcp, address, Duration::from_secs(5)).await;
            assert_eq!((answer.passed(), answer.to_string().as_str()), (false, "connection refused"));
        });
    }
}
