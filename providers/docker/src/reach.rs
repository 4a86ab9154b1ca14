//! How doors come into the networks of what they lead to: before an instance is started in one, as somebody must ask it
//! whether it is ready, and before a door leads to an instance. A door that leads nowhere in a network leaves it when it is
//! brought to its spec.

use crate::{
    door::Door,
    doors::{Doors, Found, Reach},
    error,
    labels::{OfDoor, OfInstance},
    names,
    network::{self, Incarnation},
    request::endpoint,
    start::labels_of,
};
use std::{collections::BTreeSet, sync::PoisonError};
use wharf_gateway::Config;
use wharf_model::{NetworkName, ObjectId, OperationId, ServiceName};
use wharf_provider::ProviderError;

/// How often another address is tried when somebody else turns out to have one.
const TRIES: u32 = 8;

impl Doors {
    /// Puts every door that leads to the service into a network in which an instance of it is about to be.
    pub(crate) async fn lead(
        &self,
        service: &ServiceName,
        within: &ObjectId,
        operation: &OperationId,
    ) -> Result<(), ProviderError> {
        let known = (service.clone(), within.clone());
        if self.led.lock().unwrap_or_else(PoisonError::into_inner).contains(&known) {
            return Ok(());
        }
        let attempt = format!("cannot look for what leads to {service}");
        let containers = self.hands.containers(&self.owner).await.map_err(error::engine(attempt))?;
        let doors = containers.iter().filter_map(|container| OfDoor::read(container.labels.as_ref()?, &self.owner));
        for OfDoor { door, .. } in doors {
            let Some(found) = self.found(&door).await? else { continue };
            let leads = match door {
                // It asks whatever instance there is.
                Door::Supervisor(_) => true,
                _ => {
                    let config = self.seen(&door, &found).await?.config.unwrap_or_else(Config::empty);
                    config.routes.iter().any(|route| route.service == service.as_str())
                }
            };
            if leads {
                self.join(&door, &ids(&found), Some(within), operation).await?;
            }
        }
        self.led.lock().unwrap_or_else(PoisonError::into_inner).insert(known);
        Ok(())
    }

    /// Puts a door into the network of an instance that it is about to lead to, if it is not in it.
    pub(crate) async fn reach(&self, door: &Door, found: &Found, reach: &Reach<'_>) -> Result<(), ProviderError> {
        if found.nets.iter().any(|net| net.holds(reach.address.ip())) {
            return Ok(());
        }
        let container = names::instance(&self.owner, reach.instance);
        let attempt = format!("cannot look at {}", reach.instance);
        let instance = self.hands.container(&container).await.map_err(error::engine(attempt))?;
        let labels = instance.as_ref().and_then(labels_of).and_then(|labels| OfInstance::read(labels, &self.owner));
        // One that is gone is found to be so by whoever looks next.
        let Some(labels) = labels else { return Ok(()) };
        self.join(door, &ids(found), labels.network.as_ref(), reach.operation).await
    }

    /// The networks of the project that a door must be in to do what its configuration says.
    pub(crate) async fn within(
        &self,
        config: &Config,
        network: Option<&NetworkName>,
    ) -> Result<Vec<ObjectId>, ProviderError> {
        let mut within = BTreeSet::new();
        if let Some(name) = network {
            let found = network::newest(&self.hands, &self.owner, name).await?;
            within.insert(found.ok_or_else(|| ProviderError::Missing {
                attempt: format!("network {name} is not there"),
                help: "apply again: it will be made".to_owned(),
            })?);
        }
        let led_to: BTreeSet<_> =
            config.routes.iter().flat_map(|route| &route.endpoints).map(|endpoint| endpoint.name.as_str()).collect();
        if !led_to.is_empty() {
            let containers = self.hands.containers(&self.owner).await;
            let containers = containers.map_err(error::engine("cannot look for the networks of instances"))?;
            let labels = containers.iter().filter_map(|one| OfInstance::read(one.labels.as_ref()?, &self.owner));
            let led_to = labels.filter(|labels| led_to.contains(labels.instance.to_string().as_str()));
            within.extend(led_to.filter_map(|labels| labels.network));
        }
        Ok(within.into_iter().collect())
    }

    /// Brings a door that runs into these networks, and that of the environment, and out of the others of the project.
    pub(crate) async fn settle(
        &self,
        door: &Door,
        found: &Found,
        within: &[ObjectId],
        operation: &OperationId,
    ) -> Result<(), ProviderError> {
        let attempt = || error::engine(format!("cannot bring {door} into its networks"));
        let looking = format!("cannot look for the networks of {door}");
        let (networks, containers) = network::listed(&self.hands, &self.owner, looking).await?;
        for Incarnation { object, network, .. } in network::of_project(&networks, &containers, &self.owner) {
            let Some(id) = &network.id else { continue };
            if !within.contains(&object) && found.nets.iter().any(|net| net.id == *id) {
                self.hands.disconnect(id, &door.container(&self.owner)).await.map_err(attempt())?;
            }
        }
        for object in [None].into_iter().chain(within.iter().map(Some)) {
            self.join(door, &ids(found), object, operation).await?;
        }
        Ok(())
    }

    /// Puts a door into a network, unless it is in it; `there` are those that it is known to be in.
    pub(crate) async fn join(
        &self,
        door: &Door,
        there: &[&str],
        within: Option<&ObjectId>,
        operation: &OperationId,
    ) -> Result<(), ProviderError> {
        let network = within.map_or_else(|| names::network(&self.owner), ToString::to_string);
        let attempt = || format!("cannot put {door} into network {network}");
        let mut place = self.place.lock().await;
        if there.contains(&place.net(&self.hands, &self.owner, operation, within).await?.id.as_str()) {
            return Ok(());
        }
        for _ in 0..TRIES {
            let (net, ip) = place.take(&self.hands, &self.owner, operation, within).await?;
            let container = door.container(&self.owner);
            let Err(cause) = self.hands.connect(&net.id, &container, endpoint(ip, &[door.name()])).await else {
                return Ok(());
            };
            let words = cause.to_string();
            if words.contains("Address already in use") {
                // Somebody else's: it stays taken for this process.
                continue;
            }
            place.give_back(ip);
            // The last words are Podman's.
            let there = ["already exists in network", "already attached", "already connected to network"];
            if there.iter().any(|there| words.contains(there)) {
                return Ok(());
            }
            return Err(error::engine(attempt())(cause));
        }
        Err(ProviderError::Unreachable {
            attempt: format!("{}: every address that was tried is somebody else's", attempt()),
            retry_after: None,
            source: None,
        })
    }
}

fn ids(found: &Found) -> Vec<&str> {
    found.nets.iter().map(|net| net.id.as_str()).collect()
}
