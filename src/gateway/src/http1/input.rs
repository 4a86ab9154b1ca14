//! What was read from a connection and not used yet. It has a buffer only while there is something in it.

use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

use super::reading::Taken;
use super::shelf;

/// Bytes that were read and not used yet.
#[derive(Debug, Default)]
pub(crate) struct Input {
    bytes: BytesMut,
    ended: bool,
}

impl Input {
    /// Reads more, however much there is; the result is how much. Nothing is said by 0: the other side has ended.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Ready(Ok(0));
        }
        if self.bytes.capacity() == 0 {
            self.bytes = shelf::take();
        } else if self.bytes.len() == self.bytes.capacity() {
            self.bytes.reserve(shelf::SIZE);
        }
        let polled = poll_read_buf(Pin::new(stream), cx, &mut self.bytes);
        self.shelve();
        let count = ready!(polled)?;
        self.ended = count == 0;
        Poll::Ready(Ok(count))
    }

    /// Lets go of bytes that were used.
    pub(crate) fn used(&mut self, count: usize) {
        self.bytes.advance(count);
        self.shelve();
    }

    /// The data at the front, to keep. What is no larger than `small` is copied.
    pub(crate) fn piece(&mut self, taken: Taken, small: usize) -> Bytes {
        if taken.data <= small {
            let piece = Bytes::copy_from_slice(&self.bytes[..taken.data]);
            self.used(taken.used);
            return piece;
        }
        let mut piece = self.bytes.split_to(taken.used);
        piece.truncate(taken.data);
        self.shelve();
        piece.freeze()
    }

    /// All of it.
    pub(crate) fn take(&mut self) -> BytesMut {
        std::mem::take(&mut self.bytes)
    }

    fn shelve(&mut self) {
        if self.bytes.is_empty() && self.bytes.capacity() > 0 {
            shelf::give(std::mem::take(&mut self.bytes));
        }
    }
}

impl From<BytesMut> for Input {
    fn from(bytes: BytesMut) -> Self {
        Self { bytes, ended: false }
    }
}

impl Deref for Input {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Input {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if self.bytes.capacity() > 0 {
            shelf::give(std::mem::take(&mut self.bytes));
        }
    }
}
