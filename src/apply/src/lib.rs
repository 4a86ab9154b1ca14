//! Carries a plan out: runs its operation graph, supervises its rollouts, and writes down what is about to be done and
//! what came of it, so that nothing is lost whenever it ends.
//!
//! The `dispatcher` decides and never waits; the `runner` waits and never decides. What a plan contains
//! is the planner's affair, what a call does is the provider's, when a byte is safe is the store's.

mod call;
mod dispatcher;
mod error;
mod event;
mod format;
mod ledger;
mod recovery;
mod runner;
mod settings;
mod sight;

pub use error::ApplyError;
pub use event::{Ended, Event, Failed, Skipped, Summary};
pub use format::{Head, Tail, print_event, print_head, print_summary, print_tail};
pub use recovery::{Found, Recovered, look_into, note, recover};
pub use runner::apply;
pub use settings::{Applied, Cancel, Settings};
