//! What the gateways that wharf runs itself are told: the model's words in the gateway's, and the changes of a gateway's
//! configuration. Every runtime whose gateways are wharf's own tells them the same.
//!
//! Functions of values. How a configuration reaches its gateway, and what becomes of one whose gateway is down, is for
//! each runtime to decide.

mod change;
mod healing;
mod standing;
mod told;
mod traces;
mod vitals;
mod words;

pub use change::{drain, forget, join, remove_route, serve, set_balancer, set_route};
pub use healing::{Course, Healed, Next, StoredRestarts, next};
pub use standing::{endpoint_state, figures, is_outdated, lost, own_release, release};
pub use told::told;
pub use traces::traces;
pub use vitals::{Asking, Care, Heard, How, Kind, Vitals};
pub use words::{check, endpoint, listener, membership, probe, records, route, route_name};
