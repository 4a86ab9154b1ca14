//! The lease: taken, waited for, taken over, lost.

use crate::support::{NOW, backend, full_record, holder, intent, made, open, open_with, over, reader, try_open};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use wharf_model::Timestamp;
use wharf_store::{
    Backend, Epoch, Holder, MemoryBackend, Patience, Presence, Released, Request, StoreError, Times, Waiting, Writer,
    ask, release,
};

/// Short enough for a test to wait for, long enough for a busy machine to keep.
const TIMES: Times =
    Times { lease: Duration::from_millis(600), beat: Duration::from_millis(60), look: Duration::from_millis(10) };

fn memory() -> Arc<dyn Backend> {
    Arc::new(MemoryBackend::default())
}

fn patient(backend: &Arc<dyn Backend>, wait: Duration, told: &mut dyn FnMut(&Waiting)) -> Result<Writer, StoreError> {
    open_with(backend, &holder(), Patience { wait, times: TIMES, told })
}

/// A holder that has stopped giving signs of life, as one does that was ended the hard way.
fn dead(backend: &Arc<dyn Backend>, epoch: u64, since: u64) {
    let text = format!(
        r#"{{"format":"wharf.lease/1","who":"ghost@elsewhere","pid":1,"doing":"apply","since_ms":{since},"machine":"other"}}"#
    );
    let _made = backend.create(&format!("lease/{epoch:07}"), text.as_bytes()).unwrap();
}

#[test]
fn epochs_count_up_and_a_lease_that_was_given_back_is_free() {
    let backend = memory();
    for epoch in 1..4 {
        let writer = patient(&backend, Duration::ZERO, &mut |_| panic!("nobody holds it")).unwrap();
        assert_eq!(writer.epoch(), Epoch(epoch));
        assert!(!over(&backend).lease().unwrap().unwrap().0.ended);
    }
    assert!(over(&backend).lease().unwrap().unwrap().0.ended);
    assert!(backend.list("lease").unwrap().len() <= 3, "{:?}", backend.list("lease").unwrap());
}

#[test]
fn a_holder_that_lives_is_not_taken_over_and_is_named() {
    let backend = memory();
    let first = patient(&backend, Duration::ZERO, &mut |_| {}).unwrap();
    let mut told = 0;
    let began = Instant::now();
    let second = patient(&backend, 2 * TIMES.lease, &mut |_| told += 1);
    let Err(StoreError::Locked { lease: Some(lease), .. }) = second else { panic!("two hold it") };
    assert_eq!((lease.epoch, lease.holder), (first.epoch(), holder()));
    assert!(told > 1 && began.elapsed() >= 2 * TIMES.lease);
}

#[test]
fn a_silent_holder_is_taken_over_after_a_lease_whatever_the_clocks_say() {
    // Since the far future, and since before there were computers.
    for since in [u64::MAX, 0, NOW.0] {
        let backend = memory();
        dead(&backend, 7, since);
        let began = Instant::now();
        let writer = patient(&backend, Duration::ZERO, &mut |_| {}).unwrap();
        assert!(began.elapsed() >= TIMES.lease, "since {since}: after {:?}", began.elapsed());
        assert_eq!(writer.epoch(), Epoch(8));
    }
}

#[test]
fn of_many_waiters_one_takes_over() {
    let backend = memory();
    dead(&backend, 1, 0);
    let won = std::thread::scope(|scope| {
        let race = |_| scope.spawn(|| patient(&backend, Duration::ZERO, &mut |_| {}));
        let races: Vec<_> = (0..4).map(race).collect();
        // All are kept until all have tried.
        let ended: Vec<_> = races.into_iter().map(|race| race.join().unwrap()).collect();
        ended.iter().filter(|one| one.is_ok()).count()
    });
    assert_eq!(won, 1);
}

#[test]
fn whoever_waits_gets_it_when_it_is_given_back() {
    let backend = memory();
    let first = patient(&backend, Duration::ZERO, &mut |_| {}).unwrap();
    let second = std::thread::scope(|scope| {
        let waiter = scope.spawn(|| patient(&backend, Duration::from_secs(20), &mut |_| {}));
        std::thread::sleep(2 * TIMES.beat);
        drop(first);
        waiter.join().unwrap().unwrap()
    });
    assert_eq!(second.epoch(), Epoch(2));
}

