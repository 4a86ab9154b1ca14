//! Another name for a resource, in a record and in a look: with it goes all that carries the name.

use crate::{
    Address, Entry, Field, FieldPath, InstanceId, MountPath, ObjectId, Observed, ObservedInstance, OperationId, Record,
    ServiceName, Template, Told, Value,
};
use std::{collections::BTreeMap, sync::Arc};

/// Takes an entry out under one key and puts it in under another. One that is not there is left so: a rename that is done
/// twice is done once.
fn rekey<K: Ord, V>(map: &mut BTreeMap<K, V>, from: &K, to: K) {
    if let Some(value) = map.remove(from) {
        map.insert(to, value);
    }
}

/// The same entries under keys that `rename` gives them.
fn rekey_all<K: Ord, V>(map: &mut BTreeMap<K, V>, rename: impl Fn(K) -> K) {
    *map = std::mem::take(map).into_iter().map(|(key, value)| (rename(key), value)).collect();
}

fn instance(id: InstanceId, from: &ServiceName, to: &ServiceName) -> InstanceId {
    if id.service == *from { InstanceId { service: to.clone(), ..id } } else { id }
}

/// What an address of the service `from`, or of the object `from`, becomes.
fn address(of: Address, from: &Address, to: &Address) -> Address {
    match (&of, from, to) {
        (Address::Mount(service, path), Address::Service(from), Address::Service(to)) if service == from => {
            Address::Mount(to.clone(), MountPath::clone(path))
        }
        _ if of == *from => to.clone(),
        _ => of,
    }
}

/// The network that a template names, by its new name.
fn network(template: &mut Template, from: &Address, to: &Address) {
    if let (Some(network), Address::Network(from), Address::Network(to)) = (&mut template.network, from, to)
        && network == from
    {
        *network = to.clone();
    }
}

impl Record {
    /// Calls a resource, and all that belongs to it, otherwise.
    pub fn rename(&mut self, from: &Address, to: &Address) {
        match (from, to) {
            (Address::Gateway(from), Address::Gateway(to)) => {
                rekey(&mut self.gateways, from, to.clone());
                for ((gateway, service), mut route) in std::mem::take(&mut self.routes) {
                    let gateway = if gateway == *from { to.clone() } else { gateway };
                    route.spec.gateway = gateway.clone();
                    self.routes.insert((gateway, service), route);
                }
                for service in self.services.values_mut() {
                    rekey(&mut service.spec.exposes, from, to.clone());
                }
            }
            (Address::Service(old), Address::Service(new)) => {
                rekey(&mut self.services, old, new.clone());
                if let Some(service) = self.services.get_mut(new) {
                    rekey_all(&mut service.instances, |id| instance(id, old, new));
                }
                for ((gateway, service), mut route) in std::mem::take(&mut self.routes) {
                    let service = if service == *old { new.clone() } else { service };
                    route.spec.service = service.clone();
                    self.routes.insert((gateway, service), route);
                }
            }
            _ => {}
        }
        rekey_all(&mut self.objects, |of| address(of, from, to));
        self.rename_references(from, to);
    }

    /// What others say of the resource.
    fn rename_references(&mut self, from: &Address, to: &Address) {
        for service in self.services.values_mut() {
            network(&mut service.spec.template, from, to);
            for revision in service.revisions.values_mut() {
                let revision = Arc::make_mut(revision);
                network(&mut revision.template, from, to);
                rekey_all(&mut revision.pins.objects, |of| address(of, from, to));
            }
            if let (Some(member), Address::Group(from), Address::Group(to)) = (&mut service.spec.group, from, to)
                && member.group == *from
            {
                member.group = to.clone();
            }
        }
        if let (Address::Network(from), Address::Network(to)) = (from, to) {
            let gateways = self.gateways.values_mut().map(|gateway| &mut gateway.spec.network);
            let nlbs = self.objects.values_mut().filter_map(|object| match &mut object.spec {
                crate::ObjectSpec::Nlb(spec) => Some(&mut spec.network),
                _ => None,
            });
            for network in gateways.chain(nlbs).flatten().filter(|network| *network == from) {
                *network = to.clone();
            }
        }
    }
}

impl Observed {
    /// What a look would find once a resource is called otherwise.
    pub fn rename(&mut self, from: &Address, to: &Address) {
        match (from, to) {
            (Address::Gateway(from), Address::Gateway(to)) => rekey(&mut self.gateways, from, to.clone()),
            (Address::Service(old), Address::Service(new)) => {
                let own = self.instances.iter_mut().filter(|(id, _)| id.service == *old);
                for (id, seen) in own {
                    seen.started_as(id, &instance(id.clone(), old, new));
                }
                rekey_all(&mut self.instances, |id| instance(id, old, new));
                for gateway in self.gateways.values_mut() {
                    rekey(&mut gateway.routes, old, new.clone());
                    for route in gateway.routes.values_mut() {
                        rekey_all(&mut route.endpoints, |id| instance(id, old, new));
                    }
                }
            }
            _ => {}
        }
        for seen in self.instances.values_mut() {
            seen.told.rename(from, to);
        }
        let renamed = |id: ObjectId| ObjectId { address: address(id.address, from, to), ..id };
        rekey_all(&mut self.objects, renamed);
    }
}

impl ObservedInstance {
    /// Says that it was started under another name, if it says that it was started under this one.
    fn started_as(&mut self, name: &InstanceId, other: &InstanceId) {
        if self.operation.as_ref() == Some(&OperationId::start(name)) {
            self.operation = Some(OperationId::start(other));
        }
    }
}

impl Told {
    /// Tells of a resource by another name: of the network that it lies in, and of the incarnations that it is made of.
    fn rename(&mut self, from: &Address, to: &Address) {
        for Entry { path, value } in &mut self.entries {
            match (path.field, &path.key, from, to) {
                (Field::Network, _, Address::Network(old), Address::Network(new)) => {
                    if matches!(value, Value::Text(text) if *text == old.as_str()) {
                        *value = Value::Text(new.to_string());
                    }
                }
                (Field::Incarnation, Some(key), ..) => {
                    if let Ok(of) = key.parse() {
                        *path = FieldPath::at(Field::Incarnation, address(of, from, to).to_string());
                    }
                }
                _ => {}
            }
        }
        self.entries.sort_by(|one, two| one.path.cmp(&two.path));
    }
}
