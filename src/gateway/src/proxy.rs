//! One request's way through the gateway: route, token, limits, then on to an instance.
//!
//! The rules are elsewhere (`framing`, `paths`, `token`, `load`, `choice`, `retry`, `headers`); this file asks them in
//! order and obeys. Dropping the future, as happens when the client goes away, cancels the request at the instance.

use std::sync::Arc;

use hyper::body::{Body, Incoming};
use hyper::header::HeaderValue;
use hyper::{Method, Request, Response, Version};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::body::{AnswerBody, IDLE_LIMIT};
use crate::choice::{self, Random};
use crate::entrance::Entrance;
use crate::forward::Quest;
use crate::framing;
use crate::headers;
use crate::limit::Wait;
use crate::live::{Found, Live, LiveRoute, Stickiness};
use crate::outgoing::{Guest, Outgoing};
use crate::refusal::{Refusal, Tongue};
use crate::sink::Sink;
use crate::story::Visit;
use crate::token::{self, Caller};
use crate::upstream::Pool;

/// What a worker's requests share.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) live: Arc<Live>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) random: Random,
    /// Upgraded connections, which outlive their request.
    pub(crate) upgrades: TaskTracker,
    pub(crate) sink: Sink,
}

/// A request that is turned away. The route is named where the caller was let in to it.
#[derive(Debug)]
pub(crate) struct TurnedAway {
    pub(crate) refusal: Refusal,
    route: Option<Arc<LiveRoute>>,
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
        let mut visit = self.begin_visit(&found, &request, guest);
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
                    Err(refusal) => TurnedAway { refusal, route: Some(named) },
                }
            }
            Err(away) => away,
        };
        let late = matches!(away.refusal, Refusal::TooLate | Refusal::ClientTooSlow);
        let close = unread || (http1 && (late || matches!(away.refusal, Refusal::Malformed { .. })));
        self.refuse(away, tongue, close, visit, entrance)
    }

    fn begin_visit(&self, found: &Found, request: &Request<Incoming>, guest: Guest<'_>) -> Option<Box<Visit>> {
        let recording = found.route.as_ref().and_then(|(route, _)| route.recording.as_ref());
        let recording = recording.filter(|how| self.random.next() % 1_000 < how.thousandths);
        if recording.is_none() && found.access.is_none() {
            return None;
        }
        let client = guest.client.to_str().unwrap_or_default();
        Visit::begin(&self.sink, found.access.clone(), recording.cloned(), request, client).map(Box::new)
    }

    /// Asks whether a request may go on to an instance.
    pub(crate) fn let_in<B: Body>(
        &self,
        found: Found,
        request: &Request<B>,
        entrance: &Entrance,
        visit: &mut Option<Box<Visit>>,
    ) -> Result<Entered, TurnedAway> {
        let refuse = |refusal| Err(TurnedAway { refusal, route: None });
        if let Some(why) = framing::ambiguity(request.version(), request.uri(), request.headers()) {
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
        let Some(caller) = token::admits(&route.tokens, request.headers()) else {
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
            Err(refusal) => Err(TurnedAway { refusal, route: Some(route) }),
        }
    }

    fn within_limits<B: Body>(
        &self,
        route: &LiveRoute,
        caller: Caller<'_>,
        request: &Request<B>,
        visit: &mut Option<Box<Visit>>,
    ) -> Result<(), Refusal> {
        if let Some(limit) = route.max_body
            && request.body().size_hint().lower() > limit
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

    fn refuse(
        &self,
        away: TurnedAway,
        tongue: Tongue,
        close: bool,
        visit: Option<Box<Visit>>,
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
        let mut response = refusal.response(service, tongue, close);
        if let Some(mut visit) = visit {
            visit.refused(refusal, response.status().as_u16());
            response.body_mut().ends(Some(visit));
        }
        response
    }

    fn request_id(&self) -> HeaderValue {
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
    covered: usize,
    pub(crate) key: Option<u64>,
}

/// Counts a request in for as long as it lasts.
fn hold(visit: &mut Option<Box<Visit>>, held: Option<crate::limit::Held>) {
    if held.is_some() {
        visit.get_or_insert_default().hold(held);
    }
}

/// Stands for a caller who is to meet the same instance each time.
fn key<B>(route: &LiveRoute, caller: Caller<'_>, request: &Request<B>) -> Option<u64> {
    match route.sticky.as_ref()? {
        Stickiness::Header(name) => Some(choice::hash(request.headers().get(name)?.as_bytes())),
        Stickiness::Token => Some(choice::hash(&caller.token()?.hash)),
    }
}
