//! Whose an object is: every container, volume, network and image that is made carries it, so that it is found again
//! without any record. Labels never change after an object was made.

use crate::{door::Door, names, unit::Member};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use wharf_model::{
    Address, Check, ContentRef, Fingerprint, Generation, InstanceId, Launch, NetworkSpec, ObjectId, ObjectSpec,
    OperationId, Probe, RevisionNumber, Seat,
};
use wharf_mounts::Writable;
use wharf_provider::Owner;
use wharf_serving::Care;

/// Labels as the engine has them.
pub(crate) type Labels = HashMap<String, String>;

pub(crate) const PROJECT: &str = "wharf.project";
pub(crate) const ENVIRONMENT: &str = "wharf.environment";
const ADDRESS: &str = "wharf.address";
const GENERATION: &str = "wharf.generation";
const OPERATION: &str = "wharf.operation";
const REVISION: &str = "wharf.revision";
const INSTANCE: &str = "wharf.instance";
const GATEWAY: &str = "wharf.gateway";
const BALANCER: &str = "wharf.nlb";
const NETWORK: &str = "wharf.network";
pub(crate) const SEAT: &str = "wharf.seat";
const CONTENT: &str = "wharf.content";
const OBJECT: &str = "wharf.object";
const ADOPTED: &str = "wharf.adopted";
const FINGERPRINT: &str = "wharf.fingerprint";
const MAKING: &str = "wharf.making";
const LISTEN: &str = "wharf.listen";
const MEMBER: &str = "wharf.member";
const ENDPOINT: &str = "wharf.endpoint";
const PROBE: &str = "wharf.probe";
const SUPERVISOR: &str = "wharf.supervisor";
const CARE: &str = "wharf.care";
const KEPT_UP: &str = "wharf.kept-up";
const WRITABLE: &str = "wharf.writable";

/// The filter for everything that is an environment's.
pub(crate) fn filter(owner: &Owner) -> HashMap<String, Vec<String>> {
    let wanted = [format!("{PROJECT}={}", owner.project), format!("{ENVIRONMENT}={}", owner.environment)];
    HashMap::from([("label".to_owned(), wanted.to_vec())])
}

/// Whether labels say that something is the environment's.
pub(crate) fn is_of(owner: &Owner, labels: &Labels) -> bool {
    let says = |label: &str, wanted: &str| labels.get(label).is_some_and(|said| said == wanted);
    says(PROJECT, &owner.project.to_string()) && says(ENVIRONMENT, &owner.environment.to_string())
}

/// The filter for what is of one instance.
pub(crate) fn filter_of(owner: &Owner, instance: &InstanceId) -> HashMap<String, Vec<String>> {
    let mut filters = filter(owner);
    filters.entry("label".to_owned()).or_default().push(format!("{INSTANCE}={instance}"));
    filters
}

/// The labels that everything carries.
pub(crate) fn common(owner: &Owner, address: &str, generation: u32, operation: &OperationId) -> Labels {
    let labels = [
        (PROJECT, owner.project.to_string()),
        (ENVIRONMENT, owner.environment.to_string()),
        (ADDRESS, address.to_owned()),
        (GENERATION, generation.to_string()),
        (OPERATION, operation.to_string()),
    ];
    labels.map(|(key, value)| (key.to_owned(), value)).into()
}

/// The labels of something that belongs to the environment as a whole, whoever needed it first.
pub(crate) fn shared(owner: &Owner, operation: &OperationId) -> Labels {
    common(owner, &names::network(owner), 1, operation)
}

/// Whether these are labels of the owner.
pub(crate) fn belongs(labels: &Labels, owner: &Owner) -> bool {
    let is = |key: &str, value: &str| labels.get(key).is_some_and(|found| found == value);
    is(PROJECT, owner.project.as_str()) && is(ENVIRONMENT, owner.environment.as_str())
}

/// The labels of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OfInstance {
    pub(crate) instance: InstanceId,
    /// Which of its containers this is, where it is several.
    pub(crate) member: Option<Member>,
    pub(crate) revision: RevisionNumber,
    pub(crate) operation: OperationId,
    /// Of the revision that it was started from; instances of earlier builds do not say.
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) endpoint: SocketAddr,
    /// Which network it is in; that of the environment when absent.
    pub(crate) network: Option<ObjectId>,
    /// What it holds of GPUs.
    pub(crate) seat: Option<Seat>,
    /// None of a service without a port: it answers nobody.
    pub(crate) question: Option<Question>,
    /// What its supervisor sees to; none where it has no supervisor.
    pub(crate) care: Option<Care>,
    /// Whether the engine starts it again when it ends by itself.
    pub(crate) kept_up: bool,
    /// The folders of buckets that it writes to.
    pub(crate) writables: Vec<Writable>,
}

