//! One endpoint as all threads share it: its counters, its readiness, and the guard that counts a request.
//!
//! An endpoint lives on from one configuration to the next as long as its name and address stay the same, so that what
//! is in flight is never forgotten. Who may be counted in is for `live.rs`, which proves it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So long an endpoint is passed over after a connection to it failed.
const EJECTION: Duration = Duration::from_secs(1);

/// An endpoint's shared part.
#[derive(Debug)]
pub(crate) struct LiveEndpoint {
    /// Never used twice within a process.
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    in_flight: AtomicU64,
    served: AtomicU64,
    failed: AtomicU64,
    ready: AtomicBool,
    /// No route gives it requests any more: connections to it are not kept.
    retired: AtomicBool,
    born: Instant,
    /// Milliseconds since `born`; 0 when it never was ejected, or its probe passed since.
    ejected_until: AtomicU64,
    last_answer: Mutex<Option<String>>,
}

impl LiveEndpoint {
    pub(crate) fn new(name: String, address: SocketAddr) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            name,
            address,
            in_flight: AtomicU64::new(0),
            served: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            ready: AtomicBool::new(true),
            retired: AtomicBool::new(false),
            born: Instant::now(),
            ejected_until: AtomicU64::new(0),
            last_answer: Mutex::new(None),
        }
    }

    /// Counts a request in, before it is known whether it may go there.
    pub(crate) fn enter(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        InFlight { endpoint: self.clone(), progress: Progress::Admitted }
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Requests that the endpoint answered, whatever the status.
    pub(crate) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Requests that got no answer from it.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    pub(crate) fn ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    pub(crate) fn retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    pub(crate) fn set_retired(&self, retired: bool) {
        self.retired.store(retired, Ordering::Relaxed);
    }

    /// Passes it over for a moment: a connection to it just failed.
    pub(crate) fn eject(&self) {
        let until = self.born.elapsed() + EJECTION;
        self.ejected_until.store(millis(until), Ordering::Relaxed);
    }

    /// Ends an ejection. Returns whether there was one.
    pub(crate) fn readmit(&self) -> bool {
        let until = self.ejected_until.swap(0, Ordering::Relaxed);
        until > millis(self.born.elapsed())
    }

    pub(crate) fn ejected(&self) -> bool {
        let until = self.ejected_until.load(Ordering::Relaxed);
        until != 0 && until > millis(self.born.elapsed())
    }

    pub(crate) fn last_answer(&self) -> Option<String> {
        self.last_answer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_last_answer(&self, answer: String) {
        *self.last_answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }
}

/// A request counted in at an endpoint; dropping it counts the request out.
#[derive(Debug)]
pub(crate) struct InFlight {
    endpoint: Arc<LiveEndpoint>,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Admitted,
    Tried,
    Answered,
}

impl InFlight {
    pub(crate) fn endpoint(&self) -> &Arc<LiveEndpoint> {
        &self.endpoint
    }

    /// Notes that the request is about to be sent: from here on it is served or failed.
    pub(crate) fn note_tried(&mut self) {
        self.progress = Progress::Tried;
    }

    /// Notes that the endpoint answered.
    pub(crate) fn note_answered(&mut self) {
        self.progress = Progress::Answered;
        self.endpoint.served.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.progress == Progress::Tried {
            self.endpoint.failed.fetch_add(1, Ordering::Relaxed);
        }
        self.endpoint.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
