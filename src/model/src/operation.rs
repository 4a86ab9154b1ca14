//! One provider call, and the journal's words around it.

use crate::{
    Access, Address, ContentRef, FolderPath, GatewayName, GatewaySpec, InstanceId, Libraries, ObjectId, ObjectSpec,
    Probe, RecordedRollout, Revision, RevisionNumber, RouteSpec, ServiceName, Shutdown,
};
use std::{fmt, net::SocketAddr, sync::Arc};

/// The id of a plan: a digest of everything in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanId(pub Arc<str>);

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of an operation: `start instance.hello[0]@g2`. Within a record's history it names one thing done to one
/// incarnation, so a retry has the id of the first try.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub Arc<str>);

impl OperationId {
    /// The operation that starts an instance of this name: what the instance's label says, whoever looks.
    pub fn start(instance: &InstanceId) -> Self {
        let address = Address::Instance(instance.service.clone(), instance.slot);
        Self(format!("{} {address} {instance}", Verb::Start).into())
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of an intent within one journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntentId(pub u64);

/// One provider call, with all that it needs but secrets' values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What it is done to.
    pub address: Address,
    /// What is done.
    pub call: Call,
}

/// What a provider can be told to do. Each is idempotent: done twice, the second succeeds and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Make a snapshot of a folder, which must still hold this content.
    PrepareFolder {
        /// The content to end with.
        content: ContentRef,
        /// The folder.
        folder: FolderPath,
    },
    /// Install third-party libraries.
    PreparePackages {
        /// The content to end with.
        content: ContentRef,
        /// Which, and for which interpreter.
        libraries: Libraries,
    },
    /// Fetch a container image.
    PrepareImage {
        /// The content to end with.
        content: ContentRef,
        /// The image.
        image: Arc<str>,
    },
    /// Remove a prepared content that nothing needs.
    DropContent {
        /// Which.
        content: ContentRef,
    },
    /// Make the gateway, or bring it to this spec; start it when it does not run.
    PutGateway {
        /// Its name.
        gateway: GatewayName,
        /// What it should be.
        spec: GatewaySpec,
    },
    /// Stop the gateway and remove what belongs to it.
    DeleteGateway {
        /// Its name.
        gateway: GatewayName,
    },
    /// Make an incarnation of an object, or bring it to this spec.
    PutObject {
        /// Which.
        object: ObjectId,
        /// What it should be.
        spec: ObjectSpec,
    },
    /// Remove an incarnation of an object, with all that it holds.
    DeleteObject {
        /// Which.
        object: ObjectId,
    },
    /// Give a resource, with all that belongs to it, another name. It goes on as it is meanwhile; afterwards its labels,
    /// and what the runtime tells of it, are as if it had been made under that name.
    Move {
        /// What it is called.
        from: Address,
        /// What it will be called.
        to: Address,
    },
    /// Set a route. Its endpoints stay as they are.
    PutRoute {
        /// What it should be.
        route: RouteSpec,
    },
    /// Remove a route.
    DeleteRoute {
        /// The gateway.
        gateway: GatewayName,
        /// The service.
        service: ServiceName,
    },
    /// Start an instance. It gets no requests yet.
    StartInstance(Launch),
    /// Let gateways send requests to an instance.
    RouteInstance {
        /// Which.
        instance: InstanceId,
        /// Where it listens.
        endpoint: SocketAddr,
        /// Through which gateways.
        gateways: Vec<GatewayName>,
        /// How they find out whether it is ready.
        probe: Probe,
    },
    /// Send an instance no new requests, and tell it when it wants to be told.
    DrainInstance {
        /// Which.
        instance: InstanceId,
        /// Through which gateways it got requests.
        gateways: Vec<GatewayName>,
        /// How it is stopped.
        shutdown: Shutdown,
    },
    /// End an instance and remove what belongs to it. One that is gone already is fine.
    StopInstance {
        /// Which.
        instance: InstanceId,
        /// Which gateways may still know it.
        gateways: Vec<GatewayName>,
    },
}

/// What it takes to start an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Which; also the name of the object.
    pub instance: InstanceId,
    /// What it is.
    pub revision: Arc<Revision>,
}

