//! The answers that the gateway gives itself. Plain values: which one applies is decided elsewhere.

use bytes::Bytes;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};

use crate::body::AnswerBody;

const REASON: HeaderName = HeaderName::from_static("x-wharf-reason");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Why a request is not answered by an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its head could be read in two ways.
    Malformed { why: &'static str },
    /// No route has this path. Says nothing about which there are.
    NoRoute,
    /// No token, or none that the route accepts.
    NoToken,
    /// The body is larger than the route allows.
    TooLarge { limit: u64 },
    /// More requests a second than are let in; so many seconds later one more is.
    TooManyRequests { seconds: u64 },
    /// More requests at once than are let in.
    TooManyAtOnce,
    /// All instances have as much as they take, and as many wait for them as may.
    QueueFull,
    /// The first byte of the response did not come in time.
    TooLate,
    /// The client stopped sending its body.
    ClientTooSlow,
    /// The client broke off its body. Mostly it has left, and nobody hears of this.
    Unfinished,
    /// No endpoint is ready, and waiting a moment did not help.
    NoneReady,
    /// Endpoints are said to be ready, but connections to them fail. Nothing was sent.
    CannotConnect,
    /// The instance closed the connection without an answer, after the request was sent.
    ConnectionLost,
    /// A method that makes no sense here.
    NotAProxy,
}

/// In which form a caller understands a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tongue {
    Http,
    Grpc,
}

/// What each refusal is called: its status, the value of `x-wharf-reason`, its code in gRPC.
const NAMES: [(u16, &str, &str); 14] = [
    (400, "malformed", "3"),
    (404, "no-route", "12"),
    (401, "no-token", "16"),
    (413, "body-too-large", "8"),
    (429, "too-many-requests", "8"),
    (429, "too-many-at-once", "8"),
    (450, "queue-full", "8"),
    (408, "timeout", "4"),
    (408, "client-too-slow", "4"),
    (503, "no-ready-instance", "14"),
    (503, "cannot-connect", "14"),
    (502, "connection-lost", "14"),
    (405, "method-not-allowed", "12"),
    (400, "unfinished", "1"),
];

impl Refusal {
    /// The values of `x-wharf-reason`, by [`Refusal::number`].
    pub(crate) const REASONS: [&'static str; NAMES.len()] = {
        let mut reasons = [""; NAMES.len()];
        let mut number = 0;
        while number < NAMES.len() {
            reasons[number] = NAMES[number].1;
            number += 1;
        }
        reasons
    };

    /// Its place in [`Refusal::REASONS`].
    pub(crate) fn number(self) -> usize {
        match self {
            Self::Malformed { .. } => 0,
            Self::NoRoute => 1,
            Self::NoToken => 2,
            Self::TooLarge { .. } => 3,
            Self::TooManyRequests { .. } => 4,
            Self::TooManyAtOnce => 5,
            Self::QueueFull => 6,
            Self::TooLate => 7,
            Self::ClientTooSlow => 8,
            Self::NoneReady => 9,
            Self::CannotConnect => 10,
            Self::ConnectionLost => 11,
            Self::NotAProxy => 12,
            Self::Unfinished => 13,
        }
    }

    /// The value of `x-wharf-reason`, for programs.
    pub(crate) fn reason(self) -> &'static str {
        Self::REASONS[self.number()]
    }

    /// The same for people.
    fn words(self) -> String {
        match self {
            Self::Malformed { why } => format!("the request is malformed: {why}"),
            Self::NoRoute => "nothing is served here".to_owned(),
            Self::NoToken => "a valid token is needed in the Authorization header".to_owned(),
            Self::TooLarge { limit } => format!("the request body is larger than {limit} bytes"),
            Self::TooManyRequests { .. } => "there are too many requests a second".to_owned(),
            Self::TooManyAtOnce => "there are too many requests at once".to_owned(),
            Self::QueueFull => "all instances are busy, and the queue for them is full".to_owned(),
            Self::TooLate => "the instance did not answer in time".to_owned(),
            Self::ClientTooSlow => "the request's body did not come in time".to_owned(),
            Self::NoneReady => "no instance is ready".to_owned(),
            Self::CannotConnect => "the instance accepts no connection".to_owned(),
            Self::ConnectionLost => "the instance closed the connection without an answer".to_owned(),
            Self::NotAProxy => "CONNECT is not supported".to_owned(),
            Self::Unfinished => "the request's body broke off".to_owned(),
        }
    }

    /// Whether this is a reason for which a request failed that nothing was wrong with. Its status does not tell: in gRPC that
    /// is always 200.
    pub(crate) fn is_failure(reason: &str) -> bool {
        let failures = [Self::QueueFull, Self::TooLate, Self::NoneReady, Self::CannotConnect, Self::ConnectionLost];
        failures.iter().any(|failure| failure.reason() == reason)
    }

    /// The response. `service` is named only to callers who were admitted to it. `close` announces that the connection
    /// ends: it must, wherever an HTTP/1 request's body stays unread, or a client's next request on it fails.
    pub(crate) fn response(self, service: Option<&str>, tongue: Tongue, close: bool) -> Response<AnswerBody> {
        let (status, reason, grpc) = NAMES[self.number()];
        let mut response = match tongue {
            Tongue::Http => self.in_http(service, status),
            Tongue::Grpc => self.in_grpc(grpc),
        };
        let headers = response.headers_mut();
        headers.insert(REASON, HeaderValue::from_static(reason));
        match self {
            Self::NoToken => drop(headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            Self::TooManyRequests { seconds } => drop(headers.insert(RETRY_AFTER, HeaderValue::from(seconds))),
            Self::TooManyAtOnce => drop(headers.insert(RETRY_AFTER, HeaderValue::from(1))),
            _ => {}
        }
        if close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn in_http(self, service: Option<&str>, status: u16) -> Response<AnswerBody> {
        let mut words = serde_json::Map::new();
        words.insert("error".to_owned(), self.words().into());
        if let Some(service) = service {
            words.insert("service".to_owned(), service.into());
        }
        let text = serde_json::Value::Object(words).to_string() + "\n";
        let mut response = Response::new(AnswerBody::whole(Bytes::from(text)));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    /// A gRPC client reads the status from the trailers, here the only headers there are.
    fn in_grpc(self, code: &'static str) -> Response<AnswerBody> {
        let mut response = Response::new(AnswerBody::empty());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(GRPC_STATUS, HeaderValue::from_static(code));
        if let Ok(words) = HeaderValue::from_str(&self.words()) {
            headers.insert(GRPC_MESSAGE, words);
        }
        response
    }
}
