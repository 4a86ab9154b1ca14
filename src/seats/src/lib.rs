//! Seats on the GPUs of one machine: which cards an instance gets, from what it wishes, what cards there are and what of
//! them is held. Whoever plans and whoever starts an instance ask the same function, so what was planned finds its place.
//!
//! Functions of values. Who holds what is for others to know, and to keep so; that a share is kept to is for nobody here.

mod driver;
mod found;

pub use driver::{Wish, WishError};
pub use found::{NoSeat, find, rival};
