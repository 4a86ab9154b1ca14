//! One endpoint as all threads share it: its counters, its readiness, and the guard that counts a request.
//!
//! An endpoint lives on from one configuration to the next as long as its name and address stay the same, so that what
//! is in flight is never forgotten. Who may be counted in is for `live.rs`, which proves it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::choice;
use crate::figures::Figures;
use crate::limit::Window;
use crate::load::Load;
use crate::outlier::{self, Ejection, Fault, Outlier};

/// An endpoint's shared part.
#[derive(Debug)]
pub(crate) struct LiveEndpoint {
    /// Never used twice within a process.
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// Stands for the name, the same in every process.
    pub(crate) hash: u64,
    /// What it runs, if anybody said so.
    pub(crate) revision: Option<String>,
    in_flight: AtomicU64,
    served: AtomicU64,
    failed: AtomicU64,
    pub(crate) figures: Figures,
    /// Requests of the last seconds, where their number is limited.
    pub(crate) lately: Window,
    ready: AtomicBool,
    /// No route gives it requests any more: connections to it are not kept.
    retired: AtomicBool,
    born: Instant,
    /// Requests in a row that ended badly.
    faults: AtomicU32,
    outlier: Mutex<Outlier>,
    /// Milliseconds since `born`; 0 when it never was ejected, or its probe passed since.
    ejected_until: AtomicU64,
    unreachable: AtomicBool,
    last_answer: Mutex<Option<String>>,
    /// Ends streams that are still open, and what to make the next one from.
    cut: Mutex<CancellationToken>,
    cut_all: CancellationToken,
}

impl LiveEndpoint {
    pub(crate) fn new(name: String, address: SocketAddr, revision: Option<String>, cut_all: CancellationToken) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            hash: choice::hash(name.as_bytes()),
            name,
            address,
            revision,
            in_flight: AtomicU64::new(0),
            served: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            figures: Figures::default(),
            lately: Window::default(),
            ready: AtomicBool::new(true),
            retired: AtomicBool::new(false),
            born: Instant::now(),
            faults: AtomicU32::new(0),
            outlier: Mutex::default(),
            ejected_until: AtomicU64::new(0),
            unreachable: AtomicBool::new(false),
            last_answer: Mutex::new(None),
            cut: Mutex::new(cut_all.child_token()),
            cut_all,
        }
    }

    /// What ends its streams, as politely as they can be.
    pub(crate) fn cut(&self) -> CancellationToken {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// It gets requests again: what ended streams before does not end the next ones.
    pub(crate) fn serve_again(&self) {
        let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        if cut.is_cancelled() {
            *cut = self.cut_all.child_token();
        }
    }

    /// Counts a request in, before it is known whether it may go there. Returns how many there were before it, too.
    pub(crate) fn enter(self: &Arc<Self>) -> (InFlight, u64) {
        let before = self.in_flight.fetch_add(1, Ordering::SeqCst);
        (InFlight { endpoint: self.clone(), since: Instant::now(), progress: Progress::Admitted, queue: None }, before)
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

    /// Notes that a request ended badly. It may pass the endpoint over for a while.
    pub(crate) fn note_fault(&self, fault: Fault) {
        let in_a_row = self.faults.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let judged = self.outlier.lock().unwrap_or_else(PoisonError::into_inner).judge(fault, in_a_row, self.millis());
        if let Some((ejection, until)) = judged {
            self.unreachable.store(ejection == Ejection::Hard, Ordering::Relaxed);
            if self.ejected_until.swap(until, Ordering::Relaxed) < until {
                tracing::warn!(endpoint = self.name, ?fault, in_a_row, "passed over for a while");
            }
        }
    }

    /// Notes that a request ended well.
    fn note_good(&self) {
        if self.faults.load(Ordering::Relaxed) != 0 {
            self.faults.store(0, Ordering::Relaxed);
        }
    }

    /// Ends an ejection because nobody was reached: somebody was. Returns whether there was one.
    pub(crate) fn readmit(&self) -> bool {
        self.ejected() == Some(Ejection::Hard) && self.ejected_until.swap(self.millis(), Ordering::Relaxed) > 0
    }

    /// How it is passed over, if it is.
    pub(crate) fn ejected(&self) -> Option<Ejection> {
        let until = self.ejected_until.load(Ordering::Relaxed);
        if until == 0 || until <= self.millis() {
            return None;
        }
        Some(if self.unreachable.load(Ordering::Relaxed) { Ejection::Hard } else { Ejection::Soft })
    }

    /// How many thousandths of its part it gets.
    pub(crate) fn part(&self) -> u64 {
        match self.ejected_until.load(Ordering::Relaxed) {
            0 => 1_000,
            until => outlier::part(until, self.millis()),
        }
    }

    pub(crate) fn last_answer(&self) -> Option<String> {
        self.last_answer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_last_answer(&self, answer: String) {
        *self.last_answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }

    fn millis(&self) -> u64 {
        millis(self.born.elapsed())
    }
}

/// A request counted in at an endpoint; dropping it counts the request out.
#[derive(Debug)]
pub(crate) struct InFlight {
    endpoint: Arc<LiveEndpoint>,
    since: Instant,
    progress: Progress,
    /// Where requests may wait for this one to end.
    queue: Option<Arc<Load>>,
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

    /// Tells those who wait there when the request has ended.
    pub(crate) fn tell(&mut self, queue: &Arc<Load>) {
        self.queue = Some(queue.clone());
    }

    /// Notes that the request is about to be sent: from here on it is served or failed.
    pub(crate) fn note_tried(&mut self) {
        self.progress = Progress::Tried;
    }

    /// Notes that the endpoint answered.
    pub(crate) fn note_answered(&mut self, status: u16) {
        self.progress = Progress::Answered;
        self.endpoint.served.fetch_add(1, Ordering::Relaxed);
        self.endpoint.figures.note_status(status);
        self.endpoint.figures.first_byte.note(self.since.elapsed());
        if status >= 500 { self.endpoint.note_fault(Fault::ServerError) } else { self.endpoint.note_good() }
    }

    /// Notes that a connection was joined to the endpoint, whatever it carries.
    pub(crate) fn note_joined(&mut self) {
        self.progress = Progress::Answered;
        self.endpoint.served.fetch_add(1, Ordering::Relaxed);
        self.endpoint.note_good();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        match self.progress {
            Progress::Admitted => {}
            Progress::Tried => drop(self.endpoint.failed.fetch_add(1, Ordering::Relaxed)),
            Progress::Answered => self.endpoint.figures.whole.note(self.since.elapsed()),
        }
        self.endpoint.in_flight.fetch_sub(1, Ordering::SeqCst);
        if let Some(queue) = &self.queue {
            queue.freed.notify_one();
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
