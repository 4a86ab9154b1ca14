//! How a running apply is shown: a live board on a terminal, a line per event elsewhere. Both read the same events.

mod live;
mod plain;

use crate::out;
use std::io::IsTerminal;
use tokio::sync::mpsc::UnboundedReceiver;
use wharf_apply::Event;

/// Shows events until there are no more.
pub(crate) async fn follow(events: UnboundedReceiver<Event>) {
    if out::is_quiet() {
        return;
    }
    if std::io::stderr().is_terminal() {
        live::follow(events).await;
    } else {
        plain::follow(events).await;
    }
}
