//! The network of an environment: its instances and gateways are in it, and nothing else of the engine is.

use crate::{addresses::Range, engine::Hands, error, labels, names};
use bollard::models::{Ipam, IpamConfig, Network, NetworkCreateRequest};
use std::{collections::BTreeSet, net::Ipv4Addr};
use wharf_model::OperationId;
use wharf_provider::{Owner, ProviderError};

/// A network, by its id: two may have the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Net {
    pub(crate) id: String,
    range: Range,
}

/// The network and the addresses in it that are taken. Filled at first use; whoever holds the lock on it has the turn.
#[derive(Debug, Default)]
pub(crate) struct Place {
    net: Option<Net>,
    taken: BTreeSet<Ipv4Addr>,
}

impl Place {
    /// Takes a free address of the environment's network, which is made when it is not there.
    pub(crate) async fn take(
        &mut self,
        hands: &Hands,
        owner: &Owner,
        operation: &OperationId,
    ) -> Result<(Net, Ipv4Addr), ProviderError> {
        let net = match &self.net {
            Some(net) => net.clone(),
            None => {
                let net = ensure(hands, owner, operation).await?;
                let containers = hands.containers(owner).await;
                let containers = containers.map_err(error::engine("cannot list the environment's containers"))?;
                let labels = containers.iter().filter_map(|container| container.labels.as_ref());
                let known = labels.filter_map(labels::endpoint).filter_map(|at| match at.ip() {
                    std::net::IpAddr::V4(ip) => Some(ip),
                    std::net::IpAddr::V6(_) => None,
                });
                self.taken = known.collect();
                self.net.insert(net).clone()
            }
        };
        let address = net.range.free(&self.taken).ok_or_else(|| ProviderError::Conflict {
            attempt: format!("no address of network {} ({}) is free", names::network(owner), net.range),
            help: "stop some of its instances".to_owned(),
        })?;
        self.taken.insert(address);
        Ok((net, address))
    }

    /// Gives an address back.
    pub(crate) fn give_back(&mut self, address: Ipv4Addr) {
        self.taken.remove(&address);
    }

    /// Forgets the network: somebody removed it.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

async fn ensure(hands: &Hands, owner: &Owner, operation: &OperationId) -> Result<Net, ProviderError> {
    let name = names::network(owner);
    let attempt = format!("cannot make network {name}");
    let known = hands.networks().await.map_err(error::engine(attempt.clone()))?;
    let ours = |network: &&Network| network.labels.as_ref().is_some_and(|labels| labels::belongs(labels, owner));
    if let Some(network) = known.iter().find(ours)
        && let (Some(id), Some(range)) = (&network.id, ranges(network).next())
    {
        return Ok(Net { id: id.clone(), range });
    }
    let taken: Vec<_> = known.iter().flat_map(ranges).collect();
    let range = Range::choose(owner, &taken).ok_or_else(|| ProviderError::Conflict {
        attempt: format!("{attempt}: no range of addresses within 10.192.0.0/11 is free"),
        help: "remove networks of the engine that nothing needs: `docker network prune`".to_owned(),
    })?;
    let config = IpamConfig { subnet: Some(range.to_string()), ..IpamConfig::default() };
    let request = NetworkCreateRequest {
        name,
        driver: Some("bridge".to_owned()),
        ipam: Some(Ipam { config: Some(vec![config]), ..Ipam::default() }),
        labels: Some(labels::shared(owner, operation)),
        ..NetworkCreateRequest::default()
    };
    let id = hands.create_network(request).await.map_err(error::engine(attempt))?;
    Ok(Net { id, range })
}

fn ranges(network: &Network) -> impl Iterator<Item = Range> {
    let configs = network.ipam.iter().flat_map(|ipam| ipam.config.iter().flatten());
    configs.filter_map(|config| config.subnet.as_ref()?.parse().ok())
}
