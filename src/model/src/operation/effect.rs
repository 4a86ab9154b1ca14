//! What an operation, or a rollout, means for the record.

use crate::{Address, ContentRef, GatewayName, InstanceId, ObjectId, RecordedRollout, RevisionNumber, ServiceName};
use std::net::SocketAddr;

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
