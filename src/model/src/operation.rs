//! One provider call, and the journal's words around it.

mod call;
mod effect;
mod intent;

pub use call::{Call, Launch, Verb};
pub use effect::{Effect, Ending};
pub use intent::{Intent, IntentId};

use crate::{Address, InstanceId};
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

/// One provider call, with all that it needs but secrets' values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What it is done to.
    pub address: Address,
    /// What is done.
    pub call: Call,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pins, Program, Revision, RevisionNumber, Template};

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
