//! The bodies that stream through: a request's towards the instance, an answer's towards the client. Nothing is held
//! back: a chunk is passed on as it comes.
//!
//! A request's body is counted against the route's limit. An answer's body keeps the request counted as in flight until
//! it has ended or is dropped, and gives the connection back. Both break off when nothing moves for ten minutes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use thiserror::Error;
use tokio::time::{Instant, Sleep};

use crate::upstream::Lent;

/// The longest silence within a body.
pub(crate) const IDLE_LIMIT: Duration = Duration::from_secs(600);

/// Why a body broke off.
#[derive(Debug, Error)]
pub(crate) enum BodyError {
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("nothing came for {} seconds", IDLE_LIMIT.as_secs())]
    Idle,
    #[error("the other side broke off")]
    Broken(#[source] hyper::Error),
}

/// What is known from outside about a body on its way to an instance. The error that ends it does not come back
/// through the connection in a form that could be told from others, so it is noted here.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    ended: AtomicBool,
    too_large: AtomicBool,
}

impl Upload {
    /// Whether all of the body was taken from the client.
    pub(crate) fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    pub(crate) fn too_large(&self) -> bool {
        self.too_large.load(Ordering::Relaxed)
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
    left: u64,
    silence: Silence,
}

impl RequestBody {
    pub(crate) fn empty() -> Self {
        Self(None)
    }

    pub(crate) fn limited(incoming: Incoming, limit: Option<u64>) -> (Self, Arc<Upload>) {
        let upload = Arc::new(Upload::default());
        let limit = limit.unwrap_or(u64::MAX);
        let silence = Silence::default();
        (Self(Some(Box::new(Limited { incoming, upload: upload.clone(), limit, left: limit, silence }))), upload)
    }
}

impl Limited {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(self.silence.poll(cx, &mut self.incoming))?;
        let size = frame.as_ref().and_then(Frame::data_ref).map_or(0, |data| data.len() as u64);
        let Some(left) = self.left.checked_sub(size) else {
            self.upload.too_large.store(true, Ordering::Relaxed);
            return Poll::Ready(Some(Err(BodyError::TooLarge { limit: self.limit })));
        };
        self.left = left;
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
pub(crate) enum AnswerBody {
    Whole(Option<Bytes>),
    Passed(Passed),
}

/// An instance's answer on its way.
#[derive(Debug)]
pub(crate) struct Passed {
    incoming: Incoming,
    silence: Silence,
    /// Taken when the body has ended.
    lent: Option<Lent>,
}

impl AnswerBody {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes))
    }

    pub(crate) fn passed(incoming: Incoming, lent: Lent) -> Self {
        Self::Passed(Passed { incoming, silence: Silence::default(), lent: Some(lent) })
    }
}

impl Passed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(self.silence.poll(cx, &mut self.incoming))?;
        if frame.is_none() || self.incoming.is_end_stream() {
            self.end();
        }
        Poll::Ready(frame.map(Ok))
    }

    fn end(&mut self) {
        if let Some(lent) = self.lent.take() {
            lent.give_back();
        }
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        // An answer without a body is never polled. One that was not read to its end takes its connection with it.
        if self.incoming.is_end_stream() {
            self.end();
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Passed(passed) => passed.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Passed(passed) => passed.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Passed(passed) => passed.incoming.size_hint(),
        }
    }
}

/// Watches a body for silence. Costs nothing as long as the next piece is there already.
#[derive(Debug, Default)]
struct Silence {
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    fn poll(&mut self, cx: &mut Context<'_>, body: &mut Incoming) -> Poll<Result<Option<Frame<Bytes>>, BodyError>> {
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            if let Some(timer) = &mut self.timer {
                timer.as_mut().reset(Instant::now() + IDLE_LIMIT);
            }
            return Poll::Ready(frame.transpose().map_err(BodyError::Broken));
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(IDLE_LIMIT)));
        timer.as_mut().poll(cx).map(|()| Err(BodyError::Idle))
    }
}
