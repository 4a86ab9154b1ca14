//! One request's way through the gateway: route, token, limits, endpoint, instance, answer.
//!
//! The rules are elsewhere (`paths`, `token`, `choice`, `retry`, `headers`); this file asks them in order and obeys.
//! Dropping the future, as happens when the client goes away, cancels the request at the instance.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, CONNECTION, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use crate::body::{AnswerBody, IDLE_LIMIT, RequestBody, Upload};
use crate::choice::Random;
use crate::endpoint::InFlight;
use crate::headers;
use crate::live::{Ejected, Live, LiveRoute, Turned};
use crate::paths;
use crate::refusal::Refusal;
use crate::retry::{Attempt, Next, Reached, repeatable};
use crate::token;
use crate::upgrade::Upgrade;
use crate::upstream::{self, Lent, Pool};

/// How long a request waits for an endpoint to become ready.
const HOLD: Duration = Duration::from_secs(1);

/// How often a waiting request looks again: the end of an ejection tells nobody.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What a worker's requests share.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) live: Arc<Live>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) random: Random,
    /// Upgraded connections, which outlive their request.
    pub(crate) upgrades: TaskTracker,
}

/// A request on its way, ready to be sent.
struct Outgoing {
    request: Request<RequestBody>,
    upload: Option<Arc<Upload>>,
    upgrade: Option<Upgrade>,
    repeatable: bool,
}

impl Proxy {
    /// Answers one request. `client` is the peer's address as it goes into `X-Forwarded-For`.
    pub(crate) async fn answer(&self, request: Request<Incoming>, client: &HeaderValue) -> Response<AnswerBody> {
        let arrived = Instant::now();
        let unread = !request.body().is_end_stream();
        if request.method() == Method::CONNECT {
            return Refusal::NotAProxy.response(None, true);
        }
        let Some((route, covered)) = self.live.route(request.uri().path()) else {
            return Refusal::NoRoute.response(None, unread);
        };
        if !token::admits(&route.tokens, request.headers()) {
            return Refusal::NoToken.response(None, unread);
        }
        if let Some(limit) = route.max_body
            && request.body().size_hint().lower() > limit
        {
            return Refusal::TooLarge { limit }.response(Some(&route.service), true);
        }
        let outgoing = self.outgoing(request, &route, covered, client);
        let deadline = arrived + route.timeout.unwrap_or(IDLE_LIMIT);
        let service = route.clone();
        let refusal = match timeout_at(deadline, self.forward(route, outgoing)).await {
            Ok(Ok(response)) => return response,
            Ok(Err(refusal)) => refusal,
            Err(_) => Refusal::TooLate,
        };
        tracing::debug!(service = service.service, ?refusal, "refused");
        refusal.response(Some(&service.service), unread || refusal == Refusal::TooLate)
    }

    /// Turns a client's request into the one that an instance gets.
    fn outgoing(
        &self,
        mut request: Request<Incoming>,
        route: &LiveRoute,
        covered: usize,
        client: &HeaderValue,
    ) -> Outgoing {
        let upgrade = Upgrade::wanted(&mut request);
        let (mut head, body) = request.into_parts();
        let (body, upload) = if body.is_end_stream() {
            (RequestBody::empty(), None)
        } else {
            let (body, upload) = RequestBody::limited(body, route.max_body);
            (body, Some(upload))
        };
        headers::name_host(&mut head.headers, &head.uri, &route.service);
        head.uri = stripped(&head.uri, covered);
        head.version = Version::HTTP_11;
        headers::forward(&mut head.headers, client, || self.request_id());
        if !route.tokens.is_empty() {
            // The gateway's token is no business of the service.
            head.headers.remove(AUTHORIZATION);
        }
        if let Some(upgrade) = &upgrade {
            headers::restore_upgrade(&mut head.headers, upgrade.protocol.clone());
        }
        let repeatable = repeatable(&head.method, upload.is_some()) && upgrade.is_none();
        Outgoing { request: Request::from_parts(head, body), upload, upgrade, repeatable }
    }

    fn request_id(&self) -> HeaderValue {
        let mut digits = [0; 16];
        hex::encode_to_slice(self.random.next().to_be_bytes(), &mut digits)
            .ok()
            .and_then(|()| HeaderValue::from_bytes(&digits).ok())
            .unwrap_or_else(|| HeaderValue::from_static("0"))
    }

    /// Sends the request until an instance answers or `retry.rs` says that it must not be sent again.
    async fn forward(&self, mut route: Arc<LiveRoute>, outgoing: Outgoing) -> Result<Response<AnswerBody>, Refusal> {
        let Outgoing { mut request, upload, upgrade, repeatable } = outgoing;
        let mut in_flight = self.admit(&mut route).await?;
        let (mut fresh, mut retried) = (false, false);
        loop {
            let failure = match self.send(in_flight, request, repeatable, fresh).await {
                Ok((response, lent)) => return self.pass_on(response, lent, upload.as_deref(), upgrade),
                Err(failure) => failure,
            };
            if upload.as_ref().is_some_and(|upload| upload.too_large()) {
                return Err(Refusal::TooLarge { limit: route.max_body.unwrap_or(u64::MAX) });
            }
            let next = failure.next(repeatable, retried);
            request = failure.unsent.ok_or(Refusal::ConnectionLost)?;
            in_flight = match next {
                Next::FreshConnection => failure.in_flight,
                Next::OtherEndpoint => {
                    drop(failure.in_flight);
                    retried = true;
                    self.admit(&mut route).await?
                }
                Next::CannotConnect => return Err(Refusal::CannotConnect),
                Next::ConnectionLost => return Err(Refusal::ConnectionLost),
            };
            // A second idle connection may be just as dead, so it is the last one that is tried.
            fresh = true;
        }
    }

