//! How a running apply is shown: a live board on a terminal, a line per event elsewhere, and lines of JSON for programs. All
//! read the same events.

mod expect;
mod live;
mod plain;
mod row;
mod stream;

pub(crate) use stream::Stream;

use crate::{
    arguments::{Format, View},
    fault::Ends,
    out,
};
use expect::Foresight;
use std::io::IsTerminal;
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::JoinHandle,
};
use wharf_apply::{Event, Head};
use wharf_plan::Plan;
use wharf_store::Reader;

/// Begins to show an apply. Answers where its events go, and what ends, with the stream for programs, behind the last.
pub(crate) fn begin(
    view: Option<&View>,
    head: &Head<'_>,
    plan: &Plan,
    reader: &Reader,
) -> Ends<(UnboundedSender<Event>, JoinHandle<Stream>)> {
    let file = view.and_then(|view| view.events.as_deref());
    let mut stream = Stream::open(file, view.is_some_and(|view| view.format == Format::Json))?;
    stream.begin(head);
    let newest = reader.serials()?.last().copied().unwrap_or(0);
    // The board is only a view: where history cannot be read, it goes without.
    let history = reader.operations(newest.saturating_sub(expect::EXAMPLES)).unwrap_or_default();
    let foresight = Foresight::of(plan, &history);
    let (events, told) = mpsc::unbounded_channel();
    Ok((events, tokio::spawn(follow(told, stream, foresight))))
}

/// Shows events until there are no more, beside what was foreseen, and hands back the stream that took them.
async fn follow(mut events: UnboundedReceiver<Event>, mut stream: Stream, foresight: Foresight) -> Stream {
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
