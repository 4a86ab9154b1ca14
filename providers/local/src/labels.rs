//! Whose an object is: every folder that is made carries it, so that it is found again without any record.

use crate::{
    files,
    format::{FORMAT, GatewayLabels, InstanceLabels, StoredProbe},
    layout::InstanceFolder,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{fs, io, net::SocketAddr, path::Path, time::Duration};
use wharf_model::{
    Address, Check, Fingerprint, GatewayName, InstanceId, OperationId, Probe, RevisionNumber, Template, Timestamp,
};
use wharf_provider::Owner;
use wharf_serving::Care;

/// The labels of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OfInstance {
    pub(crate) owner: Owner,
    pub(crate) instance: InstanceId,
    pub(crate) revision: RevisionNumber,
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) operation: OperationId,
    pub(crate) endpoint: SocketAddr,
    pub(crate) made: Timestamp,
    pub(crate) question: Question,
}

/// How an instance is asked whether it is ready, by whoever looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) check: Check,
    pub(crate) timeout: Duration,
    /// Whether the supervisor is asked, and not the instance.
    pub(crate) told: bool,
}

impl Question {
    /// How an instance of this template is asked.
    pub(crate) fn of(template: &Template) -> Self {
        let Probe { check, timeout, .. } = template.probe();
        Self { check, timeout, told: Care::of(template).tells_readiness() }
    }

    /// The check to make, of the instance of this folder.
    pub(crate) fn check(&self, folder: &InstanceFolder) -> wharf_gateway::Check {
        match self.told {
            true => wharf_gateway::Check::Told { socket: folder.told() },
            false => wharf_serving::check(&self.check),
        }
    }
}

impl From<StoredProbe> for Question {
    fn from(stored: StoredProbe) -> Self {
        let check = match (stored.path, stored.grpc) {
            (Some(path), _) => Check::Http { path: path.into() },
            (None, Some(service)) => Check::Grpc { service: service.into() },
            (None, None) => Check::Tcp,
        };
        Self { check, timeout: Duration::from_millis(stored.timeout_ms), told: stored.told }
    }
}

impl From<&Question> for StoredProbe {
    fn from(question: &Question) -> Self {
        let (path, grpc) = match &question.check {
            Check::Http { path } => (Some(path.to_string()), None),
            Check::Grpc { service } => (None, Some(service.to_string())),
            // Programs as probes are the supervisor's.
            Check::Tcp | Check::Exec(_) => (None, None),
        };
        let timeout_ms = u64::try_from(question.timeout.as_millis()).unwrap_or(u64::MAX);
        Self { path, grpc, told: question.told, timeout_ms }
    }
}

impl OfInstance {
    /// Reads the labels of the instance. `None` when there are none, when they cannot be read, or when they are another's.
    pub(crate) fn read(path: &Path, instance: &InstanceId, owner: &Owner) -> Option<Self> {
        let stored: InstanceLabels = read(path)?;
        let address = Address::Instance(instance.service.clone(), instance.slot).to_string();
        let ours = owned(owner, &stored.project, &stored.environment)
            && stored.address == address
            && stored.generation == instance.generation.0;
        if !ours {
            tracing::warn!(path = %path.display(), "these labels belong to something else");
            return None;
        }
        Some(Self {
            owner: owner.clone(),
            instance: instance.clone(),
            revision: RevisionNumber(stored.revision),
            fingerprint: stored.fingerprint.and_then(|text| text.parse().ok()),
            operation: OperationId(stored.operation.into()),
            endpoint: stored.endpoint,
            made: Timestamp(stored.made),
            question: stored.probe.into(),
        })
    }

    /// Makes the labels durable.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let Self { owner, instance, revision, fingerprint, operation, endpoint, made, question } = self;
        let stored = InstanceLabels {
            format: FORMAT,
            project: owner.project.to_string(),
            environment: owner.environment.to_string(),
            address: Address::Instance(instance.service.clone(), instance.slot).to_string(),
            generation: instance.generation.0,
            revision: revision.0,
            fingerprint: fingerprint.map(|print| print.to_string()),
            operation: operation.to_string(),
            endpoint: *endpoint,
            made: made.0,
            probe: question.into(),
        };
        write(path, &stored)
    }
}

/// The labels of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OfGateway {
    pub(crate) owner: Owner,
    pub(crate) gateway: GatewayName,
    pub(crate) operation: OperationId,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) settled: bool,
}

impl OfGateway {
    /// Reads the labels of the gateway. `None` when there are none, when they cannot be read, or when they are another's.
    pub(crate) fn read(path: &Path, gateway: &GatewayName, owner: &Owner) -> Option<Self> {
        let stored: GatewayLabels = read(path)?;
        let ours = owned(owner, &stored.project, &stored.environment)
            && stored.address == Address::Gateway(gateway.clone()).to_string();
        if !ours {
            tracing::warn!(path = %path.display(), "these labels belong to something else");
            return None;
        }
        Some(Self {
            owner: owner.clone(),
            gateway: gateway.clone(),
            operation: OperationId(stored.operation.into()),
            fingerprint: stored.fingerprint.parse().ok()?,
            settled: stored.settled,
        })
    }

    /// Makes the labels durable.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let Self { owner, gateway, operation, fingerprint, settled } = self;
        let stored = GatewayLabels {
            format: FORMAT,
            project: owner.project.to_string(),
            environment: owner.environment.to_string(),
            address: Address::Gateway(gateway.clone()).to_string(),
            operation: operation.to_string(),
            fingerprint: fingerprint.to_string(),
            settled: *settled,
        };
        write(path, &stored)
    }
}

fn owned(owner: &Owner, project: &str, environment: &str) -> bool {
    owner.project.as_str() == project && owner.environment.as_str() == environment
}

/// Reads a stored value. `None` when it is not there or cannot be read, which is worth a word only in the second case.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot read");
            return None;
        }
    };
    serde_json::from_slice(&bytes)
        .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "this was not written by wharf"))
        .ok()
}

/// Makes a stored value durable.
pub(crate) fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    files::write_durably(path, &serde_json::to_vec(value)?)
}
