//! Everything that a project asks for in one environment: what `wharf-lang` hands on.

use crate::{
    Address, CallRecords, CopyLimits, EnvironmentName, FuseClient, GatewayName, GatewaySpec, GroupName, GroupSpec,
    Ignore, NetworkName, NetworkSpec, NlbName, NlbSpec, NotifySpec, ObjectSpec, Origins, Pins, PolicySpec, ProjectName,
    RegistryHost, RegistrySpec, RouteSpec, SecretDigest, SecretName, ServiceName, ServiceSpec, StateSpec,
};
use std::{collections::BTreeMap, sync::Arc};

/// A checked, resolved project in one environment: every name in it leads somewhere, every number is in range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvironmentName,
    /// Where it runs.
    pub provider: ProviderSpec,
    /// Where its record is kept.
    pub state: StateSpec,
    /// Where the values of secrets come from.
    pub secrets: BTreeMap<SecretName, SecretSource>,
    /// The gateways.
    pub gateways: BTreeMap<GatewayName, GatewaySpec>,
    /// The services.
    pub services: BTreeMap<ServiceName, ServiceSpec>,
    /// What services share beside gateways.
    pub shared: Shared,
    /// What drift is not to be told of.
    pub ignores: Vec<Ignore>,
    /// What resources were called before, by what they are called now.
    pub renamed: BTreeMap<Address, Address>,
    /// The rules that its plans must keep to, by the names of the policies that they belong to.
    pub policies: BTreeMap<Arc<str>, PolicySpec>,
    /// Whom an apply tells how it ended, by name.
    pub notifies: BTreeMap<Arc<str>, NotifySpec>,
    /// Where all that is written.
    pub origins: Origins,
}

/// What services share beside gateways.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shared {
    /// The groups.
    pub groups: BTreeMap<GroupName, GroupSpec>,
    /// The networks.
    pub networks: BTreeMap<NetworkName, NetworkSpec>,
    /// The balancers of connections.
    pub nlbs: BTreeMap<NlbName, NlbSpec>,
    /// The logins for images, by registry.
    pub registries: BTreeMap<RegistryHost, RegistrySpec>,
}

/// The runtime of an environment, with its own settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderSpec {
    /// Processes of this host.
    Local {
        /// Whether the host may stand in for the image that a service names.
        host_is_image: bool,
        /// Who mounts folders of buckets as file systems; nobody when absent.
        fuse: Option<FuseClient>,
        /// What copying may take of it.
        copying: CopyLimits,
    },
    /// Containers of a Docker Engine.
    Docker {
        /// Where the engine answers; its own default when absent.
        host: Option<Arc<str>>,
        /// The folder of what it takes to speak TLS with it, relative to the project's folder.
        certificates: Option<Arc<str>>,
        /// Who mounts folders of buckets as file systems: the engine's volume driver of this name; nobody when absent.
        fuse: Option<FuseClient>,
        /// What copying may take of this host.
        copying: CopyLimits,
    },
    /// Pods of a cluster.
    Kubernetes {
        /// Which cluster; the current one when absent.
        context: Option<Arc<str>>,
        /// Which namespace; the context's own when absent.
        namespace: Option<Arc<str>>,
    },
    /// Services of Alibaba Cloud PAI-EAS.
    Eas {
        /// The region.
        region: Arc<str>,
        /// The workspace; the region's default when absent.
        workspace: Option<Arc<str>>,
    },
}

impl ProviderSpec {
    /// The name in the file.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Local { .. } => "local",
            Self::Docker { .. } => "docker",
            Self::Kubernetes { .. } => "kubernetes",
            Self::Eas { .. } => "eas",
        }
    }
}

/// Where a secret's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(Arc<str>),
    /// A file, relative to the project's folder; one newline at its end does not count.
    File(Arc<str>),
    /// The standard output of a command; one newline at its end does not count.
    Command(Vec<Arc<str>>),
}

