//! How long the parts of a request may take.

use crate::{Field, entries::List, print_duration};
use std::time::Duration;

/// How long the parts of a request may take, beside the whole; no limit of their own when absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Until an instance takes the connection.
    pub connect: Option<Duration>,
    /// Until its answer begins.
    pub first_byte: Option<Duration>,
    /// Between two pieces of its answer.
    pub between_bytes: Option<Duration>,
}

impl Timeouts {
    pub(crate) fn list(&self, list: &mut List) {
        let Self { connect, first_byte, between_bytes } = self;
        list.some(Field::TimeoutConnect, connect.map(print_duration));
        list.some(Field::TimeoutFirstByte, first_byte.map(print_duration));
        list.some(Field::TimeoutBetweenBytes, between_bytes.map(print_duration));
    }
}
