//! A caller's connection: what is read of it, and waiting that ends when the caller goes away.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::alarm::Alarm;
use super::flow::Flow;
use super::input::Input;

/// How long a caller may take nothing of what is sent to it.
pub(crate) const STALL_LIMIT: Duration = Duration::from_secs(60);

/// So much is read of what a caller asks for next while it is answered, in bytes.
const MOST_AHEAD: usize = 64 << 10;

/// A caller's connection.
#[derive(Debug)]
pub(crate) struct Line<S> {
    pub(crate) stream: S,
    pub(crate) input: Input,
    pub(crate) alarm: Alarm,
}

/// Why one need not wait any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The caller has gone away.
    Gone,
    Late,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    /// Waits for something, as long as the caller does.
    pub(crate) async fn wait<T>(&mut self, until: Option<Instant>, what: impl Future<Output = T>) -> Result<T, Over> {
        let mut what = std::pin::pin!(what);
        poll_fn(|cx| {
            if let Poll::Ready(value) = what.as_mut().poll(cx) {
                return Poll::Ready(Ok(value));
            }
            if self.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Over::Gone));
            }
            match until {
                Some(until) => self.alarm.poll(cx, until).map(|()| Err(Over::Late)),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Ready when the caller has gone away. One that has said all it will is taken for gone.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.input.len() < MOST_AHEAD {
            match ready!(self.input.poll_fill(cx, &mut self.stream)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Writes a message that is there as a whole.
    pub(crate) async fn say(&mut self, mut message: Flow) -> io::Result<()> {
        let until = Instant::now() + STALL_LIMIT;
        let Self { stream, alarm, .. } = self;
        let mut nothing = Input::default();
        poll_fn(|cx| {
            if let Poll::Ready(written) = message.poll_write(cx, stream, &mut nothing) {
                return Poll::Ready(written);
            }
            alarm.poll(cx, until).map(|()| Err(io::ErrorKind::TimedOut.into()))
        })
        .await
    }
}
