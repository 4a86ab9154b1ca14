//! A store on a real disk and in memory: what is written reads back, what is torn is as if never written, no two writers
//! succeed, and whatever goes wrong says what helps.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod commits;
mod hardship;
mod journals;
mod leases;
mod moving;
mod support;

use std::sync::Arc;
use wharf_store::{Backend, FolderBackend, MemoryBackend, conformance};

#[test]
fn a_folder_is_a_backend() {
    let dir = tempfile::tempdir().unwrap();
    conformance(&|| Arc::new(FolderBackend::new(dir.path().join("store"))));
}

#[test]
fn memory_is_a_backend() {
    let memory: Arc<dyn Backend> = Arc::new(MemoryBackend::default());
    conformance(&|| memory.clone());
}
