//! Paths that pass from one service to another. A gateway leads a path to one service, so whoever has it gives it up before
//! the other takes it; nobody is found there in the meantime. Services that take each other's paths cannot do so in one plan.

use super::Planner;
use crate::Problem;
use std::{collections::HashMap, sync::Arc};
use wharf_model::{Address, Field, FieldPath, GatewayName, ServiceName};

impl Planner<'_> {
    /// Whether a service is to have a path that another has at the same gateway.
    pub(super) fn takes_path(&self, taker: &ServiceName, holder: &ServiceName) -> bool {
        let routes = self.input.desired.routes_of(taker, self.input.digests);
        routes.iter().any(|route| {
            let held = self.input.recorded.routes.get(&(route.gateway.clone(), holder.clone()));
            held.is_some_and(|held| route.paths.iter().any(|path| held.spec.paths.contains(path)))
        })
    }

    /// Lets each route that takes a path wait for the one that has it.
    pub(super) fn hand_over_paths(&mut self) {
        let taking = self.wanted.routes.iter().filter(|(key, _)| self.route_steps.contains_key(*key));
        let taking: Vec<_> =
            taking.filter_map(|(key, route)| Some((*self.route_steps.get(key)?, key, route))).collect();
        if taking.is_empty() {
            return;
        }
        let recorded = self.input.recorded.routes.iter();
        let held: HashMap<_, _> = recorded
            .flat_map(|((gateway, service), known)| {
                known.spec.paths.iter().map(move |path| ((gateway, &**path), service))
            })
            .collect();
        let mut waits = Vec::new();
        for (take, (gateway, service), route) in taking {
            for path in &route.paths {
                let holder = held.get(&(gateway, &**path)).filter(|holder| **holder != service);
                let give = holder.and_then(|holder| self.route_steps.get(&(gateway.clone(), (*holder).clone())));
                waits.extend(give.zip(holder).map(|(give, holder)| {
                    (*give, take, (*holder).clone(), (gateway.clone(), service.clone(), path.clone()))
                }));
            }
        }
        for (give, take, holder, taken) in waits {
            if self.operations.waits(give, take) {
                self.crossed(&holder, taken);
            } else {
                self.operations.order(give, take);
            }
        }
    }

    /// A service takes a path of one that waits for it.
    fn crossed(&mut self, holder: &ServiceName, (gateway, service, taken): (GatewayName, ServiceName, Arc<str>)) {
        let (address, path) = (Address::Route(gateway, service.clone()), FieldPath::at(Field::Path, &*taken));
        self.problems.push(Problem::Unsupported {
            provider: self.input.capabilities.provider(),
            why: format!("{service} and {holder} take paths of each other, and a gateway leads a path to one service"),
            help: format!(
                "remove `path=\"{taken}\"` from service {service} and apply; then write it again, and apply that"
            ),
            origin: self.origin(&address, &path),
            address,
            path,
        });
    }
}
