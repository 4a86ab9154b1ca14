//! One timer for everything that a connection waits for. It is moved only when it would ring too late, or has rung too
//! early: for a connection that is busy, once every few seconds instead of with every request.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// A connection's timer.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready when `deadline` has passed; else the task is woken then, at the latest.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn it_rings_in_time_whatever_it_was_set_to_before() {
        let mut alarm = Alarm::default();
        let start = Instant::now();
        for (set, asked) in [(10, 5), (1, 8), (30, 2), (2, 2)] {
            let early = |seconds| Instant::now() + Duration::from_secs(seconds);
            let (set, asked) = (early(set), early(asked));
            poll_fn(|cx| {
                assert!(alarm.poll(cx, set).is_pending());
                Poll::Ready(())
            })
            .await;
            poll_fn(|cx| alarm.poll(cx, asked)).await;
            assert_eq!(Instant::now(), asked, "{:?}", start.elapsed());
        }
    }
}
