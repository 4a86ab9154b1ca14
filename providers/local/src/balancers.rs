//! Balancers of connections: each is a gateway process of its own, whose listeners join connections to instances as they
//! are. It learns of every instance that gets requests, and of those that do not any more, beside the gateways.

use crate::{
    doors::{self, Door, WhenDown},
    error::disk,
    files, labels,
    layout::Layout,
};
use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};
use wharf_gateway::{Config, Endpoint, Status};
use wharf_model::{Address, EndpointState, InstanceId, NlbName, NlbSpec, ObjectId};
use wharf_provider::ProviderError;

/// The balancers of one environment, for those who change them.
pub(crate) struct Balancers {
    layout: Layout,
    program: PathBuf,
    /// Held by who changes any of them: what an instance's folder says and what balancers know go together.
    turn: tokio::sync::Mutex<()>,
}

/// The balancers that are there.
fn all(layout: &Layout) -> io::Result<Vec<(NlbName, ObjectId)>> {
    let named = |name: String| match name.parse::<ObjectId>().ok()? {
        object @ ObjectId { address: Address::Nlb(_), .. } => {
            let Address::Nlb(name) = &object.address else { return None };
            Some((name.clone(), object))
        }
        _ => None,
    };
    Ok(files::names(&layout.objects())?.into_iter().filter_map(named).collect())
}

/// Where a balancer listens: on this host alone, unless everybody is to reach it.
fn address(spec: &NlbSpec) -> IpAddr {
    if spec.public { Ipv4Addr::UNSPECIFIED.into() } else { Ipv4Addr::LOCALHOST.into() }
}

/// What a balancer answers; none when it does not run.
pub(crate) async fn status(layout: &Layout, object: &ObjectId) -> Option<Status> {
    doors::status(&layout.object(object)).await
}

/// What balancers do with instances: those that are open in several are counted together.
pub(crate) async fn look(layout: &Layout) -> io::Result<BTreeMap<InstanceId, EndpointState>> {
    let mut found = BTreeMap::new();
    for (_, object) in all(layout)? {
        let folder = layout.object(&object);
        let Some(config) = doors::config(&folder)? else { continue };
        let status = doors::status(&folder).await;
        for route in &config.routes {
            let live = status.as_ref().and_then(|status| status.routes.iter().find(|live| live.name == route.name));
            for endpoint in &route.endpoints {
                let Ok(instance) = endpoint.name.parse::<InstanceId>() else { continue };
                let live = live.and_then(|route| route.endpoints.iter().find(|live| live.name == endpoint.name));
                let state = wharf_serving::endpoint_state(endpoint.state, live);
                found.entry(instance).and_modify(|known: &mut EndpointState| known.add(&state)).or_insert(state);
            }
        }
    }
    Ok(found)
}

impl Balancers {
    pub(crate) fn new(layout: Layout, program: PathBuf) -> Self {
        Self { layout, program, turn: tokio::sync::Mutex::new(()) }
    }

    fn door(&self, name: &NlbName, object: &ObjectId) -> Door<'_> {
        Door { what: format!("nlb {name}"), folder: self.layout.object(object), program: &self.program }
    }

    /// Brings a balancer, whose folder is there, to its spec, with the instances that get requests; starts it when it does
    /// not run.
    pub(crate) async fn put(&self, name: &NlbName, object: &ObjectId, spec: &NlbSpec) -> Result<(), ProviderError> {
        let _turn = self.turn.lock().await;
        let attempt = format!("cannot look for the instances behind nlb {name}");
        let routed = self.routed().map_err(disk(attempt))?;
        let change = |config: &mut Config| {
            wharf_serving::set_balancer(config, name, spec, address(spec));
            config.routes.iter_mut().for_each(|route| route.endpoints.clear());
            for (instance, endpoint) in &routed {
                wharf_serving::join(config, instance, endpoint);
            }
        };
        self.door(name, object).bring(change).await
    }

    /// The instances that were let get requests, as gateways know them.
    fn routed(&self) -> io::Result<Vec<(InstanceId, Endpoint)>> {
        let known = |name: String| {
            let instance: InstanceId = name.parse().ok()?;
            let endpoint: Endpoint = labels::read(&self.layout.instance(&instance).routed())?;
            Some((instance, endpoint))
        };
        Ok(files::names(&self.layout.instances())?.into_iter().filter_map(known).collect())
    }

    /// Ends a balancer and removes its folder. One that is gone is fine.
    pub(crate) async fn delete(&self, name: &NlbName, object: &ObjectId) -> Result<(), ProviderError> {
        let _turn = self.turn.lock().await;
        self.door(name, object).remove().await
    }

    /// Lets every balancer that leads to its service join connections to an instance.
    pub(crate) async fn serve(&self, instance: &InstanceId, endpoint: &Endpoint) -> Result<(), ProviderError> {
        let _turn = self.turn.lock().await;
        self.change_all(|config| wharf_serving::join(config, instance, endpoint)).await?;
        // Last: whoever looks takes it for a sign that nothing of this is missing.
        self.write_down(instance, endpoint)
    }

    /// Writes down how an instance was let in, for balancers that come later.
    fn write_down(&self, instance: &InstanceId, endpoint: &Endpoint) -> Result<(), ProviderError> {
        let folder = self.layout.instance(instance);
        // One whose folder is gone is not found by later balancers either.
        if !folder.path().exists() {
            return Ok(());
        }
        let attempt = format!("cannot write down how {instance} gets requests");
        labels::write(&folder.routed(), endpoint).map_err(disk(attempt))
    }

    /// Joins no new connections to an instance; the open ones go on.
    pub(crate) async fn drain(&self, instance: &InstanceId) -> Result<(), ProviderError> {
        let _turn = self.turn.lock().await;
        if let Some(known) = labels::read::<Endpoint>(&self.layout.instance(instance).routed()) {
            self.write_down(instance, &Endpoint { state: wharf_gateway::EndpointState::Draining, ..known })?;
        }
        self.change_all(|config| wharf_serving::drain(config, instance)).await
    }

    /// Forgets an instance.
    pub(crate) async fn forget(&self, instance: &InstanceId) -> Result<(), ProviderError> {
        let _turn = self.turn.lock().await;
        self.change_all(|config| wharf_serving::forget(config, instance)).await
    }

    /// Changes every balancer; one that is down takes the change up when it is back.
    async fn change_all(&self, change: impl Fn(&mut Config)) -> Result<(), ProviderError> {
        let all = all(&self.layout).map_err(disk("cannot look for balancers"))?;
        for (name, object) in all {
            // One that was not brought to its spec yet looks for its instances by itself.
            let found = doors::config(&self.layout.object(&object));
            if found.map_err(disk(format!("cannot change nlb {name}")))?.is_some() {
                self.door(&name, &object).replace(WhenDown::Write, &change).await?;
            }
        }
        Ok(())
    }
}
