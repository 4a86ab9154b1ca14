//! The data plane: listeners, routes, endpoints, balance, drain.
//!
//! A gateway is one long-lived process that owns a folder. It serves the configuration it was last given ([`Config`]),
//! goes on serving it when whoever gave it is gone, and takes it up again when it is restarted. [`run`] is that
//! process; [`Client`] speaks to it over the control socket in its folder. This crate knows nothing of projects, plans
//! or providers: whoever starts instances decides which endpoints serve and which drain, and says so.
//!
//! Inside, what is decided and what is done are kept apart:
//!
//! - plain values and functions: `config`, `check`, `paths`, `target`, `framing`, `token`, `choice`, `limit`, `outlier`,
//!   `readiness`, `boundary`, `headers`, `outgoing`, `retry`, `refusal`, `figures`, `trace`, `span`,
//!   `redact`;
//! - what a request meets, on the workers: `worker` (accepts), `connection` (TLS, HTTP/1 or HTTP/2), `http1` (callers and
//!   instances that speak it), `proxy` (lets in), `forward` (finds an instance, waits, sends for callers in HTTP/2),
//!   `upstream` (connections to instances), `body`, `stall`, `batch`, `upgrade`, `join` (connections as they are);
//! - what all workers share: `live`, the current table, with `endpoint`, `load` and `entrance`, which count; `sink`, which
//!   writes what `story` tells of requests, and `tracer`, which sends it to a collector;
//! - what happens beside the requests, on a thread of its own: `server` (the owner of it all), `registry`, `listening`,
//!   `control`, `handover`, `supervision` (probes), `drains`, `exposition`, `folder`, `listen`, `tls`.

#![allow(clippy::disallowed_methods, reason = "a data plane lives by the clock, and keeps its configuration in a file")]

mod batch;
mod body;
mod boundary;
#[cfg(test)]
mod cases;
mod check;
mod choice;
mod client;
pub mod config;
mod connection;
mod control;
mod drains;
mod endpoint;
mod entrance;
mod exposition;
mod figures;
mod folder;
mod forward;
mod framing;
mod handover;
mod headers;
mod http1;
mod join;
mod limit;
mod listen;
mod listening;
mod live;
mod load;
mod outgoing;
mod outlier;
mod paths;
pub mod probe;
mod proxy;
mod readiness;
mod redact;
mod refusal;
mod registry;
mod release;
mod retry;
mod server;
mod sink;
mod span;
mod stall;
mod status;
mod story;
mod supervision;
mod target;
mod tls;
mod token;
mod trace;
mod tracer;
pub mod trust;
mod upgrade;
mod upstream;
mod worker;

pub use check::ConfigProblem;
pub use client::{Client, ControlError};
pub use config::{
    Certificate, Check, Config, Endpoint, EndpointState, Entry, Limits, Listener, Probe, Protocol, Range, Records,
    Route, Sealed, Share, Sticky, Timeouts, TokenDigest, Traces,
};
pub use figures::{TIMES, Times};
pub use folder::{FolderError, holder};
pub use probe::{Answer, probe};
pub use release::release;
pub use server::{GatewayError, Settings, run};
pub use status::{EndpointStatus, ListenerStatus, RouteStatus, Status};