/// How an instance is asked whether it is ready, by whoever looks at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Question {
    /// The path that is asked for; whether the port is open, when absent.
    pub(crate) path: Option<String>,
    /// The service that the health service of gRPC is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) grpc: Option<String>,
    pub(crate) timeout_ms: u64,
    /// Whether the supervisor is asked, and not the instance.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) told: bool,
    /// How those count who ask all the time; instances of earlier builds do not say.
    #[serde(default)]
    pub(crate) count: Count,
}

/// How often an instance is asked, and how many answers in a row say something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) every_ms: u64,
    pub(crate) failures: u32,
    pub(crate) successes: u32,
}

impl Default for Count {
    fn default() -> Self {
        (&Probe::fallback()).into()
    }
}

impl From<&Probe> for Count {
    fn from(probe: &Probe) -> Self {
        let wharf_gateway::Probe { every_ms, failures, successes, .. } = wharf_serving::probe(probe);
        Self { every_ms, failures, successes }
    }
}

impl Question {
    /// How gateways and balancers ask.
    pub(crate) fn probe(&self) -> wharf_gateway::Probe {
        let Self { timeout_ms, count: Count { every_ms, failures, successes }, .. } = *self;
        wharf_gateway::Probe { check: self.check(), every_ms, timeout_ms, failures, successes }
    }

