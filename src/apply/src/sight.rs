//! What a look at the platform means for a rollout.

use std::collections::BTreeMap;
use wharf_model::{EndpointState, Figures, GatewayName, InstanceId, Observed, Phase, ServiceName};
use wharf_plan::rollout::Sight;

/// The sights of a service's instances.
pub(crate) fn sights(
    observed: &Observed,
    service: &ServiceName,
    gateways: &[GatewayName],
) -> BTreeMap<InstanceId, Sight> {
    let own = observed.instances.iter().filter(|(id, _)| id.service == *service);
    own.map(|(id, instance)| {
        let ended = match &instance.phase {
            Phase::Running { .. } => None,
            Phase::Ended(exit) => Some(exit.clone()),
        };
        let sight = Sight {
            ended,
            between: instance.supervised.between.clone(),
            restarts: instance.supervised.restarts.as_ref().map(|restarts| restarts.count),
            ready: instance.is_ready(),
            answer: instance.answer.clone(),
            in_flight: in_flight(observed, id, gateways),
            figures: figures(observed, id, gateways),
            last_lines: instance.last_lines.clone(),
        };
        (id.clone(), sight)
    })
    .collect()
}

/// The requests that an instance has under way through all gateways and balancers. Without any of them nobody knows, nor
/// while one still sends it new ones. A gateway that is down, or does not know the instance, sends it none.
fn in_flight(observed: &Observed, id: &InstanceId, gateways: &[GatewayName]) -> Option<u64> {
    let through = |name| {
        let gateway = observed.gateways.get(name).filter(|gateway| gateway.running);
        gateway.and_then(|gateway| gateway.routes.get(&id.service)).and_then(|route| route.endpoints.get(id))
    };
    let balanced = observed.balanced.get(id);
    if gateways.is_empty() && balanced.is_none() {
        return None;
    }
    let mut requests = 0;
    for state in gateways.iter().filter_map(through).chain(balanced) {
        match state {
            EndpointState::Serving { .. } => return None,
            EndpointState::Draining { in_flight } => requests += in_flight,
        }
    }
    Some(requests)
}

/// What all gateways together have counted about an instance; none while no gateway tells.
fn figures(observed: &Observed, id: &InstanceId, gateways: &[GatewayName]) -> Option<Figures> {
    let routes = gateways.iter().filter_map(|name| observed.gateways.get(name)?.routes.get(&id.service));
    let known: Vec<_> = routes.filter_map(|route| route.figures.get(id)).collect();
    known.into_iter().fold(None, |sum: Option<Figures>, one| {
        let mut sum = sum.unwrap_or_default();
        sum.add(one);
        Some(sum)
    })
}
