//! One request and its answer on a connection to an instance, for callers that are not on a connection of HTTP/1 themselves.
//! Whoever asks for the answer also moves the request on: there is no task beside it.

use std::future::poll_fn;
use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Response, StatusCode};
use tokio::io::AsyncWrite;

use super::answer::AnswerHead;
use super::exchange;
use super::input::Input;
use super::reading::{Framing, Malformed, Reading};
use super::shelf;
use crate::body::{BodyError, RequestBody};
use crate::retry::Reached;
use crate::upstream::Exclusive;

/// Smaller pieces of an answer are copied, so that the buffer that they came in serves the next connection.
const SMALL: usize = 4 << 10;

/// A request as it is written to an instance.
#[derive(Debug)]
pub(crate) struct Outcall {
    method: Method,
    /// The head, then whatever frames the data.
    before: BytesMut,
    written: usize,
    data: Bytes,
    after: &'static [u8],
    body: RequestBody,
    chunked: bool,
    begun: bool,
    ended: bool,
}

/// Why a request goes no further.
#[derive(Debug)]
enum Stopped {
    Instance,
    Caller(BodyError),
}

impl Outcall {
    /// `head` ends with an empty line, and says how the end of the body is told, if there is one.
    pub(crate) fn new(method: Method, head: BytesMut, body: RequestBody) -> Self {
        let (ended, chunked) = (body.is_end_stream(), body.size_hint().exact().is_none());
        Self { method, before: head, written: 0, data: Bytes::new(), after: b"", body, chunked, begun: false, ended }
    }

    /// Starts again with the head. Only where there is no body, or nothing of it was sent.
    pub(crate) fn again(&mut self) {
        self.written = 0;
        self.begun = false;
    }

    /// Moves the request on. Ready when the instance has all of it.
    fn poll(&mut self, cx: &mut Context<'_>, stream: &mut (impl AsyncWrite + Unpin)) -> Poll<Result<(), Stopped>> {
        loop {
            // The head and the first piece of the body go together.
            if self.data.is_empty() && self.after.is_empty() && !self.ended {
                match Pin::new(&mut self.body).poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => {
                        if let Ok(data) = frame.into_data() {
                            self.stage(data);
                        }
                    }
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(Stopped::Caller(error))),
                    Poll::Ready(None) => self.end(),
                    Poll::Pending if self.written == self.before.len() => return Poll::Pending,
                    Poll::Pending => {}
                }
            }
            while self.written < self.before.len() || !self.data.is_empty() || !self.after.is_empty() {
                let slices = [&self.before[self.written..], &self.data, self.after].map(IoSlice::new);
                match ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &slices)) {
                    Ok(count @ 1..) => self.wrote(count),
                    Ok(0) | Err(_) => return Poll::Ready(Err(Stopped::Instance)),
                }
            }
            if self.ended {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn stage(&mut self, data: Bytes) {
        if self.chunked && !data.is_empty() {
            self.open();
            // Cannot fail: it grows.
            let _ = write!((&mut self.before).writer(), "{:x}\r\n", data.len());
            self.after = b"\r\n";
        }
        self.data = data;
        if !self.chunked && self.body.is_end_stream() {
            self.end();
        }
    }

    fn end(&mut self) {
        self.ended = true;
        if self.chunked {
            self.open();
            self.before.put_slice(b"0\r\n\r\n");
        }
    }

    /// Forgets what was written, to write something new.
    fn open(&mut self) {
        if self.written == self.before.len() {
            self.before.clear();
            self.written = 0;
        }
    }

    fn wrote(&mut self, count: usize) {
        self.begun = true;
        let head = count.min(self.before.len() - self.written);
        let data = (count - head).min(self.data.len());
        self.written += head;
        self.data.advance(data);
        self.after = &self.after[count - head - data..];
    }
}

impl Drop for Outcall {
    fn drop(&mut self) {
        shelf::give(std::mem::take(&mut self.before));
    }
}

/// An answer on its way.
#[derive(Debug)]
pub(crate) struct Incall {
    /// Taken when nothing more is wanted from it.
    link: Option<Exclusive>,
    /// What of the request is still to be sent.
    request: Option<Outcall>,
    input: Input,
    reading: Reading,
    trailers: bool,
    stays: bool,
}

/// A request that got no answer, and what can be sent again.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) reached: Reached,
    pub(crate) request: Outcall,
}

