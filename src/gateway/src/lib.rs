//! The data plane: listeners, routes, endpoints, balance, drain.
//!
//! A gateway is one long-lived process that owns a folder. It serves the configuration it was last given ([`Config`]),
//! goes on serving it when whoever gave it is gone, and takes it up again when it is restarted. [`run`] is that
//! process; [`Client`] speaks to it over the control socket in its folder. This crate knows nothing of projects, plans
//! or providers: whoever starts instances decides which endpoints serve and which drain, and says so.
//!
//! Inside, what is decided and what is done are kept apart:
//!
//! - plain values and functions: `config`, `check`, `paths`, `token`, `choice`, `readiness`, `headers`, `retry`;
//! - what a request meets, on the workers: `worker` (accepts), `proxy` (answers or forwards), `upstream` (connections
//!   to instances), `body`, `upgrade`;
//! - what all workers share: `live`, the current table and the endpoints' counters;
//! - what happens beside the requests, on a thread of its own: `server` (the owner of it all), `control`,
//!   `supervision` (probes), `folder`, `listen`.

#![allow(clippy::disallowed_methods, reason = "a data plane lives by the clock, and keeps its configuration in a file")]

mod body;
mod check;
mod choice;
mod client;
pub mod config;
mod control;
mod endpoint;
mod folder;
mod headers;
mod listen;
mod live;
mod paths;
pub mod probe;
mod proxy;
mod readiness;
mod refusal;
mod retry;
mod server;
mod status;
mod supervision;
mod token;
mod upgrade;
mod upstream;
mod worker;

pub use check::ConfigProblem;
pub use client::{Client, ControlError};
pub use config::{Check, Config, Endpoint, EndpointState, Listener, Probe, Route, TokenDigest};
pub use folder::{FolderError, holder};
pub use probe::{Answer, probe};
pub use server::{GatewayError, run};
pub use status::{EndpointStatus, ListenerStatus, RouteStatus, Status};
