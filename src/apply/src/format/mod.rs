//! What an apply tells programs: one JSON object a line, in a format with a number. `docs/events.md` describes it.

mod v1;

pub use v1::{Head, Tail, print_event, print_head, print_summary, print_tail};
