//! The health service of gRPC, `grpc.health.v1.Health/Check`: one small question and one small answer, written and read
//! by hand.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::header::{CONTENT_TYPE, TE, USER_AGENT};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::{Answer, BODY_LIMIT, in_words, refused};

type Error = Box<dyn std::error::Error + Send + Sync>;

pub(super) async fn ask(service: &str, address: SocketAddr) -> Answer {
    let stream = match TcpStream::connect(address).await {
        Ok(stream) => stream,
        Err(error) => return refused(&error),
    };
    check(stream, service, address).await.unwrap_or_else(|error| Answer::Failed(in_words(&*error)))
}

async fn check(stream: TcpStream, service: &str, address: SocketAddr) -> Result<Answer, Error> {
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let request = Request::post(format!("http://{address}/grpc.health.v1.Health/Check"))
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .header(USER_AGENT, "wharf-probe")
        .body(Full::new(question(service)))?;
    // The connection is driven here, so that it ends with this future; see `get` beside it.
    let drive = async {
        let _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        answer = async { read(sender.send_request(request).await?).await } => answer,
        never = drive => match never {},
    }
}

async fn read(response: Response<Incoming>) -> Result<Answer, Error> {
    let (head, body) = response.into_parts();
    let collected = Limited::new(body, BODY_LIMIT).collect().await?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    Ok(judge(head.status.as_u16(), &head.headers, &trailers, &collected.to_bytes()))
}

/// `HealthCheckRequest { service }`, which no string of a sensible length makes longer than 127 bytes, in its frame.
fn question(service: &str) -> Bytes {
    let service = service.as_bytes();
    let service = &service[..service.len().min(120)];
    let mut message = Vec::new();
    if !service.is_empty() {
        message.extend([0x0a, service.len() as u8]);
        message.extend(service);
    }
    let mut frame = vec![0, 0, 0, 0, message.len() as u8];
    frame.extend(message);
    frame.into()
}

fn judge(status: u16, headers: &HeaderMap, trailers: &HeaderMap, body: &[u8]) -> Answer {
    let text = |name| trailers.get(name).or_else(|| headers.get(name)).and_then(|value| value.to_str().ok());
    let answer = |serving, words: &str| Answer::Grpc { serving, words: words.to_owned() };
    match text("grpc-status") {
        Some("0") => match body.get(5..) {
            Some([0x08, 1, ..]) => answer(true, "serving"),
            Some([0x08, 2, ..]) => answer(false, "not serving"),
            Some([0x08, 3, ..]) => answer(false, "knows no such service"),
            _ => answer(false, "says nothing of its state"),
        },
        Some(code) => match text("grpc-message").filter(|words| !words.is_empty()) {
            Some(words) => answer(false, &format!("status {code}: {words}")),
            None => answer(false, &format!("status {code}")),
        },
        None => Answer::Failed(format!("HTTP {status} without a status of gRPC")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges an answer whose trailers are `name: value` lines.
    fn check(trailers: &str, body: &[u8], passed: bool, words: &str) {
        let pairs = trailers.lines().map(|line| line.split_once(": ").unwrap());
        let parsed = pairs.map(|(name, value)| (name.parse::<hyper::header::HeaderName>().unwrap(), value));
        let trailers = parsed.map(|(name, value)| (name, value.parse().unwrap())).collect();
        let answer = judge(200, &HeaderMap::new(), &trailers, body);
        assert_eq!((answer.passed(), answer.to_string().as_str()), (passed, words));
    }

    #[test]
    fn the_state_is_read() {
        check("grpc-status: 0", &[0, 0, 0, 0, 2, 8, 1], true, "gRPC serving");
        check("grpc-status: 0", &[0, 0, 0, 0, 2, 8, 2], false, "gRPC not serving");
        check("grpc-status: 0", &[0, 0, 0, 0, 0], false, "gRPC says nothing of its state");
        check("grpc-status: 0", &[], false, "gRPC says nothing of its state");
    }

    #[test]
    fn an_error_is_told() {
        check("grpc-status: 12\ngrpc-message: unknown method", &[], false, "gRPC status 12: unknown method");
        check("grpc-status: 5", &[], false, "gRPC status 5");
        check("x: y", &[], false, "HTTP 200 without a status of gRPC");
    }

    #[test]
    fn the_question_is_framed() {
        assert_eq!(&question("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&question("chat")[..], b"\x00\x00\x00\x00\x06\x0a\x04chat");
    }
}
