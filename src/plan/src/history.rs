//! What lies between two records, and how to go back to one.

use crate::recorded::{self, AsDesired, as_desired};
use std::collections::{BTreeMap, BTreeSet};
use wharf_model::{
    Address, ContentRef, Deployment, Difference, Ending, Entry, InstanceId, Observed, Pins, Record, RecordedService,
    RevisionNumber, SecretDigest, SecretName, ServiceName, ServiceSpec, SourceRef, compare,
};

/// What became of one resource between two records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Became {
    /// Which.
    pub address: Address,
    /// What.
    pub what: Fate,
}

/// What became of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is in the later record alone.
    Came(Vec<Entry>),
    /// It is in the earlier record alone.
    Went,
    /// It is in both, and not the same.
    Changed {
        /// The fields that differ.
        fields: Vec<Difference>,
        /// The revision that served before and after, if that is another.
        revisions: Option<(Option<RevisionNumber>, Option<RevisionNumber>)>,
        /// Instances that came.
        came: Vec<InstanceId>,
        /// Instances that went.
        went: Vec<InstanceId>,
        /// How a rollout in between ended, when it did not end well.
        trouble: Option<(RevisionNumber, Ending)>,
    },
}

/// Everything that became otherwise from one record to another, by address.
pub fn between(before: &Record, after: &Record) -> Vec<Became> {
    let (old, new) = (entries(before), entries(after));
    let all: BTreeSet<&Address> = old.keys().chain(new.keys()).collect();
    let became = |address: &Address| {
        let what = match (old.get(address), new.get(address)) {
            (None, Some(entries)) => Fate::Came(entries.clone()),
            (Some(_), None) => Fate::Went,
            (Some(old), Some(new)) => changed(address, compare(old.clone(), new.clone()), before, after)?,
            (None, None) => return None,
        };
        Some(Became { address: address.clone(), what })
    };
    all.into_iter().filter_map(became).collect()
}

/// Every resource of a record with its fields.
pub fn entries(record: &Record) -> BTreeMap<Address, Vec<Entry>> {
    let gateways = record.gateways.iter().map(|(name, known)| (Address::Gateway(name.clone()), known.spec.entries()));
    let routes = record
        .routes
        .iter()
        .map(|((gateway, service), known)| (Address::Route(gateway.clone(), service.clone()), known.spec.entries()));
    let services = record.services.iter().map(|(name, known)| {
        let pins = known.current_revision().map(|revision| revision.pins.clone()).unwrap_or_default();
        (Address::Service(name.clone()), recorded::service(known).entries(&pins))
    });
    let objects = record.objects.iter().map(|(address, known)| (address.clone(), known.spec.entries()));
    gateways.chain(routes).chain(services).chain(objects).collect()
}

fn changed(address: &Address, fields: Vec<Difference>, before: &Record, after: &Record) -> Option<Fate> {
    let of = |record: &'_ Record| match address {
        Address::Service(name) => record.services.get(name).cloned(),
        _ => None,
    };
    let (old, new) = (of(before), of(after));
    let current = |known: &Option<RecordedService>| known.as_ref().and_then(|known| known.current);
    let revisions = Some((current(&old), current(&new))).filter(|(old, new)| old != new);
    let ids = |known: &Option<RecordedService>| -> BTreeSet<InstanceId> {
        known.iter().flat_map(|known| known.instances.keys().cloned()).collect()
    };
    let (was, is) = (ids(&old), ids(&new));
    let trouble =
        new.and_then(|known| known.trouble).filter(|now| old.and_then(|known| known.trouble).as_ref() != Some(now));
    let (came, went): (Vec<_>, Vec<_>) =
        (is.difference(&was).cloned().collect(), was.difference(&is).cloned().collect());
    let nothing = fields.is_empty() && revisions.is_none() && came.is_empty() && went.is_empty() && trouble.is_none();
    (!nothing).then_some(Fate::Changed { fields, revisions, came, went, trouble })
}

/// Whether both ask for the same: what an apply would be planned from.
pub fn asks_the_same(one: &Record, two: &Record, service: Option<&ServiceName>) -> bool {
    let wanted = |record: &Record| -> BTreeMap<Address, Vec<Entry>> {
        let all = entries(record).into_iter();
        all.filter(|(address, _)| service.is_none() || address.service() == service).collect()
    };
    wanted(one) == wanted(two)
}

/// What a rollback goes to.
#[derive(Debug, Clone)]
pub struct Rollback {
    /// What is to be made.
    pub wanted: AsDesired,
    /// Secrets whose values have changed since: what comes back is started with those of now.
    pub other_secrets: BTreeSet<SecretName>,
}

/// Why there is no way back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoWayBack {
    /// The commit does not know the service.
    #[error("{from} knows no service {service}")]
    NoService {
        /// The commit.
        from: String,
        /// The service.
        service: ServiceName,
    },
    /// A gateway that the service was reached through is there no more.
    #[error("service {service} was reached through gateway {gateway}, which is there no more")]
    NoGateway {
        /// The service.
        service: ServiceName,
        /// The gateway.
        gateway: wharf_model::GatewayName,
    },
    /// A content is not kept any more, and its source holds another.
    #[error("{address} held {content}, which is not kept any more, and its source holds something else now")]
    NoContent {
        /// Of what.
        address: Address,
        /// Which.
        content: String,
    },
    /// A secret of a gateway is not declared any more.
    #[error("gateway {gateway} needs secret {secret}, which the files do not declare any more")]
    NoGatewaySecret {
        /// The gateway.
        gateway: wharf_model::GatewayName,
        /// The secret.
        secret: SecretName,
    },
    /// A secret is not declared any more.
    #[error("service {service} needs secret {secret}, which the files do not declare any more")]
    NoSecret {
        /// The service.
        service: ServiceName,
        /// The secret.
        secret: SecretName,
    },
}

