//! Journals: absorbed, torn, damaged, batched, and read as a log.

use crate::{
    commits::{insta_like, kept},
    support::{
        NOW, author, backend, beginning, failed, full_record, intent, made, objects, open, reader, revision, started,
        try_open,
    },
};
use std::fs;
use wharf_model::{
    Address, ContentDigest, ContentRef, Effect, Ending, GatewayName, InstanceId, Record, RecordedRollout, Rest,
    RevisionNumber, ServiceName, Timestamp, Wanted,
};
use wharf_store::{Entry, StoreError, Verdict, Want};

const FIRST: &str = "dev/journal/0000000.0000001.ndjson";

#[test]
fn the_journal_is_absorbed_and_open_intents_stay() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let mut journal = writer.journal().unwrap();
    for entry in beginning().into_iter().chain([intent(1), started(1), intent(2)]) {
        journal.append(&entry, NOW).unwrap();
    }
    let standing = reader(dir.path()).read().unwrap();
    assert!(standing.has_journal);
    assert_eq!(standing.unresolved.iter().map(|intent| intent.id.0).collect::<Vec<_>>(), [2]);
    assert_eq!(standing.next_intent.0, 3);
    let service = &standing.record.services[&"hello".parse().unwrap()];
    assert_eq!(service.instances.len(), 1);
    assert_eq!(service.revisions[&RevisionNumber(1)], revision(1));
}

#[test]
fn a_journal_survives_as_a_file_and_reads_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let mut journal = writer.journal().unwrap();
    let entries: Vec<_> =
        beginning().into_iter().chain([intent(1), started(1), intent(2), failed(2), intent(3)]).collect();
    for entry in &entries {
        journal.append(entry, NOW).unwrap();
    }
    insta_like(&fs::read_to_string(dir.path().join(FIRST)).unwrap(), "journal.ndjson");
    let other = tempfile::tempdir().unwrap();
    fs::create_dir_all(other.path().join("dev/journal")).unwrap();
    fs::copy(kept("journal.ndjson"), other.path().join(FIRST)).unwrap();
    let standing = reader(other.path()).read().unwrap();
    assert_eq!(standing.unresolved.len(), 1);
    assert_eq!(standing.record, reader(dir.path()).read().unwrap().record);
}

#[test]
fn what_is_wanted_of_every_kind_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let mut journal = writer.journal().unwrap();
    let wants = objects().into_iter().map(|(address, object)| Want::Object(address, object));
    for entry in beginning().into_iter().chain(wants.map(|want| Entry::Want(Box::new(want)))) {
        journal.append(&entry, NOW).unwrap();
    }
    let wanted = reader(dir.path()).read().unwrap().wanted;
    assert_eq!(
        (wanted.objects, wanted.services.len(), wanted.routes.len(), wanted.gateways.len()),
        (objects(), 1, 1, 1)
    );
}

#[test]
fn a_record_of_a_journal_is_small() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let mut journal = writer.journal().unwrap();
    for entry in beginning().into_iter().chain([intent(1), started(1)]) {
        let before = journal.written().bytes;
        journal.append(&entry, NOW).unwrap();
        let bytes = journal.written().bytes - before;
        assert!(bytes < 1_500, "{bytes} bytes: {entry:?}");
    }
}

#[test]
fn every_kind_of_effect_reads_back() {
    let content = ContentRef::Packages(ContentDigest::of([b"p".as_slice()]));
    let instance: InstanceId = "hello-0-g1".parse().unwrap();
    let (gateway, service): (GatewayName, ServiceName) = ("public".parse().unwrap(), "hello".parse().unwrap());
    let effects = [
        Effect::GatewayUp { gateway: gateway.clone() },
        Effect::GatewayGone { gateway: gateway.clone() },
        Effect::RouteSet { gateway: gateway.clone(), service: service.clone() },
        Effect::RouteGone { gateway, service: service.clone() },
        Effect::ObjectUp { object: "network.inner@g2".parse().unwrap() },
        Effect::ObjectGone { object: "mount.hello:/models@g1".parse().unwrap() },
        Effect::Moved { from: Address::Service(service.clone()), to: "service.hallo".parse().unwrap() },
        Effect::Forgotten { address: "mount.hello:/models".parse().unwrap() },
        Effect::ContentPresent { content },
        Effect::ContentGone { content },
        Effect::InstanceRouted { instance: instance.clone() },
        Effect::InstanceDraining { instance: instance.clone() },
        Effect::InstanceGone { instance },
        Effect::ServiceUpdated { service: service.clone() },
        Effect::RolloutStands {
            service: service.clone(),
            rollout: RecordedRollout {
                to: RevisionNumber(2),
                passed: 1,
                steps: 2,
                since: NOW,
                rest: Some(Rest::Asked),
            },
        },
        Effect::RolloutEnded { service, ending: Ending::Halted { because: "no".to_owned() } },
    ];
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let mut journal = writer.journal().unwrap();
    let mut record = Record::empty("chat".parse().unwrap(), "dev".parse().unwrap());
    for effect in effects {
        journal.append(&Entry::Note(effect.clone()), NOW).unwrap();
        record.absorb(&effect, &Wanted::default());
    }
    assert_eq!(reader(dir.path()).read().unwrap().record, record);
}

