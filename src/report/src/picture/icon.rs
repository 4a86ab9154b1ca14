//! Shapes that say the same as the colours, and signs of what is done, as paths: no font is needed for them.

use crate::reading::{Action, Level};

/// The outline that stands for a risk, around the origin and some 13 wide to each side.
pub(crate) fn shape(level: Level) -> &'static str {
    match level {
        Level::Loss => "M-5.2-12.6H5.2L12.6-5.2V5.2L5.2 12.6H-5.2L-12.6 5.2V-5.2Z",
        Level::Downtime => "M0-14.6 14.6 0 0 14.6-14.6 0Z",
        Level::Dip => "M0-14.5 14.8 11.3H-14.8Z",
        Level::Replacement => "M-11.5-11.5H11.5V11.5H-11.5Z",
        Level::Calm => "M-12 0a12 12 0 1 0 24 0a12 12 0 1 0-24 0Z",
    }
}

/// The sign of an action, stroked around the origin.
pub(super) fn sign(action: Action) -> &'static str {
    match action {
        Action::Create => "M-5 0H5M0-5V5",
        Action::Update => "M-5 1C-3-4-1-2 0 0S3 4 5-1",
        Action::Roll => "M4.2-2.6A5 5 0 1 0 5 1M4.8-6V-2.2H1",
        Action::Replace => "M-5-2H3.5M1-4.5 3.5-2M5 2.5H-3.5M-1 5-3.5 2.5",
        Action::Move => "M-5 0H4.5M1-3.5 4.5 0 1 3.5",
        Action::Adopt => "M0-5.5V2M-3.5-1.5 0 2 3.5-1.5M-5 5H5",
        Action::Forget => "M0 3V-5M-3.5-1.5 0-5 3.5-1.5M-5 5H5",
        Action::Delete => "M-5 0H5",
    }
}
