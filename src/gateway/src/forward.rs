//! Finding an instance for a request, waiting for one where there is none yet, and sending it there.
//!
//! Which one it is, and whether a request may be sent again, are decided by `choice.rs` and `retry.rs`.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Request, Response, Version};
use tokio::time::{Instant, timeout_at};

use crate::body::{Answer, AnswerBody, RequestBody, Upload};
use crate::endpoint::{InFlight, LiveEndpoint};
use crate::headers;
use crate::http1::{self, Outcall, Unanswered};
use crate::live::{LiveRoute, Search, Turned};
use crate::outgoing::{Message, Outgoing, copy};
use crate::outlier::Fault;
use crate::proxy::Proxy;
use crate::refusal::Refusal;
use crate::retry::{Attempt, Next, Reached};
use crate::story::Visit;
use crate::upstream::{self, CONNECT_LIMIT, Lent};

/// How long a request waits for an endpoint to become ready, where the route says nothing.
const HOLD: Duration = Duration::from_secs(1);

/// How often a waiting request looks again: the end of an ejection tells nobody.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How a request looks for an endpoint while it waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quest {
    /// Stands for a caller who is to meet the same endpoint each time.
    pub(crate) key: Option<u64>,
    /// When the answer must have begun.
    pub(crate) deadline: Instant,
}

