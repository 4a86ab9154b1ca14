//! A message on its way from one connection to another, piece by piece: what was read is written before more is read, so a
//! side that takes slowly is read from slowly.

use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};

use super::input::Input;
use super::reading::{Framing, Malformed, Reading};
use super::shelf;

/// A message on its way: first its head, then its body.
#[derive(Debug)]
pub(crate) struct Flow {
    /// How far the body was read from the one side.
    reading: Reading,
    /// Whether it goes to the other side in chunks.
    chunked: bool,
    out: Out,
    /// So many bytes of the body have passed.
    pub(crate) bytes: u64,
    /// Grows whenever anything of it moves.
    pub(crate) moved: u64,
    closed: bool,
}

/// Why a message stops on its way.
#[derive(Debug)]
pub(crate) enum Stopped<W> {
    /// The side that it comes from is gone, before the end.
    Source(io::Error),
    /// The side that it goes to is gone.
    Sink(io::Error),
    Malformed(&'static str),
    /// Whoever watches it said so.
    Watcher(W),
}

/// Sees a body pass, and may end it.
pub(crate) trait Watcher {
    /// Why it was stopped.
    type Why;

    /// Sees what comes next. Returns how much of it may pass; less than all means that it ends there.
    fn see(&mut self, data: &[u8]) -> Result<usize, Self::Why>;
}

/// What is written next: some bytes of our own, some that were read, some of our own again.
#[derive(Debug, Default)]
struct Out {
    before: BytesMut,
    written: usize,
    data: usize,
    /// What is done with when the data is written, the data included.
    used: usize,
    after: &'static [u8],
}

impl Flow {
    /// A message with this head, whose body is read as `from` says and written as `to` does.
    pub(crate) fn new(head: BytesMut, from: Option<Framing>, to: Option<Framing>) -> Self {
        let reading = Reading::new(from.unwrap_or(Framing::Length(0)));
        let chunked = to == Some(Framing::Chunked);
        let out = Out { before: head, ..Out::default() };
        let closed = reading.ended() && !chunked;
        Self { reading, chunked, out, bytes: 0, moved: 0, closed }
    }

    /// Whether all of the body was taken from where it comes from.
    pub(crate) fn read(&self) -> bool {
        self.closed
    }

    /// Whether anything of it was sent.
    pub(crate) fn begun(&self) -> bool {
        self.out.written > 0 || self.bytes > 0 || self.out.before.is_empty()
    }

    /// Whether the body's end was where it said, rather than where it was cut off.
    pub(crate) fn whole(&self) -> bool {
        self.reading.ended()
    }

    /// Whether it waits to be read from, having nothing to write.
    pub(crate) fn wants(&self) -> bool {
        self.out.is_empty() && !self.closed
    }

    /// Whether more was read than the message.
    pub(crate) fn leaves(&self, input: &Input) -> bool {
        input.len() > self.out.used
    }

    /// Starts again with the head, which was all there is.
    pub(crate) fn rewind(&mut self) {
        self.out.written = 0;
    }

    /// Ends the message here.
    pub(crate) fn end(&mut self) {
        if !std::mem::replace(&mut self.closed, true) && self.chunked {
            self.out.last();
        }
    }

