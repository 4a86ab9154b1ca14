//! What all downloads of one run share: so many requests at once, so many bytes a second.
//!
//! Bytes are counted when they have come. Whoever took them then pauses, for as long as they should have taken, and asks for
//! no more meanwhile, so that what sends them is held up in turn.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep},
};
use wharf_model::CopyLimits;

/// What was not used for so long is used up later.
const CREDIT: Duration = Duration::from_millis(100);
/// A shorter pause is made later, together with others: a timer takes longer.
const PAUSE: Duration = Duration::from_millis(2);

/// What downloads share. Clones share the same.
#[derive(Debug, Clone, Default)]
pub struct Throttle {
    connections: Option<Arc<Semaphore>>,
    flow: Option<Arc<(Instant, Mutex<Flow>)>>,
}

impl Throttle {
    /// One that keeps to these limits.
    pub fn new(limits: &CopyLimits) -> Self {
        let connections = limits.connections.map(|most| Arc::new(Semaphore::new(usize::from(most.get()))));
        let flow = limits.bandwidth.map(|rate| {
            let flow = Flow { rate: rate.0, even: Duration::ZERO };
            Arc::new((Instant::now(), Mutex::new(flow)))
        });
        Self { connections, flow }
    }

    /// Waits until there may be one request more. It counts until the answer is dropped.
    pub(crate) async fn connect(&self) -> Option<OwnedSemaphorePermit> {
        let connections = self.connections.clone()?;
        Some(connections.acquire_owned().await.expect("nobody closes it"))
    }

    /// Counts bytes that have come, and pauses for as long as they should have taken.
    pub(crate) async fn took(&self, bytes: u64) {
        let Some((began, flow)) = self.flow.as_deref() else { return };
        let pause = flow.lock().unwrap_or_else(PoisonError::into_inner).take(bytes, began.elapsed());
        if pause >= PAUSE {
            sleep(pause).await;
        }
    }
}

/// Bytes that come evenly.
#[derive(Debug)]
struct Flow {
    /// How many in a second.
    rate: u64,
    /// When all that came would have come, at that rate.
    even: Duration,
}

impl Flow {
    /// Takes so many bytes at a time since the beginning; says for how long no more should be asked for.
    fn take(&mut self, bytes: u64, now: Duration) -> Duration {
        let takes = Duration::from_secs_f64(bytes as f64 / self.rate.max(1) as f64);
        self.even = self.even.max(now.saturating_sub(CREDIT)) + takes;
        self.even.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU16;
    use wharf_model::Bytes;

    const MIB: u64 = 1 << 20;

    fn limits(connections: Option<u16>, bandwidth: Option<u64>) -> CopyLimits {
        let connections = connections.and_then(NonZeroU16::new);
        CopyLimits { connections, bandwidth: bandwidth.map(Bytes), ..CopyLimits::default() }
    }

    #[test]
    fn bytes_that_came_too_soon_are_paused_for_and_idle_time_is_not_saved_up() {
        let mut flow = Flow { rate: MIB, even: Duration::ZERO };
        let seconds = Duration::from_secs;
        assert_eq!(flow.take(MIB, Duration::ZERO), seconds(1));
        assert_eq!(flow.take(MIB, Duration::ZERO), seconds(2), "what two take adds up");
        assert_eq!(flow.take(MIB, seconds(2)), seconds(1));
        assert_eq!(flow.take(MIB, seconds(100)), seconds(1) - CREDIT, "a minute without a byte gives no more");
    }

    /// Several downloads side by side, each as fast as it may, on a clock of their own.
    #[tokio::test(start_paused = true)]
    async fn all_together_take_no_more_than_the_rate() {
        let throttle = Throttle::new(&limits(None, Some(4 * MIB)));
        let began = Instant::now();
        let each = (0..8).map(|_| {
            let throttle = throttle.clone();
            tokio::spawn(async move {
                for _ in 0..32 {
                    throttle.took(MIB / 4).await;
                }
            })
        });
        for one in each.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        let took = began.elapsed();
        assert!((15_900..=16_100).contains(&took.as_millis()), "64 MiB at 4 MiB/s took {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_limits_nobody_waits() {
        let throttle = Throttle::default();
        assert!(throttle.connect().await.is_none());
        let began = Instant::now();
        throttle.took(u64::MAX).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_connect_than_may_until_one_is_done() {
        let throttle = Throttle::new(&limits(Some(2), None));
        let (one, _two) = (throttle.connect().await, throttle.connect().await);
        let third = || tokio::time::timeout(Duration::from_secs(3600), throttle.connect());
        assert!(third().await.is_err(), "two are the most");
        drop(one);
        assert!(third().await.is_ok());
    }
}
