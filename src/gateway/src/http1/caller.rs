//! A caller's connection in HTTP/1: its requests one after the other, each let in or refused, sent to an instance and
//! answered. What is decided is decided elsewhere, and the same for callers in HTTP/2.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use hyper::header::HeaderValue;
use hyper::{Method, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::alarm::Alarm;
use super::fields::room;
use super::flow::Flow;
use super::input::Input;
use super::line::Line;
use super::outbound::{self, Manner};
use super::reading::Framing;
use super::request::{RequestHead, Unreadable};
use super::shelf;
use crate::body::AnswerBody;
use crate::config::Protocol;
use crate::connection::{Arrival, Visitor};
use crate::framing::LARGEST_HEAD;
use crate::live::LiveRoute;
use crate::outgoing::Guest;
use crate::proxy::{Entered, TurnedAway};
use crate::refusal::{Refusal, Tongue};
use crate::story::Visit;

/// How long, and for how much, a caller that was refused may go on sending before the connection is cut.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: u64 = 64 << 20;

/// How a connection ended.
pub(crate) enum Ended<S> {
    Closed,
    /// What comes next, the bytes read so far first, is not for here.
    Elsewhere(S, BytesMut),
}

/// Answers the requests of one connection, as long as each head comes within `patience`.
pub(crate) async fn serve<S>(visitor: &Visitor, stream: S, head_limit: Duration) -> io::Result<Ended<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let line = Line { stream, input: Input::default(), alarm: Alarm::default() };
    let mut session = Session { visitor, line, head_limit };
    let mut closing = pin!(visitor.arrival.closing.cancelled());
    let then = loop {
        let then = match session.next(closing.as_mut()).await? {
            Received::Nothing => Then::Close,
            Received::Elsewhere => {
                let Line { stream, mut input, .. } = session.line;
                return Ok(Ended::Elsewhere(stream, input.take()));
            }
            Received::Unreadable(why) => session.reject(why).await?,
            Received::Asked(asked, visit, let_in) => session.answer(&asked, visit, let_in).await?,
        };
        if then != Then::Next {
            break then;
        }
    };
    let _ = timeout(LINGER, session.line.stream.shutdown()).await;
    if then == Then::Linger {
        linger(&mut session.line.stream).await;
    }
    Ok(Ended::Closed)
}

pub(super) struct Session<'a, S> {
    pub(super) visitor: &'a Visitor,
    pub(super) line: Line<S>,
    head_limit: Duration,
}

/// What a connection brings.
enum Received {
    Nothing,
    Elsewhere,
    Unreadable(Unreadable),
    Asked(Asked, Option<Box<Visit>>, Result<Way, TurnedAway>),
}

/// What is known of a request when its head has gone.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) framing: Framing,
    pub(super) tongue: Tongue,
    pub(super) expects: bool,
    /// The caller speaks HTTP/1.0.
    pub(super) old: bool,
    /// Another request may follow.
    pub(super) stays: bool,
    pub(super) arrived: Instant,
}

/// Where a request that was let in goes.
pub(super) struct Way {
    pub(super) route: Arc<LiveRoute>,
    pub(super) key: Option<u64>,
    pub(super) upgrade: Option<HeaderValue>,
    pub(super) head: BytesMut,
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Next,
    Close,
    /// Closing a socket with unread input resets the connection, and the reset can overtake the answer, which the caller
    /// then never sees. So what it still sends is read for a while.
    Linger,
}

/// Why a request was not answered by an instance.
pub(super) enum Stop {
    Refused(TurnedAway),
    /// Nobody is there to be told, or nothing can be told any more.
    Broken(io::Error),
}

