//! The journal's word before a call, and what its success means for the record.

use super::{Call, Effect, Operation, OperationId, Outcome, Verb};
use crate::{Address, ContentRef, InstanceId, RevisionNumber};

/// The number of an intent within one journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntentId(pub u64);

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
