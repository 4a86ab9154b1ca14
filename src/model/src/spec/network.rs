//! Networks, and balancers of connections.

use super::words::{after, words};
use crate::{Cidr, Entry, Field, NetworkName, SecretName, ServiceName, entries::List};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// A network that services and entries share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSpec {
    /// A range of its own, or one that exists.
    pub place: NetworkPlace,
    /// What may come in and go out; the runtime's own rules when empty.
    pub rules: Vec<NetworkRule>,
    /// Whether nothing that is in it reaches beyond it.
    pub sealed: bool,
}

/// Where a network is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkPlace {
    /// It is made with these addresses; the runtime chooses when absent.
    Own(Option<Cidr>),
    /// It exists on the platform.
    Existing(ExistingNetwork),
    /// It exists on the engine, under this name or id: it is used as it is, and neither changed nor removed.
    Adopted(Arc<str>),
}

/// A network of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingNetwork {
    /// The platform's name for it.
    pub vpc: Arc<str>,
    /// Its parts. Never empty.
    pub vswitches: Vec<Arc<str>>,
    /// The rules that hold for instances.
    pub security_group: Arc<str>,
}

words! {
    /// Which way connections go.
    Direction {
        /// To instances.
        In => "allow-in",
        /// From instances.
        Out => "allow-out",
    }
}

/// Connections that are allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRule {
    /// Which way.
    pub direction: Direction,
    /// From or to where.
    pub range: Cidr,
    /// On which port; on each when absent.
    pub port: Option<u16>,
}

impl NetworkSpec {
    /// What the engine calls it, where somebody else made it.
    pub fn adopted(&self) -> Option<&Arc<str>> {
        match &self.place {
            NetworkPlace::Adopted(id) => Some(id),
            NetworkPlace::Own(_) | NetworkPlace::Existing(_) => None,
        }
    }

    /// Every field of the network.
    pub fn entries(&self) -> Vec<Entry> {
        let Self { place, rules, sealed } = self;
        let mut list = List::default();
        match place {
            NetworkPlace::Own(range) => {
                list.text(Field::NetworkRange, range.map_or("any".to_owned(), |range| range.to_string()));
            }
            NetworkPlace::Existing(ExistingNetwork { vpc, vswitches, security_group }) => {
                let parts = vswitches.join(" ");
                list.text(Field::NetworkExisting, format!("{vpc}, vswitches {parts}, security-group {security_group}"));
            }
            NetworkPlace::Adopted(id) => list.text(Field::NetworkAdopted, id.to_string()),
        }
        let rules: Vec<_> = rules.iter().map(ToString::to_string).collect();
        list.some(Field::NetworkRules, Some(rules.join(", ")).filter(|rules| !rules.is_empty()));
        list.some(Field::NetworkEgress, sealed.then_some("off"));
        list.sorted()
    }
}

impl fmt::Display for NetworkRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.direction.as_str(), self.range, after(" port ", &self.port))
    }
}

/// A balancer of connections, whatever they carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NlbSpec {
    /// Which port leads to which service.
    pub listeners: BTreeMap<u16, ServiceName>,
    /// One of the platform that exists; it is made when absent.
    pub existing: Option<Arc<str>>,
    /// Whether it is reached from everywhere.
    pub public: bool,
    /// The network that it is in.
    pub network: Option<NetworkName>,
}

impl NlbSpec {
    /// Every field of the balancer.
    pub fn entries(&self) -> Vec<Entry> {
        let Self { listeners, existing, public, network } = self;
        let mut list = List::default();
        for (port, target) in listeners {
            list.at(Field::NlbListener, &port.to_string(), crate::Value::Text(target.to_string()));
        }
        list.some(Field::NlbExisting, existing.as_ref());
        list.flag(Field::NlbPublic, *public);
        list.some(Field::NlbNetwork, network.as_ref());
        list.sorted()
    }
}

/// A registry in which instances are entered, so that clients find them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nacos {
    /// The namespace.
    pub namespace: Option<Arc<str>>,
    /// The group.
    pub group: Option<Arc<str>>,
}

impl fmt::Display for Nacos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let namespace = self.namespace.as_deref().unwrap_or("public");
        write!(f, "namespace {namespace}{}", after(", group ", &self.group))
    }
}

/// A login for the images of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrySpec {
    /// Who.
    pub username: Arc<str>,
    /// Which secret holds the password.
    pub password: SecretName,
}

impl RegistrySpec {
    /// Every field of the login.
    pub fn entries(&self) -> Vec<Entry> {
        let Self { username, password } = self;
        let mut list = List::default();
        list.text(Field::RegistryLogin, format!("{username}, (secret){password}"));
        list.sorted()
    }
}
