//! One request's way through the gateway: route, token, limits, then on to an instance.
//!
//! The rules are elsewhere (`framing`, `paths`, `token`, `load`, `choice`, `retry`, `headers`); this file asks them in
//! order and obeys. Dropping the future, as happens when the client goes away, cancels the request at the instance.

use std::borrow::Borrow;
use std::sync::Arc;

use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, Version};
use tokio::time::Instant;

use crate::body::{AnswerBody, IDLE_LIMIT};
use crate::choice::{self, Random};
use crate::entrance::Entrance;
use crate::forward::Quest;
use crate::framing;
use crate::headers;
use crate::limit::Wait;
use crate::live::{Found, Live, LiveRoute, Stickiness, Telling};
use crate::outgoing::{Guest, Outgoing};
use crate::refusal::{Refusal, Tongue};
use crate::sink::Sink;
use crate::story::{Audience, Visit};
use crate::token::{self, Caller};
use crate::trace::{self, Brought, Joined};
use crate::upstream::Pool;

/// What a worker's requests share.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) live: Arc<Live>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) random: Random,
    pub(crate) sink: Sink,
}

/// A request that is turned away. The route is named where the caller was let in to it.
#[derive(Debug)]
pub(crate) struct TurnedAway {
    pub(crate) refusal: Refusal,
    route: Option<Arc<LiveRoute>>,
}

impl TurnedAway {
    /// The caller was let in to this route.
    pub(crate) fn from(route: Arc<LiveRoute>, refusal: Refusal) -> Self {
        Self { refusal, route: Some(route) }
    }

    /// The caller was let in nowhere.
    pub(crate) fn nowhere(refusal: Refusal) -> Self {
        Self { refusal, route: None }
    }
}

/// What is asked of a request before it is let in.
pub(crate) trait Asking {
    /// Why it could be read in two ways, if it could.
    fn ambiguity(&self) -> Option<&'static str>;

    fn method(&self) -> &Method;

    /// The values of a header, in order.
    fn values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]>;

    /// How long its body is at least.
    fn least_body(&self) -> u64;
}

impl<B: Body> Asking for Request<B> {
    fn ambiguity(&self) -> Option<&'static str> {
        framing::ambiguity(self.version(), self.uri(), self.headers())
    }

    fn method(&self) -> &Method {
        self.method()
    }

    fn values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        self.headers().get_all(name).iter().map(HeaderValue::as_bytes)
    }

    fn least_body(&self) -> u64 {
        self.body().size_hint().lower()
    }
}

