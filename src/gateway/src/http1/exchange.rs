//! One request and its answer between a caller's connection and an instance's. Which instance it is, and what follows when
//! there is no answer, is decided elsewhere.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::Method;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::answer::AnswerHead;
use super::fields::room;
use super::flow::{Flow, Stopped, Watcher};
use super::input::Input;
use super::line::{Line, STALL_LIMIT};
use super::reading::Malformed;
use crate::body::{BodyError, EventStream, Patience};
use crate::refusal::Refusal;
use crate::retry::Reached;
use crate::story::{Side, Visit};
use crate::upstream::{Exclusive, Lent};

/// What a caller is told that waits until its body is wanted.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A request on its way.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) flow: Flow,
    pub(crate) limit: Limit,
    /// The caller waits to be told that its body is wanted.
    nod: &'static [u8],
    done: bool,
}

impl Upload {
    pub(crate) fn new(flow: Flow, limit: Limit, expects: bool) -> Self {
        Self { flow, limit, nod: if expects { CONTINUE } else { b"" }, done: false }
    }

    /// Whether the instance has all of it.
    pub(crate) fn done(&self) -> bool {
        self.done
    }

    /// The same once more on another connection, which may be asked for where nothing of its body was sent.
    pub(crate) fn again(&mut self) {
        self.flow.rewind();
        self.done = false;
    }

    fn poll<S>(
        &mut self,
        cx: &mut Context<'_>,
        line: &mut Line<S>,
        link: &mut Exclusive,
    ) -> Poll<Result<(), Stopped<Refusal>>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            if !self.nod.is_empty() && self.flow.wants() {
                if line.input.is_empty() {
                    let count = ready!(Pin::new(&mut line.stream).poll_write(cx, self.nod)).map_err(Stopped::Source)?;
                    self.nod = &self.nod[count..];
                    ready!(Pin::new(&mut line.stream).poll_flush(cx)).map_err(Stopped::Source)?;
                    continue;
                }
                self.nod = b"";
            }
            let polled = self.flow.poll(cx, &mut line.stream, &mut line.input, &mut link.stream, &mut self.limit);
            if polled.is_pending() && !self.nod.is_empty() && self.flow.wants() {
                continue;
            }
            self.done = matches!(polled, Poll::Ready(Ok(())));
            return polled;
        }
    }
}

/// Counts a request's body against what is allowed, and shows it to whoever keeps it.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) left: u64,
    pub(crate) most: u64,
    pub(crate) side: Option<Side>,
}

impl Watcher for Limit {
    type Why = Refusal;

    fn see(&mut self, data: &[u8]) -> Result<usize, Refusal> {
        self.left = self.left.checked_sub(data.len() as u64).ok_or(Refusal::TooLarge { limit: self.most })?;
        if let Some(side) = &self.side {
            side.see(data);
        }
        Ok(data.len())
    }
}

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Outcome<A> {
    Answered(A),
    Lost(Reached),
    /// The answer did not begin in time.
    Late,
    /// The caller is gone.
    Gone,
    /// The caller did something wrong while it sent its body.
    Refused(Refusal),
}

/// Sends a request until its answer begins. `begin` makes of the answer's head what is kept of it.
pub(crate) async fn ask<S, A>(
    line: &mut Line<S>,
    link: &mut Exclusive,
    upload: &mut Upload,
    answer: &mut Input,
    asked: &Method,
    (until, idle): (Instant, Duration),
    mut begin: impl FnMut(&AnswerHead<'_, '_>, bool) -> A,
) -> Outcome<A>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut since, mut moved, mut broken) = (None, 0, false);
    poll_fn(|cx| {
        if !upload.done() && !broken {
            match upload.poll(cx, line, link) {
                Poll::Ready(Ok(())) | Poll::Pending => {}
                // It may have answered before it had all.
                Poll::Ready(Err(Stopped::Sink(_))) => broken = true,
                Poll::Ready(Err(Stopped::Source(_))) => return Poll::Ready(Outcome::Gone),
                Poll::Ready(Err(Stopped::Malformed(why))) => {
                    return Poll::Ready(Outcome::Refused(Refusal::Malformed { why }));
                }
                Poll::Ready(Err(Stopped::Watcher(refusal))) => return Poll::Ready(Outcome::Refused(refusal)),
            }
        }
        loop {
            match begun(answer, asked, upload.flow.read(), &mut begin) {
                Ok(Some(begun)) => return Poll::Ready(Outcome::Answered(begun)),
                Ok(None) => {}
                Err(Malformed(why)) => {
                    tracing::debug!(why, "an answer cannot be read");
                    return Poll::Ready(Outcome::Lost(Reached::Sent));
                }
            }
            match answer.poll_fill(cx, &mut link.stream) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => {
                    let reached = if upload.flow.begun() { Reached::Sent } else { Reached::NothingSent };
                    return Poll::Ready(Outcome::Lost(reached));
                }
                Poll::Pending => break,
            }
        }
        let mut deadline = until;
        if !upload.done() && !broken {
            let now = since.filter(|_| moved == upload.flow.bytes).unwrap_or_else(Instant::now);
            (since, moved) = (Some(now), upload.flow.bytes);
            deadline = deadline.min(now + idle);
        } else if line.poll_gone(cx).is_ready() {
            return Poll::Ready(Outcome::Gone);
        }
        ready!(line.alarm.poll(cx, deadline));
        Poll::Ready(if deadline < until { Outcome::Refused(Refusal::ClientTooSlow) } else { Outcome::Late })
    })
    .await
}

