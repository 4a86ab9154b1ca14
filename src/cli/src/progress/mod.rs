//! How a running apply is shown: a live board on a terminal, a line per event elsewhere, and lines of JSON for programs. All
//! read the same events.

mod expect;
mod live;
mod plain;
mod row;
mod stream;

pub(crate) use expect::{EXAMPLES, Foresight};
pub(crate) use stream::Stream;

use crate::out;
use std::io::IsTerminal;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use wharf_apply::Event;

/// Shows events until there are no more, beside what was foreseen, and hands back the stream that took them.
pub(crate) async fn follow(mut events: UnboundedReceiver<Event>, mut stream: Stream, foresight: Foresight) -> Stream {
    let (shown, seen) = mpsc::unbounded_channel();
    let pass_on = async move {
        while let Some(event) = events.recv().await {
            stream.take(&event);
            // With --quiet nobody looks.
            drop(shown.send(event));
        }
        stream
    };
    let (stream, ()) = tokio::join!(pass_on, show(seen, foresight));
    stream
}

async fn show(events: UnboundedReceiver<Event>, foresight: Foresight) {
    if out::is_quiet() {
        return;
    }
    if std::io::stderr().is_terminal() {
        live::follow(events, foresight).await;
    } else {
        plain::follow(events).await;
    }
}
