//! One plan, one look, many views: values in, text out. Nothing here prints or decides.
//!
//! Colour is written as ANSI sequences; whoever prints to something that is no terminal takes them out.

mod difference;
mod reading;
mod since;
mod status;
mod terminal;
mod text;

pub use difference::difference;
pub use since::{Since, SinceError};
pub use status::{StatusInput, status, status_json};
pub use terminal::{Layout, terminal};
pub use text::{bad, bold, dim, duration, good, tame, warn};