/// A lease that was stolen from a holder that was only asleep: it begins nothing more, and cannot commit.
#[test]
fn a_holder_notices_that_its_lease_is_lost() {
    let backend = memory();
    let mut first = patient(&backend, Duration::ZERO, &mut |_| {}).unwrap();
    let mut journal = first.journal().unwrap();
    journal.append(&intent(1), NOW).unwrap();
    dead(&backend, first.epoch().0 + 1, 0);
    let began = Instant::now();
    while journal.append(&intent(2), NOW).is_ok() {
        assert!(began.elapsed() < Duration::from_secs(10), "it was never noticed");
        std::thread::sleep(TIMES.look);
    }
    let Err(error @ StoreError::LeaseLost { .. }) = first.commit(&full_record(), made()) else { panic!("committed") };
    assert!(error.to_string().contains("ghost@elsewhere") && error.help().contains("taken up"), "{error}");
}

#[test]
fn a_lease_can_be_taken_away() {
    let backend = memory();
    assert_eq!(release(backend.clone(), &over(&backend)).unwrap(), Released::Nobody);
    dead(&backend, 3, 0);
    let Released::From(lease) = release(backend.clone(), &over(&backend)).unwrap() else { panic!("still held") };
    assert_eq!(lease.epoch, Epoch(3));
    let writer = patient(&backend, Duration::ZERO, &mut |_| panic!("it is free")).unwrap();
    assert_eq!(writer.epoch(), Epoch(4));
}

#[test]
fn on_this_machine_the_kernel_tells_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    assert_eq!(reader(dir.path()).lease().unwrap().unwrap().1, Presence::Somebody);
    let Released::AtWork(_) = release(backend(dir.path()), &reader(dir.path())).unwrap() else { panic!("taken away") };
    let began = Instant::now();
    assert!(matches!(try_open(&backend(dir.path())), Err(StoreError::Locked { .. })));
    assert!(began.elapsed() < Duration::from_secs(5), "nobody waits for a holder that is seen");
    // Dying is not giving back: the claim stays, without an end.
    let died: Arc<dyn Backend> = backend(dir.path());
    drop(first);
    died.delete("lease/0000001.end").unwrap();
    assert_eq!(reader(dir.path()).lease().unwrap().unwrap().1, Presence::Nobody);
    let began = Instant::now();
    assert_eq!(open(dir.path()).epoch(), Epoch(2));
    assert!(began.elapsed() < Duration::from_secs(5), "nobody waits for one that is known to have ended");
}

/// A folder that two machines share: what this kernel knows says nothing about the other's processes.
#[test]
fn a_holder_on_another_machine_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let shared = backend(dir.path());
    dead(&shared, 1, 0);
    assert_eq!(reader(dir.path()).lease().unwrap().unwrap().1, Presence::Unknown);
    let began = Instant::now();
    let writer = patient(&shared, Duration::ZERO, &mut |_| {}).unwrap();
    assert!(began.elapsed() >= TIMES.lease);
    assert_eq!(writer.epoch(), Epoch(2));
}

#[test]
fn a_holder_reads_back_with_fields_that_this_build_does_not_know() {
    let backend = memory();
    let text = r#"{"format":"wharf.lease/1","who":"a@b","pid":9,"doing":"apply","since_ms":5,"run":"https://ci"}"#;
    let _made = backend.create("lease/0000001", text.as_bytes()).unwrap();
    let expected = Holder {
        who: "a@b".to_owned(),
        pid: 9,
        doing: "apply".to_owned(),
        since: Timestamp(5),
        machine: String::new(),
    };
    assert_eq!(over(&backend).lease().unwrap().unwrap().0.holder, expected);
}

#[test]
fn a_request_reaches_the_holder_that_it_was_meant_for_and_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let request = |wish: &str| Request {
        service: "hello".parse().unwrap(),
        wish: wish.to_owned(),
        by: "ada@laptop".to_owned(),
        at: Timestamp(5),
    };
    let asked = ask(backend(dir.path()), first.epoch(), &request("pause")).unwrap();
    ask(backend(dir.path()), first.epoch(), &request("abort")).unwrap();
    assert!(asked.is_waiting().unwrap());
    assert_eq!(first.requests().take().unwrap(), [request("pause"), request("abort")]);
    assert!(!asked.is_waiting().unwrap());
    assert!(first.requests().take().unwrap().is_empty());
    let late = ask(backend(dir.path()), first.epoch(), &request("promote")).unwrap();
    drop(first);
    let second = open(dir.path());
    assert!(second.requests().take().unwrap().is_empty());
    assert!(!late.is_waiting().unwrap(), "nobody will ever take it");
    late.withdraw().unwrap();
}