/// Everything that a way back depends on.
#[derive(Debug, Clone, Copy)]
pub struct BackInput<'a> {
    /// The files: where secrets come from, and on what the project runs.
    pub files: &'a Deployment,
    /// What is recorded now.
    pub recorded: &'a Record,
    /// What was recorded then.
    pub then: &'a Record,
    /// What people call that: `commit 3`.
    pub from: &'a str,
    /// The service that goes back alone; all, when none is named.
    pub service: Option<&'a ServiceName>,
    /// The keyed digests of the secrets' values now.
    pub digests: &'a BTreeMap<SecretName, SecretDigest>,
}

/// The way back: what was recorded then, for one service or for all. What is not to go back stays as it is recorded now.
///
/// # Errors
/// Every reason why it cannot be made again.
pub fn way_back(input: &BackInput<'_>) -> Result<Rollback, Vec<NoWayBack>> {
    let then = as_desired(input.then, input.files).written_in(input.from);
    let mut wanted = match input.service {
        None => then,
        Some(name) => {
            let missing = || vec![NoWayBack::NoService { from: input.from.to_owned(), service: name.clone() }];
            let spec = then.deployment.services.get(name).cloned().ok_or_else(missing)?;
            let mut now = as_desired(input.recorded, input.files).written_in(input.from);
            now.deployment.services.insert(name.clone(), spec);
            now.pins.remove(name);
            now.pins.extend(then.pins.get(name).map(|pins| (name.clone(), pins.clone())));
            now
        }
    };
    let problems = unmet(input, &wanted);
    if !problems.is_empty() {
        return Err(problems);
    }
    let goes_back = |name: &ServiceName| input.service.is_none_or(|only| only == name);
    let mut other_secrets = BTreeSet::new();
    for (name, pins) in wanted.pins.iter_mut().filter(|(name, _)| goes_back(name)) {
        let Some(spec) = wanted.deployment.services.get(name) else { continue };
        let now = Deployment::secret_pins(spec, input.digests).secrets;
        other_secrets.extend(
            now.iter()
                .filter(|(secret, digest)| pins.secrets.get(*secret).is_some_and(|then| then != *digest))
                .map(|(secret, _)| secret.clone()),
        );
        pins.secrets = now;
    }
    wanted.digests.extend(input.digests.iter().map(|(name, digest)| (name.clone(), *digest)));
    Ok(Rollback { wanted, other_secrets })
}

/// What the files and the gateways of now cannot give.
fn unmet(input: &BackInput<'_>, wanted: &AsDesired) -> Vec<NoWayBack> {
    let mut problems = Vec::new();
    for (name, spec) in &wanted.deployment.services {
        let lost = spec.exposes.keys().filter(|gateway| !wanted.deployment.gateways.contains_key(*gateway));
        problems.extend(lost.map(|gateway| NoWayBack::NoGateway { service: name.clone(), gateway: gateway.clone() }));
        let secrets: BTreeSet<_> =
            spec.template.secrets().chain(spec.tokens.iter().map(|token| &token.secret)).collect();
        let unknown = secrets.into_iter().filter(|secret| !input.files.secrets.contains_key(*secret));
        problems.extend(unknown.map(|secret| NoWayBack::NoSecret { service: name.clone(), secret: secret.clone() }));
    }
    for (name, spec) in &wanted.deployment.gateways {
        let unknown = spec.secrets().filter(|secret| !input.files.secrets.contains_key(*secret));
        problems
            .extend(unknown.map(|secret| NoWayBack::NoGatewaySecret { gateway: name.clone(), secret: secret.clone() }));
    }
    problems
}

/// The contents that a way back needs and nobody has: neither kept, nor in their sources.
pub fn lost_contents(wanted: &AsDesired, observed: &Observed) -> Vec<NoWayBack> {
    let mut lost = Vec::new();
    for (name, spec) in &wanted.deployment.services {
        let Some(pins) = wanted.pins.get(name) else { continue };
        for (address, content, source) in needs(name, spec, pins) {
            let held = observed.sources.get(&source).and_then(|pin| pin.as_ref().ok()).map(|pin| pin.content);
            if !observed.contents.contains(&content) && held != Some(content.digest()) {
                lost.push(NoWayBack::NoContent { address, content: content.digest().short() });
            }
        }
    }
    lost
}

fn needs(name: &ServiceName, spec: &ServiceSpec, pins: &Pins) -> Vec<(Address, ContentRef, SourceRef)> {
    let source = |path| spec.template.mounts.get(path)?.copied_from();
    let mounts = pins.mounts.iter().filter_map(|(path, content)| {
        let address = Address::Mount(name.clone(), path.clone());
        Some((address, spec.template.content_of(path, *content), source(path)?))
    });
    let packages = pins.packages.zip(spec.template.libraries()).map(|(content, libraries)| {
        (Address::Packages(name.clone()), ContentRef::Packages(content), SourceRef::Packages(libraries))
    });
    mounts.chain(packages).collect()
}
