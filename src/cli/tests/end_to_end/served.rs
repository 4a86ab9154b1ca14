//! A site whose runtime is in memory, in the process of the test: it sees every call, and outlives every kill.

use crate::support::Site;
use std::{ops::Deref, path::Path, sync::Arc, thread};
use tokio::{net::UnixListener, sync::oneshot};
use wharf_provider::{MemoryProvider, serve};

/// A project on the runtime in memory. Whatever is left of it goes before the runtime does.
pub(crate) struct ServedSite {
    site: Site,
    pub(crate) memory: Arc<MemoryProvider>,
    _server: Server,
}

impl ServedSite {
    /// A project of one file in a folder of this name.
    pub(crate) fn new(name: &str, project: &str) -> Self {
        let mut site = Site::empty(name);
        site.write("wharf.kdl", &site.filled(project));
        let socket = site.root().join("platform");
        site.env.insert("WHARF_PLATFORM".to_owned(), socket.to_str().unwrap().to_owned());
        let memory = Arc::new(MemoryProvider::default());
        let server = Server::start(&socket, memory.clone());
        Self { site, memory, _server: server }
    }
}

impl Deref for ServedSite {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

/// Serves until it is dropped.
struct Server {
    end: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    fn start(socket: &Path, memory: Arc<MemoryProvider>) -> Self {
        // The socket is there before anybody is started who asks for it.
        let listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        let (end, ended) = oneshot::channel();
        let serve = async {
            let listener = UnixListener::from_std(listener).unwrap();
            tokio::select! {
                served = serve(memory, listener) => served.unwrap(),
                _ = ended => {}
            }
        };
        let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(serve);
        Self { end: Some(end), thread: Some(thread::spawn(run)) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // One that went wrong has told so already.
            drop(thread.join());
        }
    }
}
