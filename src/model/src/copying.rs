//! How much of a host the copying of folders may take.

use crate::Bytes;
use std::num::NonZeroU16;

/// What all downloads of one run of wharf may take together, and how much of the disk stays free.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopyLimits {
    /// How many requests there are at once; the runtime's own for each folder when absent.
    pub connections: Option<NonZeroU16>,
    /// How many bytes come in a second, more than none; as many as do when absent.
    pub bandwidth: Option<Bytes>,
    /// When room is made.
    pub room: Room,
}

/// How much of a disk stays free, in hundredths of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Room is made when less would be free.
    pub low: u8,
    /// Until so much is; no less than that.
    pub high: u8,
}

impl Default for Room {
    fn default() -> Self {
        Self { low: 10, high: 20 }
    }
}