    pub(crate) fn check(&self) -> wharf_gateway::Check {
        match (&self.path, &self.grpc) {
            (Some(path), _) => wharf_gateway::Check::Http { path: path.clone() },
            (None, Some(service)) => wharf_gateway::Check::Grpc { service: service.clone() },
            (None, None) => wharf_gateway::Check::Tcp,
        }
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

impl From<&Probe> for Question {
    fn from(probe: &Probe) -> Self {
        let (path, grpc) = match &probe.check {
            Check::Http { path } => (Some(path.to_string()), None),
            Check::Grpc { service } => (None, Some(service.to_string())),
            // Programs as probes are the supervisor's.
            Check::Tcp | Check::Exec(_) => (None, None),
        };
        let timeout_ms = u64::try_from(probe.timeout.as_millis()).unwrap_or(u64::MAX);
        Self { path, grpc, timeout_ms, told: false, count: probe.into() }
    }
}

impl OfInstance {
    /// The labels of an instance, or of one of its members, that listens at `ip` and has this seat.
    pub(crate) fn of(
        (launch, member): (&Launch, Option<Member>),
        ip: Ipv4Addr,
        seat: Option<Seat>,
        operation: &OperationId,
    ) -> Self {
        let template = &launch.revision.template;
        // One that ends is the end of all: nobody starts a part of a unit again, and rank 0 speaks for the others.
        let care = (template.is_supervised() && member.is_none_or(|member| member.rank == 0)).then(|| {
            let care = Care::of(template);
            Care { stays_down: care.stays_down || member.is_some(), ..care }
        });
        let told = care.as_ref().is_some_and(Care::tells_readiness);
        let question = Question { told, ..(&template.probe()).into() };
        Self {
            instance: launch.instance.clone(),
            member,
            revision: launch.revision.number,
            operation: operation.clone(),
            fingerprint: Some(launch.revision.fingerprint()),
            endpoint: (ip, template.port.unwrap_or(0)).into(),
            network: network_of(launch),
            seat,
            question: Some(question).filter(|_| told || template.port.is_some()),
            kept_up: care.is_none() && member.is_none() && !template.crash_block,
            writables: Writable::of(launch),
            care,
        }
    }

    /// As the engine has them.
    pub(crate) fn write(&self, owner: &Owner) -> Labels {
        let Self { instance, member, revision, operation, fingerprint, endpoint, network, seat, .. } = self;
        let Self { question, care, kept_up, writables, .. } = self;
        let address = Address::Instance(instance.service.clone(), instance.slot).to_string();
        let mut labels = common(owner, &address, instance.generation.0, operation);
        labels.insert(INSTANCE.to_owned(), instance.to_string());
        labels.insert(REVISION.to_owned(), revision.0.to_string());
        labels.insert(ENDPOINT.to_owned(), endpoint.to_string());
        labels.extend(member.map(|member| (MEMBER.to_owned(), member.to_string())));
        labels.extend(network.as_ref().map(|network| (NETWORK.to_owned(), network.to_string())));
        labels.extend(seat.as_ref().map(|seat| (SEAT.to_owned(), seat.to_string())));
        labels.extend(fingerprint.map(|print| (FINGERPRINT.to_owned(), print.to_string())));
        let question = question.as_ref().and_then(|question| serde_json::to_string(question).ok());
        labels.extend(question.map(|question| (PROBE.to_owned(), question)));
        let care = care.as_ref().and_then(|care| serde_json::to_string(care).ok());
        labels.extend(care.map(|care| (CARE.to_owned(), care)));
        labels.extend(kept_up.then(|| (KEPT_UP.to_owned(), "true".to_owned())));
        let writables = Some(writables).filter(|all| !all.is_empty()).and_then(|all| serde_json::to_string(all).ok());
        labels.extend(writables.map(|writables| (WRITABLE.to_owned(), writables)));
        labels
    }

    /// Reads them. `None` when something is missing, makes no sense, or is another's.
    pub(crate) fn read(labels: &Labels, owner: &Owner) -> Option<Self> {
        if !belongs(labels, owner) {
            return None;
        }
        let question = labels.get(PROBE).map(|text| serde_json::from_str(text));
        let care = labels.get(CARE).map(|text| serde_json::from_str(text));
        let writables = labels.get(WRITABLE).map(|text| serde_json::from_str(text));
        Some(Self {
            instance: labels.get(INSTANCE)?.parse().ok()?,
            member: labels.get(MEMBER).map(|text| text.parse()).transpose().ok()?,
            revision: RevisionNumber(labels.get(REVISION)?.parse().ok()?),
            operation: OperationId(labels.get(OPERATION)?.as_str().into()),
            fingerprint: labels.get(FINGERPRINT).and_then(|text| text.parse().ok()),
            endpoint: labels.get(ENDPOINT)?.parse().ok()?,
            network: labels.get(NETWORK).and_then(|text| text.parse().ok()),
            seat: seat(labels),
            question: question.transpose().ok()?,
            care: care.transpose().ok()?,
            kept_up: is_kept_up(labels),
            writables: writables.transpose().ok()?.unwrap_or_default(),
        })
    }

    /// Which of the instance's containers this is.
    pub(crate) fn rank(&self) -> u32 {
        self.member.map_or(0, |member| member.rank)
    }

    /// How many containers the instance is.
    pub(crate) fn size(&self) -> u32 {
        self.member.map_or(1, |member| member.size)
    }
}

/// The labels of a door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OfDoor {
    pub(crate) door: Door,
    /// Where the engine's machine listens for it; nowhere for a supervisor.
    pub(crate) listen: Vec<SocketAddr>,
    /// Its address in the environment's network.
    pub(crate) endpoint: SocketAddr,
    pub(crate) operation: OperationId,
    /// From which spec a supervisor was made; of others this may change, and stands in their files.
    pub(crate) fingerprint: Option<Fingerprint>,
}

impl OfDoor {
    /// As the engine has them.
    pub(crate) fn write(&self, owner: &Owner) -> Labels {
        let Self { door, listen, endpoint, operation, fingerprint } = self;
        let listen: Vec<_> = listen.iter().map(SocketAddr::to_string).collect();
        let mut labels = match door {
            Door::Gateway(name) => {
                let mut labels = common(owner, &Address::Gateway(name.clone()).to_string(), 1, operation);
                labels.insert(GATEWAY.to_owned(), name.to_string());
                labels
            }
            Door::Balancer(name, generation) => {
                let mut labels = common(owner, &Address::Nlb(name.clone()).to_string(), generation.0, operation);
                labels.insert(BALANCER.to_owned(), name.to_string());
                labels
            }
            Door::Supervisor(generation) => {
                let address = Address::Supervisor(owner.environment.clone()).to_string();
                let mut labels = common(owner, &address, generation.0, operation);
                labels.insert(SUPERVISOR.to_owned(), owner.environment.to_string());
                labels
            }
        };
        labels.extend(fingerprint.map(|print| (FINGERPRINT.to_owned(), print.to_string())));
        labels.insert(LISTEN.to_owned(), listen.join(" "));
        labels.insert(ENDPOINT.to_owned(), endpoint.to_string());
        labels
    }

