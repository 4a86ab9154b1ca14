//! The one place that asks what time it is.

use wharf_model::Timestamp;

/// Now.
pub(crate) fn now() -> Timestamp {
    of(jiff::Timestamp::now())
}

/// A moment before 1970 counts as 1970.
pub(crate) fn of(moment: jiff::Timestamp) -> Timestamp {
    Timestamp(u64::try_from(moment.as_millisecond()).unwrap_or(0))
}
