//! Networks that somebody else made: found by the engine's name or id for them, used as they are, and never changed. What
//! says that a project uses one is a container that never runs, as a network takes no labels afterwards.

use crate::{engine::Eyes, error, labels, network::ranges, provider::Docker};
use bollard::models::{Network, NetworkInspect};
use std::{error::Error as _, net::Ipv4Addr};
use wharf_model::{ContentDigest, NetworkSpec, ObjectId, SourceError, SourcePin};
use wharf_provider::{Owner, ProviderError};

/// The drivers of networks in which containers have no addresses of their own.
const WITHOUT_ADDRESSES: [&str; 2] = ["host", "null"];

/// The network that the engine calls so. Of several with one name, none: nobody can say which is meant.
pub(crate) fn named<'a>(networks: &'a [Network], name: &str) -> Option<&'a Network> {
    let by_id = networks.iter().find(|network| network.id.as_deref() == Some(name));
    let mut by_name = networks.iter().filter(|network| network.name.as_deref() == Some(name));
    by_id.or_else(|| by_name.next().filter(|_| by_name.next().is_none()))
}

/// Whether a project can use this network. The pin says which one the name means now.
pub(crate) async fn pin(eyes: &Eyes, owner: &Owner, name: &str) -> Result<SourcePin, SourceError> {
    let networks = eyes.networks().await.map_err(|cause| {
        let error = error::engine(format!("cannot look for network {name}"))(cause);
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        SourceError { attempt: format!("{error}{cause}"), help: error.help().unwrap_or_default().to_owned() }
    })?;
    let network = check(&networks, owner, name, eyes.host())?;
    let id = network.id.as_deref().unwrap_or(name);
    Ok(SourcePin { content: ContentDigest::of([id.as_bytes()]), files: 0, bytes: 0, fetch: None })
}

/// Says so when the network that an object stands for cannot be used.
pub(crate) async fn ready(docker: &Docker, object: &ObjectId, spec: &NetworkSpec) -> Result<(), ProviderError> {
    let Some(name) = spec.adopted() else { return Ok(()) };
    let found = pin(&docker.hands, &docker.owner, name).await;
    found.map(drop).map_err(|SourceError { attempt, help }| ProviderError::Missing {
        attempt: format!("cannot use {object}: {attempt}"),
        help,
    })
}

fn check<'a>(networks: &'a [Network], owner: &Owner, name: &str, host: &str) -> Result<&'a Network, SourceError> {
    let error = |attempt: String, help: &str| SourceError { attempt, help: help.to_owned() };
    if networks.iter().filter(|network| network.name.as_deref() == Some(name)).count() > 1 {
        let help = "write the id of the one that is meant: `docker network ls --no-trunc` shows both";
        return Err(error(format!("several networks of the engine at {host} are called {name}"), help));
    }
    let Some(network) = named(networks, name) else {
        let help = format!(
            "make it with `docker network create --subnet 10.20.0.0/24 {name}`, or have wharf make one: `cidr=` in place of `id`"
        );
        return Err(SourceError { attempt: format!("the engine at {host} has no network {name}"), help });
    };
    if network.labels.as_ref().is_some_and(|labels| labels::belongs(labels, owner)) {
        let help = "leave `id` out: the network is made, changed and removed with the project";
        return Err(error(format!("network {name} is one of this environment's own"), help));
    }
    let without = network.driver.as_deref().is_some_and(|driver| WITHOUT_ADDRESSES.contains(&driver));
    if without || network.name.as_deref() == Some("bridge") || ranges(network).next().is_none() {
        let help = "name one that was made with addresses of its own: `docker network create --subnet 10.20.0.0/24 …`";
        return Err(error(format!("nobody can choose an address for an instance in network {name}"), help));
    }
    Ok(network)
}

/// Every address of a network that somebody has who is none of ours.
pub(crate) fn addresses(network: &NetworkInspect) -> Vec<Ipv4Addr> {
    let of_container = |address: &String| address.split('/').next()?.parse().ok();
    let containers = network.containers.iter().flat_map(|containers| containers.values());
    let there = containers.filter_map(|container| container.ipv4_address.as_ref()).filter_map(of_container);
    let configs = || network.ipam.iter().flat_map(|ipam| ipam.config.iter().flatten());
    let gateways = configs().filter_map(|config| config.gateway.as_ref()).filter_map(of_container);
    let beside = configs().flat_map(|config| config.auxiliary_addresses.iter().flat_map(|known| known.values()));
    there.chain(gateways).chain(beside.filter_map(of_container)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::{Ipam, IpamConfig};

    fn network(name: &str, id: &str, subnet: Option<&str>) -> Network {
        let config = subnet.map(|subnet| IpamConfig { subnet: Some(subnet.to_owned()), ..IpamConfig::default() });
        Network {
            name: Some(name.to_owned()),
            id: Some(id.to_owned()),
            driver: Some("bridge".to_owned()),
            ipam: Some(Ipam { config: Some(config.into_iter().collect()), ..Ipam::default() }),
            ..Network::default()
        }
    }

    fn check(networks: &[Network], name: &str, expected: Result<&str, &str>) {
        let owner = Owner { project: "chat".parse().unwrap(), environment: "dev".parse().unwrap() };
        let found = super::check(networks, &owner, name, "unix:///e.sock");
        match (found, expected) {
            (Ok(found), Ok(id)) => assert_eq!(found.id.as_deref(), Some(id)),
            (Err(error), Err(words)) => assert!(error.attempt.contains(words), "{error}"),
            (found, expected) => panic!("{name}: {found:?} and not {expected:?}"),
        }
    }

    #[test]
    fn a_network_is_found_by_its_name_or_its_id() {
        let known = [
            network("corp", "1", Some("10.1.0.0/24")),
            network("two", "2", Some("10.2.0.0/24")),
            network("two", "3", Some("10.3.0.0/24")),
            network("bridge", "4", Some("172.17.0.0/16")),
            network("bare", "5", None),
        ];
        check(&known, "corp", Ok("1"));
        check(&known, "3", Ok("3"));
        check(&known, "two", Err("several networks"));
        check(&known, "cor", Err("has no network cor"));
        check(&known, "bridge", Err("nobody can choose an address"));
        check(&known, "bare", Err("nobody can choose an address"));
    }
}
