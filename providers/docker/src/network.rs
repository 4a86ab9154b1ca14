//! Networks: that of the environment, in which is whatever names none, and those of the project, each for itself. What is
//! in one is reached from within it alone; doors are in several.

use crate::{
    addresses::Range,
    adopted,
    engine::{Eyes, Hands, Removal, is_in_use},
    error,
    labels::{self, OfDoor},
    names,
};
use bollard::models::{ContainerSummary, EndpointSettings, Ipam, IpamConfig, Network, NetworkCreateRequest};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{IpAddr, Ipv4Addr},
};
use wharf_model::{Address, Fingerprint, NetworkName, NetworkPlace, NetworkSpec, ObjectId, ObjectSpec, OperationId};
use wharf_provider::{OpContext, Owner, ProviderError};

/// A network, by its id: two may have the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Net {
    pub(crate) id: String,
    pub(crate) range: Range,
    /// Whether somebody else made it, and others may be in it.
    adopted: bool,
}

/// The networks that are used, and the addresses in them that are taken. Filled at first use; whoever holds the lock on it
/// has the turn.
#[derive(Debug, Default)]
pub(crate) struct Place {
    nets: BTreeMap<Option<ObjectId>, Net>,
    taken: BTreeSet<Ipv4Addr>,
}

impl Place {
    /// A network of the project, or that of the environment, which is made when it is not there.
    pub(crate) async fn net(
        &mut self,
        hands: &Hands,
        owner: &Owner,
        operation: &OperationId,
        within: Option<&ObjectId>,
    ) -> Result<Net, ProviderError> {
        if let Some(net) = self.nets.get(&within.cloned()) {
            return Ok(net.clone());
        }
        let net = match within {
            None => ensure(hands, owner, operation).await?,
            Some(object) => find(hands, owner, object).await?.ok_or_else(|| ProviderError::Missing {
                attempt: format!("{object} is not there"),
                help: "apply again: it will be made".to_owned(),
            })?,
        };
        let containers = hands.containers(owner).await;
        let containers = containers.map_err(error::engine("cannot list the environment's containers"))?;
        self.taken.extend(containers.iter().flat_map(addresses));
        if net.adopted {
            let attempt = format!("cannot look who is in network {}", net.id);
            let found = hands.network(&net.id).await.map_err(error::engine(attempt))?;
            self.taken.extend(found.iter().flat_map(adopted::addresses));
        }
        self.nets.insert(within.cloned(), net.clone());
        Ok(net)
    }

    /// Takes a free address of such a network.
    pub(crate) async fn take(
        &mut self,
        hands: &Hands,
        owner: &Owner,
        operation: &OperationId,
        within: Option<&ObjectId>,
    ) -> Result<(Net, Ipv4Addr), ProviderError> {
        let net = self.net(hands, owner, operation, within).await?;
        let Net { range, adopted, .. } = &net;
        let free = if *adopted { range.free_beside_others(&self.taken) } else { range.free(&self.taken) };
        let address = free.ok_or_else(|| {
            let network = within.map_or_else(|| names::network(owner), ToString::to_string);
            ProviderError::Conflict {
                attempt: format!("no address of network {network} ({}) is free", net.range),
                help: "stop some of its instances, or give it a wider `cidr`".to_owned(),
            }
        })?;
        self.taken.insert(address);
        Ok((net, address))
    }

    /// Gives an address back.
    pub(crate) fn give_back(&mut self, address: Ipv4Addr) {
        self.taken.remove(&address);
    }

    /// Forgets what is known: somebody removed a network.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// Every address that a container has or will have.
fn addresses(container: &ContainerSummary) -> Vec<Ipv4Addr> {
    let own = container.labels.as_ref().and_then(labels::endpoint).and_then(|at| match at.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    });
    let networks = container.network_settings.iter().flat_map(|settings| settings.networks.iter().flatten());
    own.into_iter().chain(networks.filter_map(|(_, endpoint)| address(endpoint))).collect()
}

/// The address that a container has in a network, or will have there.
pub(crate) fn address(endpoint: &EndpointSettings) -> Option<Ipv4Addr> {
    let has = endpoint.ip_address.as_ref().and_then(|text| text.parse().ok());
    let wants = || endpoint.ipam_config.as_ref()?.ipv4_address.as_ref()?.parse().ok();
    has.or_else(wants)
}

