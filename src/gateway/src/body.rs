//! The bodies that stream through: a request's towards the instance, an answer's towards the client. Nothing is held
//! back: a chunk is passed on as it comes.
//!
//! A request's body is counted against the route's limit. An answer's body keeps the request counted as in flight until
//! it has ended or is dropped, and gives the connection back. Both break off when nothing moves for too long.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::boundary::Events;
use crate::endpoint::LiveEndpoint;
use crate::http1::Incall;
use crate::story::{Side, Visit};
use crate::upstream::Lent;

/// The longest silence within a body where the route says nothing.
pub(crate) const IDLE_LIMIT: Duration = Duration::from_secs(600);

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("nothing came for {} ms", limit.as_millis())]
    Idle { limit: Duration },
    #[error("the answer took longer than it may")]
    TooLong,
    #[error("the other side broke off")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    #[error("the caller is gone")]
    Caller,
}

/// How long a body may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// The longest silence.
    pub(crate) idle: Duration,
    /// When it must have ended, if it must.
    pub(crate) until: Option<Instant>,
}

/// What is known from outside about a body on its way to an instance. The error that ends it does not come back
/// through the connection in a form that could be told from others, so it is noted here.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    ended: AtomicBool,
    too_large: AtomicBool,
    slow: AtomicBool,
    broken: AtomicBool,
    bytes: AtomicU64,
}

impl Upload {
    /// Whether all of the body was taken from the client.
    pub(crate) fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    pub(crate) fn too_large(&self) -> bool {
        self.too_large.load(Ordering::Relaxed)
    }

    /// Whether the client stopped sending, or did not send all in time.
    pub(crate) fn slow(&self) -> bool {
        self.slow.load(Ordering::Relaxed)
    }

    /// Whether the client broke off, or left.
    pub(crate) fn broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// How much was taken so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// A request's body, or none.
#[derive(Debug)]
pub(crate) struct RequestBody(Option<Box<Limited>>);

#[derive(Debug)]
struct Limited {
    incoming: Incoming,
    upload: Arc<Upload>,
    limit: u64,
    clock: Clock,
    tap: Option<Side>,
}

impl RequestBody {
    pub(crate) fn empty() -> Self {
        Self(None)
    }

    /// A body that breaks off behind `limit` bytes. What passes is shown to `tap`.
    pub(crate) fn limited(
        incoming: Incoming,
        limit: Option<u64>,
        patience: Patience,
        tap: Option<Side>,
    ) -> (Self, Arc<Upload>) {
        let upload = Arc::new(Upload::default());
        let (limit, clock) = (limit.unwrap_or(u64::MAX), Clock::new(patience));
        (Self(Some(Box::new(Limited { incoming, upload: upload.clone(), limit, clock, tap }))), upload)
    }
}

impl Limited {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = ready!(self.clock.poll(cx, &mut self.incoming));
        let frame = polled.inspect_err(|error| {
            let slow = matches!(error, BodyError::Idle { .. } | BodyError::TooLong);
            let why = if slow { &self.upload.slow } else { &self.upload.broken };
            why.store(true, Ordering::Relaxed);
        })?;
        if let Some(data) = frame.as_ref().and_then(Frame::data_ref) {
            let bytes = self.upload.bytes.load(Ordering::Relaxed) + data.len() as u64;
            if bytes > self.limit {
                self.upload.too_large.store(true, Ordering::Relaxed);
                return Poll::Ready(Some(Err(BodyError::TooLarge { limit: self.limit })));
            }
            self.upload.bytes.store(bytes, Ordering::Relaxed);
            if let Some(tap) = &self.tap {
                tap.see(data);
            }
        }
        if frame.is_none() || self.incoming.is_end_stream() {
            self.upload.ended.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame.map(Ok))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.as_mut().map_or(Poll::Ready(None), |body| body.poll(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|body| body.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |body| body.incoming.size_hint())
    }
}

/// What a client gets: an instance's answer as it comes, or one of the gateway's own.
#[derive(Debug)]
pub(crate) struct AnswerBody {
    source: Source,
    /// Told when the answer has ended.
    visit: Option<Box<Visit>>,
}

#[derive(Debug)]
enum Source {
    Whole(Option<Bytes>),
    Passed(Passed),
}

/// An instance's answer on its way.
#[derive(Debug)]
struct Passed {
    incoming: Answer,
    clock: Clock,
    /// Taken when the body has ended.
    lent: Option<Lent>,
    upload: Option<Arc<Upload>>,
    bytes: u64,
    /// Where it is a stream of events.
    events: Option<Box<EventStream>>,
}

/// What an instance answers.
#[derive(Debug)]
pub(crate) enum Answer {
    /// In HTTP/1, on a connection of its own.
    Alone(Box<Incall>),
    /// In HTTP/2.
    Shared(Incoming),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Alone(answer) => Pin::new(answer).poll_frame(cx).map_err(Into::into),
            Self::Shared(incoming) => Pin::new(incoming).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Alone(answer) => answer.is_end_stream(),
            Self::Shared(incoming) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Alone(answer) => answer.size_hint(),
            Self::Shared(incoming) => incoming.size_hint(),
        }
    }
}

/// A stream of events, which goes on until somebody ends it.
#[derive(Debug)]
pub(crate) struct EventStream {
    events: Events,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    ends: bool,
    ended: bool,
}

