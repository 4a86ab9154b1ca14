//! Balancers of connections: doors whose listeners join connections to instances as they are. Each learns of every
//! instance that gets requests, and of those that do not any more, beside the gateways.
//!
//! Whether an instance gets requests is known to the doors that lead to it. Of one that no door leads to yet, a balancer that
//! comes later takes its labels for how it is asked, and a file in its own container for a sign that it gets none any more.
//! It may so be asked before the apply that started it would have let it in, and gets requests once it is ready.

use crate::{
    door::Door,
    doors::{Doors, Reach, Wanted, WhenDown},
    error,
    gateways::everywhere,
    labels::{OfDoor, OfInstance},
    stop::was_told,
    supervisors::told,
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};
use wharf_gateway::{Config, Endpoint};
use wharf_model::{Generation, InstanceId, NlbName, NlbSpec, ObjectSpec};
use wharf_provider::{OpContext, ProviderError};

/// Where the engine's machine listens for a balancer: for itself alone, unless everybody is to reach it.
fn address(spec: &NlbSpec) -> IpAddr {
    if spec.public { Ipv4Addr::UNSPECIFIED.into() } else { Ipv4Addr::LOCALHOST.into() }
}

impl Doors {
    /// Brings a balancer to its spec, with the instances that get requests; starts it when it does not run.
    pub(crate) async fn put_balancer(
        &self,
        (name, generation): (&NlbName, Generation),
        spec: &NlbSpec,
        cx: &OpContext,
    ) -> Result<(), ProviderError> {
        let door = Door::Balancer(name.clone(), generation);
        let let_in = self.let_in(spec).await?;
        let address = address(spec);
        let wanted = Wanted {
            listen: spec.listeners.keys().map(|port| (address, *port).into()).collect(),
            network: spec.network.as_ref(),
            fingerprint: ObjectSpec::Nlb(spec.clone()).fingerprint().to_string(),
        };
        let change = |config: &mut Config| {
            wharf_serving::set_balancer(config, name, spec, everywhere(address));
            config.routes.iter_mut().for_each(|route| route.endpoints.clear());
            for (instance, endpoint) in &let_in {
                wharf_serving::join(config, instance, endpoint);
            }
        };
        self.bring(&door, wanted, change, cx).await?;
        self.balancers.lock().await.get_or_insert_default().insert(door);
        Ok(())
    }

    /// Ends a balancer and removes its container. One that is gone is fine.
    pub(crate) async fn delete_balancer(&self, name: &NlbName, generation: Generation) -> Result<(), ProviderError> {
        let door = Door::Balancer(name.clone(), generation);
        self.delete(&door).await?;
        if let Some(known) = self.balancers.lock().await.as_mut() {
            known.remove(&door);
        }
        Ok(())
    }

    /// The instances of the balancer's services that were let get requests, and how.
    async fn let_in(&self, spec: &NlbSpec) -> Result<Vec<(InstanceId, Endpoint)>, ProviderError> {
        let attempt = || "cannot look for the instances behind a balancer";
        let containers = self.hands.containers(&self.owner).await.map_err(error::engine(attempt()))?;
        let labels: Vec<_> = containers.iter().filter_map(|container| container.labels.as_ref()).collect();
        let mut known: BTreeMap<String, Endpoint> = BTreeMap::new();
        let doors = labels.iter().filter_map(|labels| OfDoor::read(labels, &self.owner)).map(|own| own.door);
        for door in doors.filter(|door| !matches!(door, Door::Supervisor(_))) {
            let Some(found) = self.found(&door).await? else { continue };
            let config = self.seen(&door, &found).await?.config.unwrap_or_else(Config::empty);
            let endpoints = config.routes.into_iter().flat_map(|route| route.endpoints);
            known.extend(endpoints.map(|endpoint| (endpoint.name.clone(), endpoint)));
        }
        let mut let_in = Vec::new();
        let instances = labels.iter().filter_map(|labels| OfInstance::read(labels, &self.owner));
        for own in instances.filter(|own| spec.listeners.values().any(|to| *to == own.instance.service)) {
            let endpoint = match known.remove(&own.instance.to_string()) {
                Some(endpoint) => Some(endpoint),
                None => self.unknown(&own).await?,
            };
            let_in.extend(endpoint.map(|endpoint| (own.instance, endpoint)));
        }
        Ok(let_in)
    }

    /// How an instance that no door leads to is let in, if it is to get requests.
    async fn unknown(&self, own: &OfInstance) -> Result<Option<Endpoint>, ProviderError> {
        let OfInstance { instance, endpoint, question: Some(question), .. } = own else { return Ok(None) };
        if own.rank() > 0 || was_told(&self.hands, &self.owner, instance).await? {
            return Ok(None);
        }
        let probe = if question.told { told(instance, question.probe()) } else { question.probe() };
        Ok(Some(wharf_serving::endpoint(instance, *endpoint, probe)))
    }

    /// Lets every balancer that leads to its service join connections to an instance.
    pub(crate) async fn join_instance(
        &self,
        (instance, address): (&InstanceId, SocketAddr),
        probe: &wharf_gateway::Probe,
        cx: &OpContext,
    ) -> Result<(), ProviderError> {
        let endpoint = wharf_serving::endpoint(instance, address, probe.clone());
        for door in self.all_balancers().await? {
            if self.leads(&door, instance).await? {
                let join = |config: &mut Config, _: &mut _| wharf_serving::join(config, instance, &endpoint);
                let reach = Reach { instance, address, operation: &cx.operation };
                self.change(&door, WhenDown::Write, Some(reach), join).await?;
            }
        }
        Ok(())
    }

    /// Whether the balancer leads to the instance's service.
    async fn leads(&self, door: &Door, instance: &InstanceId) -> Result<bool, ProviderError> {
        let Some(found) = self.found(door).await? else { return Ok(false) };
        let config = self.seen(door, &found).await?.config.unwrap_or_else(Config::empty);
        Ok(config.routes.iter().any(|route| route.service == instance.service.as_str()))
    }

    /// Joins no new connections to an instance; the open ones go on.
    pub(crate) async fn part_instance(&self, instance: &InstanceId) -> Result<(), ProviderError> {
        for door in self.all_balancers().await? {
            self.take_out(&door, |config| wharf_serving::drain(config, instance)).await?;
        }
        Ok(())
    }

    /// Has every balancer forget an instance.
    pub(crate) async fn forget_instance(&self, instance: &InstanceId) -> Result<(), ProviderError> {
        for door in self.all_balancers().await? {
            self.take_out(&door, |config| wharf_serving::forget(config, instance)).await?;
        }
        Ok(())
    }

    /// The balancers that are there. Looked for once: whoever holds the lease on the environment makes all others.
    async fn all_balancers(&self) -> Result<Vec<Door>, ProviderError> {
        let mut known = self.balancers.lock().await;
        if let Some(known) = &*known {
            return Ok(known.iter().cloned().collect());
        }
        let containers = self.hands.containers(&self.owner).await;
        let containers = containers.map_err(error::engine("cannot look for balancers"))?;
        let doors = containers.iter().filter_map(|one| OfDoor::read(one.labels.as_ref()?, &self.owner));
        let found = doors.map(|own| own.door).filter(|door| matches!(door, Door::Balancer(..))).collect();
        Ok(known.insert(found).iter().cloned().collect())
    }
}
