//! What holds of every store holds of an encrypted one, and nothing of it can be read.

use crate::support::{Somebody, commit, encrypted_for, over, reader, writer};
use std::sync::Arc;
use wharf_encrypt::{Identities, Wanted};
use wharf_store::{Backend, FolderBackend, MemoryBackend, conformance};

#[test]
fn an_encrypted_backend_is_a_backend() {
    let (one, dir) = (Somebody::new(), tempfile::tempdir().unwrap());
    let memory: Arc<dyn Backend> = Arc::new(MemoryBackend::default());
    conformance(&|| one.sees(&memory, &[&one]));
    conformance(&|| one.sees(&(Arc::new(FolderBackend::new(dir.path())) as Arc<dyn Backend>), &[&one]));
    let plain: Arc<dyn Backend> = Arc::new(MemoryBackend::default());
    conformance(&|| over(&plain, Wanted::Plain, Identities::default()));
    assert_eq!(plain.read("encryption").unwrap(), None, "what is in plain has no key");
}

#[test]
fn each_recipient_reads_what_any_of_them_wrote() {
    let (one, two) = (Somebody::new(), Somebody::new());
    let memory: Arc<dyn Backend> = Arc::new(MemoryBackend::default());
    commit(&one.sees(&memory, &[&one, &two]), 1);
    // In whichever order the files name them.
    commit(&two.sees(&memory, &[&two, &one]), 1);
    assert_eq!(reader(&one.sees(&memory, &[&one, &two])).read().unwrap().serial, 2);
    let first = reader(&over(&memory, encrypted_for(&[&one, &two]), one.identities())).key().unwrap().unwrap();
    let second = reader(&two.sees(&memory, &[&one, &two])).key().unwrap().unwrap();
    assert_eq!(first.digest("a", b"b"), second.digest("a", b"b"));
}

#[test]
fn of_two_who_begin_at_once_both_have_the_same_key() {
    let one = Somebody::new();
    let memory: Arc<dyn Backend> = Arc::new(MemoryBackend::default());
    let write = |number: u8| {
        let backend = one.sees(&memory, &[&one]);
        let key = format!("commits/{number}");
        assert_eq!(backend.create(&key, &[number]).unwrap(), wharf_store::Created::Now);
    };
    std::thread::scope(|scope| (0..8).for_each(|number| drop(scope.spawn(move || write(number)))));
    for number in 0..8_u8 {
        let read = one.sees(&memory, &[&one]).read(&format!("commits/{number}")).unwrap();
        assert_eq!(read.as_deref(), Some([number].as_slice()));
    }
}

#[test]
fn nothing_but_names_shows() {
    let (one, dir) = (Somebody::new(), tempfile::tempdir().unwrap());
    let folder: Arc<dyn Backend> = Arc::new(FolderBackend::new(dir.path()));
    let backend = one.sees(&folder, &[&one]);
    commit(&backend, 2);
    let open = writer(&backend).unwrap();
    for kept in ["commits", "lease"] {
        for key in folder.list(kept).unwrap() {
            let bytes = folder.read(&key).unwrap().unwrap();
            for word in ["chat", "dev", "tester", "apply", "lineage"] {
                assert!(!String::from_utf8_lossy(&bytes).contains(word), "{key} tells of {word}");
            }
        }
    }
    assert_ne!(folder.read("key").unwrap().unwrap().len(), 32, "the key of the secrets' digests is encrypted, too");
    drop(open);
}