    /// Sends the request once.
    async fn send(
        &self,
        mut in_flight: InFlight,
        request: Request<RequestBody>,
        repeatable: bool,
        fresh: bool,
    ) -> Result<(Response<Incoming>, Lent), Failure> {
        in_flight.note_tried();
        let idle = if fresh { None } else { self.pool.take(in_flight.endpoint(), repeatable) };
        let reused = idle.is_some();
        let mut link = match idle {
            Some(link) => link,
            None => match upstream::connect(in_flight.endpoint()).await {
                Ok(link) => link,
                Err(error) => {
                    tracing::debug!(endpoint = in_flight.endpoint().name, %error, "cannot connect");
                    return Err(Failure { reached: Reached::NoConnection, reused, in_flight, unsent: Some(request) });
                }
            },
        };
        let copy = (reused && repeatable).then(|| copy(&request));
        match link.sender.try_send_request(request).await {
            Ok(response) => Ok((response, Lent::new(link, in_flight, self.pool.clone()))),
            Err(mut error) => {
                let unsent = error.take_message();
                let reached = if unsent.is_some() { Reached::NothingSent } else { Reached::Sent };
                Err(Failure { reached, reused, in_flight, unsent: unsent.or(copy) })
            }
        }
    }

    /// Finds an endpoint, if need be by waiting a moment for one.
    async fn admit(&self, route: &mut Arc<LiveRoute>) -> Result<InFlight, Refusal> {
        match self.live.admit(route, &self.random, Ejected::Avoid) {
            Err(Turned::NoneReady) => self.hold(route).await.map_err(Refusal::from),
            admitted => admitted.map_err(Refusal::from),
        }
    }

    async fn hold(&self, route: &mut Arc<LiveRoute>) -> Result<InFlight, Turned> {
        let deadline = Instant::now() + HOLD;
        let place = self.live.holders.try_acquire();
        while place.is_ok() && Instant::now() < deadline {
            // Listening starts before looking, so that no change falls in between.
            let mut changed = pin!(self.live.changed.notified());
            changed.as_mut().enable();
            match self.live.admit(route, &self.random, Ejected::Avoid) {
                Err(Turned::NoneReady) => {}
                found => return found,
            }
            let _ = timeout_at(deadline.min(Instant::now() + LOOK_AGAIN), changed).await;
        }
        self.live.admit(route, &self.random, Ejected::Use)
    }

    /// Turns an instance's response into the one that the client gets.
    fn pass_on(
        &self,
        mut response: Response<Incoming>,
        mut lent: Lent,
        upload: Option<&Upload>,
        upgrade: Option<Upgrade>,
    ) -> Result<Response<AnswerBody>, Refusal> {
        lent.in_flight.note_answered();
        let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let instance = switched.then(|| hyper::upgrade::on(&mut response));
        let (mut head, incoming) = response.into_parts();
        headers::strip_hop_by_hop(&mut head.headers);
        head.version = Version::HTTP_11;
        if let Some(instance) = instance {
            let upgrade = upgrade.ok_or(Refusal::ConnectionLost)?;
            headers::restore_upgrade(&mut head.headers, upgrade.protocol.clone());
            self.upgrades.spawn(upgrade.join(instance, lent.in_flight));
            return Ok(Response::from_parts(head, AnswerBody::Whole(None)));
        }
        if upload.is_some_and(|upload| !upload.ended()) {
            head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(Response::from_parts(head, AnswerBody::passed(incoming, lent)))
    }
}

/// A request that got no answer.
struct Failure {
    reached: Reached,
    reused: bool,
    in_flight: InFlight,
    /// What can be sent again: the request itself where nothing was sent, else a copy if there may be one.
    unsent: Option<Request<RequestBody>>,
}

impl Failure {
    /// What comes next. Passes the endpoint over for a moment if it takes no connections.
    fn next(&self, repeatable: bool, retried: bool) -> Next {
        let next = Attempt { reached: self.reached, reused: self.reused, repeatable, retried }.next();
        let endpoint = self.in_flight.endpoint();
        tracing::debug!(endpoint = endpoint.name, reached = ?self.reached, ?next, "no answer");
        if matches!(next, Next::OtherEndpoint | Next::CannotConnect) {
            endpoint.eject();
        }
        next
    }
}

impl From<Turned> for Refusal {
    fn from(turned: Turned) -> Self {
        match turned {
            Turned::NoneReady => Self::NoneReady,
            Turned::RouteGone => Self::NoRoute,
        }
    }
}

/// The same request again; it has no body.
fn copy(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// The address that the instance sees: the path behind the prefix, and the query.
fn stripped(uri: &Uri, covered: usize) -> Uri {
    let whole = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let rest = PathAndQuery::try_from(&*paths::rest(whole, covered));
    rest.map(Uri::from).expect("the tail of a path, from a slash on, is a path")
}
