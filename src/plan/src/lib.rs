//! Desired, recorded and observed in, a [`Plan`] out.
//!
//! Everything here is a function of its arguments: no clock, no file, no randomness, no environment, no provider. What a
//! runtime can honour is handed in as data.

pub mod rollout;
