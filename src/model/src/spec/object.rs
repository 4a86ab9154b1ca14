//! What the platform keeps as an object of its own, beside gateways and instances.

use crate::{
    Address, Entry, Field, Fingerprint, Generation, GroupSpec, NetworkSpec, NlbSpec, RegistrySpec, entries::List,
};
use std::{fmt, str::FromStr, sync::Arc};

/// An object of the platform: what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectSpec {
    /// One entry for several services.
    Group(GroupSpec),
    /// A network.
    Network(NetworkSpec),
    /// A balancer of connections.
    Nlb(NlbSpec),
    /// A login for images.
    Registry(RegistrySpec),
    /// Data of a service that outlives its instances.
    Data(DataSpec),
    /// Who supervises the instances of an environment.
    Supervisor(SupervisorSpec),
}

/// Who supervises the instances of an environment, beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupervisorSpec {
    /// The socket of the engine that it holds, on the engine's machine.
    pub socket: Arc<str>,
}

/// Data of a service that outlives its instances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataSpec {
    /// Whether it stays when the files do not declare it any more.
    pub keep_on_delete: bool,
}

impl ObjectSpec {
    /// Every field of the object.
    pub fn entries(&self) -> Vec<Entry> {
        match self {
            Self::Group(spec) => spec.entries(),
            Self::Network(spec) => spec.entries(),
            Self::Nlb(spec) => spec.entries(),
            Self::Registry(spec) => spec.entries(),
            Self::Data(spec) => spec.entries(),
            Self::Supervisor(spec) => spec.entries(),
        }
    }

    /// Stands for the spec on the object that is made from it. Says nothing of secrets' values.
    pub fn fingerprint(&self) -> Fingerprint {
        crate::entries::fingerprint(&self.entries())
    }

    /// The objects that it lies in.
    pub fn lies_in(&self) -> Option<Address> {
        match self {
            Self::Nlb(spec) => spec.network.clone().map(Address::Network),
            Self::Group(_) | Self::Network(_) | Self::Registry(_) | Self::Data(_) | Self::Supervisor(_) => None,
        }
    }

    /// Whether it stays when the files do not declare it any more.
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Data(DataSpec { keep_on_delete: true }))
    }
}

impl DataSpec {
    fn entries(&self) -> Vec<Entry> {
        let Self { keep_on_delete } = self;
        let mut list = List::default();
        list.flag(Field::KeepOnDelete, *keep_on_delete);
        list.sorted()
    }
}

impl SupervisorSpec {
    fn entries(&self) -> Vec<Entry> {
        let Self { socket } = self;
        let mut list = List::default();
        list.text(Field::EngineSocket, socket);
        list.sorted()
    }
}

/// One incarnation of an object. Its text form, `network.inner@g1`, is what journals call it by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Which object.
    pub address: Address,
    /// Which incarnation.
    pub generation: Generation,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.address, self.generation)
    }
}

impl FromStr for ObjectId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unfit = || format!("`{text}` names no incarnation of an object");
        let (address, generation) = text.rsplit_once("@g").ok_or_else(unfit)?;
        let number: u32 = generation.parse().map_err(|_| unfit())?;
        Ok(Self { address: address.parse().map_err(|_| unfit())?, generation: Generation(number) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        for text in ["network.inner@g1", "mount.chat:/models/@x@g12", "registry.example.com:5000@g3"] {
            assert_eq!(text.parse::<ObjectId>().map(|id| id.to_string()), Ok(text.to_owned()));
        }
        for bad in ["network.inner", "network.inner@1", "@g1", "network.inner@gx"] {
            assert!(bad.parse::<ObjectId>().is_err(), "{bad}");
        }
    }
}
