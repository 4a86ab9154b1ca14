//! Failures of this host in the words of the contract.

use std::io;
use wharf_provider::ProviderError;

/// What an attempt on the disk failed with.
pub(crate) fn disk(attempt: impl Into<String>) -> impl FnOnce(io::Error) -> ProviderError {
    let attempt = attempt.into();
    move |source| match source.kind() {
        io::ErrorKind::PermissionDenied => {
            let help = "run wharf as the user who ran it before, or give that folder to the user who runs it now";
            ProviderError::Denied { attempt, help: help.to_owned(), source: Some(Box::new(source)) }
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            let help = "make room on the disk that holds the project's `.wharf` folder";
            ProviderError::Rejected { attempt, help: help.to_owned(), source: Some(Box::new(source)) }
        }
        io::ErrorKind::InvalidData => {
            let help = "a newer wharf may have written it: use that one. If it is damaged, put back what it was";
            ProviderError::Rejected { attempt, help: help.to_owned(), source: Some(Box::new(source)) }
        }
        _ => {
            let help = "look at the cause; when it is mended, apply again";
            ProviderError::Rejected { attempt, help: help.to_owned(), source: Some(Box::new(source)) }
        }
    }
}

/// Runs work that waits for the disk where it holds up nothing else.
pub(crate) async fn off_the_loop<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