/// The answer that is there, if it has begun. Those before the real one are passed over.
pub(super) fn begun<A>(
    answer: &mut Input,
    asked: &Method,
    uploaded: bool,
    begin: &mut impl FnMut(&AnswerHead<'_, '_>, bool) -> A,
) -> Result<Option<A>, Malformed> {
    while !answer.is_empty() {
        let mut room = room();
        let Some(head) = AnswerHead::read(answer, &mut room, asked)? else { return Ok(None) };
        let size = head.size;
        if matches!(head.status, 100 | 102..=199) {
            answer.used(size);
            continue;
        }
        let begun = begin(&head, uploaded);
        answer.used(size);
        return Ok(Some(begun));
    }
    Ok(None)
}

/// Those who see an answer pass.
#[derive(Debug)]
pub(crate) struct Audience<'a> {
    pub(crate) visit: &'a mut Option<Box<Visit>>,
    /// Where it is a stream of events.
    pub(crate) events: Option<Box<EventStream>>,
}

impl Watcher for Audience<'_> {
    type Why = BodyError;

    fn see(&mut self, data: &[u8]) -> Result<usize, BodyError> {
        let passed = self.events.as_mut().map_or(data.len(), |events| events.pass(data));
        if let Some(visit) = &mut self.visit {
            visit.see(&data[..passed]);
        }
        Ok(passed)
    }
}

/// An answer on its way.
#[derive(Debug)]
pub(crate) struct Download {
    pub(crate) flow: Flow,
    /// What was read of it.
    pub(crate) input: Input,
    /// Where it comes from, as long as the instance has to do with it.
    pub(crate) leased: Option<(Exclusive, Lent)>,
    /// Whether the connection can be used again afterwards.
    pub(crate) spare: bool,
}

/// Passes an answer on that has begun, and the rest of the request meanwhile. What is leased ends as soon as the instance has
/// nothing to do with it any more.
pub(crate) async fn pass<S>(
    line: &mut Line<S>,
    download: &mut Download,
    upload: &mut Upload,
    mut audience: Audience<'_>,
    patience: Patience,
) -> Result<(), BodyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Download { flow, input: answer, leased, spare } = download;
    let (mut since, mut moved, mut refused) = (None, 0, false);
    poll_fn(|cx| {
        if let Some((link, _)) = leased.as_mut().filter(|_| !upload.done() && !refused) {
            match upload.poll(cx, line, link) {
                Poll::Ready(Ok(())) | Poll::Pending => {}
                // It does not want the rest.
                Poll::Ready(Err(Stopped::Sink(_))) => refused = true,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(BodyError::Caller)),
            }
        }
        if audience.events.as_mut().is_some_and(|events| events.poll_end(cx)) {
            flow.end();
        }
        loop {
            let mut waits = false;
            if let Some((link, _)) = leased {
                match flow.poll_read(cx, &mut link.stream, answer, &mut audience) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(Stopped::Watcher(error))) => return Poll::Ready(Err(error)),
                    Poll::Ready(Err(Stopped::Source(error) | Stopped::Sink(error))) => {
                        return Poll::Ready(Err(BodyError::Broken(error.into())));
                    }
                    Poll::Ready(Err(Stopped::Malformed(why))) => {
                        return Poll::Ready(Err(BodyError::Broken(why.into())));
                    }
                    Poll::Pending => waits = true,
                }
                if flow.read()
                    && (upload.done() || flow.whole())
                    && let Some((link, lent)) = leased.take()
                {
                    let spare = *spare && flow.whole() && upload.done() && !flow.leaves(answer);
                    lent.count(upload.flow.bytes, flow.bytes);
                    lent.give_back(spare.then_some(link));
                }
            }
            if waits && flow.wants() {
                break;
            }
            match flow.poll_write(cx, &mut line.stream, answer) {
                Poll::Ready(Ok(())) if flow.done() => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Err(BodyError::Caller)),
                Poll::Pending => break,
            }
        }
        if (upload.done() || refused) && line.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(BodyError::Caller));
        }
        let limit = if flow.wants() { patience.idle } else { STALL_LIMIT };
        let now = since.filter(|_| moved == flow.moved).unwrap_or_else(Instant::now);
        (since, moved) = (Some(now), flow.moved);
        let until = patience.until.filter(|until| *until <= now + limit);
        if until.is_none_or(|until| until > now) {
            ready!(line.alarm.poll(cx, until.unwrap_or(now + limit)));
        }
        Poll::Ready(Err(match until {
            Some(_) => BodyError::TooLong,
            None if flow.wants() => BodyError::Idle { limit },
            None => BodyError::Caller,
        }))
    })
    .await
}
