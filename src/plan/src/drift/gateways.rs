//! Gateways and their routes.

use super::{Alteration, Aspect, Class, Finding, altered};
use wharf_model::{Address, GatewayName, Observed, ObservedGateway, Record, ServiceName, Value};

pub(super) fn findings(recorded: &Record, observed: &Observed) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, known) in &recorded.gateways {
        let address = Address::Gateway(name.clone());
        match observed.gateways.get(name) {
            None => found.push(Finding::new(address, Class::Missing, Aspect::Object)),
            Some(seen) => {
                found.extend(altered::gateway(&known.spec, seen).into_iter().map(|one| changed(&address, one)));
                if !seen.running {
                    let saw = Some(Value::Text("not running".to_owned()));
                    found.push(Finding::new(address, Class::Unhealthy, Aspect::Process).sides(None, saw));
                }
            }
        }
    }
    for ((gateway, service), known) in &recorded.routes {
        // With a gateway its routes go, and come back.
        let Some(seen) = observed.gateways.get(gateway) else { continue };
        let address = Address::Route(gateway.clone(), service.clone());
        match seen.routes.get(service) {
            None => found.push(Finding::new(address, Class::Missing, Aspect::Object)),
            Some(seen) => {
                found.extend(altered::route(&known.spec, seen).into_iter().map(|one| changed(&address, one)));
            }
        }
    }
    for (name, seen) in &observed.gateways {
        match recorded.gateways.contains_key(name) {
            true => found.extend(extra_routes(recorded, name, seen)),
            false => found.push(Finding::new(Address::Gateway(name.clone()), Class::Extra, Aspect::Object)),
        }
    }
    found
}

fn changed(address: &Address, one: Alteration) -> Finding {
    Finding::new(address.clone(), Class::Changed, one.aspect).sides(one.recorded, one.observed)
}

/// Routes that nobody recorded, of a gateway that is.
fn extra_routes(recorded: &Record, gateway: &GatewayName, seen: &ObservedGateway) -> Vec<Finding> {
    let known = |service: &ServiceName| recorded.routes.contains_key(&(gateway.clone(), service.clone()));
    let extra = seen.routes.keys().filter(|service| !known(service));
    let finding = |service: &ServiceName| {
        Finding::new(Address::Route(gateway.clone(), service.clone()), Class::Extra, Aspect::Object)
    };
    extra.map(finding).collect()
}