/// The network of the environment.
async fn ensure(hands: &Hands, owner: &Owner, operation: &OperationId) -> Result<Net, ProviderError> {
    let name = names::network(owner);
    let attempt = format!("cannot make network {name}");
    let known = hands.networks().await.map_err(error::engine(attempt.clone()))?;
    let ours = |network: &&Network| {
        let labels = network.labels.as_ref();
        labels.is_some_and(|labels| labels::belongs(labels, owner) && labels::object(labels, owner).is_none())
    };
    if let Some(net) = known.iter().find(ours).and_then(net) {
        return Ok(net);
    }
    let range = choose(hands, &name, &known)?;
    let labels = labels::shared(owner, operation);
    let id = hands.create_network(request(name, range, labels, false)).await.map_err(error::engine(attempt))?;
    Ok(Net { id, range, adopted: false })
}

/// Where nobody says it, a network gets a range that no other network of the engine has, and to which its machine has no
/// route: what is behind that would be out of reach from there on.
fn choose(eyes: &Eyes, name: &str, known: &[Network]) -> Result<Range, ProviderError> {
    let mut taken: Vec<_> = known.iter().flat_map(ranges).collect();
    if eyes.is_here() {
        // Where the kernel has no such table, the engine's networks must do.
        taken.extend(Range::routed(&fs::read_to_string("/proc/net/route").unwrap_or_default()));
    }
    Range::choose(name, &taken).ok_or_else(|| ProviderError::Conflict {
        attempt: format!("cannot make network {name}: no range of addresses within 10.192.0.0/11 is free"),
        help: "remove networks of the engine that nothing needs: `docker network prune`".to_owned(),
    })
}

fn request(name: String, range: Range, labels: labels::Labels, sealed: bool) -> NetworkCreateRequest {
    let config = IpamConfig { subnet: Some(range.to_string()), ..IpamConfig::default() };
    NetworkCreateRequest {
        name,
        driver: Some("bridge".to_owned()),
        internal: Some(sealed),
        ipam: Some(Ipam { config: Some(vec![config]), ..Ipam::default() }),
        labels: Some(labels),
        ..NetworkCreateRequest::default()
    }
}

pub(crate) fn ranges(network: &Network) -> impl Iterator<Item = Range> {
    let configs = network.ipam.iter().flat_map(|ipam| ipam.config.iter().flatten());
    configs.filter_map(|config| config.subnet.as_ref()?.parse().ok())
}

fn net(network: &Network) -> Option<Net> {
    Some(Net { id: network.id.clone()?, range: ranges(network).next()?, adopted: false })
}

/// A network of the project: an incarnation of it, and from what that was made.
pub(crate) struct Incarnation<'a> {
    pub(crate) object: ObjectId,
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) network: &'a Network,
    adopted: bool,
}

/// The networks of the project among all of the engine: those that it made, and those that containers of it stand for.
pub(crate) fn of_project<'a>(
    networks: &'a [Network],
    containers: &'a [ContainerSummary],
    owner: &'a Owner,
) -> impl Iterator<Item = Incarnation<'a>> {
    let made = networks.iter().filter_map(|network| {
        let (object, fingerprint) = labels::object(network.labels.as_ref()?, owner)?;
        Some(Incarnation { object, fingerprint, network, adopted: false })
    });
    let adopted = containers.iter().filter_map(|container| {
        let labels = container.labels.as_ref()?;
        let network = adopted::named(networks, labels::adopted(labels)?)?;
        let (object, fingerprint) = labels::object(labels, owner)?;
        Some(Incarnation { object, fingerprint, network, adopted: true })
    });
    made.chain(adopted)
}

/// An incarnation of a network of the project.
pub(crate) async fn find(hands: &Hands, owner: &Owner, object: &ObjectId) -> Result<Option<Net>, ProviderError> {
    let (networks, containers) = listed(hands, owner, format!("cannot look for {object}")).await?;
    let found = of_project(&networks, &containers, owner).find(|known| known.object == *object);
    Ok(found.and_then(|known| Some(Net { adopted: known.adopted, ..net(known.network)? })))
}

/// Every network of the engine, and every container of the environment.
pub(crate) async fn listed(
    eyes: &Eyes,
    owner: &Owner,
    attempt: String,
) -> Result<(Vec<Network>, Vec<ContainerSummary>), ProviderError> {
    let (networks, containers) = tokio::join!(eyes.networks(), eyes.containers(owner));
    Ok((networks.map_err(error::engine(attempt.clone()))?, containers.map_err(error::engine(attempt))?))
}

/// The newest incarnation of a network of the project.
pub(crate) async fn newest(
    hands: &Hands,
    owner: &Owner,
    name: &NetworkName,
) -> Result<Option<ObjectId>, ProviderError> {
    let address = Address::Network(name.clone());
    let (networks, containers) = listed(hands, owner, format!("cannot look for {address}")).await?;
    let known = of_project(&networks, &containers, owner).map(|known| known.object);
    Ok(known.filter(|object| object.address == address).max())
}

