//! Taking the lease, waiting for it, keeping it alive, and noticing that it was lost.

use super::{
    Epoch, Holder, Judgement, Lease, Sign, Times, Watch,
    sign::{clear_before, give, latest, read, release, try_claim},
};
use crate::{Backend, Created, Guard, StoreError};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long to wait for a lease that somebody holds, and who is told meanwhile.
pub struct Patience<'a> {
    /// How long; zero for not at all. A holder of whom nothing is heard is waited for as long as it takes to judge it.
    pub wait: Duration,
    /// The lease's times.
    pub times: Times,
    /// Told whenever a look found the lease held.
    pub told: &'a mut dyn FnMut(&Waiting),
}

impl Patience<'_> {
    /// Waits for nobody, and tells nobody.
    pub fn none(told: &mut dyn FnMut(&Waiting)) -> Patience<'_> {
        Patience { wait: Duration::ZERO, times: Times::default(), told }
    }
}

/// What is waited for.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// How the lease stands; none when its holder has not said.
    pub lease: Option<Lease>,
    /// What is made of it.
    pub judgement: Judgement,
    /// How long this has gone on.
    pub since: Duration,
}

/// A held lease: kept alive by a thread of its own, given back when dropped.
#[derive(Debug)]
pub(crate) struct Held {
    backend: Arc<dyn Backend>,
    epoch: Epoch,
    pulse: Arc<Pulse>,
    stop: Option<Sender<()>>,
    beating: Option<JoinHandle<()>>,
    _guard: Guard,
}

/// What the thread that keeps a lease alive has to say: why the lease is not ours any more.
#[derive(Debug, Default)]
pub(crate) struct Pulse(Mutex<Option<String>>);

impl Pulse {
    /// Fails when the lease is lost: then nothing may be begun.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let lost = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lost.as_ref().map_or(Ok(()), |why| Err(StoreError::LeaseLost { why: why.clone() }))
    }

    fn lose(&self, why: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }
}

/// How often a claim on the platform is repeated before it counts as taken: somebody may have looked just then.
const GUARD_TRIES: u32 = 5;
const GUARD_PAUSE: Duration = Duration::from_millis(10);

/// Takes the lease, or says who holds it.
pub(crate) fn acquire(
    backend: &Arc<dyn Backend>,
    holder: &Holder,
    patience: &mut Patience<'_>,
) -> Result<Held, StoreError> {
    let began = Instant::now();
    let mut watch = Watch::new(patience.times.lease);
    // The turn that we know to be another's.
    let mut taken = None;
    loop {
        let guard = claim_guard(&**backend)?;
        let listed = latest(&**backend)?;
        let is_older = |sign: &Sign| taken.as_ref().is_some_and(|taken: &Sign| taken.epoch > sign.epoch);
        let sign = if listed.as_ref().is_none_or(is_older) { taken.or(listed) } else { listed };
        let judgement = judge(&**backend, &guard, sign.as_ref(), holder, &mut watch, began.elapsed())?;
        if matches!(judgement, Judgement::Free | Judgement::Abandoned) {
            let epoch = Epoch(sign.map_or(1, |sign| sign.epoch.0.saturating_add(1)));
            match try_claim(&**backend, epoch, holder)? {
                Created::Now => return Held::begin(backend, epoch, guard, patience.times),
                // Somebody was faster, or a list is out of date; whoever it was gets a whole lease.
                Created::Before => {
                    taken = Some(Sign { epoch, beat: 0, ended: false });
                    continue;
                }
            }
        }
        let certain = matches!(guard, Guard::Taken) || judgement == Judgement::Alive;
        drop(guard);
        let lease = read(&**backend)?;
        let since = began.elapsed();
        if certain && since >= patience.wait {
            let place = backend.place("").trim_end_matches('/').to_owned();
            return Err(StoreError::Locked { place, lease: lease.map(Box::new) });
        }
        (patience.told)(&Waiting { lease, judgement, since });
        thread::sleep(patience.times.look);
    }
}

fn claim_guard(backend: &dyn Backend) -> Result<Guard, StoreError> {
    for _ in 1..GUARD_TRIES {
        match backend.guard()? {
            Guard::Taken => thread::sleep(GUARD_PAUSE),
            guard => return Ok(guard),
        }
    }
    backend.guard()
}

/// What is to be made of the lease, given what the platform says of this machine's processes.
fn judge(
    backend: &dyn Backend,
    guard: &Guard,
    sign: Option<&Sign>,
    holder: &Holder,
    watch: &mut Watch,
    now: Duration,
) -> Result<Judgement, StoreError> {
    let judgement = watch.judge(sign, now);
    if judgement == Judgement::Free {
        return Ok(if matches!(guard, Guard::Taken) { Judgement::Alive } else { Judgement::Free });
    }
    match guard {
        Guard::Taken => Ok(Judgement::Alive),
        Guard::None => Ok(judgement),
        // The kernel knows that nobody near is at work, so a holder that was near has ended.
        Guard::Sole(_) => {
            let near = read(backend)?.is_none_or(|lease| lease.holder.is_near(holder));
            Ok(if near { Judgement::Free } else { judgement })
        }
    }
}

impl Held {
    fn begin(backend: &Arc<dyn Backend>, epoch: Epoch, guard: Guard, times: Times) -> Result<Self, StoreError> {
        clear_before(&**backend, epoch)?;
        let (pulse, (stop, stopped)) = (Arc::new(Pulse::default()), mpsc::channel());
        let (ours, told) = (Arc::clone(backend), Arc::clone(&pulse));
        let beating = thread::spawn(move || {
            let (mut number, mut heard) = (0, Instant::now());
            while stopped.recv_timeout(times.beat) == Err(RecvTimeoutError::Timeout) {
                number += 1;
                match beat(&*ours, epoch, number) {
                    Ok(None) => heard = Instant::now(),
                    Ok(Some(why)) => return told.lose(why),
                    Err(error) if heard.elapsed() >= times.lease => {
                        return told.lose(format!("it could not be renewed: {error}"));
                    }
                    // The next one may succeed, and the lease is not over yet.
                    Err(_) => {}
                }
            }
        });
        let backend = Arc::clone(backend);
        Ok(Self { backend, epoch, pulse, stop: Some(stop), beating: Some(beating), _guard: guard })
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }
}

/// Gives a sign of life; answers why the lease is not ours any more, when it is not.
fn beat(backend: &dyn Backend, epoch: Epoch, number: u64) -> Result<Option<String>, StoreError> {
    match latest(backend)? {
        Some(sign) if sign.epoch == epoch && !sign.ended => give(backend, epoch, number).map(|()| None),
        Some(sign) if sign.epoch > epoch => {
            let other = read(backend)?.map_or_else(|| "somebody".to_owned(), |lease| lease.holder.to_string());
            Ok(Some(format!("{other} has taken it over")))
        }
        _ => Ok(Some("`wharf lock release` has taken it away".to_owned())),
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A thread that has panicked has given its last sign; others judge by that.
        drop(self.beating.take().map(JoinHandle::join));
        // Where it cannot be said, others find out by the silence.
        drop(release(&*self.backend, self.epoch));
    }
}
