//! What stands of a service: the instances that are recorded or observed, and how far they are from what is wanted.

use super::entry::first;
use crate::{
    Cause,
    drift::altered,
    rollout::{Goal, Standing, Traffic},
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use wharf_model::{
    EndpointState, Exit, GatewayName, InstanceId, Marked, Observed, ObservedInstance, Phase, RecordedService,
    RevisionNumber, Slot,
};

/// The revision of an instance that is of none.
const NONE: RevisionNumber = RevisionNumber(0);

/// The instances of a service.
#[derive(Debug, Default)]
pub(super) struct Stand {
    pub(super) instances: BTreeMap<InstanceId, Standing>,
    pub(super) endpoints: BTreeMap<InstanceId, SocketAddr>,
    /// Those that run, by what a look found.
    pub(super) running: BTreeSet<InstanceId>,
    /// Those that do not run, and how that was seen.
    pub(super) down: BTreeMap<InstanceId, Exit>,
    /// Those that run and were never recorded.
    pub(super) unknown: BTreeSet<InstanceId>,
    /// Those that run and are not what was started, and how that was seen.
    pub(super) altered: BTreeMap<InstanceId, Cause>,
    /// Those that run and are not ready, and what was heard.
    pub(super) unready: BTreeMap<InstanceId, String>,
}

impl Stand {
    /// Puts together what the record and the look say. `gateways` are those whose routes to the service are recorded.
    pub(super) fn of(
        recorded: Option<&RecordedService>,
        seen: &[(&InstanceId, &ObservedInstance)],
        observed: &Observed,
        gateways: &[&GatewayName],
    ) -> Self {
        let mut stand = Self::default();
        for (id, instance) in recorded.iter().flat_map(|service| &service.instances) {
            stand.add(id, Standing { revision: instance.revision, traffic: traffic(id, observed, gateways) });
            stand.endpoints.insert(id.clone(), instance.endpoint);
            stand.down.insert(id.clone(), Exit::Unseen);
        }
        for (id, instance) in seen {
            stand.add(id, Standing { revision: instance.revision, traffic: traffic(id, observed, gateways) });
            stand.endpoints.insert((*id).clone(), instance.endpoint);
            match &instance.phase {
                Phase::Ended(exit) => drop(stand.down.insert((*id).clone(), exit.clone())),
                Phase::Running { .. } => stand.see_running(id, instance, recorded),
            }
            if let Some(answer) = observed.unready(id) {
                stand.unready.insert((*id).clone(), answer.to_string());
            }
        }
        stand
    }

    fn add(&mut self, id: &InstanceId, standing: Standing) {
        self.instances.insert(id.clone(), standing);
    }

    fn see_running(&mut self, id: &InstanceId, instance: &ObservedInstance, recorded: Option<&RecordedService>) {
        self.running.insert(id.clone());
        self.down.remove(id);
        match recorded.and_then(|service| Some((service, service.instances.get(id)?))) {
            None => {
                // Nobody knows what it was started from, whatever its label says.
                self.add(id, Standing { revision: NONE, ..self.instances[id] });
                self.unknown.insert(id.clone());
            }
            Some((service, known)) => {
                let revision = service.revisions.get(&known.revision).map(AsRef::as_ref);
                if let Some(cause) = first(altered::instance(id, known, revision, instance)) {
                    // It is of no revision any more, so a rollout replaces it as it would an old one.
                    self.add(id, Standing { revision: NONE, ..self.instances[id] });
                    self.altered.insert(id.clone(), cause);
                }
            }
        }
    }

    /// Whether exactly the goal stands and gets its requests.
    pub(super) fn is_at(&self, goal: Goal) -> bool {
        let slots: BTreeSet<Slot> = self.instances.keys().map(|id| id.slot).collect();
        let fit = |(id, standing): (&InstanceId, &Standing)| {
            standing.revision == goal.revision && standing.traffic == Traffic::Served && self.running.contains(id)
        };
        self.instances.len() == goal.count as usize
            && slots.iter().eq((0..goal.count).map(Slot).collect::<Vec<_>>().iter())
            && self.instances.iter().all(fit)
            && self.unknown.is_empty()
    }
}

/// Whether an instance gets requests. Without a recorded route, nobody but its own callers can tell. One that its
/// supervisor was not told of is not let in either: letting it in, or draining it, was cut off.
fn traffic(id: &InstanceId, observed: &Observed, gateways: &[&GatewayName]) -> Traffic {
    let mut traffic = match observed.instances.get(id).and_then(|seen| seen.supervised.marked) {
        Some(Marked::Drained) => return Traffic::Draining,
        Some(Marked::New) => Traffic::None,
        Some(Marked::Routed) | None => Traffic::Served,
    };
    if let Some(EndpointState::Draining { .. }) = observed.balanced.get(id) {
        return Traffic::Draining;
    }
    for gateway in gateways {
        let route = observed.gateways.get(*gateway).and_then(|gateway| gateway.routes.get(&id.service));
        match route.and_then(|route| route.endpoints.get(id)) {
            Some(EndpointState::Serving { .. }) => {}
            Some(EndpointState::Draining { .. }) => return Traffic::Draining,
            None => traffic = Traffic::None,
        }
    }
    traffic
}