    /// Reads until there is something to write, or the body has ended.
    pub(crate) fn poll_read<S, T>(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut S,
        input: &mut Input,
        watcher: &mut T,
    ) -> Poll<Result<(), Stopped<T::Why>>>
    where
        S: AsyncRead + Unpin,
        T: Watcher,
    {
        while !self.closed && self.out.data == 0 {
            if input.is_empty() && !self.reading.ended() {
                match ready!(input.poll_fill(cx, source)) {
                    Ok(count @ 1..) => self.moved += count as u64,
                    Ok(0) if self.reading == Reading::UntilClose => self.end(),
                    Ok(0) => return Poll::Ready(Err(Stopped::Source(io::ErrorKind::UnexpectedEof.into()))),
                    Err(error) => return Poll::Ready(Err(Stopped::Source(error))),
                }
            }
            self.stage(input, watcher)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes what was read of the body so far.
    fn stage<T: Watcher>(&mut self, input: &mut Input, watcher: &mut T) -> Result<(), Stopped<T::Why>> {
        let taken = self.reading.take(input).map_err(|Malformed(why)| Stopped::Malformed(why))?;
        if taken.data > 0 {
            let passed = watcher.see(&input[..taken.data]).map_err(Stopped::Watcher)?;
            self.bytes += passed as u64;
            self.out.data(passed, taken.used, self.chunked);
            if passed < taken.data {
                self.end();
            }
        } else if taken.used > 0 {
            input.used(taken.used);
        }
        if self.reading.ended() {
            self.end();
        }
        Ok(())
    }

    /// Writes what was read. `input` is what it was read to.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut (impl AsyncWrite + Unpin),
        input: &mut Input,
    ) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let count = ready!(self.out.poll(cx, sink, input))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.moved += count as u64;
            self.out.wrote(count, input);
        }
        Pin::new(sink).poll_flush(cx)
    }

    /// Whether all was read and written.
    pub(crate) fn done(&self) -> bool {
        self.closed && self.out.is_empty()
    }

    /// Passes the message on, as far as it goes. Ready when all of it has passed.
    pub(crate) fn poll<S, D, T>(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut S,
        input: &mut Input,
        sink: &mut D,
        watcher: &mut T,
    ) -> Poll<Result<(), Stopped<T::Why>>>
    where
        S: AsyncRead + Unpin,
        D: AsyncWrite + Unpin,
        T: Watcher,
    {
        loop {
            // The head and what there is of the body go together.
            let read = self.poll_read(cx, source, input, watcher)?;
            if read.is_pending() && self.out.is_empty() {
                return Poll::Pending;
            }
            ready!(self.poll_write(cx, sink, input)).map_err(Stopped::Sink)?;
            if self.done() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        shelf::give(std::mem::take(&mut self.out.before));
    }
}

impl Out {
    fn is_empty(&self) -> bool {
        self.written == self.before.len() && self.data == 0 && self.after.is_empty()
    }

    /// Adds data at the front of what was read.
    fn data(&mut self, data: usize, used: usize, chunked: bool) {
        (self.data, self.used) = (data, used);
        if chunked && data > 0 {
            self.open();
            // Cannot fail: it grows.
            let _ = write!((&mut self.before).writer(), "{data:x}\r\n");
            self.after = b"\r\n";
        }
    }

    /// Adds the last chunk.
    fn last(&mut self) {
        if self.data > 0 {
            self.after = b"\r\n0\r\n\r\n";
        } else {
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

    fn poll(
        &self,
        cx: &mut Context<'_>,
        sink: &mut (impl AsyncWrite + Unpin),
        input: &Input,
    ) -> Poll<io::Result<usize>> {
        let before = &self.before[self.written..];
        let sink = Pin::new(sink);
        if self.data == 0 && self.after.is_empty() {
            return sink.poll_write(cx, before);
        }
        let slices = [before, &input[..self.data], self.after].map(IoSlice::new);
        let from = usize::from(before.is_empty());
        let to = if self.after.is_empty() { 2 } else { 3 };
        sink.poll_write_vectored(cx, &slices[from..to])
    }

    fn wrote(&mut self, count: usize, input: &mut Input) {
        let head = count.min(self.before.len() - self.written);
        self.written += head;
        let data = (count - head).min(self.data);
        self.after = &self.after[count - head - data..];
        if data > 0 {
            self.data -= data;
            self.used -= data;
            // What lies between the data and what comes next goes with the last of it.
            input.used(if self.data == 0 { data + std::mem::take(&mut self.used) } else { data });
        }
    }
}
