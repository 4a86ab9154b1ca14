//! A record moves as a whole or stays where it is, goes back, and is used in one place.

use crate::support::{NOW, author, beginning, full_record, holder, intent, made, over, started, try_open};
use std::sync::Arc;
use tempfile::TempDir;
use wharf_model::PlanId;
use wharf_store::{Backend, Begin, Entry, FolderBackend, Moved, Patience, StoreError, migrate};

fn at(dir: &TempDir, name: &str) -> Arc<dyn Backend> {
    Arc::new(FolderBackend::new(dir.path().join(name)))
}

fn moved(from: &Arc<dyn Backend>, to: &Arc<dyn Backend>) -> Result<Moved, StoreError> {
    let (project, environment) = ("chat".parse().unwrap(), "dev".parse().unwrap());
    migrate(from, to, (&project, &environment), &holder(), &mut Patience::none(&mut |_| {}))
}

/// A store with two commits and an apply that did not come to its end.
fn lived(backend: &Arc<dyn Backend>) {
    let mut writer = try_open(backend).unwrap();
    for _ in 0..2 {
        let _standing = writer.read().unwrap();
        writer.commit(&full_record(), made()).unwrap();
    }
    let mut journal = writer.journal().unwrap();
    for entry in beginning().into_iter().chain([intent(1), started(1), intent(2)]) {
        journal.append(&entry, NOW).unwrap();
    }
}

#[test]
fn everything_goes_and_nothing_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (at(&dir, "a"), at(&dir, "b"));
    lived(&from);
    let before = over(&from).read().unwrap();
    let done = moved(&from, &to).unwrap();
    assert_eq!((done.commits, done.serial), (2, 2));
    let after = over(&to).read().unwrap();
    assert_eq!((after.record, after.unresolved, after.serial), (before.record, before.unresolved, before.serial));
    assert_eq!(over(&to).key().unwrap(), over(&from).key().unwrap());
    assert!(matches!(over(&from).read(), Err(StoreError::Moved { to, .. }) if to.ends_with("/b")));
    assert!(matches!(try_open(&from), Err(StoreError::Moved { .. })));
}

#[test]
fn a_journal_of_a_later_turn_is_never_added_to_one_that_came_along() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (at(&dir, "a"), at(&dir, "b"));
    (0..3).for_each(|_| drop(try_open(&from).unwrap()));
    lived(&from);
    moved(&from, &to).unwrap();
    let known = to.list("journal").unwrap();
    let writer = try_open(&to).unwrap();
    let mut journal = writer.journal().unwrap();
    journal.append(&Entry::Begin(Begin { plan: PlanId("p".into()), by: author() }), NOW).unwrap();
    assert_eq!(to.list("journal").unwrap().len(), known.len() + 1);
}

#[test]
fn a_record_goes_back_with_what_happened_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (at(&dir, "a"), at(&dir, "b"));
    lived(&from);
    moved(&from, &to).unwrap();
    let mut writer = try_open(&to).unwrap();
    let record = writer.read().unwrap().record;
    writer.commit(&record, made()).unwrap();
    drop(writer);
    assert_eq!(moved(&to, &from).unwrap().serial, 3);
    assert_eq!(over(&from).read().unwrap().serial, 3);
    assert!(matches!(over(&to).read(), Err(StoreError::Moved { .. })));
    drop(try_open(&from).unwrap());
}

#[test]
fn a_move_that_ended_on_the_way_is_finished_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (at(&dir, "a"), at(&dir, "b"));
    lived(&from);
    // The first commit and half of the journal had arrived.
    let key = "commits/0000001.json";
    let _made = to.create(key, &from.read(key).unwrap().unwrap()).unwrap();
    let log = from.list("journal").unwrap().pop().unwrap();
    let bytes = from.read(&log).unwrap().unwrap();
    to.append(&log, 0, &bytes[..bytes.len() / 2]).unwrap();
    moved(&from, &to).unwrap();
    assert_eq!(to.read(&log).unwrap().unwrap(), bytes);
    // Once more changes nothing, and is no error.
    assert_eq!(moved(&from, &to).unwrap().copied, 0);
}

#[test]
fn another_history_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (at(&dir, "a"), at(&dir, "b"));
    lived(&from);
    lived(&to);
    let before = to.read("commits/0000002.json").unwrap();
    let refused = moved(&from, &to).unwrap_err();
    assert!(matches!(refused, StoreError::OtherHistory { .. }), "{refused}");
    assert_eq!(to.read("commits/0000002.json").unwrap(), before);
    assert_eq!(over(&from).read().unwrap().serial, 2, "the old place still is the one to use");
    let refused = moved(&at(&dir, "empty"), &from).unwrap_err();
    assert!(matches!(refused, StoreError::OtherHistory { .. }), "{refused}");
    assert_eq!(moved(&at(&dir, "empty"), &at(&dir, "void")).unwrap().commits, 0);
}
