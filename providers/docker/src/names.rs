//! What objects are called on the engine. Names follow from the plan alone, and no two environments share one: a dot
//! stands in no name of a project, an environment or an instance.

use wharf_model::{ContentRef, GatewayName, Generation, InstanceId, NetworkName, NlbName, ObjectId};
use wharf_provider::Owner;

/// The network of an environment.
pub(crate) fn network(owner: &Owner) -> String {
    format!("{}.{}", owner.project, owner.environment)
}

/// A network that is an object of the project.
pub(crate) fn network_of(owner: &Owner, name: &NetworkName, generation: Generation) -> String {
    format!("{}.network.{name}.{generation}", network(owner))
}

/// The container of a balancer.
pub(crate) fn balancer(owner: &Owner, name: &NlbName, generation: Generation) -> String {
    format!("{}.nlb.{name}.{generation}", network(owner))
}

/// The container of an instance.
pub(crate) fn instance(owner: &Owner, instance: &InstanceId) -> String {
    format!("{}.{instance}", network(owner))
}

/// One of the containers of an instance that is several; of any other, the one that it is.
pub(crate) fn member(owner: &Owner, id: &InstanceId, rank: u32) -> String {
    let own = instance(owner, id);
    if rank == 0 { own } else { format!("{own}.{rank}") }
}

/// The container of a gateway.
pub(crate) fn gateway(owner: &Owner, gateway: &GatewayName) -> String {
    format!("{}.gateway.{gateway}", network(owner))
}

/// The container of a supervisor.
pub(crate) fn supervisor(owner: &Owner, generation: Generation) -> String {
    format!("{}.supervisor.{generation}", network(owner))
}

/// The volume in which a supervisor keeps what it knows of instances, and doors read it.
pub(crate) fn health(owner: &Owner) -> String {
    format!("{}.health", network(owner))
}

/// The volume in which gateways keep calls.
pub(crate) fn records(owner: &Owner) -> String {
    format!("{}.records", network(owner))
}

/// The volume that holds a content, and the container that says it is whole.
pub(crate) fn content(owner: &Owner, content: ContentRef) -> String {
    format!("{}.content.{content}", network(owner))
}

/// The container that stands for an object, and the volume of one that holds data. Addresses have letters that no name may
/// have.
pub(crate) fn object(owner: &Owner, object: &ObjectId) -> String {
    let address = blake3::hash(object.address.to_string().as_bytes()).to_hex();
    format!("{}{}.{}", objects(owner), &address[..16], object.generation)
}

/// What every name of an object begins with.
pub(crate) fn objects(owner: &Owner) -> String {
    format!("{}.object.", network(owner))
}

/// The container in which a content is made.
pub(crate) fn maker(owner: &Owner, content: ContentRef) -> String {
    format!("{}.making.{content}", network(owner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_environments_share_a_name() {
        let name = |project: &str, environment: &str| {
            let owner = Owner { project: project.parse().unwrap(), environment: environment.parse().unwrap() };
            instance(&owner, &"hello-0-g1".parse().unwrap())
        };
        assert_eq!(name("chat", "dev"), "chat.dev.hello-0-g1");
        assert_ne!(name("a-b", "c"), name("a", "b-c"));
    }
}
