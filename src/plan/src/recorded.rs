//! What was recorded, as if it were asked for: what `apply` would restore, and where a rollback goes.

use std::collections::BTreeMap;
use wharf_model::{
    Address, Deployment, GatewayName, GatewaySpec, ObjectSpec, Origin, Origins, Pins, Record, RecordedService,
    SecretDigest, SecretName, ServiceName, ServiceSpec, Shared,
};

/// A record as something to go to.
#[derive(Debug, Clone)]
pub struct AsDesired {
    /// What it would ask for. Written nowhere: it has no origins.
    pub deployment: Deployment,
    /// What its templates were fixed to.
    pub pins: BTreeMap<ServiceName, Pins>,
    /// The digests of secrets that it was made with.
    pub digests: BTreeMap<SecretName, SecretDigest>,
}

/// What the record would ask for. What no record holds (the runtime, where secrets come from, policies) is taken from
/// the files.
pub fn as_desired(record: &Record, files: &Deployment) -> AsDesired {
    let gateways = record.gateways.iter().map(|(name, known)| (name.clone(), known.spec.clone())).collect();
    let services = record.services.iter().map(|(name, known)| (name.clone(), service(known))).collect();
    let pins =
        record.services.iter().filter_map(|(name, known)| Some((name.clone(), known.current_revision()?.pins.clone())));
    AsDesired {
        deployment: with(files, gateways, services, shared(record)),
        pins: pins.collect(),
        digests: digests(record),
    }
}

impl AsDesired {
    /// Says where all of it is written: in something other than files, such as `commit 3`.
    pub(crate) fn written_in(mut self, what: &str) -> Self {
        let origin = Origin { file: what.into(), line: 0, column: 0 };
        let Deployment { gateways, services, origins, .. } = &mut self.deployment;
        for name in gateways.keys() {
            origins.declare(Address::Gateway(name.clone()), origin.clone());
        }
        for (name, spec) in services {
            origins.declare(Address::Service(name.clone()), origin.clone());
            for gateway in spec.exposes.keys() {
                origins.declare(Address::Route(gateway.clone(), name.clone()), origin.clone());
            }
        }
        self
    }
}

/// A deployment of these, with everything else from the files.
fn with(
    files: &Deployment,
    gateways: BTreeMap<GatewayName, GatewaySpec>,
    services: BTreeMap<ServiceName, ServiceSpec>,
    shared: Shared,
) -> Deployment {
    // Field by field: the services of the files may be many, and are replaced.
    Deployment {
        project: files.project.clone(),
        environment: files.environment.clone(),
        provider: files.provider.clone(),
        state: files.state.clone(),
        secrets: files.secrets.clone(),
        gateways,
        services,
        shared,
        ignores: Vec::new(),
        renamed: BTreeMap::new(),
        policies: files.policies.clone(),
        notifies: files.notifies.clone(),
        origins: Origins::default(),
    }
}

/// What services shared, as it was last made.
fn shared(record: &Record) -> Shared {
    let mut shared = Shared::default();
    for (address, known) in &record.objects {
        match (address, &known.spec) {
            (Address::Group(name), ObjectSpec::Group(spec)) => drop(shared.groups.insert(name.clone(), spec.clone())),
            (Address::Network(name), ObjectSpec::Network(spec)) => {
                shared.networks.insert(name.clone(), spec.clone());
            }
            (Address::Nlb(name), ObjectSpec::Nlb(spec)) => drop(shared.nlbs.insert(name.clone(), spec.clone())),
            (Address::Registry(host), ObjectSpec::Registry(spec)) => {
                shared.registries.insert(host.clone(), spec.clone());
            }
            // The data of a service come with its mounts.
            _ => {}
        }
    }
    shared
}

/// The service as it was last made: what serves may be another revision than was last asked for.
pub(crate) fn service(known: &RecordedService) -> ServiceSpec {
    match known.current_revision() {
        Some(current) => ServiceSpec { template: current.template.clone(), ..known.spec.clone() },
        None => known.spec.clone(),
    }
}

fn digests(record: &Record) -> BTreeMap<SecretName, SecretDigest> {
    let of_routes = record.routes.values().flat_map(|route| &route.spec.token_digests);
    let current = record.services.values().filter_map(RecordedService::current_revision);
    let of_services = current.flat_map(|revision| &revision.pins.secrets);
    let traces = record.gateways.values().filter_map(|gateway| gateway.spec.traces.as_ref());
    let of_gateways = traces.flat_map(|traces| &traces.digests);
    of_services.chain(of_routes).chain(of_gateways).map(|(name, digest)| (name.clone(), *digest)).collect()
}
