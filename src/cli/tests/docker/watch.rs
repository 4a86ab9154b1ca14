//! Watches what an engine says of a project's containers, and knows nothing of wharf but a label.

use crate::engine;
use bollard::{models::EventMessage, query_parameters::EventsOptionsBuilder};
use futures_util::StreamExt as _;
use std::{
    collections::{BTreeSet, HashMap},
    thread::JoinHandle,
};
use tokio::sync::oneshot;

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The most instances that ran at once.
    pub(crate) most: usize,
    /// The fewest that ran at once.
    pub(crate) fewest: usize,
    /// Those that were started.
    pub(crate) started: BTreeSet<String>,
    /// Those that ended.
    pub(crate) ended: BTreeSet<String>,
}

/// A watch that goes on until it is ended.
pub(crate) struct Watch {
    end: oneshot::Sender<()>,
    thread: JoinHandle<Seen>,
}

impl Watch {
    /// Watches from now on; `running` are the instances that run already.
    pub(crate) fn start(project: &str, running: BTreeSet<String>) -> Self {
        let (end, ended) = oneshot::channel();
        let (begun, begins) = std::sync::mpsc::channel();
        let label = format!("wharf.project={project}");
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(watch(label, running, begun, ended))
        });
        begins.recv().unwrap();
        Self { end, thread }
    }

    /// Ends it, and answers what was seen.
    pub(crate) fn end(self) -> Seen {
        self.end.send(()).unwrap();
        self.thread.join().unwrap()
    }
}

async fn watch(
    label: String,
    mut running: BTreeSet<String>,
    begun: std::sync::mpsc::Sender<()>,
    mut ended: oneshot::Receiver<()>,
) -> Seen {
    let filters = HashMap::from([("label", vec![label]), ("type", vec!["container".to_owned()])]);
    let mut events = engine::engine().events(Some(EventsOptionsBuilder::default().filters(&filters).build())).boxed();
    let mut seen = Seen { most: running.len(), fewest: running.len(), ..Seen::default() };
    begun.send(()).unwrap();
    loop {
        let event = tokio::select! {
            Some(event) = events.next() => event.unwrap(),
            _ = &mut ended => return seen,
        };
        let Some((name, action)) = about(&event) else { continue };
        match action {
            "start" => {
                running.insert(name.clone());
                seen.started.insert(name);
            }
            "die" => {
                running.remove(&name);
                seen.ended.insert(name);
            }
            _ => {}
        }
        seen.most = seen.most.max(running.len());
        seen.fewest = seen.fewest.min(running.len());
    }
}

/// Which instance an event is about, and what happened.
fn about(event: &EventMessage) -> Option<(String, &str)> {
    let instance = event.actor.as_ref()?.attributes.as_ref()?.get("wharf.instance")?;
    Some((instance.clone(), event.action.as_deref()?))
}
