//! Doors: the containers of wharf's own program through which requests and connections come in. A gateway is one, a
//! balancer of connections another. A supervisor lets nobody in, but is made, put into networks and spoken to as they are;
//! what is common to all needs to know no more than which of them it is.

use crate::names;
use std::fmt;
use wharf_model::{Address, GatewayName, Generation, NlbName, ObjectId};
use wharf_provider::Owner;

/// A door.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Door {
    /// It sends requests on.
    Gateway(GatewayName),
    /// It joins connections.
    Balancer(NlbName, Generation),
    /// It sees to instances.
    Supervisor(Generation),
}

impl Door {
    /// Its container.
    pub(crate) fn container(&self, owner: &Owner) -> String {
        match self {
            Self::Gateway(name) => names::gateway(owner, name),
            Self::Balancer(name, generation) => names::balancer(owner, name, *generation),
            Self::Supervisor(generation) => names::supervisor(owner, *generation),
        }
    }

    /// What it is called among instances.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Gateway(name) => name.as_str(),
            Self::Balancer(name, _) => name.as_str(),
            Self::Supervisor(_) => "supervisor",
        }
    }

    /// The balancer or supervisor that an object is.
    pub(crate) fn of_object(object: &ObjectId) -> Option<Self> {
        match &object.address {
            Address::Nlb(name) => Some(Self::Balancer(name.clone(), object.generation)),
            Address::Supervisor(_) => Some(Self::Supervisor(object.generation)),
            _ => None,
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway(name) => write!(f, "gateway {name}"),
            Self::Balancer(name, _) => write!(f, "nlb {name}"),
            Self::Supervisor(_) => f.write_str("the supervisor"),
        }
    }
}
