//! HTTP/1 as the gateway speaks it itself, to callers and to instances: no task and no timer for each request, and a buffer
//! only while a connection has something to say.
//!
//! - plain values and functions: `request` (what a caller's head says), `answer` (what an instance's head says), `fields`
//!   (which lines mean what), `outbound` (the heads that are sent on), `chunks` and `reading` (where a body ends);
//! - pieces of connections: `shelf` and `input` (buffers), `alarm` (one timer), `line` (a caller's connection), `rewound` (one of
//!   which some was read), `flow` (a message on its way);
//! - `caller` is a caller's connection from its first request to its last, `relay` finds an instance for each, `exchange` is one
//!   request and its answer; `outcall` is the same for callers that speak HTTP/2.

#[cfg(test)]
mod against;
mod alarm;
mod answer;
mod caller;
mod chunks;
mod exchange;
mod fields;
mod flow;
mod input;
mod line;
mod outbound;
mod outcall;
mod reading;
mod relay;
mod request;
mod rewound;
mod shelf;

pub(crate) use caller::{Ended, serve};
pub(crate) use outbound::request as write_request;
pub(crate) use outcall::{Incall, Outcall, Unanswered, call};
pub(crate) use request::RequestHead;
pub(crate) use rewound::Rewound;
pub(crate) use shelf::{give as return_buffer, take as buffer};
