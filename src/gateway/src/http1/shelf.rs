//! Buffers that are not in use: a worker's own, lent to whichever of its connections has something to say.

use std::cell::RefCell;

use bytes::BytesMut;

/// How large a buffer is, in bytes.
pub(crate) const SIZE: usize = 32 << 10;

/// So many are kept by a worker; more are given back to the system.
const KEPT: usize = 32;

thread_local! {
    static SHELF: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with room for [`SIZE`] bytes.
pub(crate) fn take() -> BytesMut {
    SHELF.with_borrow_mut(Vec::pop).unwrap_or_else(|| BytesMut::with_capacity(SIZE))
}

/// Keeps a buffer for the next one who needs one, unless it is larger than others or shared still.
pub(crate) fn give(mut buffer: BytesMut) {
    buffer.clear();
    if !buffer.try_reclaim(SIZE) || buffer.capacity() > 2 * SIZE {
        return;
    }
    SHELF.with_borrow_mut(|shelf| {
        if shelf.len() < KEPT {
            shelf.push(buffer);
        }
    });
}