impl Deployment {
    /// The objects that the platform is to keep, beside gateways and instances.
    pub fn objects(&self) -> BTreeMap<Address, ObjectSpec> {
        let Shared { groups, networks, nlbs, registries } = &self.shared;
        let groups = groups.iter().map(|(name, spec)| (Address::Group(name.clone()), ObjectSpec::Group(spec.clone())));
        let networks =
            networks.iter().map(|(name, spec)| (Address::Network(name.clone()), ObjectSpec::Network(spec.clone())));
        let nlbs = nlbs.iter().map(|(name, spec)| (Address::Nlb(name.clone()), ObjectSpec::Nlb(spec.clone())));
        let registries =
            registries.iter().map(|(host, spec)| (Address::Registry(host.clone()), ObjectSpec::Registry(spec.clone())));
        let data = self.services.iter().flat_map(|(name, spec)| {
            spec.template
                .data()
                .map(|(path, data)| (Address::Mount(name.clone(), path.clone()), ObjectSpec::Data(data.clone())))
        });
        groups.chain(networks).chain(nlbs).chain(registries).chain(data).collect()
    }

    /// The secrets that a service's instances need.
    pub fn env_secrets(spec: &ServiceSpec) -> impl Iterator<Item = &SecretName> {
        spec.template.secrets()
    }

    /// The routes that the service's `expose` nodes ask for, with the digests of the tokens as far as `digests` has them.
    pub fn routes_of(&self, name: &ServiceName, digests: &BTreeMap<SecretName, SecretDigest>) -> Vec<RouteSpec> {
        let Some(spec) = self.services.get(name) else { return Vec::new() };
        let known = |secret: &SecretName| digests.get(secret).map(|digest| (secret.clone(), *digest));
        let paths = Self::paths_of(name, spec);
        let records = match &spec.call_records {
            Some(CallRecords::File(file)) => Some(Box::new(file.clone())),
            _ => None,
        };
        let route = |(gateway, expose): (&GatewayName, &crate::Expose)| RouteSpec {
            gateway: gateway.clone(),
            service: name.clone(),
            paths: paths.iter().cloned().chain(expose.path.clone()).collect(),
            tokens: spec.tokens.clone(),
            token_digests: spec.tokens.iter().filter_map(|token| known(&token.secret)).collect(),
            timeout: spec.timeout,
            max_body: self.gateways.get(gateway).and_then(|gateway| gateway.max_body),
            timeouts: spec.timeouts.clone(),
            traffic: spec.traffic.clone(),
            grpc: spec.grpc,
            group: spec.group.clone(),
            records: records.clone(),
        };
        spec.exposes.iter().map(route).collect()
    }

    /// The paths under which a service is found wherever it is exposed: its name and, in a group, that of the group before
    /// it. Where both have the same name, that one leads to the group.
    pub fn paths_of(name: &ServiceName, spec: &ServiceSpec) -> Vec<Arc<str>> {
        let group = spec.group.as_ref().map(|member| &member.group);
        let member = group.map(|group| entry_path(&format!("{group}.{name}")));
        let own = group.is_none_or(|group| group.as_str() != name.as_str()).then(|| entry_path(name));
        own.into_iter().chain(member).collect()
    }

    /// The path that leads to a service alone, wherever it is exposed.
    pub fn path_of(name: &ServiceName, spec: &ServiceSpec) -> Arc<str> {
        match &spec.group {
            Some(member) if member.group.as_str() == name.as_str() => entry_path(&format!("{name}.{name}")),
            _ => entry_path(name),
        }
    }

    /// The pins of a service's secrets, as far as `digests` has them.
    pub fn secret_pins(spec: &ServiceSpec, digests: &BTreeMap<SecretName, SecretDigest>) -> Pins {
        let known = |name: &SecretName| digests.get(name).map(|digest| (name.clone(), *digest));
        Pins { secrets: Self::env_secrets(spec).filter_map(known).collect(), ..Pins::default() }
    }
}

/// The path under which a gateway knows a service or a group.
pub fn entry_path(name: &impl std::fmt::Display) -> Arc<str> {
    format!("/api/predict/{name}").into()
}
