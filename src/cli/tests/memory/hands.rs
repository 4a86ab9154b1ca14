//! What somebody may do by hand to a runtime in memory.
//!
//! | line | does |
//! | --- | --- |
//! | `remove INSTANCE`, `exit INSTANCE CODE` | takes an instance away; ends it |
//! | `relabel INSTANCE REVISION`, `remake INSTANCE`, `rehouse INSTANCE PORT` | changes its labels |
//! | `copy INSTANCE NEW` | makes another like it |
//! | `sicken INSTANCE`, `silence INSTANCE` | keeps it from being ready; from answering whoever looks, though it is |
//! | `set INSTANCE FIELD VALUE` | changes what it was made from |
//! | `new INSTANCE`, `drained INSTANCE` | has its supervisor know nothing of it; know that it drains |
//! | `gateway-gone NAME`, `gateway-down NAME`, `gateway-copy NAME NEW` | takes away, stops, doubles a gateway |
//! | `gateway-listen NAME ADDRESS`, `gateway-relabel NAME`, `gateway-set NAME FIELD VALUE` | changes it |
//! | `route-gone GATEWAY SERVICE`, `route-copy GATEWAY SERVICE NEW` | takes a route away, doubles it |
//! | `route-set GATEWAY SERVICE FIELD VALUE`, `route-unset GATEWAY SERVICE FIELD`, `route-relabel GATEWAY SERVICE` | changes it |
//! | `unroute INSTANCE`, `drain INSTANCE` | takes its requests away |
//! | `contents-gone`, `content-extra WORD` | takes all contents away; makes one more |

use wharf_model::{
    ContentDigest, ContentRef, EndpointState, Entry, Exit, Field, FieldPath, Fingerprint, InstanceId, Marked,
    ObservedGateway, ObservedRoute, OperationId, Phase, RevisionNumber, Told, Value,
};
use wharf_provider::{MemoryProvider, Stays};

/// Does what the words say, if they are known.
pub(super) fn meddle(memory: &MemoryProvider, words: &[&str]) -> bool {
    instance(memory, words) || gateway(memory, words) || route(memory, words) || content(memory, words)
}

fn instance(memory: &MemoryProvider, words: &[&str]) -> bool {
    let change = |id: &str, change: &dyn Fn(&mut wharf_model::ObservedInstance)| {
        memory.change_instance(&id.parse().unwrap(), |seen| {
            change(seen);
            Stays::Yes
        });
    };
    match words {
        ["remove", id] => memory.change_instance(&id.parse().unwrap(), |_| Stays::No),
        ["exit", id, code] => change(id, &|seen| seen.phase = Phase::Ended(Exit::Code(code.parse().unwrap()))),
        ["relabel", id, number] => change(id, &|seen| seen.revision = RevisionNumber(number.parse().unwrap())),
        ["remake", id] => change(id, &|seen| seen.operation = Some(OperationId("somebody by hand".into()))),
        ["rehouse", id, port] => change(id, &|seen| seen.endpoint.set_port(port.parse().unwrap())),
        ["set", id, field, value] => change(id, &|seen| set(&mut seen.told, field, value)),
        ["new", id] => change(id, &|seen| seen.supervised.marked = Some(Marked::New)),
        ["drained", id] => change(id, &|seen| seen.supervised.marked = Some(Marked::Drained)),
        ["copy", id, new] => memory.copy_instance(&id.parse().unwrap(), new.parse().unwrap()),
        ["sicken", id] => memory.sicken(&id.parse().unwrap()),
        ["silence", id] => memory.silence(&id.parse().unwrap()),
        _ => return false,
    }
    true
}

