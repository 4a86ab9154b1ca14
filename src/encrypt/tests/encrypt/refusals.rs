//! What is refused, in which words, and that nothing is written then.

use crate::support::{Somebody, commit, encrypted_for, over, reader, words, writer};
use std::sync::Arc;
use wharf_encrypt::{EncryptError, Identities, Recipients, Wanted};
use wharf_store::{Backend, Created, MemoryBackend};

fn memory() -> Arc<dyn Backend> {
    Arc::new(MemoryBackend::default())
}

/// Fails unless reading and writing are refused in words that hold all of these.
fn refused(backend: &Arc<dyn Backend>, says: &[&str]) {
    let reading = reader(backend).read().unwrap_err();
    let writing = writer(backend).unwrap_err();
    for said in [words(&reading), words(&writing)] {
        says.iter().for_each(|part| assert!(said.contains(part), "`{part}` is not in: {said}"));
    }
}

#[test]
fn an_old_record_in_the_place_of_a_newer_one_is_found() {
    let (one, memory) = (Somebody::new(), memory());
    commit(&one.sees(&memory, &[&one]), 2);
    let old = memory.read("commits/0000001.json").unwrap().unwrap();
    memory.delete("commits/0000002.json").unwrap();
    assert_eq!(memory.create("commits/0000002.json", &old).unwrap(), Created::Now);
    let says = ["memory:commits/0000002.json", "old record", "written as commits/0000001.json", "who can write there"];
    refused(&one.sees(&memory, &[&one]), &says);
}

#[test]
fn the_parts_of_a_log_cannot_change_places() {
    let (one, memory) = (Somebody::new(), memory());
    let backend = one.sees(&memory, &[&one]);
    backend.append("journal/1", 0, b"one\n").unwrap();
    let first = memory.read("journal/1").unwrap().unwrap();
    backend.append("journal/1", 4, b"two\n").unwrap();
    let whole = memory.read("journal/1").unwrap().unwrap();
    let put = |bytes: &[u8]| {
        memory.delete("journal/1").unwrap();
        assert_eq!(memory.create("journal/1", bytes).unwrap(), Created::Now);
        one.sees(&memory, &[&one]).read("journal/1")
    };
    assert_eq!(put(&whole).unwrap().as_deref(), Some(b"one\ntwo\n".as_slice()));
    let second = &whole[first.len()..];
    for wrong in [[first.as_slice(), &first].concat(), [second, &first].concat(), second.to_vec()] {
        let said = words(&put(&wrong).unwrap_err());
        assert!(said.contains("in the place of another"), "{said}");
    }
}

#[test]
fn what_others_made_is_not_ours() {
    let (one, memory, elsewhere) = (Somebody::new(), memory(), memory());
    commit(&one.sees(&memory, &[&one]), 1);
    commit(&one.sees(&elsewhere, &[&one]), 1);
    let foreign = elsewhere.read("commits/0000001.json").unwrap().unwrap();
    memory.delete("commits/0000001.json").unwrap();
    assert_eq!(memory.create("commits/0000001.json", &foreign).unwrap(), Created::Now);
    refused_reading(&one.sees(&memory, &[&one]), "not what was written there");
    memory.delete("encryption").unwrap();
    refused_reading(&one.sees(&memory, &[&one]), "the record's key is gone");
}

fn refused_reading(backend: &Arc<dyn Backend>, says: &str) {
    let said = words(&reader(backend).read().unwrap_err());
    assert!(said.contains(says), "{said}");
}

#[test]
fn who_has_no_identity_or_another_is_told_so() {
    let (one, other, memory) = (Somebody::new(), Somebody::new(), memory());
    commit(&one.sees(&memory, &[&one]), 1);
    let nobody = over(&memory, encrypted_for(&[&one]), Identities::default());
    refused(&nobody, &["memory:encryption", "no identity is named", "--identity FILE", "WHARF_IDENTITY"]);
    let stranger = over(&memory, encrypted_for(&[&one]), other.identities());
    refused(&stranger, &["encrypted for others", &other.file().display().to_string(), &one.recipient]);
    let nowhere = Identities::in_file(Some(other.file().with_extension("gone")));
    refused(&over(&memory, encrypted_for(&[&one]), nowhere), &["cannot be read", "see that it is there"]);
    std::fs::write(other.file(), "# nothing of use\nAGE-SECRET-KEY-1WRONG\n").unwrap();
    refused(&over(&memory, encrypted_for(&[&one]), other.identities()), &["line 2 of", "AGE-SECRET-KEY-1"]);
}

#[test]
fn no_record_is_begun_that_its_writer_could_not_read() {
    let (one, other, memory) = (Somebody::new(), Somebody::new(), memory());
    for identities in [Identities::default(), other.identities()] {
        let said = words(&writer(&over(&memory, encrypted_for(&[&one]), identities)).unwrap_err());
        assert!(said.contains("identity"), "{said}");
        assert!(memory.list("lease").unwrap().is_empty() && memory.read("encryption").unwrap().is_none());
    }
}

#[test]
fn the_files_and_the_record_must_agree() {
    let (one, other, plain, sealed) = (Somebody::new(), Somebody::new(), memory(), memory());
    commit(&plain, 1);
    refused(&one.sees(&plain, &[&one]), &["it is not encrypted", "another prefix", "state migrate --from"]);
    assert_eq!(plain.read("encryption").unwrap(), None);
    commit(&one.sees(&sealed, &[&one]), 1);
    let in_plain = over(&sealed, Wanted::Plain, one.identities());
    refused(&in_plain, &["the files do not say so", "encrypt age recipient="]);
    refused(&one.sees(&sealed, &[&one, &other]), &["name others", &one.recipient, "state migrate --from"]);
}

#[test]
fn a_recipient_with_a_wrong_letter_is_none() {
    let good = Somebody::new().recipient;
    let last = if good.ends_with('q') { "p" } else { "q" };
    let wrong = format!("{}{last}", &good[..good.len() - 1]);
    let said = Recipients::read(&[good.clone(), wrong.as_str().into()]).unwrap_err();
    assert!(matches!(&said, EncryptError::Recipient { text, .. } if *text == wrong), "{said}");
    assert!(said.help().contains("age-keygen"));
    assert_eq!(Recipients::read(&[good.clone(), good]).unwrap().unwrap().count(), 1);
    assert_eq!(Recipients::read(&[]).unwrap(), None);
}
