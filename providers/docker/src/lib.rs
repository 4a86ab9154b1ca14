//! The Docker runtime: instances and gateways are containers of one engine, prepared contents are its volumes. There is
//! no record beside the engine's own: what is there says by its labels whose it is.
//!
//! This crate decides what objects are called, which addresses they get, and what a container is made of. What is
//! started, when, and what becomes of an instance that ended, is decided by others; an instance that ended stays down
//! until they say.
//!
//! - values: `names`, `door`, `labels`, `addresses`, `request` (from a launch to a container), `format`, `capability`;
//! - the engine: `engine` (eyes and hands), `error`, `archive`;
//! - looking: [`DockerReader`] with `observe`, `entrances`, `logs`, `window`; nothing in there changes anything;
//! - calls: [`DockerProvider`] with `image`, `network`, `gpus`, `start`, `stop`, `content`, `objects`, `doors` (with `gateways`,
//!   `balancers` and `reach`), `program`, `resolve`, `run`;
//! - what runs in a gateway's container beside the gateway: [`play_role`], in `desk`.
//!
//! Whoever has the reading half alone cannot write:
//!
//! ```
//! fn writes(_: impl wharf_provider::Execute) {}
//! fn whole(runtime: wharf_docker::DockerProvider) {
//!     writes(runtime)
//! }
//! ```
//!
//! ```compile_fail,E0277
//! fn writes(_: impl wharf_provider::Execute) {}
//! fn half(runtime: wharf_docker::DockerReader) {
//!     writes(runtime)
//! }
//! ```

#![allow(clippy::disallowed_methods, reason = "folders and the own program are read to be sent to the engine")]

mod addresses;
mod archive;
mod balancers;
mod capability;
mod content;
mod desk;
mod door;
mod doors;
mod engine;
mod entrances;
mod error;
mod format;
mod gateways;
mod gpus;
mod image;
mod labels;
mod logs;
mod names;
mod network;
mod objects;
mod observe;
mod program;
mod provider;
mod reach;
mod request;
mod resolve;
mod run;
mod start;
mod stop;
mod told;
mod window;

pub use desk::play_role;
pub use image::Logins;
pub use provider::{DockerProvider, DockerReader, DockerSettings};
