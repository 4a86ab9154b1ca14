//! The gateway as a process of its own, with real sockets and instances that behave like the servers people use.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod choosing;
mod drain;
mod hostile;
mod http2;
mod keep_alive;
mod limits;
mod pieces;
mod process;
mod raw;
mod replace;
mod requests;
mod soak;
mod streaming;
mod support;
mod take_over;
mod tls;
mod told;
mod traced;
