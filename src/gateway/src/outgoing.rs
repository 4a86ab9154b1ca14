//! Turning a client's request into the one that an instance gets, and an instance's response into the one that the
//! client gets. Nothing here waits.

use std::sync::Arc;

use bytes::BytesMut;
use httparse::Header;
use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Request, Uri, Version};
use tokio::time::Instant;

use crate::body::{IDLE_LIMIT, Patience, RequestBody, Upload};
use crate::config::Protocol;
use crate::http1::{self, Outcall, RequestHead};
use crate::live::LiveRoute;
use crate::retry::repeatable;
use crate::story::Side;
use crate::trace::Joined;
use crate::{headers, paths};

/// A request on its way, ready to be sent.
pub(crate) struct Outgoing {
    pub(crate) message: Message,
    pub(crate) upload: Option<Arc<Upload>>,
    pub(crate) repeatable: bool,
    /// How long its bodies may take.
    pub(crate) patience: Patience,
    /// Whether the client speaks HTTP/1, where a connection that is not read to its end must be closed.
    pub(crate) http1: bool,
}

/// A request as it is sent.
pub(crate) enum Message {
    /// In HTTP/1, on a connection of its own.
    Alone(Outcall),
    /// In HTTP/2.
    Shared(Request<RequestBody>),
}

/// Who asks, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guest<'a> {
    /// The client's address, as it goes into `X-Forwarded-For`.
    pub(crate) client: &'a HeaderValue,
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    /// Its place in a trace, where the gateway takes part in them.
    pub(crate) trace: Option<Joined>,
}

impl Outgoing {
    /// `covered` bytes of the path are the route's prefix. `side` sees the body pass.
    pub(crate) fn new(
        request: Request<Incoming>,
        route: &LiveRoute,
        covered: usize,
        guest: Guest<'_>,
        side: Option<Side>,
        make_id: impl Fn() -> HeaderValue,
    ) -> Self {
        let http1 = request.version() != Version::HTTP_2;
        let patience = patience(route);
        let alone = route.protocol == Protocol::Http1;
        let head = alone.then(|| written(&request, route, covered, guest, &make_id));
        let (mut parts, body) = request.into_parts();
        let (body, upload) = if body.is_end_stream() {
            (RequestBody::empty(), None)
        } else {
            let (body, upload) = RequestBody::limited(body, route.max_body, patience, side);
            (body, Some(upload))
        };
        let repeatable = repeatable(&parts.method, upload.is_some());
        let message = match head {
            Some(head) => Message::Alone(Outcall::new(parts.method, head, body)),
            None => {
                translate(&mut parts, route, covered, guest, make_id);
                Message::Shared(Request::from_parts(parts, body))
            }
        };
        Self { message, upload, repeatable, patience, http1 }
    }
}

/// A request's head as an instance of HTTP/1 gets it.
fn written<B: Body>(
    request: &Request<B>,
    route: &LiveRoute,
    covered: usize,
    guest: Guest<'_>,
    make_id: impl FnOnce() -> HeaderValue,
) -> BytesMut {
    let lines = request.headers().iter();
    let lines: Vec<_> = lines.map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() }).collect();
    let mut out = http1::buffer();
    http1::write_request(&mut out, &RequestHead::of(request, &lines), route, covered, guest, None, make_id);
    out
}

/// Turns a request's head into the one that an instance of HTTP/2 gets.
fn translate(
    head: &mut Parts,
    route: &LiveRoute,
    covered: usize,
    guest: Guest<'_>,
    make_id: impl FnOnce() -> HeaderValue,
) {
    headers::name_host(&mut head.headers, &head.uri, &route.service);
    headers::forward(&mut head.headers, guest, make_id);
    if !route.tokens.is_empty() {
        // The gateway's token is no business of the service.
        head.headers.remove(AUTHORIZATION);
    }
    head.version = Version::HTTP_2;
    let host = head.headers.remove(HOST);
    head.uri = absolute(stripped(&head.uri, covered), host.as_ref());
}

/// How long the bodies of a request to this route may take, from now on.
pub(crate) fn patience(route: &LiveRoute) -> Patience {
    let millis = std::time::Duration::from_millis;
    Patience {
        idle: route.timeouts.between_bytes_ms.map_or(IDLE_LIMIT, millis),
        until: route.timeouts.total_ms.map(|total| Instant::now() + millis(total)),
    }
}

/// The path that the instance sees: what is behind the prefix, and the query.
fn stripped(uri: &Uri, covered: usize) -> PathAndQuery {
    let whole = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let rest = PathAndQuery::try_from(&*paths::rest(whole, covered));
    rest.expect("the tail of a path, from a slash on, is a path")
}

/// In HTTP/2 the host is part of the address.
fn absolute(path: PathAndQuery, host: Option<&HeaderValue>) -> Uri {
    let host = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = Uri::from(path).into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(host.unwrap_or_else(|| Authority::from_static("localhost")));
    Uri::from_parts(parts).expect("a scheme, a host and a path make an address")
}

/// The same request again; it has no body.
pub(crate) fn copy(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy
}
