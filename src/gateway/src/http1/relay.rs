//! Finding an instance for a request of HTTP/1, sending it there and passing the answer on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use hyper::header::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::answer::AnswerHead;
use super::caller::{Asked, Session, Stop, Then, Way};
use super::exchange::{self, Audience, Download, Limit, Outcome, Upload};
use super::flow::Flow;
use super::input::Input;
use super::line::Over;
use super::outbound::{self, Manner};
use super::reading::Framing;
use super::rewound::Rewound;
use super::shelf;
use crate::body::{EventStream, IDLE_LIMIT, Patience};
use crate::connection::Visitor;
use crate::endpoint::InFlight;
use crate::forward::{self, Quest};
use crate::headers;
use crate::live::LiveRoute;
use crate::outgoing::patience;
use crate::outlier::Fault;
use crate::proxy::TurnedAway;
use crate::refusal::Refusal;
use crate::retry::{Attempt, Next, Reached, repeatable};
use crate::story::Visit;
use crate::upgrade;
use crate::upstream::{self, CONNECT_LIMIT, Exclusive, Lent};

/// A request that looks for its answer.
struct Sending {
    upload: Upload,
    upgrade: Option<HeaderValue>,
    repeatable: bool,
    patience: Patience,
    quest: Quest,
}

/// An answer that has begun.
struct Begun {
    flow: Flow,
    status: u16,
    /// The instance's connection can be used again afterwards.
    link_stays: bool,
    /// The caller's cannot.
    close: bool,
    events: bool,
}