impl AnswerBody {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { source: Source::Whole(Some(bytes)), visit: None }
    }

    pub(crate) fn empty() -> Self {
        Self { source: Source::Whole(None), visit: None }
    }

    pub(crate) fn passed(incoming: Answer, lent: Lent, upload: Option<Arc<Upload>>, patience: Patience) -> Self {
        let clock = Clock::new(patience);
        let passed = Passed { incoming, clock, lent: Some(lent), upload, bytes: 0, events: None };
        Self { source: Source::Passed(passed), visit: None }
    }

    /// What passes are events: they end between two of them when the instance's drain is over.
    pub(crate) fn of_events(mut self) -> Self {
        if let Source::Passed(passed) = &mut self.source
            && let Some(lent) = &passed.lent
        {
            passed.events = Some(Box::new(EventStream::new(lent.in_flight.endpoint())));
        }
        self
    }

    /// All of an answer of the gateway's own.
    pub(crate) fn into_whole(mut self) -> Bytes {
        match &mut self.source {
            Source::Whole(bytes) => bytes.take().unwrap_or_default(),
            Source::Passed(_) => Bytes::new(),
        }
    }

    /// Keeps the visit until the answer has ended.
    pub(crate) fn ends(&mut self, visit: Option<Box<Visit>>) {
        self.visit = visit;
    }
}

impl EventStream {
    pub(crate) fn new(endpoint: &LiveEndpoint) -> Self {
        let cut = Box::pin(endpoint.cut().cancelled_owned());
        Self { events: Events::default(), cut, ends: false, ended: false }
    }

    /// Looks whether the stream is to end, and ends it if it may.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.ends && self.cut.as_mut().poll(cx).is_ready() {
            self.ends = true;
        }
        self.ended |= self.ends && self.events.between();
        self.ended
    }

    /// What of a piece is passed on.
    pub(crate) fn pass(&mut self, data: &[u8]) -> usize {
        let end = self.events.feed(data);
        self.ended |= self.ends && end < data.len();
        if self.ends { end } else { data.len() }
    }
}

impl Passed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.events.as_mut().is_some_and(|events| events.poll_end(cx)) {
            return Poll::Ready(None);
        }
        let frame = ready!(self.clock.poll(cx, &mut self.incoming))?;
        let pass = |events: &mut EventStream, frame: Frame<Bytes>| match frame.into_data() {
            Ok(data) => Frame::data(data.slice(..events.pass(&data))),
            Err(trailers) => trailers,
        };
        let frame = match &mut self.events {
            Some(events) => frame.map(|frame| pass(events, frame)),
            None => frame,
        };
        self.bytes += frame.as_ref().and_then(Frame::data_ref).map_or(0, |data| data.len() as u64);
        if frame.is_none() || self.incoming.is_end_stream() {
            self.end();
        }
        Poll::Ready(frame.map(Ok))
    }

    fn end(&mut self) {
        if let Some(lent) = self.lent.take() {
            self.count(&lent);
            lent.give_back(match &mut self.incoming {
                Answer::Alone(answer) => answer.spare(),
                Answer::Shared(_) => None,
            });
        }
    }

    fn count(&self, lent: &Lent) {
        lent.count(self.upload.as_ref().map_or(0, |upload| upload.bytes()), self.bytes);
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        // An answer without a body is never polled. One that was not read to its end takes its connection with it.
        if self.incoming.is_end_stream() {
            self.end();
        } else if let Some(lent) = &self.lent {
            self.count(lent);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Self { source, visit } = &mut *self;
        let frame = match source {
            Source::Whole(bytes) => bytes.take().map(|bytes| Ok(Frame::data(bytes))),
            Source::Passed(passed) => ready!(passed.poll(cx)),
        };
        if let Some(visit) = visit {
            match &frame {
                Some(Ok(frame)) => visit.see(frame.data_ref().map_or(&[], |data| data)),
                Some(Err(error)) => visit.broke(error),
                None => visit.finish(),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_none(),
            Source::Passed(passed) => passed.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Source::Passed(passed) => passed.incoming.size_hint(),
        }
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        // A body that knows its end is not asked for one more frame.
        if self.is_end_stream()
            && let Some(visit) = &mut self.visit
        {
            visit.finish();
        }
    }
}

/// Watches a body for silence and for its end. Costs nothing as long as the next piece is there already.
#[derive(Debug)]
struct Clock {
    patience: Patience,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    fn new(patience: Patience) -> Self {
        Self { patience, timer: None }
    }

    fn is_over(&self) -> bool {
        self.patience.until.is_some_and(|until| until <= Instant::now())
    }

    fn next(&self) -> Instant {
        let idle = Instant::now() + self.patience.idle;
        self.patience.until.map_or(idle, |until| until.min(idle))
    }

    fn poll<B>(&mut self, cx: &mut Context<'_>, body: &mut B) -> Poll<Result<Option<Frame<Bytes>>, BodyError>>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            if self.is_over() {
                return Poll::Ready(Err(BodyError::TooLong));
            }
            if self.timer.is_some() {
                let next = self.next();
                self.timer.as_mut().into_iter().for_each(|timer| timer.as_mut().reset(next));
            }
            return Poll::Ready(frame.transpose().map_err(|error| BodyError::Broken(error.into())));
        }
        if self.timer.is_none() {
            self.timer = Some(Box::pin(tokio::time::sleep_until(self.next())));
        }
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(if self.is_over() {
            BodyError::TooLong
        } else {
            BodyError::Idle { limit: self.patience.idle }
        }))
    }
}
