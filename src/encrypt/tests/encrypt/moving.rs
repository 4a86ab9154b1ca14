//! A record goes from plain to encrypted, to other recipients, and back.

use crate::support::{Somebody, commit, holder, over, reader, record, words, writer};
use std::sync::Arc;
use wharf_encrypt::{Identities, Wanted};
use wharf_store::{Backend, Moved, Patience, StoreError, migrate};

fn moved(from: &Arc<dyn Backend>, to: &Arc<dyn Backend>) -> Result<Moved, StoreError> {
    let (project, environment) = (record().project, record().environment);
    migrate(from, to, (&project, &environment), &holder(), &mut Patience::none(&mut |_| {}))
}

#[test]
fn a_record_is_encrypted_by_moving_it_and_comes_back() {
    let (one, two, dir) = (Somebody::new(), Somebody::new(), tempfile::tempdir().unwrap());
    let at = |name: &str| -> Arc<dyn Backend> { Arc::new(wharf_store::FolderBackend::new(dir.path().join(name))) };
    let plain = over(&at("plain"), Wanted::Plain, Identities::default());
    commit(&plain, 2);
    let before = reader(&plain).read().unwrap();
    let sealed = one.sees(&at("sealed"), &[&one]);
    let done = moved(&plain, &sealed).unwrap();
    assert_eq!((done.commits, done.serial), (2, 2));
    assert_eq!(reader(&one.sees(&at("sealed"), &[&one])).read().unwrap().record, before.record);
    commit(&sealed, 1);
    // To others: the old ones cannot read it there.
    let found = over(&at("sealed"), Wanted::AsFound, one.identities());
    let resealed = over(&at("resealed"), crate::support::encrypted_for(&[&two]), two.identities());
    assert_eq!(moved(&found, &resealed).unwrap().commits, 3);
    let said = words(&reader(&one.sees(&at("resealed"), &[&two])).read().unwrap_err());
    assert!(said.contains("encrypted for others"), "{said}");
    // And back to plain.
    let found = over(&at("resealed"), Wanted::AsFound, two.identities());
    assert_eq!(moved(&found, &at("open")).unwrap().commits, 3);
    assert_eq!(reader(&at("open")).read().unwrap().serial, 3);
    assert!(matches!(writer(&found), Err(StoreError::Moved { .. })));
}