impl Proxy {
    /// Answers one request that came in through `entrance`.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        entrance: &Entrance,
        guest: Guest<'_>,
    ) -> Response<AnswerBody> {
        let arrived = Instant::now();
        let http1 = request.version() != Version::HTTP_2;
        let unread = http1 && !request.body().is_end_stream();
        let tongue = if headers::is_grpc(request.headers()) { Tongue::Grpc } else { Tongue::Http };
        let host = framing::host(request.uri(), request.headers());
        let found = self.live.find(host, request.uri().path(), &self.random);
        let guest = Guest { trace: self.join_trace(&found, &request), ..guest };
        let mut visit = self.begin_visit(&found, || &request, guest);
        let away = match self.let_in(found, &request, entrance, &mut visit) {
            Ok(Entered { route, covered, key }) => {
                let side = visit.as_ref().and_then(|visit| visit.request_side());
                let outgoing = Outgoing::new(request, &route, covered, guest, side, || self.request_id());
                let deadline = arrived + route.timeout.unwrap_or(IDLE_LIMIT);
                let named = route.clone();
                match self.forward(route, outgoing, Quest { key, deadline }, &mut visit).await {
                    Ok(mut response) => {
                        response.body_mut().ends(visit);
                        return response;
                    }
                    Err(refusal) => TurnedAway::from(named, refusal),
                }
            }
            Err(away) => away,
        };
        let late = matches!(away.refusal, Refusal::TooLate | Refusal::ClientTooSlow);
        let close = unread || (http1 && (late || matches!(away.refusal, Refusal::Malformed { .. })));
        let mut response = self.turn_away(away, tongue, close, &mut visit, entrance);
        response.body_mut().ends(visit);
        response
    }

    /// The request's place in a trace, where this gateway takes part in them.
    pub(crate) fn join_trace(&self, found: &Found, request: &impl Asking) -> Option<Joined> {
        let tracer = found.telling.tracer.as_ref()?;
        let brought = Brought::of(request.values(&headers::TRACE));
        Some(trace::join(brought, tracer.thousandths, || self.random.next()))
    }

    /// Begins to tell of a request, where it is to be told of.
    pub(crate) fn begin_visit<B, R: Borrow<Request<B>>>(
        &self,
        found: &Found,
        request: impl FnOnce() -> R,
        guest: Guest<'_>,
    ) -> Option<Box<Visit>> {
        let recording = found.route.as_ref().and_then(|(route, _)| route.recording.as_ref());
        let recording = recording.filter(|how| self.random.next() % 1_000 < how.thousandths);
        let Telling { access, tracer } = &found.telling;
        let traced = tracer.as_ref().zip(guest.trace).filter(|(_, joined)| joined.own.sampled);
        if recording.is_none() && access.is_none() && traced.is_none() {
            return None;
        }
        let audience = Audience {
            access: access.clone(),
            record: recording.cloned(),
            tracer: traced.map(|(tracer, _)| tracer.clone()),
        };
        Some(Box::new(Visit::begin(&self.sink, audience, request().borrow(), guest)))
    }

    /// Asks whether a request may go on to an instance.
    pub(crate) fn let_in(
        &self,
        found: Found,
        request: &impl Asking,
        entrance: &Entrance,
        visit: &mut Option<Box<Visit>>,
    ) -> Result<Entered, TurnedAway> {
        let refuse = |refusal| Err(TurnedAway::nowhere(refusal));
        if let Some(why) = request.ambiguity() {
            return refuse(Refusal::Malformed { why });
        }
        if request.method() == Method::CONNECT {
            return refuse(Refusal::NotAProxy);
        }
        let at_once = match entrance.load.admit(&entrance.rules.load().limits, || self.live.millis()) {
            Ok(at_once) => at_once,
            Err(refusal) => return refuse(refusal),
        };
        hold(visit, at_once);
        let Some((route, covered)) = found.route else { return refuse(Refusal::NoRoute) };
        let Some(caller) = token::admits(&route.tokens, request.values(&AUTHORIZATION)) else {
            route.load.note_refused(Refusal::NoToken);
            return refuse(Refusal::NoToken);
        };
        if let Some(visit) = visit {
            visit.routed(&route, caller.token().map(|token| &*token.name));
        }
        match self.within_limits(&route, caller, request, visit) {
            Ok(()) => {
                let key = key(&route, caller, request);
                Ok(Entered { route, covered, key })
            }
            Err(refusal) => Err(TurnedAway::from(route, refusal)),
        }
    }

    fn within_limits(
        &self,
        route: &LiveRoute,
        caller: Caller<'_>,
        request: &impl Asking,
        visit: &mut Option<Box<Visit>>,
    ) -> Result<(), Refusal> {
        if let Some(limit) = route.max_body
            && request.least_body() > limit
        {
            return Err(Refusal::TooLarge { limit });
        }
        if let Some((rate, lately)) = caller.token().and_then(|token| token.rate.as_ref()) {
            let admitted = lately.admit(self.live.millis(), *rate);
            admitted.map_err(|Wait(seconds)| Refusal::TooManyRequests { seconds })?;
        }
        hold(visit, route.load.admit(&route.limits, || self.live.millis())?);
        Ok(())
    }

    /// The answer to a request that is turned away, which is counted and told of.
    pub(crate) fn turn_away(
        &self,
        away: TurnedAway,
        tongue: Tongue,
        close: bool,
        visit: &mut Option<Box<Visit>>,
        entrance: &Entrance,
    ) -> Response<AnswerBody> {
        let TurnedAway { refusal, route } = away;
        let load = route.as_ref().map_or(&entrance.load, |route| &*route.load);
        load.note_refused(refusal);
        let service = route.as_ref().map(|route| route.service.as_str());
        if matches!(refusal, Refusal::NoneReady | Refusal::CannotConnect) && load.may_tell(self.live.millis()) {
            tracing::warn!(service, reason = refusal.reason(), "requests are refused");
        }
        tracing::debug!(service, ?refusal, "refused");
        let response = refusal.response(service, tongue, close);
        if let Some(visit) = visit {
            visit.refused(refusal, response.status().as_u16());
        }
        response
    }

    pub(crate) fn request_id(&self) -> HeaderValue {
        let mut digits = [0; 16];
        hex::encode_to_slice(self.random.next().to_be_bytes(), &mut digits)
            .ok()
            .and_then(|()| HeaderValue::from_bytes(&digits).ok())
            .unwrap_or_else(|| HeaderValue::from_static("0"))
    }
}

/// A request that may go on.
#[derive(Debug)]
pub(crate) struct Entered {
    pub(crate) route: Arc<LiveRoute>,
    /// So many bytes of the path are the route's prefix.
    pub(crate) covered: usize,
    pub(crate) key: Option<u64>,
}

/// Counts a request in for as long as it lasts.
fn hold(visit: &mut Option<Box<Visit>>, held: Option<crate::limit::Held>) {
    if held.is_some() {
        visit.get_or_insert_default().hold(held);
    }
}

/// Stands for a caller who is to meet the same instance each time.
fn key(route: &LiveRoute, caller: Caller<'_>, request: &impl Asking) -> Option<u64> {
    match route.sticky.as_ref()? {
        Stickiness::Header(name) => Some(choice::hash(request.values(name).next()?)),
        Stickiness::Token => Some(choice::hash(&caller.token()?.hash)),
    }
}
