//! Writes that go together. HTTP/2 puts the answers of many requests on one connection and would write each by itself; here
//! small ones wait until everything that is ready to be written is there.
//!
//! The connection writes to a [`Batch`]; whoever drives the connection sends what has come together with [`Sender::poll`]
//! whenever the connection has nothing more to do.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http1::{buffer, return_buffer};

/// What is no larger is copied, to go with others, in bytes: a frame of the size that clients take, with its head. Copying
/// one costs less than a write.
const SMALL: usize = (16 << 10) + 64;

/// So much waits at most, in bytes.
const MOST: usize = 32 << 10;

/// A connection whose small writes wait.
#[derive(Debug)]
pub(crate) struct Batch<S>(Arc<Mutex<Waiting<S>>>);

/// Sends what waits.
#[derive(Debug)]
pub(crate) struct Sender<S>(Arc<Mutex<Waiting<S>>>);

#[derive(Debug)]
struct Waiting<S> {
    stream: S,
    bytes: BytesMut,
}

/// A connection whose small writes wait, and what sends them.
pub(crate) fn batch<S>(stream: S) -> (Batch<S>, Sender<S>) {
    let waiting = Arc::new(Mutex::new(Waiting { stream, bytes: BytesMut::new() }));
    (Batch(waiting.clone()), Sender(waiting))
}

impl<S> Batch<S> {
    fn lock(&self) -> MutexGuard<'_, Waiting<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncWrite + Unpin> Sender<S> {
    /// Sends what waits. Ready when all has gone.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).poll_send(cx)
    }
}

impl<S: AsyncWrite + Unpin> Waiting<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.bytes.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.bytes))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.bytes.advance(count);
        }
        self.put_away();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let size: usize = slices.iter().map(|slice| slice.len()).sum();
        if size <= SMALL && self.bytes.len() + size <= MOST {
            if self.bytes.capacity() == 0 {
                self.bytes = buffer();
            }
            slices.iter().for_each(|slice| self.bytes.extend_from_slice(slice));
            return Poll::Ready(Ok(size));
        }
        loop {
            let mut all = [IoSlice::new(&[]); 8];
            all[0] = IoSlice::new(&self.bytes);
            let more = slices.len().min(all.len() - 1);
            all[1..=more].copy_from_slice(&slices[..more]);
            let from = usize::from(self.bytes.is_empty());
            let count = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &all[from..=more]))?;
            let waited = count.min(self.bytes.len());
            self.bytes.advance(waited);
            self.put_away();
            if count > waited || count == 0 {
                return Poll::Ready(Ok(count - waited));
            }
        }
    }

    fn put_away(&mut self) {
        if self.bytes.is_empty() && self.bytes.capacity() > 0 {
            return_buffer(std::mem::take(&mut self.bytes));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Batch<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.lock().stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Batch<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.lock().poll_write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.lock().poll_write(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Says that it is done although what waits is sent by [`Sender::poll`] alone: that is what lets it wait.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut waiting = self.lock();
        ready!(waiting.poll_send(cx))?;
        Pin::new(&mut waiting.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Notes how large each write was.
    #[derive(Debug, Default)]
    struct Writes(Vec<usize>, Vec<u8>);

    impl AsyncWrite for Writes {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.0.push(bytes.len());
            self.1.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            self.as_mut().poll_write(cx, &all)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Writes pieces of these sizes and sends what waits; `expected` are the sizes of what was written.
    async fn check(pieces: &[usize], expected: &[usize]) {
        let (mut stream, sender) = batch(Writes::default());
        let mut sent = Vec::new();
        for (number, size) in (0..).zip(pieces) {
            let piece = vec![number; *size];
            stream.write_all(&piece).await.unwrap();
            stream.flush().await.unwrap();
            sent.extend(piece);
        }
        poll_fn(|cx| sender.poll(cx)).await.unwrap();
        let waiting = stream.lock();
        assert_eq!(waiting.stream.0, expected, "{pieces:?}");
        assert_eq!(waiting.stream.1, sent);
        assert_eq!(waiting.bytes.capacity(), 0);
    }

    #[tokio::test]
    async fn small_writes_go_together_and_large_ones_take_them_along() {
        check(&[], &[]).await;
        check(&[10, 20, SMALL], &[30 + SMALL]).await;
        check(&[10, 20, SMALL + 1, 5], &[31 + SMALL, 5]).await;
        check(&[SMALL, SMALL, SMALL, SMALL, 7, 8], &[2 * SMALL, 2 * SMALL, 15]).await;
    }

    #[tokio::test]
    async fn everything_arrives_where_little_is_taken_at_once() {
        let (ours, mut theirs) = tokio::io::duplex(7);
        let (mut stream, sender) = batch(ours);
        let written: Vec<u8> = (0..100_000_u32).map(|number| number as u8).collect();
        let expected = written.clone();
        let reader = tokio::spawn(async move {
            let mut read = Vec::new();
            theirs.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, expected);
        });
        for piece in written.chunks(997).chain([&[][..]]) {
            stream.write_all(piece).await.unwrap();
        }
        poll_fn(|cx| sender.poll(cx)).await.unwrap();
        stream.shutdown().await.unwrap();
        drop((stream, sender));
        reader.await.unwrap();
    }
}