    /// Reads them. `None` when something is missing, makes no sense, or is another's.
    pub(crate) fn read(labels: &Labels, owner: &Owner) -> Option<Self> {
        if !belongs(labels, owner) {
            return None;
        }
        let door = match (labels.get(GATEWAY), labels.get(BALANCER)) {
            (Some(name), _) => Door::Gateway(name.parse().ok()?),
            (None, Some(name)) => Door::Balancer(name.parse().ok()?, Generation(labels.get(GENERATION)?.parse().ok()?)),
            (None, None) if labels.contains_key(SUPERVISOR) => {
                Door::Supervisor(Generation(labels.get(GENERATION)?.parse().ok()?))
            }
            (None, None) => return None,
        };
        Some(Self {
            door,
            listen: labels.get(LISTEN)?.split_whitespace().map(|one| one.parse().ok()).collect::<Option<_>>()?,
            endpoint: labels.get(ENDPOINT)?.parse().ok()?,
            operation: OperationId(labels.get(OPERATION)?.as_str().into()),
            fingerprint: labels.get(FINGERPRINT).and_then(|text| text.parse().ok()),
        })
    }
}

/// Whether they say that the engine starts its container again when that ends by itself.
pub(crate) fn is_kept_up(labels: &Labels) -> bool {
    labels.contains_key(KEPT_UP)
}

/// What they say that its container holds of GPUs.
pub(crate) fn seat(labels: &Labels) -> Option<Seat> {
    labels.get(SEAT)?.parse().ok()
}

/// The network that an instance is to be in; that of the environment when absent.
pub(crate) fn network_of(launch: &Launch) -> Option<ObjectId> {
    let address = Address::Network(launch.revision.template.network.clone()?);
    let generation = launch.revision.pins.objects.get(&address).copied().unwrap_or(Generation(1));
    Some(ObjectId { address, generation })
}

/// The labels of a content, of its volume and of the container that says it is whole.
pub(crate) fn of_content(owner: &Owner, address: &Address, content: ContentRef, operation: &OperationId) -> Labels {
    let mut labels = common(owner, &address.to_string(), 1, operation);
    labels.insert(CONTENT.to_owned(), content.to_string());
    labels
}

/// Those of the container that makes a content: it does not say that the content is whole.
pub(crate) fn of_maker(mut labels: Labels) -> Labels {
    if let Some(content) = labels.remove(CONTENT) {
        labels.insert(MAKING.to_owned(), content);
    }
    labels
}

/// The labels of an object, and of what it stands for.
pub(crate) fn of_object(owner: &Owner, object: &ObjectId, spec: &ObjectSpec, operation: &OperationId) -> Labels {
    let mut labels = common(owner, &object.address.to_string(), object.generation.0, operation);
    labels.insert(OBJECT.to_owned(), object.to_string());
    labels.insert(FINGERPRINT.to_owned(), spec.fingerprint().to_string());
    if let ObjectSpec::Network(spec) = spec {
        labels.extend(spec.adopted().map(|network| (ADOPTED.to_owned(), network.to_string())));
    }
    labels
}

/// The network that somebody else made and they stand for, by its name or id.
pub(crate) fn adopted(labels: &Labels) -> Option<&str> {
    labels.get(ADOPTED).map(String::as_str)
}

/// The labels of a network.
pub(crate) fn of_network(owner: &Owner, object: &ObjectId, spec: &NetworkSpec, operation: &OperationId) -> Labels {
    of_object(owner, object, &ObjectSpec::Network(spec.clone()), operation)
}

/// The object that they are about, and from what it was made.
pub(crate) fn object(labels: &Labels, owner: &Owner) -> Option<(ObjectId, Option<Fingerprint>)> {
    if !belongs(labels, owner) {
        return None;
    }
    let fingerprint = labels.get(FINGERPRINT).and_then(|text| text.parse().ok());
    Some((labels.get(OBJECT)?.parse().ok()?, fingerprint))
}

/// Labels as instructions for an image.
pub(crate) fn changes(labels: &Labels) -> Vec<String> {
    labels.iter().map(|(key, value)| format!("LABEL {key}={value:?}")).collect()
}

/// The content that they say is whole.
pub(crate) fn content(labels: &Labels, owner: &Owner) -> Option<ContentRef> {
    if !belongs(labels, owner) {
        return None;
    }
    labels.get(CONTENT)?.parse().ok()
}

/// The address that an object has among the instances.
pub(crate) fn endpoint(labels: &Labels) -> Option<SocketAddr> {
    labels.get(ENDPOINT)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use wharf_model::{Pins, Program, Revision, Template};

    fn owner(environment: &str) -> Owner {
        Owner { project: "chat".parse().unwrap(), environment: environment.parse().unwrap() }
    }

    #[test]
    fn an_instance_is_known_by_its_labels_and_by_nobody_elses() {
        let template = Template { port: Some(8000), ..Template::of(Program::Command(vec!["x".into()])) };
        let revision = Arc::new(Revision { number: RevisionNumber(3), template, pins: Pins::default() });
        let launch = Launch { instance: "hello-0-g2".parse().unwrap(), revision };
        let operation = OperationId("start instance.hello[0] hello-0-g2".into());
        let seat = Some("GPU-1=8GiB,40".parse().unwrap());
        let labels = OfInstance::of((&launch, "1/2".parse().ok()), [10, 0, 0, 7].into(), seat, &operation);
        assert_eq!((labels.rank(), labels.size()), (1, 2));
        let written = labels.write(&owner("dev"));
        assert_eq!(written["wharf.address"], "instance.hello[0]");
        assert_eq!(written["wharf.generation"], "2");
        assert_eq!(OfInstance::read(&written, &owner("dev")), Some(labels));
        assert_eq!(OfInstance::read(&written, &owner("prod")), None);
        assert_eq!(endpoint(&written), Some(([10, 0, 0, 7], 8000).into()));
    }
}
