//! The local runtime: instances are processes of this host, in namespaces of their own, and gateways are processes
//! beside them. There is no daemon: what runs was started by a command that has long ended, and what is known of it
//! stands in folders and in the kernel.
//!
//! This crate decides where things are kept, which port an instance gets, what it sees of the host, and whether it is
//! alive: it is while its supervisor holds a lock, which only the kernel can say. What is started, when, and what
//! becomes of an instance that ended, is decided by others.
//!
//! - looking: [`LocalReader`] with `observe`, `logs`, `instance`, `listen`; nothing in there writes;
//! - calls: [`LocalProvider`] with `start`, `stop`, `content`, `packages`, `gateways`, `resolve`;
//! - the processes that stay: [`play_role`] with `supervise`, `init`, `isolate`, `view`, `file_systems`, `log`;
//! - values: `layout`, `format`, `labels`, `launch`, `client`, `port`, `tree`, `capability`.
//!
//! Only the provider can be used where something is to be written:
//!
//! ```
//! fn writes(_: impl wharf_provider::Execute) {}
//! fn whole(runtime: wharf_local::LocalProvider) {
//!     writes(runtime)
//! }
//! ```
//!
//! ```compile_fail,E0277
//! fn writes(_: impl wharf_provider::Execute) {}
//! fn half(runtime: wharf_local::LocalReader) {
//!     writes(runtime)
//! }
//! ```

#![allow(clippy::disallowed_methods, reason = "the host's files, processes and clock are what this runtime is made of")]

mod asker;
mod balancers;
mod capability;
mod checks;
mod client;
mod clock;
mod content;
mod doors;
mod dump;
mod error;
mod file_systems;
mod files;
mod format;
mod gateways;
mod healing;
mod init;
mod instance;
mod isolate;
mod labels;
mod launch;
mod layout;
mod life;
mod listen;
mod lock;
mod log;
mod logs;
mod objects;
mod observe;
mod packages;
mod port;
mod provider;
mod resolve;
mod roles;
mod start;
mod stop;
mod supervise;
mod table;
mod tether;
mod tree;
mod view;
mod weights;
mod writable;

pub use client::Fuse;
pub use provider::{LocalProvider, LocalReader, LocalSettings};
pub use roles::play_role;
pub use weights::vmtouch;
