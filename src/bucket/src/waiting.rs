//! Lets those wait who are not async: work goes on in a thread of its own, wherever it is asked for.

use std::{
    future::Future,
    io,
    sync::{Mutex, PoisonError, mpsc},
};
use tokio::runtime::{Builder, Handle, Runtime};

/// A thread that carries out what others wait for.
#[derive(Debug)]
pub(crate) struct Waiting(Mutex<Option<Runtime>>);

impl Waiting {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The thread, which is begun when it is first needed.
    fn handle(&self) -> io::Result<Handle> {
        let mut runtime = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*runtime {
            return Ok(runtime.handle().clone());
        }
        let begun = Builder::new_multi_thread().worker_threads(1).thread_name("bucket").enable_all().build()?;
        Ok(runtime.insert(begun).handle().clone())
    }

    /// Waits for some work. Blocks.
    ///
    /// # Errors
    /// When no thread can be begun.
    pub(crate) fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
        let (tell, told) = mpsc::sync_channel(1);
        self.handle()?.spawn(async move {
            // Who has asked is waiting below.
            drop(tell.send(work.await));
        });
        told.recv().map_err(|_| io::Error::other("the work has ended without a result"))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // It may be dropped where nobody may wait, and nothing is left to be waited for.
        let runtime = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        runtime.into_iter().for_each(Runtime::shutdown_background);
    }
}
