//! The Docker runtime: instances and gateways are containers of one engine, prepared contents are its volumes. There is
//! no record beside the engine's own: what is there says by its labels whose it is.
//!
//! This crate decides what objects are called, which addresses they get, and what a container is made of. What is
//! started, and when, is decided by others. An instance that ended stays down until they say, or until the supervisor of
//! the environment starts it again.
//!
//! - values: `names`, `door`, `labels`, `addresses`, `request` (from a launch to a container), `format`, `capability`;
//! - the engine: `engine` (eyes and hands) with `line`, `tls` and `ssh` for one elsewhere, `error`, `archive`;
//! - looking: [`DockerReader`] with `observe`, `entrances`, `logs`, `window`; nothing in there changes anything;
//! - calls: [`DockerProvider`] with `image`, `network` (with `adopted`), `gpus`, `start`, `stop`, `unit`, `content`,
//!   `bucket`, `copies`, `git`, `objects`, `doors` (with `gateways`, `balancers` and `reach`), `supervisors`, `program`,
//!   `resolve`, `run`;
//! - what runs in the containers of doors and supervisors beside a gateway: [`play_role`], with `desk`, `watch` (all
//!   instances of an environment), `ward` (one) and `book` (what is known of them).
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
mod adopted;
mod archive;
mod balancers;
mod book;
mod bucket;
mod capability;
mod content;
mod copies;
mod desk;
mod door;
mod doors;
mod engine;
mod entrances;
mod error;
mod format;
mod gateways;
mod git;
mod gpus;
mod image;
mod labels;
mod line;
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
mod roles;
mod run;
mod ssh;
mod start;
mod stop;
mod supervisors;
mod tls;
mod told;
mod unit;
mod ward;
mod watch;
mod window;
mod writable;

pub use image::Logins;
pub use provider::{DockerProvider, DockerReader, DockerSettings};
pub use roles::play_role;