impl Proxy {
    /// Sends the request until an instance answers or `retry.rs` says that it must not be sent again.
    pub(crate) async fn forward(
        &self,
        mut route: Arc<LiveRoute>,
        outgoing: Outgoing,
        quest: Quest,
        visit: &mut Option<Box<Visit>>,
    ) -> Result<Response<AnswerBody>, Refusal> {
        let mut in_flight = self.admit(&mut route, quest).await?;
        let Outgoing { mut message, upload, repeatable, patience, http1 } = outgoing;
        let rest = Rest { upload: upload.clone(), patience, http1 };
        let (mut fresh, mut retried) = (false, false);
        loop {
            let endpoint = in_flight.endpoint().clone();
            let first_byte = route.timeouts.first_byte_ms.map(|limit| Instant::now() + Duration::from_millis(limit));
            let until = first_byte.map_or(quest.deadline, |limit| limit.min(quest.deadline));
            let sent = timeout_at(until, self.send(&route, in_flight, message, repeatable, fresh)).await;
            let uploading = upload.as_ref().is_some_and(|upload| !upload.ended());
            let Ok(sent) = sent else {
                // Where the client still sends, it may be what takes so long.
                if !uploading {
                    endpoint.note_fault(Fault::NoAnswer);
                }
                return Err(Refusal::TooLate);
            };
            let failure = match sent {
                Ok((response, lent)) => return Ok(pass_on(response, lent, rest, visit)),
                Err(failure) => failure,
            };
            if let Some(refusal) = upload.as_ref().and_then(|upload| clients_fault(upload, &route)) {
                return Err(refusal);
            }
            let next = failure.next(repeatable, retried);
            message = failure.unsent.ok_or(Refusal::ConnectionLost)?;
            in_flight = match next {
                Next::FreshConnection => failure.in_flight,
                Next::OtherEndpoint => {
                    drop(failure.in_flight);
                    retried = true;
                    self.admit(&mut route, quest).await?
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
        route: &LiveRoute,
        mut in_flight: InFlight,
        message: Message,
        repeatable: bool,
        fresh: bool,
    ) -> Result<(Response<Answer>, Lent), Failure> {
        in_flight.note_tried();
        let limit = route.timeouts.connect_ms.map_or(CONNECT_LIMIT, Duration::from_millis);
        match message {
            Message::Alone(request) => self.send_alone(in_flight, request, repeatable, fresh, limit).await,
            Message::Shared(request) => Box::pin(self.send_shared(in_flight, request, repeatable, fresh, limit)).await,
        }
    }

    async fn send_alone(
        &self,
        in_flight: InFlight,
        request: Outcall,
        repeatable: bool,
        fresh: bool,
        limit: Duration,
    ) -> Result<(Response<Answer>, Lent), Failure> {
        let known = if fresh { None } else { self.pool.take_idle(in_flight.endpoint(), repeatable) };
        let reused = known.is_some();
        let link = match known {
            Some(link) => link,
            None => match Box::pin(upstream::connect(in_flight.endpoint(), limit)).await {
                Ok(link) => link,
                Err(error) => return Err(Failure::unconnected(in_flight, error, Message::Alone(request))),
            },
        };
        match http1::call(link, request).await {
            Ok(response) => {
                let lent = Lent::new(in_flight, self.pool.clone(), None);
                Ok((response.map(|answer| Answer::Alone(Box::new(answer))), lent))
            }
            Err(unanswered) => {
                let Unanswered { reached, mut request } = *unanswered;
                request.again();
                Err(Failure { reached, reused, in_flight, unsent: Some(Message::Alone(request)) })
            }
        }
    }

    async fn send_shared(
        &self,
        in_flight: InFlight,
        request: Request<RequestBody>,
        repeatable: bool,
        fresh: bool,
        limit: Duration,
    ) -> Result<(Response<Answer>, Lent), Failure> {
        let known = if fresh { None } else { self.pool.take_shared(in_flight.endpoint()) };
        let reused = known.is_some();
        let mut link = match known {
            Some(link) => link,
            None => match upstream::connect_shared(in_flight.endpoint(), limit).await {
                Ok(link) => link,
                Err(error) => return Err(Failure::unconnected(in_flight, error, Message::Shared(request))),
            },
        };
        if !reused {
            self.pool.share(&link);
        }
        let copy = (reused && repeatable).then(|| copy(&request));
        match link.send(request).await {
            Ok(response) => Ok((response.map(Answer::Shared), Lent::new(in_flight, self.pool.clone(), Some(link)))),
            Err(mut error) => {
                tracing::debug!(endpoint = in_flight.endpoint().name, error = %error.error(), "cannot send");
                let unsent = error.take_message();
                let reached = if unsent.is_some() { Reached::NothingSent } else { Reached::Sent };
                Err(Failure { reached, reused, in_flight, unsent: unsent.or(copy).map(Message::Shared) })
            }
        }
    }

    /// Finds an endpoint, if need be by waiting for one. What waits is boxed: it is rare, and would make every request's
    /// future as large as itself.
    pub(crate) async fn admit(&self, route: &mut Arc<LiveRoute>, quest: Quest) -> Result<InFlight, Refusal> {
        if route.load.has_queue(&route.limits) {
            return Box::pin(self.queue(route, quest)).await;
        }
        match self.live.admit(route, self.search(quest)) {
            Ok(in_flight) => Ok(in_flight),
            Err(Turned::NoneReady) => Box::pin(self.hold(route, quest)).await,
            Err(Turned::AllFull) => Box::pin(self.queue(route, quest)).await,
            Err(turned) => Err(turned.into()),
        }
    }

    /// Waits a moment for an endpoint that is ready.
    async fn hold(&self, route: &mut Arc<LiveRoute>, quest: Quest) -> Result<InFlight, Refusal> {
        let deadline = quest.deadline.min(Instant::now() + route.hold.unwrap_or(HOLD));
        let place = self.live.holders.try_acquire();
        while place.is_ok() && Instant::now() < deadline {
            // Listening starts before looking, so that no change falls in between.
            let mut changed = pin!(self.live.changed.notified());
            changed.as_mut().enable();
            match self.live.admit(route, self.search(quest)) {
                Err(Turned::NoneReady | Turned::AllFull) => {}
                found => return found.map_err(Refusal::from),
            }
            let _ = timeout_at(deadline.min(Instant::now() + LOOK_AGAIN), changed).await;
        }
        let search = Search { even_unreachable: true, ..self.search(quest) };
        self.live.admit(route, search).map_err(Refusal::from)
    }

    /// Waits in the route's queue until an instance has room.
    async fn queue(&self, route: &mut Arc<LiveRoute>, quest: Quest) -> Result<InFlight, Refusal> {
        let load = route.load.clone();
        let _place = load.queue(&route.limits, route.serving()).ok_or(Refusal::QueueFull)?;
        loop {
            // Whoever is told keeps its place until it was told, however often it looks in between.
            let mut freed = pin!(load.freed.notified());
            freed.as_mut().enable();
            loop {
                match self.live.admit(route, self.search(quest)) {
                    Err(Turned::AllFull) => {}
                    Err(Turned::NoneReady) => return self.hold(route, quest).await,
                    found => return found.map_err(Refusal::from),
                }
                if Instant::now() >= quest.deadline {
                    return Err(Refusal::TooLate);
                }
                let told = timeout_at(quest.deadline.min(Instant::now() + LOOK_AGAIN), freed.as_mut()).await;
                if told.is_ok() {
                    break;
                }
            }
        }
    }

    fn search(&self, quest: Quest) -> Search<'_> {
        Search { random: &self.random, key: quest.key, even_unreachable: false }
    }
}

/// Turns an instance's response into the one that the client gets.
fn pass_on(
    response: Response<Answer>,
    mut lent: Lent,
    rest: Rest,
    visit: &mut Option<Box<Visit>>,
) -> Response<AnswerBody> {
    lent.in_flight.note_answered(response.status().as_u16());
    if let Some(visit) = visit {
        let headers = response.headers();
        visit.answered(lent.in_flight.endpoint(), response.status().as_u16(), |how| how.headers(headers));
    }
    let (mut head, answer) = response.into_parts();
    headers::strip_hop_by_hop(&mut head.headers);
    head.version = Version::HTTP_11;
    if rest.http1 && rest.upload.as_ref().is_some_and(|upload| !upload.ended()) {
        head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let mut body = AnswerBody::passed(answer, lent, rest.upload, rest.patience);
    if headers::is_event_stream(&head.headers) {
        body = body.of_events();
    }
    Response::from_parts(head, body)
}

/// What of a request is needed when its answer comes.
struct Rest {
    upload: Option<Arc<Upload>>,
    patience: crate::body::Patience,
    http1: bool,
}

/// Why a request failed, if it was the client who made it fail.
fn clients_fault(upload: &Upload, route: &LiveRoute) -> Option<Refusal> {
    if upload.too_large() {
        return Some(Refusal::TooLarge { limit: route.max_body.unwrap_or(u64::MAX) });
    }
    if upload.slow() {
        return Some(Refusal::ClientTooSlow);
    }
    upload.broken().then_some(Refusal::Unfinished)
}

/// A request that got no answer.
struct Failure {
    reached: Reached,
    reused: bool,
    in_flight: InFlight,
    /// What can be sent again: the request itself where nothing was sent, else a copy if there may be one.
    unsent: Option<Message>,
}

impl Failure {
    fn unconnected(in_flight: InFlight, error: io::Error, unsent: Message) -> Self {
        tracing::debug!(endpoint = in_flight.endpoint().name, %error, "cannot connect");
        Self { reached: Reached::NoConnection, reused: false, in_flight, unsent: Some(unsent) }
    }

    fn next(&self, repeatable: bool, retried: bool) -> Next {
        let attempt = Attempt { reached: self.reached, reused: self.reused, repeatable, retried };
        next(attempt, self.in_flight.endpoint())
    }
}

/// What comes after an attempt that failed. Tells the endpoint what it did.
pub(crate) fn next(attempt: Attempt, endpoint: &LiveEndpoint) -> Next {
    let next = attempt.next();
    tracing::debug!(endpoint = endpoint.name, reached = ?attempt.reached, ?next, "no answer");
    match next {
        Next::OtherEndpoint | Next::CannotConnect => endpoint.note_fault(Fault::Unreachable),
        Next::ConnectionLost => endpoint.note_fault(Fault::NoAnswer),
        Next::FreshConnection => {}
    }
    next
}

impl From<Turned> for Refusal {
    fn from(turned: Turned) -> Self {
        match turned {
            Turned::NoneReady => Self::NoneReady,
            Turned::AllFull => Self::QueueFull,
            Turned::AllLimited => Self::TooManyRequests { seconds: 1 },
            Turned::RouteGone => Self::NoRoute,
        }
    }
}
