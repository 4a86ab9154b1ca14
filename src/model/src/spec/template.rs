//! What one instance is.

use super::{
    Check, Confidential, Container, DataSpec, Mount, MountPath, MountSource, Probe, Probes, Processor, Pull, Resources,
    Unit, Weights, words::quoted,
};
use crate::{
    Address, ContainerName, ContentDigest, ContentRef, EnvName, Generation, Libraries, NetworkName, SecretDigest,
    SecretName, Value,
};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// What one instance is: the part of a service whose change means new instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The container image; none on a runtime where the host stands in for it.
    pub image: Option<Arc<str>>,
    /// What runs.
    pub program: Program,
    /// Where the program listens, unless the runtime gives each instance a port of its own; none when it answers nobody.
    pub port: Option<u16>,
    /// Third-party libraries, one pip requirement each, in the order of the file.
    pub packages: Vec<Arc<str>>,
    /// Environment variables.
    pub env: BTreeMap<EnvName, EnvValue>,
    /// What is mounted where.
    pub mounts: BTreeMap<MountPath, Mount>,
    /// How it is found out whether an instance may get requests; a connection to its port when absent. It is part of the
    /// revision, so that each instance is asked what its own program answers.
    pub readiness: Option<Probe>,
    /// The other checks.
    pub probes: Probes,
    /// What it may use, and where it is placed.
    pub resources: Resources,
    /// When one instance is several machines.
    pub unit: Option<Unit>,
    /// Whether a program that crashed stays down, so that somebody can look.
    pub crash_block: bool,
    /// When the image is fetched; the runtime's own habit when absent.
    pub pull: Option<Pull>,
    /// A file in the image or a mount that lists third-party libraries.
    pub packages_file: Option<Arc<str>>,
    /// Further containers.
    pub containers: BTreeMap<ContainerName, Container>,
    /// The network that it is in.
    pub network: Option<NetworkName>,
    /// In whose name it calls the platform.
    pub role: Option<Arc<str>>,
    /// When its mounts are encrypted.
    pub confidential: Option<Confidential>,
    /// When instances of a machine share the weights that they have loaded.
    pub weights: Option<Weights>,
    /// Whether its calls are traced.
    pub tracing: bool,
    /// Files in the instance that are logs beside what it prints.
    pub log_paths: Vec<Arc<str>>,
}

impl Template {
    /// An instance that runs `program`, and nothing beside it.
    pub fn of(program: Program) -> Self {
        Self {
            image: None,
            program,
            port: None,
            packages: Vec::new(),
            env: BTreeMap::new(),
            mounts: BTreeMap::new(),
            readiness: None,
            probes: Probes::default(),
            resources: Resources::default(),
            unit: None,
            crash_block: false,
            pull: None,
            packages_file: None,
            containers: BTreeMap::new(),
            network: None,
            role: None,
            confidential: None,
            weights: None,
            tracing: false,
            log_paths: Vec::new(),
        }
    }

    /// The readiness probe, or what counts as one.
    pub fn probe(&self) -> Probe {
        self.readiness.clone().unwrap_or_else(Probe::fallback)
    }

    /// Whether somebody beside a gateway must see to an instance: make checks that no gateway makes, and start the program
    /// again when one of them fails.
    pub fn is_supervised(&self) -> bool {
        let beside = |probe: &Probe| {
            matches!(probe.check, Check::Exec(_)) || probe.port.is_some() || !probe.initial_delay.is_zero()
        };
        let Probes { startup, liveness, progress } = &self.probes;
        let checks = [startup, liveness, progress];
        checks.iter().any(|check| check.is_some()) || self.readiness.as_ref().is_some_and(beside)
    }

    /// The third-party libraries, and the image whose interpreter they are for; none when there are none.
    pub fn libraries(&self) -> Option<Libraries> {
        let requirements = self.packages.clone();
        (!requirements.is_empty()).then(|| Libraries { image: self.image.clone(), requirements })
    }

    /// The mounts that outlive instances, by where they are mounted.
    pub fn data(&self) -> impl Iterator<Item = (&MountPath, &DataSpec)> {
        self.mounts.iter().filter_map(|(path, mount)| match &mount.source {
            MountSource::Data(data) => Some((path, data)),
            _ => None,
        })
    }

    /// The content of the mount at `path` whose digest is pinned.
    pub fn content_of(&self, path: &MountPath, digest: ContentDigest) -> ContentRef {
        match self.mounts.get(path).map(|mount| &mount.source) {
            Some(MountSource::Bucket(_)) => ContentRef::Bucket(digest),
            Some(MountSource::Git(_)) => ContentRef::Git(digest),
            Some(MountSource::Image(_)) => ContentRef::Part(digest),
            _ => ContentRef::Folder(digest),
        }
    }

    /// The secrets that instances need; one may come twice.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        let env = self.env.values().filter_map(EnvValue::secret);
        let env = env.chain(self.containers.values().flat_map(Container::secrets));
        env.chain(self.mounts.values().flat_map(Mount::secrets).map(|(_, secret)| secret))
    }
}

/// What runs in an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A program and its arguments, run without a shell. Never empty.
    Command(Vec<Arc<str>>),
    /// Text for `/bin/sh`.
    Script(Arc<str>),
    /// What the image runs by itself, with these arguments.
    Args(Vec<Arc<str>>),
    /// A program of the platform that loads a model.
    Processor(Box<Processor>),
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(words) | Self::Args(words) => f.write_str(&quoted(words)),
            // No command's text begins like this.
            Self::Script(text) => write!(f, "#!/bin/sh\n{text}"),
            Self::Processor(processor) => processor.fmt(f),
        }
    }
}

/// The value of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// Written in the file.
    Plain(Arc<str>),
    /// The value of a secret, filled in when an instance starts.
    Secret(SecretName),
}

impl EnvValue {
    /// The secret that holds it, if one does.
    pub fn secret(&self) -> Option<&SecretName> {
        match self {
            Self::Secret(name) => Some(name),
            Self::Plain(_) => None,
        }
    }

    /// As a plan shows it.
    pub(crate) fn shown(&self, pins: &Pins) -> Value {
        match self {
            Self::Plain(text) => Value::Text(text.to_string()),
            Self::Secret(secret) => Value::Secret(secret.clone(), pins.secrets.get(secret).copied()),
        }
    }
}

/// What a look outside fixed about a template: with it, a revision means the same for ever.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    /// The content of each mount that is copied before instances start.
    pub mounts: BTreeMap<MountPath, ContentDigest>,
    /// The interpreter and the libraries; none when no libraries are asked for.
    pub packages: Option<ContentDigest>,
    /// The secrets among the environment variables; empty while the record has no key yet.
    pub secrets: BTreeMap<SecretName, SecretDigest>,
    /// The image; none where images are not looked at.
    pub image: Option<ContentDigest>,
    /// The incarnations of the network and of the data that it lies in or mounts.
    pub objects: BTreeMap<Address, Generation>,
}