/// A [`Call`] without its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Prepare a content.
    Prepare,
    /// Remove a content.
    Drop,
    /// Make or update.
    Put,
    /// Remove.
    Delete,
    /// Start.
    Start,
    /// Send requests to.
    Route,
    /// Send no new requests to.
    Drain,
    /// End.
    Stop,
    /// Call otherwise.
    Move,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 9] = [
        Self::Prepare,
        Self::Drop,
        Self::Put,
        Self::Delete,
        Self::Start,
        Self::Route,
        Self::Drain,
        Self::Stop,
        Self::Move,
    ];

    /// The word of journals and progress.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Drop => "drop",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Start => "start",
            Self::Route => "route",
            Self::Drain => "drain",
            Self::Stop => "stop",
            Self::Move => "move",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Call {
    /// What is done, without the arguments.
    pub fn verb(&self) -> Verb {
        match self {
            Self::PrepareFolder { .. } | Self::PreparePackages { .. } | Self::PrepareImage { .. } => Verb::Prepare,
            Self::DropContent { .. } => Verb::Drop,
            Self::PutGateway { .. } | Self::PutRoute { .. } | Self::PutObject { .. } => Verb::Put,
            Self::DeleteGateway { .. } | Self::DeleteRoute { .. } | Self::DeleteObject { .. } => Verb::Delete,
            Self::Move { .. } => Verb::Move,
            Self::StartInstance(_) => Verb::Start,
            Self::RouteInstance { .. } => Verb::Route,
            Self::DrainInstance { .. } => Verb::Drain,
            Self::StopInstance { .. } => Verb::Stop,
        }
    }

    /// The name of the object on the platform.
    pub fn object(&self) -> String {
        match self {
            Self::PrepareFolder { content, .. }
            | Self::PreparePackages { content, .. }
            | Self::PrepareImage { content, .. }
            | Self::DropContent { content } => content.to_string(),
            Self::PutGateway { gateway, .. } | Self::DeleteGateway { gateway } => gateway.to_string(),
            Self::PutRoute { route } => format!("{}/{}", route.gateway, route.service),
            Self::DeleteRoute { gateway, service } => format!("{gateway}/{service}"),
            Self::PutObject { object, .. } | Self::DeleteObject { object } => object.to_string(),
            Self::Move { from, .. } => from.to_string(),
            Self::StartInstance(launch) => launch.instance.to_string(),
            Self::RouteInstance { instance, .. }
            | Self::DrainInstance { instance, .. }
            | Self::StopInstance { instance, .. } => instance.to_string(),
        }
    }
}

impl Operation {
    /// Its id.
    pub fn id(&self) -> OperationId {
        OperationId(format!("{} {} {}", self.call.verb(), self.address, self.call.object()).into())
    }
}

/// What a provider answers to a call that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is so.
    Done,
    /// The instance runs, and is to listen here.
    Started {
        /// Where.
        endpoint: SocketAddr,
    },
}

/// What an operation, or the end of a rollout, means for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A gateway is as the apply wanted it.
    GatewayUp {
        /// Which.
        gateway: GatewayName,
    },
    /// A gateway is no more.
    GatewayGone {
        /// Which.
        gateway: GatewayName,
    },
    /// A route is as the apply wanted it.
    RouteSet {
        /// The gateway.
        gateway: GatewayName,
        /// The service.
        service: ServiceName,
    },
    /// A route is no more.
    RouteGone {
        /// The gateway.
        gateway: GatewayName,
        /// The service.
        service: ServiceName,
    },
    /// An incarnation of an object is as the apply wanted it; it is the one that counts from now on.
    ObjectUp {
        /// Which.
        object: ObjectId,
    },
    /// An incarnation of an object is no more.
    ObjectGone {
        /// Which.
        object: ObjectId,
    },
    /// A resource has another name, and all that belongs to it.
    Moved {
        /// What it was called.
        from: Address,
        /// What it is called.
        to: Address,
    },
    /// A resource stays where it is and is wharf's no more.
    Forgotten {
        /// Which.
        address: Address,
    },
    /// A content is there, whole.
    ContentPresent {
        /// Which.
        content: ContentRef,
    },
    /// A content is no more.
    ContentGone {
        /// Which.
        content: ContentRef,
    },
    /// An instance was started.
    InstanceStarted {
        /// Which.
        instance: InstanceId,
        /// Of which revision.
        revision: RevisionNumber,
        /// Where it listens.
        endpoint: SocketAddr,
    },
    /// An instance gets requests.
    InstanceRouted {
        /// Which.
        instance: InstanceId,
    },
    /// An instance gets no new requests.
    InstanceDraining {
        /// Which.
        instance: InstanceId,
    },
    /// An instance is no more.
    InstanceGone {
        /// Which.
        instance: InstanceId,
    },
    /// The fields of a service that need no new instances are as the apply wanted them.
    ServiceUpdated {
        /// Which.
        service: ServiceName,
    },
    /// A rollout stands otherwise than before.
    RolloutStands {
        /// Of which service.
        service: ServiceName,
        /// How.
        rollout: RecordedRollout,
    },
    /// A rollout came to its end. Of a service that the apply does not want, nothing is left.
    RolloutEnded {
        /// Which service.
        service: ServiceName,
        /// How.
        ending: Ending,
    },
}

