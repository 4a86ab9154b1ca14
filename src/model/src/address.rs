//! The address of a resource: how plans, journals and people point at it.

use crate::{
    ContentRef, EnvironmentName, GatewayName, GroupName, MountPath, NameError, NetworkName, NlbName, RegistryHost,
    ServiceName, Slot, spec::words::words,
};
use std::{fmt, str::FromStr};

/// Points at one resource of an environment. The text form (`route.public/hello`) is unique and reads back.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// A gateway.
    Gateway(GatewayName),
    /// The third-party libraries of a service.
    Packages(ServiceName),
    /// The container image of a service.
    Image(ServiceName),
    /// A mount of a service.
    Mount(ServiceName, MountPath),
    /// A service as a whole.
    Service(ServiceName),
    /// A place of a service.
    Instance(ServiceName, Slot),
    /// The way from a gateway to a service.
    Route(GatewayName, ServiceName),
    /// A group.
    Group(GroupName),
    /// A network.
    Network(NetworkName),
    /// A balancer of connections.
    Nlb(NlbName),
    /// A login for images.
    Registry(RegistryHost),
    /// Who supervises the instances of an environment, where something beside them does.
    Supervisor(EnvironmentName),
    /// A prepared content, whoever needs it.
    Content(ContentRef),
}

words! {
    /// What kind of resource an address points at.
    Kind {
        /// A gateway.
        Gateway => "gateway",
        /// The third-party libraries of a service.
        Packages => "packages",
        /// The container image of a service.
        Image => "image",
        /// A mount of a service.
        Mount => "mount",
        /// A service.
        Service => "service",
        /// A place of a service.
        Instance => "instance",
        /// The way from a gateway to a service.
        Route => "route",
        /// A group.
        Group => "group",
        /// A network.
        Network => "network",
        /// A balancer of connections.
        Nlb => "nlb",
        /// A login for images.
        Registry => "registry",
        /// Who supervises the instances of an environment.
        Supervisor => "supervisor",
        /// A prepared content.
        Content => "content",
    }
}

impl Address {
    /// Its kind: the word that its text form begins with.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Gateway(_) => Kind::Gateway,
            Self::Packages(_) => Kind::Packages,
            Self::Image(_) => Kind::Image,
            Self::Mount(..) => Kind::Mount,
            Self::Service(_) => Kind::Service,
            Self::Instance(..) => Kind::Instance,
            Self::Route(..) => Kind::Route,
            Self::Group(_) => Kind::Group,
            Self::Network(_) => Kind::Network,
            Self::Nlb(_) => Kind::Nlb,
            Self::Registry(_) => Kind::Registry,
            Self::Supervisor(_) => Kind::Supervisor,
            Self::Content(_) => Kind::Content,
        }
    }

    /// The service that the resource belongs to, if it belongs to one.
    pub fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::Gateway(_)
            | Self::Group(_)
            | Self::Network(_)
            | Self::Nlb(_)
            | Self::Registry(_)
            | Self::Supervisor(_)
            | Self::Content(_) => None,
            Self::Packages(service)
            | Self::Image(service)
            | Self::Mount(service, _)
            | Self::Service(service)
            | Self::Instance(service, _)
            | Self::Route(_, service) => Some(service),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway(name) => write!(f, "gateway.{name}"),
            Self::Packages(service) => write!(f, "packages.{service}"),
            Self::Image(service) => write!(f, "image.{service}"),
            Self::Mount(service, path) => write!(f, "mount.{service}:{path}"),
            Self::Service(name) => write!(f, "service.{name}"),
            Self::Instance(service, slot) => write!(f, "instance.{service}[{slot}]"),
            Self::Route(gateway, service) => write!(f, "route.{gateway}/{service}"),
            Self::Group(name) => write!(f, "group.{name}"),
            Self::Network(name) => write!(f, "network.{name}"),
            Self::Nlb(name) => write!(f, "nlb.{name}"),
            Self::Registry(host) => write!(f, "registry.{host}"),
            Self::Supervisor(environment) => write!(f, "supervisor.{environment}"),
            Self::Content(content) => write!(f, "content.{content}"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not of the form `kind.name`.
    #[error("`{0}` is not an address such as service.hello or instance.hello[0]")]
    Shape(String),
    /// A part of it is no name.
    #[error("`{address}` is not an address")]
    Name {
        /// The text.
        address: String,
        /// What is wrong with the part.
        source: NameError,
    },
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let shape = || AddressError::Shape(text.to_owned());
        let name = |source| AddressError::Name { address: text.to_owned(), source };
        let (kind, rest) = text.split_once('.').ok_or_else(shape)?;
        match kind {
            "gateway" => rest.parse().map(Self::Gateway).map_err(name),
            "network" => rest.parse().map(Self::Network).map_err(name),
            "nlb" => rest.parse().map(Self::Nlb).map_err(name),
            "registry" => rest.parse().map(Self::Registry).map_err(name),
            "group" => rest.parse().map(Self::Group).map_err(name),
            "supervisor" => rest.parse().map(Self::Supervisor).map_err(name),
            "packages" => rest.parse().map(Self::Packages).map_err(name),
            "image" => rest.parse().map(Self::Image).map_err(name),
            "service" => rest.parse().map(Self::Service).map_err(name),
            "content" => rest.parse().map(Self::Content).map_err(|_| shape()),
            "mount" => {
                let (service, path) = rest.split_once(':').ok_or_else(shape)?;
                Ok(Self::Mount(service.parse().map_err(name)?, path.parse().map_err(|_| shape())?))
            }
            "instance" => {
                let (service, slot) = rest.strip_suffix(']').and_then(|rest| rest.split_once('[')).ok_or_else(shape)?;
                Ok(Self::Instance(service.parse().map_err(name)?, Slot(slot.parse().map_err(|_| shape())?)))
            }
            "route" => {
                let (gateway, service) = rest.split_once('/').ok_or_else(shape)?;
                Ok(Self::Route(gateway.parse().map_err(name)?, service.parse().map_err(name)?))
            }
            _ => Err(shape()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        for text in [
            "gateway.public",
            "packages.hello",
            "image.hello",
            "mount.hello:/mnt/data",
            "service.hello",
            "instance.hello[3]",
            "route.public/hello",
            "group.chat",
            "network.inference",
            "nlb.edge",
            "registry.registry.example.com:5000",
            "supervisor.box",
            "content.folder-000102030405060708090a0b0c0d0e0f",
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert!(text.starts_with(&format!("{}.", address.kind().as_str())), "{text}");
        }
        for bad in ["", "hello", "thing.x", "instance.hello", "instance.hello[x]", "mount.hello:mnt", "gateway.A"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
