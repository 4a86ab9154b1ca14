//! Probing every endpoint that gets requests, and telling the data plane when one stops or starts being ready. How many
//! probes that takes is for `readiness.rs`.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use crate::choice::Random;
use crate::config::Probe;
use crate::endpoint::LiveEndpoint;
use crate::live::Live;
use crate::probe::probe;
use crate::readiness::{self, Readiness};

/// The probes that run. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Supervision {
    live: Arc<Live>,
    /// By the endpoint's id.
    watched: HashMap<u64, Watch>,
    tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Watch {
    probe: Probe,
    task: AbortHandle,
}

impl Supervision {
    pub(crate) fn new(live: Arc<Live>) -> Self {
        Self { live, watched: HashMap::new(), tasks: JoinSet::new() }
    }

    /// Probes these endpoints from now on, and no others. One that was probed the same way already goes on undisturbed.
    pub(crate) fn follow(&mut self, probed: Vec<(Arc<LiveEndpoint>, Probe)>) {
        let mut before = std::mem::take(&mut self.watched);
        for (endpoint, probe) in probed {
            let id = endpoint.id;
            let watch = match before.remove(&id) {
                Some(watch) if watch.probe == probe => watch,
                other => {
                    // Whoever put a new endpoint into the configuration has seen it ready; to doubt that would turn its
                    // first requests away.
                    if other.is_none() {
                        endpoint.set_ready(true);
                    }
                    other.inspect(|watch| watch.task.abort());
                    let task = self.tasks.spawn(watch(self.live.clone(), endpoint, probe.clone()));
                    Watch { probe, task }
                }
            };
            self.watched.insert(id, watch);
        }
        before.into_values().for_each(|watch| watch.task.abort());
        while self.tasks.try_join_next().is_some() {}
    }
}

async fn watch(live: Arc<Live>, endpoint: Arc<LiveEndpoint>, how: Probe) {
    let mut readiness = Readiness::new(endpoint.ready());
    let every = Duration::from_millis(how.every_ms);
    let random = Random::seeded(RandomState::new().hash_one(endpoint.id));
    let mut next = Instant::now() + readiness::first_wait(every, random.next());
    loop {
        tokio::time::sleep_until(next).await;
        next = Instant::now() + readiness::wait(every, random.next());
        let answer = probe(&how.check, endpoint.address, Duration::from_millis(how.timeout_ms)).await;
        let passed = answer.passed();
        endpoint.set_last_answer(answer.to_string());
        let changed = readiness.note(passed, &how);
        if let Some(ready) = changed {
            tracing::warn!(endpoint = endpoint.name, ready, answer = %answer, "readiness changed");
            endpoint.set_ready(ready);
        }
        let readmitted = passed && endpoint.readmit();
        if changed == Some(true) || readmitted {
            live.changed.notify_waiters();
        }
    }
}
