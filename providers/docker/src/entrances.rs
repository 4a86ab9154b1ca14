//! What doors tell when they are looked at, and what instances answer to one that is in their network. Nothing is changed.

use crate::{
    book::{Health, Mark},
    desk::probe_all,
    door::Door,
    doors::{self, Attached},
    format::{Heard, ProbeOrder, Seen},
    labels::OfDoor,
    provider::DockerReader,
};
use futures_util::future::join_all;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};
use wharf_gateway::{Config, Endpoint, EndpointStatus, Route, Status};
use wharf_model::{
    Address, EndpointState, Entry, EnvironmentName, Field, FieldPath, InstanceId, NetworkName, ObjectId, Observed,
    ObservedGateway, ObservedObject, ObservedRoute, ServiceName, Told, Value,
};

/// What a listing says of a door.
pub(crate) struct DoorLook {
    pub(crate) labels: OfDoor,
    pub(crate) runs: bool,
    pub(crate) nets: Vec<Attached>,
}

impl DoorLook {
    /// Whether it can reach this address.
    fn reaches(&self, address: SocketAddr) -> bool {
        self.runs && self.nets.iter().any(|net| net.holds(address.ip()))
    }
}

/// What looking at all doors has found.
pub(crate) struct Looked {
    pub(crate) doors: Vec<(DoorLook, Seen)>,
    /// What instances answered, by their names.
    pub(crate) heard: BTreeMap<String, Heard>,
    /// What the supervisor knows of instances; none where none watches.
    pub(crate) health: Option<BTreeMap<String, Health>>,
    /// What applies have said of instances; none where no door tells.
    pub(crate) marks: Option<BTreeMap<String, Mark>>,
}

/// Looks at all doors. Each instance is asked by the first that is in its network; where there is none, from here.
pub(crate) async fn look(reader: &DockerReader, found: BTreeMap<Door, DoorLook>, orders: Vec<ProbeOrder>) -> Looked {
    let mut asked: BTreeMap<Door, Vec<ProbeOrder>> = BTreeMap::new();
    for order in &orders {
        if let Some((door, _)) = found.iter().find(|(_, look)| look.reaches(order.address)) {
            asked.entry(door.clone()).or_default().push(order.clone());
        }
    }
    let looks = found.into_iter().map(async |(door, look)| {
        let orders = asked.get(&door).cloned().unwrap_or_default();
        let seen = look_at(reader, &door, look.runs, orders).await;
        (look, seen)
    });
    let mut looks = join_all(looks).await;
    let mut heard: Vec<_> = looks.iter_mut().flat_map(|(_, seen)| std::mem::take(&mut seen.heard)).collect();
    if heard.len() < orders.len() {
        let known: BTreeSet<_> = heard.iter().map(|heard| heard.name.clone()).collect();
        heard.extend(probe_all(orders.into_iter().filter(|order| !known.contains(&order.name)).collect()).await);
    }
    let health = looks.iter().find_map(|(_, seen)| seen.health.clone());
    let marks = looks.iter().find_map(|(_, seen)| seen.marks.clone());
    let heard = heard.into_iter().map(|heard| (heard.name.clone(), heard)).collect();
    Looked { doors: looks, heard, health, marks }
}

async fn look_at(reader: &DockerReader, door: &Door, runs: bool, orders: Vec<ProbeOrder>) -> Seen {
    if runs {
        match reader.windows.look(door, orders).await {
            Ok(seen) => return seen,
            Err(error) => tracing::warn!(%door, %error, "it does not answer"),
        }
    }
    doors::stored(&reader.eyes, &reader.owner, door).await.unwrap_or_default()
}

/// Writes down what was seen of doors. `named` are the project's networks by their ids, `watched` is where the instances
/// are that a supervisor sees to.
pub(crate) fn enter(
    observed: &mut Observed,
    looks: Vec<(DoorLook, Seen)>,
    named: &BTreeMap<String, NetworkName>,
    watched: &[SocketAddr],
    environment: &EnvironmentName,
) {
    for (look, seen) in looks {
        match look.labels.door.clone() {
            Door::Gateway(name) => drop(observed.gateways.insert(name, gateway(&look, seen, named))),
            Door::Balancer(name, generation) => {
                let object = ObjectId { address: Address::Nlb(name), generation };
                balancer(observed, object, &look, seen);
            }
            Door::Supervisor(generation) => {
                let object = ObjectId { address: Address::Supervisor(environment.clone()), generation };
                // One that does not watch, or cannot reach whom it is to ask, is not as it was made.
                let reaches = watched.iter().all(|address| look.reaches(*address));
                let fingerprint = seen.health.and(look.labels.fingerprint).filter(|_| reaches);
                let release = seen.release.and_then(|release| release.parse().ok());
                observed.objects.insert(object, ObservedObject { fingerprint, release });
            }
        }
    }
}