/// Sends a request, and waits until its answer begins. What belongs to the connection only is left out of its head.
pub(crate) async fn call(mut link: Exclusive, mut request: Outcall) -> Result<Response<Incall>, Box<Unanswered>> {
    let (mut input, mut sent) = (Input::default(), false);
    let begun = poll_fn(|cx| {
        if !sent {
            match request.poll(cx, &mut link.stream) {
                // It may have answered before it had all.
                Poll::Ready(Ok(()) | Err(Stopped::Instance)) => sent = true,
                Poll::Ready(Err(Stopped::Caller(error))) => {
                    tracing::debug!(%error, "a request stops");
                    return Poll::Ready(Err(Reached::Sent));
                }
                Poll::Pending => {}
            }
        }
        loop {
            match exchange::begun(&mut input, &request.method, true, &mut |head, _| begin(head)) {
                // Nobody asked to change the protocol.
                Ok(Some(begun)) if begun.response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    return Poll::Ready(Err(Reached::Sent));
                }
                Ok(Some(begun)) => return Poll::Ready(Ok(begun)),
                Ok(None) => {}
                Err(Malformed(why)) => {
                    tracing::debug!(why, "an answer cannot be read");
                    return Poll::Ready(Err(Reached::Sent));
                }
            }
            match ready!(input.poll_fill(cx, &mut link.stream)) {
                Ok(1..) => {}
                Ok(0) | Err(_) if request.begun => return Poll::Ready(Err(Reached::Sent)),
                Ok(0) | Err(_) => return Poll::Ready(Err(Reached::NothingSent)),
            }
        }
    });
    match begun.await {
        Ok(Begun { response, framing, stays }) => {
            let reading = Reading::new(framing.unwrap_or(Framing::Length(0)));
            let request = (!sent).then_some(request);
            Ok(response.map(|()| Incall { link: Some(link), request, input, reading, trailers: false, stays }))
        }
        Err(reached) => Err(Box::new(Unanswered { reached, request })),
    }
}

struct Begun {
    response: Response<()>,
    framing: Option<Framing>,
    stays: bool,
}

fn begin(head: &AnswerHead<'_, '_>) -> Begun {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = head.passed();
    Begun { response, framing: head.framing, stays: head.stays }
}

impl Incall {
    /// The connection, if it can be used for another request now.
    pub(crate) fn spare(&mut self) -> Option<Exclusive> {
        let spare = self.stays && self.reading.ended() && self.request.is_none() && self.input.is_empty();
        self.link.take().filter(|_| spare)
    }

    fn trailers(&mut self) -> Option<HeaderMap> {
        let Reading::Chunks(chunks) = &self.reading else { return None };
        if chunks.trailers().is_empty() || std::mem::replace(&mut self.trailers, true) {
            return None;
        }
        let mut lines = [httparse::EMPTY_HEADER; 32];
        let whole = [chunks.trailers(), b"\r\n"].concat();
        let httparse::Status::Complete((_, lines)) = httparse::parse_headers(&whole, &mut lines).ok()? else {
            return None;
        };
        let pair = |line: &httparse::Header<'_>| {
            Some((HeaderName::try_from(line.name).ok()?, HeaderValue::from_bytes(line.value).ok()?))
        };
        Some(lines.iter().filter_map(pair).collect())
    }
}

impl Body for Incall {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Self { link, request, input, reading, .. } = &mut *self;
        let Some(link) = link else { return Poll::Ready(None) };
        if let Some(sending) = request {
            match sending.poll(cx, &mut link.stream) {
                Poll::Ready(Ok(())) => *request = None,
                Poll::Ready(Err(Stopped::Caller(error))) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                // It does not want the rest; `request` stays, so the connection ends with this.
                Poll::Ready(Err(Stopped::Instance)) | Poll::Pending => {}
            }
        }
        while !reading.ended() {
            if input.is_empty() {
                match ready!(input.poll_fill(cx, &mut link.stream))? {
                    1.. => {}
                    0 if *reading == Reading::UntilClose => return Poll::Ready(None),
                    0 => return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
                }
            }
            let taken = reading.take(input).map_err(|Malformed(why)| io::Error::other(why))?;
            if taken.data > 0 {
                return Poll::Ready(Some(Ok(Frame::data(input.piece(taken, SMALL)))));
            }
            input.used(taken.used);
        }
        Poll::Ready(self.trailers().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.reading {
            Reading::Chunks(chunks) => chunks.ended() && (chunks.trailers().is_empty() || self.trailers),
            reading => reading.ended(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.reading {
            Reading::Length(left) => SizeHint::with_exact(*left),
            _ => SizeHint::default(),
        }
    }
}