impl Stop {
    pub(super) fn gone() -> Self {
        Self::Broken(io::Error::new(io::ErrorKind::ConnectionAborted, "the caller is gone"))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, S> {
    /// Waits for a request.
    async fn next(&mut self, mut closing: Pin<&mut impl Future<Output = ()>>) -> io::Result<Received> {
        let until = Instant::now() + self.head_limit;
        let mut looked = 0;
        poll_fn(|cx| {
            loop {
                // A head ends with a line; one that drips in is not read again with every drop.
                let input = &self.line.input;
                let ends = input.len() >= LARGEST_HEAD || input[looked..].contains(&b'\n');
                looked = input.len();
                if ends && let Some(received) = self.receive() {
                    return Poll::Ready(Ok(received));
                }
                match self.line.input.poll_fill(cx, &mut self.line.stream) {
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(Ok(0)) => return Poll::Ready(Ok(Received::Nothing)),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {
                        let closed = self.line.input.is_empty() && closing.as_mut().poll(cx).is_ready();
                        if closed || self.line.alarm.poll(cx, until).is_ready() {
                            return Poll::Ready(Ok(Received::Nothing));
                        }
                        return Poll::Pending;
                    }
                }
            }
        })
        .await
    }

    /// Takes a request's head from what was read, if it is there.
    fn receive(&mut self) -> Option<Received> {
        let mut room = room();
        let head = match RequestHead::read(&self.line.input, &mut room) {
            Ok(None) => return None,
            Ok(Some(head)) => head,
            Err(why) => return Some(Received::Unreadable(why)),
        };
        let (proxy, entrance) = (&self.visitor.arrival.proxy, &self.visitor.arrival.entrance);
        let found = proxy.live.find(head.host(), head.path(), &proxy.random);
        if found.route.as_ref().is_some_and(|(route, _)| route.protocol == Protocol::H2c) {
            return Some(Received::Elsewhere);
        }
        let guest = Guest { trace: proxy.join_trace(&found, &head), ..self.visitor.guest() };
        let mut visit = proxy.begin_visit(&found, || head.told(), guest);
        let asked = Asked {
            method: head.method.clone(),
            framing: head.framing,
            tongue: if head.is_grpc() { Tongue::Grpc } else { Tongue::Http },
            expects: head.expects,
            old: head.old,
            stays: head.stays,
            arrived: Instant::now(),
        };
        let way = proxy.let_in(found, &head, entrance, &mut visit).map(|Entered { route, covered, key }| {
            let upgrade = outbound::upgrade(&head);
            let mut out = shelf::take();
            outbound::request(&mut out, &head, &route, covered, guest, upgrade.as_ref(), || proxy.request_id());
            Way { route, key, upgrade, head: out }
        });
        let size = head.size;
        self.line.input.used(size);
        Some(Received::Asked(asked, visit, way))
    }

    async fn answer(
        &mut self,
        asked: &Asked,
        mut visit: Option<Box<Visit>>,
        way: Result<Way, TurnedAway>,
    ) -> io::Result<Then> {
        let away = match way {
            Ok(way) => match self.forward(asked, way, &mut visit).await {
                Ok(then) => return Ok(then),
                Err(Stop::Broken(error)) => return Err(error),
                Err(Stop::Refused(away)) => away,
            },
            Err(away) => away,
        };
        self.refuse(asked, away, visit).await
    }

    async fn refuse(&mut self, asked: &Asked, away: TurnedAway, mut visit: Option<Box<Visit>>) -> io::Result<Then> {
        let unread = asked.framing != Framing::Length(0);
        let lost = matches!(away.refusal, Refusal::TooLate | Refusal::ClientTooSlow | Refusal::Malformed { .. });
        let close = unread || lost || !asked.stays || self.visitor.leaves();
        let Arrival { proxy, entrance, .. } = &self.visitor.arrival;
        let response = proxy.turn_away(away, asked.tongue, false, &mut visit, entrance);
        let (head, body) = response.into_parts();
        let text = body.into_whole();
        let framing = Some(Framing::Length(text.len() as u64));
        let mut out = shelf::take();
        outbound::reply(&mut out, &Response::from_parts(head, ()), Manner { framing, close, old: asked.old });
        if asked.method != Method::HEAD {
            out.put_slice(&text);
            visit.iter_mut().for_each(|visit| visit.see(&text));
        }
        self.line.say(Flow::new(out, None, None)).await?;
        visit.iter_mut().for_each(|visit| visit.finish());
        Ok(if unread || lost {
            Then::Linger
        } else if close {
            Then::Close
        } else {
            Then::Next
        })
    }

    /// Answers what is no request.
    async fn reject(&mut self, why: Unreadable) -> io::Result<Then> {
        let Arrival { proxy, entrance, .. } = &self.visitor.arrival;
        let response = match why {
            Unreadable::Malformed(why) => {
                let away = TurnedAway::nowhere(Refusal::Malformed { why });
                proxy.turn_away(away, Tongue::Http, false, &mut None, entrance).map(AnswerBody::into_whole)
            }
            Unreadable::TooLarge => {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
                response
            }
        };
        let framing = Some(Framing::Length(response.body().len() as u64));
        let mut out = shelf::take();
        outbound::reply(&mut out, &response, Manner { framing, close: true, old: false });
        out.put_slice(response.body());
        self.line.say(Flow::new(out, None, None)).await?;
        Ok(Then::Linger)
    }
}

/// Reads what a refused caller still sends.
async fn linger(stream: impl AsyncRead + Unpin) {
    let mut rest = stream.take(LINGER_BYTES);
    let mut sink = tokio::io::sink();
    let _ = timeout(LINGER, tokio::io::copy(&mut rest, &mut sink)).await;
}
