//! Servers of object storage for tests: one in this process, which can be made to be as bad as others are; another that is
//! installed; and a road to either on which things go wrong. They listen on the loopback alone and end with their value.

#![allow(clippy::disallowed_methods, reason = "servers for tests are processes, files and time")]

mod large;
mod list;
mod moto;
mod road;
mod server;
mod sums;

pub use moto::{Moto, remove, upload};
pub use road::{Asked, Mishap, Road};
pub use server::{ACCESS_KEY, BUCKET, Habit, Manners, SECRET_KEY, Server};
pub use sums::Sums;
