//! One plan, one look, many views: values in, text out. Nothing here prints or decides.
//!
//! Colour is written as ANSI sequences; whoever prints to something that is no terminal takes them out.

mod detail;
mod difference;
mod drift;
mod ending;
mod escape;
mod graph;
mod history;
mod html;
mod markdown;
mod operations;
mod picture;
mod reading;
mod since;
mod stale;
mod status;
mod terminal;
mod text;
mod top;
mod verdicts;

pub use difference::difference;
pub use drift::{EditedFile, drift, drift_markdown, drift_prometheus, drift_sarif};
pub use ending::ending;
pub use graph::{graph, graph_dot, graph_json, graph_svg};
pub use history::{LogEntry, addresses, became, became_between_json, log, log_json, record, record_json};
pub use html::html;
pub use markdown::{ROOM, markdown};
pub use operations::{OperationEntry, OperationOutcome, OperationsOf, operations, operations_json};
pub use picture::svg;
pub use since::{Since, SinceError};
pub use stale::stale;
pub use status::{StatusInput, status, status_json};
pub use terminal::{Layout, terminal};
pub use text::{bad, bold, dim, duration, good, tame, warn};
pub use top::{TopInput, top};
pub use verdicts::verdicts;
