//! Where a body ends: after so many bytes, with its last chunk, or with the connection. Values that are fed what comes.

use super::chunks::Chunks;

/// A body that can't be read, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// What of some bytes belonged to a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// So many at the front are data now.
    pub(crate) data: usize,
    /// So many are done with.
    pub(crate) used: usize,
}

/// How the end of a message is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    /// An answer of old: it ends with its connection.
    UntilClose,
}

/// How far a body has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reading {
    Length(u64),
    Chunks(Box<Chunks>),
    UntilClose,
}

impl Reading {
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunks(Box::new(Chunks::new())),
            Framing::UntilClose => Self::UntilClose,
        }
    }

    /// Whether all of it was taken. One that ends with its connection is told by the connection.
    pub(crate) fn ended(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunks(chunks) => chunks.ended(),
            Self::UntilClose => false,
        }
    }

    /// Takes what has come, as far as it belongs to the body, and moves the data in it to the front.
    pub(crate) fn take(&mut self, bytes: &mut [u8]) -> Result<Taken, Malformed> {
        let data = match self {
            Self::Length(left) => {
                let data = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= data as u64;
                data
            }
            Self::Chunks(chunks) => return chunks.take(bytes),
            Self::UntilClose => bytes.len(),
        };
        Ok(Taken { data, used: data })
    }
}