/// Makes an incarnation of a network. What one is made of does not change: one that was made otherwise gives way, if
/// nothing is in it.
pub(crate) async fn put(
    hands: &Hands,
    owner: &Owner,
    (object, name): (&ObjectId, &NetworkName),
    spec: &NetworkSpec,
    cx: &OpContext,
) -> Result<(), ProviderError> {
    let attempt = || error::engine(format!("cannot make {object}"));
    let own = hands.networks().await.map_err(attempt())?;
    let labelled = own.iter().filter_map(|network| Some((network, labels::object(network.labels.as_ref()?, owner)?)));
    for (network, (_, fingerprint)) in labelled.filter(|(_, (known, _))| known == object) {
        if fingerprint == Some(ObjectSpec::Network(spec.clone()).fingerprint()) {
            return Ok(());
        }
        let id = network.id.as_deref().unwrap_or_default();
        removed(&format!("cannot make {object} anew"), hands.remove_network(id).await.map_err(attempt())?)?;
    }
    let known = hands.networks().await.map_err(attempt())?;
    let name = names::network_of(owner, name, object.generation);
    let range = match &spec.place {
        NetworkPlace::Own(Some(cidr)) => own_range(object, &cidr.to_string(), &known)?,
        NetworkPlace::Own(None) | NetworkPlace::Existing(_) | NetworkPlace::Adopted(_) => choose(hands, &name, &known)?,
    };
    let labels = labels::of_network(owner, object, spec, &cx.operation);
    hands.create_network(request(name, range, labels, spec.sealed)).await.map(drop).map_err(attempt())
}

/// The range that a network asks for, if nobody has it.
fn own_range(object: &ObjectId, cidr: &str, known: &[Network]) -> Result<Range, ProviderError> {
    let range: Range = cidr.parse().map_err(|()| ProviderError::Rejected {
        attempt: format!("cannot make {object} with {cidr}: networks have IPv4 addresses here"),
        help: "write a range such as \"10.20.0.0/24\", or leave `cidr` out".to_owned(),
        source: None,
    })?;
    match known.iter().find(|network| ranges(network).any(|taken| taken.overlaps(range))) {
        None => Ok(range),
        Some(network) => Err(ProviderError::Conflict {
            attempt: format!(
                "cannot make {object} with {range}: network {} of the engine has addresses of it",
                network.name.as_deref().unwrap_or("?")
            ),
            help: "choose another `cidr` in this environment, or leave it out".to_owned(),
        }),
    }
}

/// Removes an incarnation of a network. Doors leave it first; one that is gone is fine. One that somebody else made stays.
pub(crate) async fn delete(hands: &Hands, owner: &Owner, object: &ObjectId) -> Result<(), ProviderError> {
    let attempt = || error::engine(format!("cannot remove {object}"));
    let Some(net) = find(hands, owner, object).await? else { return Ok(()) };
    let (mut doors, mut others) = (Vec::new(), Vec::new());
    for container in hands.containers(owner).await.map_err(attempt())? {
        let networks = container.network_settings.iter().flat_map(|settings| settings.networks.iter().flatten());
        if !networks.into_iter().any(|(_, endpoint)| endpoint.network_id.as_ref() == Some(&net.id)) {
            continue;
        }
        let name = container.names.iter().flatten().next().map(|name| name.trim_start_matches('/').to_owned());
        let name = name.or(container.id).unwrap_or_default();
        let is_door = container.labels.as_ref().is_some_and(|labels| OfDoor::read(labels, owner).is_some());
        if is_door { doors.push(name) } else { others.push(name) }
    }
    if !others.is_empty() {
        return Err(ProviderError::Conflict {
            attempt: format!("cannot remove {object}: {} in it", others.join(", ")),
            help: "remove what is in it, then apply again".to_owned(),
        });
    }
    for door in doors {
        hands.disconnect(&net.id, &door).await.map_err(attempt())?;
    }
    if net.adopted {
        return Ok(());
    }
    match hands.remove_network(&net.id).await {
        Err(cause) if is_in_use(&cause) => Err(ProviderError::Conflict {
            attempt: format!("cannot remove {object}: somebody else's containers are in it"),
            help: format!("`docker network inspect {}` shows which; remove them, then apply again", net.id),
        }),
        done => removed(&format!("cannot remove {object}"), done.map_err(attempt())?),
    }
}

/// A network that stays because its engine has lost count is not removed.
fn removed(attempt: &str, removal: Removal) -> Result<(), ProviderError> {
    match removal {
        Removal::Gone => Ok(()),
        Removal::Miscounted => Err(ProviderError::Conflict {
            attempt: format!("{attempt}: nobody is in it, and the engine counts containers that are gone"),
            help: "restart the engine, which then counts anew, and apply again".to_owned(),
        }),
    }
}
