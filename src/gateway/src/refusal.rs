//! The answers that the gateway gives itself. Plain values: which one applies is decided elsewhere.

use bytes::Bytes;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};

use crate::body::AnswerBody;

/// Why a request is not answered by an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No route has this path. Says nothing about which there are.
    NoRoute,
    /// No token, or none that the route accepts.
    NoToken,
    /// The body is larger than the route allows.
    TooLarge { limit: u64 },
    /// The first byte of the response did not come in time.
    TooLate,
    /// No endpoint is ready, and waiting a moment did not help.
    NoneReady,
    /// Endpoints are said to be ready, but connections to them fail. Nothing was sent.
    CannotConnect,
    /// The instance closed the connection without an answer, after the request was sent.
    ConnectionLost,
    /// A method that makes no sense here.
    NotAProxy,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooLate => StatusCode::REQUEST_TIMEOUT,
            Self::NoneReady | Self::CannotConnect => StatusCode::SERVICE_UNAVAILABLE,
            Self::ConnectionLost => StatusCode::BAD_GATEWAY,
            Self::NotAProxy => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// The value of `x-wharf-reason`, for programs.
    fn reason(self) -> &'static str {
        match self {
            Self::NoRoute => "no-route",
            Self::NoToken => "no-token",
            Self::TooLarge { .. } => "body-too-large",
            Self::TooLate => "timeout",
            Self::NoneReady => "no-ready-instance",
            Self::CannotConnect => "cannot-connect",
            Self::ConnectionLost => "connection-lost",
            Self::NotAProxy => "method-not-allowed",
        }
    }

    /// The same for people.
    fn words(self) -> String {
        match self {
            Self::NoRoute => "nothing is served here".to_owned(),
            Self::NoToken => "a valid token is needed in the Authorization header".to_owned(),
            Self::TooLarge { limit } => format!("the request body is larger than {limit} bytes"),
            Self::TooLate => "the instance did not answer in time".to_owned(),
            Self::NoneReady => "no instance is ready".to_owned(),
            Self::CannotConnect => "the instance accepts no connection".to_owned(),
            Self::ConnectionLost => "the instance closed the connection without an answer".to_owned(),
            Self::NotAProxy => "CONNECT is not supported".to_owned(),
        }
    }

    /// The response. `service` is named only to callers who were admitted to it. `close` announces that the connection
    /// ends: it must, wherever the request's body stays unread, or a client's next request on it fails.
    pub(crate) fn response(self, service: Option<&str>, close: bool) -> Response<AnswerBody> {
        let mut words = serde_json::Map::new();
        words.insert("error".to_owned(), self.words().into());
        if let Some(service) = service {
            words.insert("service".to_owned(), service.into());
        }
        let text = serde_json::Value::Object(words).to_string() + "\n";
        let mut response = Response::new(AnswerBody::whole(Bytes::from(text)));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-wharf-reason", HeaderValue::from_static(self.reason()));
        if self == Self::NoToken {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