fn gateway(memory: &MemoryProvider, words: &[&str]) -> bool {
    let change = |name: &str, change: &dyn Fn(&mut ObservedGateway)| {
        memory.change_gateways(|gateways| change(gateways.get_mut(&name.parse().unwrap()).unwrap()));
    };
    match words {
        ["gateway-gone", name] => memory.change_gateways(|gateways| drop(gateways.remove(&name.parse().unwrap()))),
        ["gateway-down", name] => change(name, &|seen| seen.running = false),
        ["gateway-listen", name, address] => change(name, &|seen| seen.listen = Some(address.parse().unwrap())),
        ["gateway-relabel", name] => change(name, &|seen| seen.fingerprint = Some(other())),
        ["gateway-set", name, field, value] => change(name, &|seen| set(&mut seen.told, field, value)),
        ["gateway-copy", name, new] => memory.change_gateways(|gateways| {
            let copy = gateways[&name.parse().unwrap()].clone();
            gateways.insert(new.parse().unwrap(), copy);
        }),
        _ => return false,
    }
    true
}

fn route(memory: &MemoryProvider, words: &[&str]) -> bool {
    let change = |gateway: &str, service: &str, change: &dyn Fn(&mut ObservedRoute)| {
        memory.change_gateways(|gateways| {
            let gateway = gateways.get_mut(&gateway.parse().unwrap()).unwrap();
            change(gateway.routes.get_mut(&service.parse().unwrap()).unwrap());
        });
    };
    let endpoints = |id: &str, to: Option<EndpointState>| {
        let id: InstanceId = id.parse().unwrap();
        memory.change_gateways(|gateways| {
            for route in gateways.values_mut().filter_map(|gateway| gateway.routes.get_mut(&id.service)) {
                match &to {
                    Some(state) => drop(route.endpoints.insert(id.clone(), state.clone())),
                    None => drop(route.endpoints.remove(&id)),
                }
            }
        });
    };
    match words {
        ["route-gone", gateway, service] => memory.change_gateways(|gateways| {
            gateways.get_mut(&gateway.parse().unwrap()).unwrap().routes.remove(&service.parse().unwrap());
        }),
        ["route-copy", gateway, service, new] => memory.change_gateways(|gateways| {
            let routes = &mut gateways.get_mut(&gateway.parse().unwrap()).unwrap().routes;
            let copy = ObservedRoute { endpoints: [].into(), ..routes[&service.parse().unwrap()].clone() };
            routes.insert(new.parse().unwrap(), copy);
        }),
        ["route-set", gateway, service, field, value] => {
            change(gateway, service, &|seen| set(&mut seen.told, field, value))
        }
        ["route-unset", gateway, service, field] => {
            let path = path(field);
            change(gateway, service, &|seen| seen.told.entries.retain(|entry| entry.path != path));
        }
        ["route-relabel", gateway, service] => change(gateway, service, &|seen| seen.fingerprint = Some(other())),
        ["unroute", id] => endpoints(id, None),
        ["drain", id] => endpoints(id, Some(EndpointState::Draining { in_flight: 0 })),
        _ => return false,
    }
    true
}

fn content(memory: &MemoryProvider, words: &[&str]) -> bool {
    match words {
        ["contents-gone"] => memory.change_contents(|contents| contents.clear()),
        ["content-extra", word] => memory.change_contents(|contents| {
            contents.insert(ContentRef::Folder(ContentDigest::of([word.as_bytes()])));
        }),
        _ => return false,
    }
    true
}

fn other() -> Fingerprint {
    Fingerprint::of([b"by hand".as_slice()])
}

fn set(told: &mut Told, field: &str, value: &str) {
    let path = path(field);
    told.entries.retain(|entry| entry.path != path);
    told.entries.push(Entry { path, value: Value::Text(value.replace('_', " ")) });
    told.entries.sort_by(|one, two| one.path.cmp(&two.path));
}

/// A field, alone or with its key behind a `:`.
fn path(text: &str) -> FieldPath {
    let (name, key) = text.split_once(':').map_or((text, None), |(name, key)| (name, Some(key)));
    let field = Field::ALL.iter().copied().find(|field| field.as_str() == name).unwrap();
    key.map_or_else(|| FieldPath::of(field), |key| FieldPath::at(field, key))
}
