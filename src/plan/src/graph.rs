//! The resources that a project asks for, and what depends on what.

use std::collections::{BTreeMap, BTreeSet};
use wharf_model::{Address, Deployment, ServiceName, ServiceSpec};

/// The resources and their dependencies. Without cycles: services depend on what they are made of and lie in, ways in
/// depend on what they lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// Each resource with those that it depends on.
    pub needs: BTreeMap<Address, BTreeSet<Address>>,
}

/// The graph of a project.
pub fn graph(desired: &Deployment) -> Graph {
    let mut graph = Graph { needs: BTreeMap::new() };
    for (name, spec) in &desired.gateways {
        let networks = spec.network.iter().map(|network| Address::Network(network.clone()));
        graph.add(Address::Gateway(name.clone()), networks);
    }
    let shared = &desired.shared;
    shared.networks.keys().for_each(|name| graph.add(Address::Network(name.clone()), []));
    shared.groups.keys().for_each(|name| graph.add(Address::Group(name.clone()), []));
    shared.registries.keys().for_each(|host| graph.add(Address::Registry(host.clone()), []));
    for (name, spec) in &shared.nlbs {
        let targets = spec.listeners.values().map(|target| Address::Service(target.clone()));
        let networks = spec.network.iter().map(|network| Address::Network(network.clone()));
        graph.add(Address::Nlb(name.clone()), targets.chain(networks).collect::<Vec<_>>());
    }
    for (name, spec) in &desired.services {
        graph.service(name, spec);
    }
    graph
}

impl Graph {
    fn add(&mut self, address: Address, needs: impl IntoIterator<Item = Address>) {
        self.needs.entry(address).or_default().extend(needs);
    }

    fn service(&mut self, name: &ServiceName, spec: &ServiceSpec) {
        let template = &spec.template;
        let own = Address::Service(name.clone());
        let mounts = template.mounts.keys().map(|path| Address::Mount(name.clone(), path.clone()));
        let packages = (!template.packages.is_empty()).then(|| Address::Packages(name.clone()));
        let parts: Vec<_> = mounts.chain(packages).collect();
        parts.iter().for_each(|part| self.add(part.clone(), []));
        let network = template.network.iter().map(|network| Address::Network(network.clone()));
        let group = spec.group.iter().map(|membership| Address::Group(membership.group.clone()));
        self.add(own.clone(), parts.into_iter().chain(network).chain(group).collect::<Vec<_>>());
        for gateway in spec.exposes.keys() {
            let route = Address::Route(gateway.clone(), name.clone());
            self.add(route, [Address::Gateway(gateway.clone()), own.clone()]);
        }
    }

    /// The resources in layers: each depends only on those of earlier ones.
    pub fn layers(&self) -> Vec<Vec<&Address>> {
        let mut depth: BTreeMap<&Address, usize> = BTreeMap::new();
        for address in self.needs.keys() {
            self.depth(address, &mut depth);
        }
        let mut layers: Vec<Vec<&Address>> = Vec::new();
        for (address, depth) in depth {
            layers.resize(layers.len().max(depth + 1), Vec::new());
            layers[depth].push(address);
        }
        layers
    }

    /// The longest way down from a resource. The deepest there is has four steps, so this may call itself.
    fn depth<'a>(&'a self, address: &'a Address, known: &mut BTreeMap<&'a Address, usize>) -> usize {
        if let Some(depth) = known.get(address) {
            return *depth;
        }
        let below = self.needs.get(address).into_iter().flatten();
        let depth = below.map(|need| self.depth(need, known) + 1).max().unwrap_or(0);
        known.insert(address, depth);
        depth
    }
}