fn gateway(look: &DoorLook, seen: Seen, named: &BTreeMap<String, NetworkName>) -> ObservedGateway {
    let own = seen.labels.unwrap_or_default();
    let config = seen.config.unwrap_or_else(Config::empty);
    let routes = config.routes.iter().filter_map(|route| {
        let service: ServiceName = route.service.parse().ok()?;
        let live = seen.status.as_ref().and_then(|status| endpoints(status, &route.name));
        let fingerprint = own.routes.get(service.as_str()).and_then(|label| label.fingerprint.parse().ok());
        let counted =
            live.into_iter().flatten().filter_map(|live| Some((live.name.parse().ok()?, wharf_serving::figures(live))));
        let (endpoints, figures) = (states(look, route, live).collect(), counted.collect());
        Some((service, ObservedRoute { fingerprint, endpoints, figures, told: wharf_serving::told(route) }))
    });
    let routes = routes.collect();
    ObservedGateway {
        running: seen.status.is_some(),
        listen: look.labels.listen.first().copied(),
        fingerprint: own.settled.then(|| own.fingerprint.parse().ok()).flatten(),
        routes,
        lost: wharf_serving::lost(seen.status.as_ref()),
        told: if look.runs { told(look, own.network.as_deref(), named) } else { Told::default() },
        release: seen.status.as_ref().and_then(wharf_serving::release),
    }
}

/// The network that it was put into, while it is in it.
fn told(look: &DoorLook, network: Option<&str>, named: &BTreeMap<String, NetworkName>) -> Told {
    let mut there = look.nets.iter().filter_map(|net| named.get(&net.id));
    let network = there.find(|name| Some(name.as_str()) == network);
    let value = |name: &NetworkName| Value::Text(name.to_string());
    let entries = network.map(|name| Entry { path: FieldPath::of(Field::GatewayNetwork), value: value(name) });
    Told { about: [Field::GatewayNetwork].into(), entries: entries.into_iter().collect() }
}

/// What a door does with the instances of a route. One that it does not reach gets nothing from it.
fn states<'a>(
    look: &'a DoorLook,
    route: &'a Route,
    live: Option<&'a Vec<EndpointStatus>>,
) -> impl Iterator<Item = (InstanceId, EndpointState)> + 'a {
    let reached = |endpoint: &&Endpoint| !look.runs || look.reaches(endpoint.address);
    route.endpoints.iter().filter(reached).filter_map(move |endpoint| {
        let live = live.and_then(|live| live.iter().find(|live| live.name == endpoint.name));
        Some((endpoint.name.parse().ok()?, wharf_serving::endpoint_state(endpoint.state, live)))
    })
}

fn endpoints<'a>(status: &'a Status, route: &str) -> Option<&'a Vec<EndpointStatus>> {
    status.routes.iter().find(|known| known.name == route).map(|route| &route.endpoints)
}

/// A balancer that does not run, or was taken out of a network that it leads to, is not as it was made.
fn balancer(observed: &mut Observed, object: ObjectId, look: &DoorLook, seen: Seen) {
    let own = seen.labels.unwrap_or_default();
    let mut led_to = seen.config.iter().flat_map(|config| &config.routes).flat_map(|route| &route.endpoints);
    let whole = own.settled && seen.status.is_some() && led_to.all(|endpoint| look.reaches(endpoint.address));
    let fingerprint = whole.then(|| own.fingerprint.parse().ok()).flatten();
    let release = seen.status.as_ref().and_then(wharf_serving::release);
    observed.objects.insert(object, ObservedObject { fingerprint, release });
    for route in &seen.config.unwrap_or_else(Config::empty).routes {
        let live = seen.status.as_ref().and_then(|status| endpoints(status, &route.name));
        for (instance, state) in states(look, route, live) {
            let known = observed.balanced.entry(instance);
            known.and_modify(|known: &mut EndpointState| known.add(&state)).or_insert(state);
        }
    }
}