/// A crash can leave any prefix of the file: each is read as the entries that are whole in it, and goes on from there.
#[test]
fn a_journal_that_was_torn_at_any_byte_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FIRST);
    let entries: Vec<_> = beginning().into_iter().chain([intent(1), started(1)]).collect();
    {
        let writer = open(dir.path());
        let mut journal = writer.journal().unwrap();
        entries.iter().for_each(|entry| journal.append(entry, NOW).unwrap());
    }
    let whole = fs::read(&path).unwrap();
    let near_a_line_end = |at: &usize| whole[at.saturating_sub(2)..(at + 2).min(whole.len())].contains(&b'\n');
    for cut in (0..=whole.len()).filter(|at| at.is_multiple_of(61) || near_a_line_end(at)) {
        fs::remove_dir_all(dir.path().join("dev/journal")).unwrap();
        fs::create_dir(dir.path().join("dev/journal")).unwrap();
        fs::write(&path, &whole[..cut]).unwrap();
        let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
        let standing = reader(dir.path()).read().unwrap();
        assert_eq!(standing.unresolved.len(), usize::from(lines == entries.len() - 1), "cut at {cut}");
        let writer = open(dir.path());
        writer.journal().unwrap().append(&failed(1), NOW).unwrap();
        assert!(reader(dir.path()).read().unwrap().unresolved.is_empty(), "cut at {cut}");
    }
}

/// Pages that never reached the disk read as zeros, with a later page behind them that did.
#[test]
fn pages_that_were_never_written_are_as_if_never_promised() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let mut journal = writer.journal().unwrap();
    beginning().iter().chain([&intent(1)]).for_each(|entry| journal.append(entry, NOW).unwrap());
    let durable = fs::read(dir.path().join(FIRST)).unwrap();
    let torn = [&durable[..], &[0; 40], b"rest of a line\n", &durable[..100]].concat();
    fs::write(dir.path().join(FIRST), torn).unwrap();
    assert_eq!(reader(dir.path()).read().unwrap().unresolved.len(), 1);
}

#[test]
fn a_flipped_bit_is_damage_wherever_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let mut journal = writer.journal().unwrap();
    [intent(1), intent(2)].iter().for_each(|entry| journal.append(entry, NOW).unwrap());
    let path = dir.path().join(FIRST);
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            fs::write(&path, bytes).unwrap();
            let Err(error) = reader(dir.path()).read() else { panic!("byte {at}, bit {bit}") };
            assert!(matches!(&error, StoreError::DamagedJournal { .. }), "byte {at}, bit {bit}: {error}");
            assert!(error.help().contains(path.to_str().unwrap()), "{}", error.help());
        }
    }
}

#[test]
fn entries_that_gather_go_to_the_disk_together_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let mut journal = writer.journal().unwrap();
    let marks: Vec<_> = (1..=64).map(|id| journal.add(&intent(id), NOW)).collect();
    assert!(reader(dir.path()).read().unwrap().unresolved.is_empty(), "what was added is not yet durable");
    let durable = journal.batch().unwrap().write().unwrap();
    assert!(marks.iter().all(|mark| *mark <= durable) && journal.batch().is_none());
    assert_eq!((journal.written().entries, journal.written().waits), (64, 1));
    let open: Vec<_> = reader(dir.path()).read().unwrap().unresolved.iter().map(|intent| intent.id.0).collect();
    assert_eq!(open, (1..=64).collect::<Vec<_>>());
}

/// Somebody whose lease was lost goes on writing, and is overtaken: what it was about to do is looked into.
#[test]
fn what_an_overtaken_writer_was_about_to_do_is_looked_into() {
    let dir = tempfile::tempdir().unwrap();
    let mut old = open(dir.path());
    let mut journal = old.journal().unwrap();
    for entry in beginning().into_iter().chain([intent(1), started(1)]) {
        journal.append(&entry, NOW).unwrap();
    }
    fs::remove_file(dir.path().join("dev/lock")).unwrap();
    let mut new = open(dir.path());
    let standing = new.read().unwrap();
    assert_eq!(new.commit(&standing.record, made()).unwrap(), 1);
    assert!(!reader(dir.path()).read().unwrap().has_journal);
    for entry in [intent(2), started(2)] {
        journal.append(&entry, NOW).unwrap();
    }
    let Err(StoreError::Overtaken { serial: 1 }) = old.commit(&full_record(), made()) else { panic!("two commits") };
    let standing = reader(dir.path()).read().unwrap();
    assert_eq!(standing.unresolved.iter().map(|intent| intent.id.0).collect::<Vec<_>>(), [2]);
    assert!(standing.has_journal && standing.wanted.services.len() == 1);
    drop((old, new));
    let mut next = try_open(&backend(dir.path())).unwrap();
    let standing = next.read().unwrap();
    assert_eq!(next.commit(&standing.record, made()).unwrap(), 2);
    assert!(reader(dir.path()).read().unwrap().unresolved.is_empty());
}

#[test]
fn the_journals_tell_who_did_what_when() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path());
    let mut journal = writer.journal().unwrap();
    for (entry, at) in beginning().into_iter().chain([intent(1), started(1), intent(2), failed(2), intent(3)]).zip(1..)
    {
        journal.append(&entry, Timestamp(at)).unwrap();
    }
    writer.commit(&full_record(), made()).unwrap();
    writer.journal().unwrap().append(&intent(1), Timestamp(90)).unwrap();
    let told: Vec<_> = reader(dir.path())
        .operations(0)
        .unwrap()
        .into_iter()
        .map(|one| (one.behind, one.by, one.at.unwrap().0, one.verdict, one.ended.map(|at| at.0)))
        .collect();
    let nobody = wharf_store::Author::default();
    assert_eq!(
        told,
        [
            (0, author(), 5, Verdict::Done, Some(6)),
            (0, author(), 7, Verdict::Failed("x".to_owned()), Some(8)),
            (0, author(), 9, Verdict::Open, None),
            (1, nobody, 90, Verdict::Open, None),
        ]
    );
    assert_eq!(reader(dir.path()).operations(1).unwrap().len(), 1);
}
