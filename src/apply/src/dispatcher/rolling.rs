//! A rollout under way: what its actions mean as calls, and what is worth telling about it.

use super::{Order, Progress};
use std::{collections::BTreeMap, net::SocketAddr};
use wharf_model::{
    Address, Call, Effect, InstanceId, Launch, Operation, RecordedRollout, RevisionNumber, ServiceName, Timestamp,
};
use wharf_plan::{
    RolloutStep,
    rollout::{Action, Phase, Rollout},
};

#[derive(Debug)]
pub(super) struct Rolling<'a> {
    pub(super) step: &'a RolloutStep,
    /// None only while a step is being taken.
    pub(super) rollout: Option<Rollout>,
    pub(super) endpoints: BTreeMap<InstanceId, SocketAddr>,
    /// Of which revision each instance is.
    revisions: BTreeMap<InstanceId, RevisionNumber>,
    told: Option<Progress>,
    turned: bool,
    /// How it was last recorded.
    noted: Option<RecordedRollout>,
}

impl<'a> Rolling<'a> {
    pub(super) fn new(step: &'a RolloutStep, rollout: Rollout) -> Self {
        Self {
            step,
            rollout: Some(rollout),
            endpoints: step.endpoints.clone(),
            revisions: step.standing.iter().map(|(id, standing)| (id.clone(), standing.revision)).collect(),
            told: None,
            turned: false,
            noted: None,
        }
    }

    /// The provider call that an action means.
    pub(super) fn operation(&mut self, action: &Action) -> Option<Operation> {
        let step = self.step;
        let instance = action.instance().clone();
        let address = Address::Instance(instance.service.clone(), instance.slot);
        let (gateways, known_by) = (step.gateways.clone(), step.known_by.clone());
        let call = match action {
            Action::Start(_, revision) => {
                self.revisions.insert(instance.clone(), *revision);
                Call::StartInstance(Launch { instance, revision: step.revisions.get(revision)?.clone() })
            }
            Action::Route(_) => {
                let endpoint = *self.endpoints.get(&instance)?;
                let revision = self.revisions.get(&instance)?;
                let probe = step.revisions.get(revision)?.template.probe();
                Call::RouteInstance { instance, endpoint, gateways, probe }
            }
            Action::Drain(_) => Call::DrainInstance { instance, gateways: known_by, shutdown: step.shutdown.clone() },
            Action::Stop(_) => Call::StopInstance { instance, gateways: known_by },
        };
        Some(Operation { address, call })
    }

    /// Has it recorded when it stands otherwise than before.
    pub(super) fn note(&mut self, rollout: &Rollout, service: &ServiceName, now: Timestamp, orders: &mut Vec<Order>) {
        let Some(stands) = rollout.stands(now) else { return };
        let same = |noted: RecordedRollout| RecordedRollout { since: stands.since, ..noted } == stands;
        if !self.noted.is_some_and(same) {
            self.noted = Some(stands);
            orders.push(Order::Note(Effect::RolloutStands { service: service.clone(), rollout: stands }));
        }
    }

    /// Tells what is new about the rollout.
    pub(super) fn tell(&mut self, rollout: &Rollout, service: &ServiceName, orders: &mut Vec<Order>) {
        if let (Phase::Back(failure), false) = (rollout.phase(), self.turned) {
            self.turned = true;
            orders.push(Order::TellTurn(service.clone(), failure.clone()));
        }
        let now = Progress {
            tally: rollout.tally(),
            count: rollout.goal().count,
            waits: rollout.waits().iter().map(ToString::to_string).collect(),
        };
        if self.told.as_ref() != Some(&now) {
            orders.push(Order::Tell(service.clone(), now.clone()));
            self.told = Some(now);
        }
    }
}
