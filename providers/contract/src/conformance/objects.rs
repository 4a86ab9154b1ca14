//! What holds of objects beside gateways and instances, and of other names for resources, where a runtime gives some.

use super::Suite;
use crate::{Execute, ProviderError, Resolution};
use std::{collections::BTreeSet, sync::Arc};
use wharf_model::{
    Address, Call, GatewayName, Generation, InstanceId, Kind, ObjectId, ObjectSpec, Operation, OperationId, Outcome,
    RouteSpec, ServiceName,
};

fn id(address: &Address, generation: u32) -> ObjectId {
    ObjectId { address: address.clone(), generation: Generation(generation) }
}

fn put(object: &ObjectId, spec: &ObjectSpec) -> Operation {
    let call = Call::PutObject { object: object.clone(), spec: spec.clone() };
    Operation { address: object.address.clone(), call }
}

fn delete(object: &ObjectId) -> Operation {
    Operation { address: object.address.clone(), call: Call::DeleteObject { object: object.clone() } }
}

fn moved(from: &Address, to: &Address) -> Operation {
    Operation { address: to.clone(), call: Call::Move { from: from.clone(), to: to.clone() } }
}

impl Suite<'_> {
    fn handle(&self) -> Arc<dyn Execute> {
        self.platform.handle()
    }

    /// The address that a resource gets, where it can be called otherwise.
    fn other_name(&self, address: &Address) -> Option<Address> {
        let handle = self.handle();
        handle.capabilities().renames(address.kind()).then(|| format!("{address}-2").parse().ok()).flatten()
    }

    pub(super) async fn object(&self, address: &Address, spec: &ObjectSpec, other: &ObjectSpec) {
        let (first, second) = (id(address, 1), id(address, 2));
        self.can_be_told(&put(&first, spec), "before it was done").await;
        self.twice(&put(&first, spec)).await;
        self.must_be_seen(&first, Some(spec)).await;
        self.twice(&put(&first, other)).await;
        self.must_be_seen(&first, Some(other)).await;
        if self.handle().capabilities().is_exclusive(address.kind()) {
            let refused = self.run(&put(&second, spec)).await;
            assert!(
                matches!(refused, Err(ProviderError::Conflict { .. })),
                "only one {address} can be there: {refused:?}"
            );
            self.twice(&delete(&first)).await;
            self.twice(&put(&second, spec)).await;
        } else {
            self.twice(&put(&second, spec)).await;
            self.must_be_seen(&first, Some(other)).await;
            self.twice(&delete(&first)).await;
        }
        self.must_be_seen(&first, None).await;
        self.must_be_seen(&second, Some(spec)).await;
        if let Some(to) = self.other_name(address).filter(|_| address.kind() != Kind::Mount) {
            self.is_moved(address, &to).await;
            self.must_be_seen(&second, None).await;
            self.must_be_seen(&id(&to, 2), Some(spec)).await;
            self.is_moved(&to, address).await;
        }
        self.twice(&delete(&second)).await;
        self.can_be_told(&delete(&second), "after it was done").await;
        self.must_be_seen(&second, None).await;
    }

    /// Of what can be done again without harm, nobody has to know whether it was done; but there must be an answer.
    async fn can_be_told(&self, operation: &Operation, when: &str) {
        let found = self.resolve(operation).await;
        let settled = matches!(found, Resolution::Applied(Outcome::Done) | Resolution::NotApplied);
        assert!(settled, "`{}` can be told {when}: {found:?}", operation.id());
    }

    async fn must_be_seen(&self, object: &ObjectId, spec: Option<&ObjectSpec>) {
        let seen = self.look(BTreeSet::new()).await.objects;
        let found = seen.get(object).map(|seen| seen.fingerprint);
        assert_eq!(found, spec.map(|spec| Some(spec.fingerprint())), "{object} is seen as it was left");
    }

    async fn is_moved(&self, from: &Address, to: &Address) {
        let operation = moved(from, to);
        self.must_resolve(&operation, Resolution::NotApplied, "before it was done").await;
        self.twice(&operation).await;
        self.must_resolve(&operation, Resolution::Applied(Outcome::Done), "after it was done").await;
    }

    /// A gateway and a service go on under other names: the same process, with its requests, as if it had always been
    /// called so.
    pub(super) async fn moves(&self) {
        let (gateway, spec) = self.platform.gateway();
        let (route, launch) = (self.platform.route(), self.platform.launch());
        let service = launch.instance.service.clone();
        let (gateway_address, address) = (Address::Gateway(gateway.clone()), Address::Service(service.clone()));
        let (Some(new_gateway), Some(new)) = (self.other_name(&gateway_address), self.other_name(&address)) else {
            return;
        };
        let call = Call::PutGateway { gateway: gateway.clone(), spec };
        self.twice(&Operation { address: gateway_address.clone(), call }).await;
        let call = Call::PutRoute { route: route.clone() };
        self.twice(&Operation { address: Address::Route(gateway.clone(), service.clone()), call }).await;
        let place = Address::Instance(service.clone(), launch.instance.slot);
        let call = Call::StartInstance(launch.clone());
        let Outcome::Started { endpoint } = self.twice(&Operation { address: place.clone(), call }).await else {
            panic!("a start answers where the instance listens")
        };
        self.until_ready(&launch.instance).await;
        let probe = launch.revision.template.probe();
        let gateways = vec![gateway.clone()];
        let call = Call::RouteInstance { instance: launch.instance.clone(), endpoint, gateways, probe };
        self.twice(&Operation { address: place, call }).await;

        self.is_moved(&address, &new).await;
        self.is_moved(&gateway_address, &new_gateway).await;
        let (Address::Service(service), Address::Gateway(gateway)) = (new, new_gateway) else { return };
        let instance = InstanceId { service: service.clone(), ..launch.instance };
        let seen = self.look(BTreeSet::new()).await;
        let found = seen.instances.get(&instance).expect("an instance goes on under its service's new name");
        assert_eq!(found.endpoint, endpoint, "it is the same one");
        assert_eq!(found.operation, Some(OperationId::start(&instance)), "its label is what its name says");
        assert_eq!(seen.instances.len(), 1, "the old name is nobody's");
        let routes = &seen.gateways.get(&gateway).expect("a gateway goes on under its new name").routes;
        let known = routes.get(&service).expect("its route goes on under the service's new name");
        assert!(known.endpoints.contains_key(&instance), "the instance gets its requests");
        self.clear(&gateway, &service, instance, &route).await;
    }

    async fn clear(&self, gateway: &GatewayName, service: &ServiceName, instance: InstanceId, route: &RouteSpec) {
        assert_ne!(*service, route.service, "it is called otherwise");
        let place = Address::Instance(service.clone(), instance.slot);
        let call = Call::StopInstance { instance, gateways: vec![gateway.clone()] };
        self.twice(&Operation { address: place, call }).await;
        let call = Call::DeleteRoute { gateway: gateway.clone(), service: service.clone() };
        self.twice(&Operation { address: Address::Route(gateway.clone(), service.clone()), call }).await;
        let call = Call::DeleteGateway { gateway: gateway.clone() };
        self.twice(&Operation { address: Address::Gateway(gateway.clone()), call }).await;
    }
}