/// What came of one try.
struct Tried {
    outcome: Outcome<Begun>,
    /// Where there was a connection.
    link: Option<Exclusive>,
    /// It had served another request before.
    reused: bool,
    /// What has come of the answer.
    answer: Input,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, S> {
    /// Sends a request until an instance answers or `retry.rs` says that it must not be sent again, and passes the answer on.
    pub(super) async fn forward(
        &mut self,
        asked: &Asked,
        way: Way,
        visit: &mut Option<Box<Visit>>,
    ) -> Result<Then, Stop> {
        let Way { mut route, key, upgrade, head } = way;
        let named = route.clone();
        let away = |refusal| Stop::Refused(TurnedAway::from(named.clone(), refusal));
        let mut sending = Sending::new(asked, &route, key, upgrade, head, visit);
        let mut in_flight = self.admit(&mut route, sending.quest).await?.map_err(away)?;
        let (mut fresh, mut retried) = (false, false);
        loop {
            in_flight.note_tried();
            let tried = self.try_once(asked, &route, &mut sending, &in_flight, fresh, visit).await;
            let reached = match tried.outcome {
                Outcome::Lost(reached) => reached,
                Outcome::Answered(begun) => {
                    in_flight.note_answered(begun.status);
                    let Some(link) = tried.link else { return Err(away(Refusal::ConnectionLost)) };
                    if begun.status == 101 {
                        // Nobody else asked for it.
                        let upgrade = sending.upgrade.take();
                        upgrade.ok_or_else(|| away(Refusal::ConnectionLost))?;
                        return Box::pin(self.switch(begun, link, tried.answer, in_flight, visit.take())).await;
                    }
                    let lent = Lent::new(in_flight, self.visitor.arrival.proxy.pool.clone(), None);
                    return self.pass_on(begun, (link, lent), tried.answer, sending, visit).await;
                }
                Outcome::Gone => return Err(Stop::gone()),
                Outcome::Refused(refusal) => return Err(away(refusal)),
                Outcome::Late => {
                    // Where the caller still sends, it may be what takes so long.
                    if sending.upload.flow.read() {
                        in_flight.endpoint().note_fault(Fault::NoAnswer);
                    }
                    return Err(away(Refusal::TooLate));
                }
            };
            let attempt = Attempt { reached, reused: tried.reused, repeatable: sending.repeatable, retried };
            match forward::next(attempt, in_flight.endpoint()) {
                Next::FreshConnection => {}
                Next::OtherEndpoint => {
                    drop(in_flight);
                    retried = true;
                    in_flight = self.admit(&mut route, sending.quest).await?.map_err(away)?;
                }
                Next::CannotConnect => return Err(away(Refusal::CannotConnect)),
                Next::ConnectionLost => return Err(away(Refusal::ConnectionLost)),
            }
            // A second idle connection may be just as dead, so it is the last one that is tried.
            fresh = true;
            sending.upload.again();
        }
    }

    async fn admit(&mut self, route: &mut Arc<LiveRoute>, quest: Quest) -> Result<Result<InFlight, Refusal>, Stop> {
        let proxy = &self.visitor.arrival.proxy;
        self.line.wait(None, proxy.admit(route, quest)).await.map_err(|_| Stop::gone())
    }

    async fn try_once(
        &mut self,
        asked: &Asked,
        route: &LiveRoute,
        sending: &mut Sending,
        in_flight: &InFlight,
        fresh: bool,
        visit: &mut Option<Box<Visit>>,
    ) -> Tried {
        let pool = &self.visitor.arrival.proxy.pool;
        let first_byte = route.timeouts.first_byte_ms.map(|limit| Instant::now() + Duration::from_millis(limit));
        let until = first_byte.map_or(sending.quest.deadline, |limit| limit.min(sending.quest.deadline));
        let known = if fresh { None } else { pool.take_idle(in_flight.endpoint(), sending.repeatable) };
        let (reused, mut answer) = (known.is_some(), Input::default());
        let linked = match known {
            Some(link) => Ok(Ok(link)),
            None => {
                let limit = route.timeouts.connect_ms.map_or(CONNECT_LIMIT, Duration::from_millis);
                self.line.wait(Some(until), Box::pin(upstream::connect(in_flight.endpoint(), limit))).await
            }
        };
        let (outcome, link) = match linked {
            Ok(Ok(mut link)) => {
                let times = (until, sending.patience.idle);
                let (visitor, upgrade) = (self.visitor, &sending.upgrade);
                let begin = |head: &AnswerHead<'_, '_>, uploaded| {
                    if let Some(visit) = visit {
                        visit.answered(in_flight.endpoint(), head.status, |how| how.headers(&head.told()));
                    }
                    Begun::new(visitor, asked, head, upgrade.as_ref(), uploaded)
                };
                let upload = &mut sending.upload;
                let asked = exchange::ask(&mut self.line, &mut link, upload, &mut answer, &asked.method, times, begin);
                (asked.await, Some(link))
            }
            Ok(Err(error)) => {
                tracing::debug!(endpoint = in_flight.endpoint().name, %error, "cannot connect");
                (Outcome::Lost(Reached::NoConnection), None)
            }
            Err(Over::Late) => (Outcome::Late, None),
            Err(Over::Gone) => (Outcome::Gone, None),
        };
        Tried { outcome, link, reused, answer }
    }

    /// Passes on an answer that has begun.
    async fn pass_on(
        &mut self,
        begun: Begun,
        leased: (Exclusive, Lent),
        input: Input,
        sending: Sending,
        visit: &mut Option<Box<Visit>>,
    ) -> Result<Then, Stop> {
        let Begun { flow, link_stays: spare, close, events, .. } = begun;
        let Sending { mut upload, patience, .. } = sending;
        let events = events.then(|| Box::new(EventStream::new(leased.1.in_flight.endpoint())));
        let audience = Audience { visit, events };
        let mut download = Download { flow, input, leased: Some(leased), spare };
        let passed = exchange::pass(&mut self.line, &mut download, &mut upload, audience, patience).await;
        if let Some((_, lent)) = &download.leased {
            lent.count(upload.flow.bytes, download.flow.bytes);
        }
        match passed {
            Ok(()) => {
                visit.iter_mut().for_each(|visit| visit.finish());
                Ok(if !upload.flow.read() {
                    Then::Linger
                } else if close {
                    Then::Close
                } else {
                    Then::Next
                })
            }
            Err(error) => {
                visit.iter_mut().for_each(|visit| visit.broke(&error));
                Err(Stop::Broken(io::Error::other(error)))
            }
        }
    }

    /// Both have agreed to speak another protocol from here on.
    async fn switch(
        &mut self,
        begun: Begun,
        link: Exclusive,
        answer: Input,
        in_flight: InFlight,
        visit: Option<Box<Visit>>,
    ) -> Result<Then, Stop> {
        self.line.say(begun.flow).await.map_err(Stop::Broken)?;
        let client = Rewound::new(&mut self.line.stream, self.line.input.take());
        let mut answer = answer;
        upgrade::join(client, Rewound::new(link.stream, answer.take()), in_flight, visit).await;
        Ok(Then::Close)
    }
}

impl Sending {
    fn new(
        asked: &Asked,
        route: &LiveRoute,
        key: Option<u64>,
        upgrade: Option<HeaderValue>,
        head: BytesMut,
        visit: &Option<Box<Visit>>,
    ) -> Self {
        let most = route.max_body.unwrap_or(u64::MAX);
        let limit = Limit { left: most, most, side: visit.as_ref().and_then(|visit| visit.request_side()) };
        let flow = Flow::new(head, Some(asked.framing), Some(asked.framing));
        let has_body = asked.framing != Framing::Length(0);
        let deadline = asked.arrived + route.timeout.unwrap_or(IDLE_LIMIT);
        Self {
            upload: Upload::new(flow, limit, asked.expects && has_body),
            repeatable: repeatable(&asked.method, has_body) && upgrade.is_none(),
            upgrade,
            patience: patience(route),
            quest: Quest { key, deadline },
        }
    }
}

impl Begun {
    /// What is kept of an answer's head. `uploaded` tells whether the caller has sent all.
    fn new(
        visitor: &Visitor,
        asked: &Asked,
        head: &AnswerHead<'_, '_>,
        upgrade: Option<&HeaderValue>,
        uploaded: bool,
    ) -> Self {
        let framing = match head.framing {
            // Nobody before HTTP/1.1 reads chunks.
            Some(Framing::Chunked | Framing::UntilClose) if asked.old => Some(Framing::UntilClose),
            Some(Framing::UntilClose) => Some(Framing::Chunked),
            known => known,
        };
        let close = !asked.stays || !uploaded || framing == Some(Framing::UntilClose) || visitor.leaves();
        let switched = upgrade.filter(|_| head.status == 101);
        let manner = Manner { framing, close: close && switched.is_none(), old: asked.old };
        let mut out = shelf::take();
        outbound::answer(&mut out, head, manner, switched);
        Self {
            flow: Flow::new(out, head.framing, framing),
            status: head.status,
            link_stays: head.stays,
            close,
            events: headers::is_event_stream_type(head.content_type()),
        }
    }
}