/// How a rollout ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// At its target.
    Done,
    /// At the revision before.
    RolledBack {
        /// Why, in a sentence.
        because: String,
    },
    /// Somewhere between, with the healthiest set of instances.
    Halted {
        /// Why, in a sentence.
        because: String,
    },
}

/// What is written down before a call is made: enough to find out afterwards whether it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Its number in the journal.
    pub id: IntentId,
    /// The operation's id; every object that it makes carries it.
    pub operation: OperationId,
    /// What it is done to.
    pub address: Address,
    /// What is done.
    pub verb: Verb,
    /// The name of the object on the platform.
    pub object: String,
    /// The revision, for an instance that is started.
    pub revision: Option<RevisionNumber>,
}

impl Intent {
    /// The intent to run `operation`.
    pub fn of(id: IntentId, operation: &Operation) -> Self {
        let revision = match &operation.call {
            Call::StartInstance(launch) => Some(launch.revision.number),
            _ => None,
        };
        Self {
            id,
            operation: operation.id(),
            address: operation.address.clone(),
            verb: operation.call.verb(),
            object: operation.call.object(),
            revision,
        }
    }

    /// What a success means for the record, from what the provider answered. None when the intent does not fit the
    /// answer, or was written by something else than [`Intent::of`].
    pub fn effect(&self, outcome: &Outcome) -> Option<Effect> {
        let content = || self.object.parse::<ContentRef>().ok();
        let instance = || self.object.parse::<InstanceId>().ok();
        match (self.verb, &self.address) {
            (Verb::Prepare, _) => content().map(|content| Effect::ContentPresent { content }),
            (Verb::Drop, _) => content().map(|content| Effect::ContentGone { content }),
            (Verb::Put, Address::Gateway(gateway)) => Some(Effect::GatewayUp { gateway: gateway.clone() }),
            (Verb::Delete, Address::Gateway(gateway)) => Some(Effect::GatewayGone { gateway: gateway.clone() }),
            (Verb::Move, to) => Some(Effect::Moved { from: self.object.parse().ok()?, to: to.clone() }),
            (Verb::Put, Address::Route(gateway, service)) => {
                Some(Effect::RouteSet { gateway: gateway.clone(), service: service.clone() })
            }
            (Verb::Delete, Address::Route(gateway, service)) => {
                Some(Effect::RouteGone { gateway: gateway.clone(), service: service.clone() })
            }
            (Verb::Start, _) => match outcome {
                Outcome::Started { endpoint } => Some(Effect::InstanceStarted {
                    instance: instance()?,
                    revision: self.revision?,
                    endpoint: *endpoint,
                }),
                Outcome::Done => None,
            },
            (Verb::Route, _) => instance().map(|instance| Effect::InstanceRouted { instance }),
            (Verb::Drain, _) => instance().map(|instance| Effect::InstanceDraining { instance }),
            (Verb::Stop, _) => instance().map(|instance| Effect::InstanceGone { instance }),
            (Verb::Put, _) => self.object.parse().ok().map(|object| Effect::ObjectUp { object }),
            (Verb::Delete, _) => self.object.parse().ok().map(|object| Effect::ObjectGone { object }),
        }
    }
}

impl Launch {
    /// The folders of the host that are mounted: where, what, and with which content.
    pub fn mounts(
        &self,
    ) -> impl Iterator<Item = (&crate::MountPath, &crate::FolderMount, Option<crate::ContentDigest>)> {
        let pins = &self.revision.pins.mounts;
        let content = |path, mount: &crate::FolderMount| match mount.access {
            Access::Snapshot => pins.get(path).copied(),
            Access::LiveReadOnly | Access::LiveReadWrite => None,
        };
        let folders = self.revision.template.mounts.iter().filter_map(|(path, mount)| Some((path, mount.as_folder()?)));
        folders.map(move |(path, mount)| (path, mount, content(path, mount)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pins, Program, Template};

    #[test]
    fn an_instance_is_made_by_the_operation_that_is_named_after_it() {
        let instance: InstanceId = "hello-0-g2".parse().unwrap();
        let template = Template::of(Program::Args(Vec::new()));
        let revision = Arc::new(Revision { number: RevisionNumber(1), template, pins: Pins::default() });
        let address = Address::Instance(instance.service.clone(), instance.slot);
        let call = Call::StartInstance(Launch { instance: instance.clone(), revision });
        assert_eq!(Operation { address, call }.id(), OperationId::start(&instance));
    }
}
