//! Objects beside gateways and instances. A network is one of the engine, a balancer a container of its own. For data that
//! outlives instances, for logins, for groups and for a network that somebody else made stands a container that never runs,
//! whose labels say from what it was made; data lies in a volume of the same name.

use crate::{
    adopted,
    content::{empty, resting},
    door::Door,
    error, labels, names, network,
    provider::Docker,
    start::labels_of,
};
use bollard::models::VolumeCreateRequest;
use wharf_model::{Address, Kind, ObjectId, ObjectSpec};
use wharf_provider::{OpContext, ProviderError};

/// Makes an incarnation of an object, or brings it to this spec. What it holds stays.
pub(crate) async fn put(
    docker: &Docker,
    object: &ObjectId,
    spec: &ObjectSpec,
    cx: &OpContext,
) -> Result<(), ProviderError> {
    let (hands, owner) = (&docker.hands, &docker.owner);
    let name = names::object(owner, object);
    let attempt = || error::engine(format!("cannot make {object}"));
    let labels = labels::of_object(owner, object, spec, &cx.operation);
    let volume = match (spec, &object.address) {
        (ObjectSpec::Network(spec), Address::Network(_)) if spec.adopted().is_some() => {
            docker.place.lock().await.forget();
            adopted::ready(docker, object, spec).await?;
            None
        }
        (ObjectSpec::Network(spec), Address::Network(name)) => {
            docker.place.lock().await.forget();
            return network::put(hands, owner, (object, name), spec, cx).await;
        }
        (ObjectSpec::Nlb(spec), Address::Nlb(name)) => {
            return docker.doors.put_balancer((name, object.generation), spec, cx).await;
        }
        (ObjectSpec::Supervisor(spec), Address::Supervisor(_)) => {
            return docker.doors.put_supervisor(object.generation, spec, cx).await;
        }
        (ObjectSpec::Data(_), _) => Some(name.clone()),
        // Known by those who fetch images, and by the routes of gateways; the engine keeps nothing of it.
        (ObjectSpec::Registry(_) | ObjectSpec::Group(_), _) => None,
        (ObjectSpec::Network(_) | ObjectSpec::Nlb(_) | ObjectSpec::Supervisor(_), _) => {
            return Err(ProviderError::Rejected {
                attempt: format!("{object} is nothing that this runtime can make"),
                help: "plan again: this runtime plans no such step".to_owned(),
                source: None,
            });
        }
    };
    let found = hands.container(&name).await.map_err(attempt())?;
    let known = found.as_ref().and_then(labels_of).and_then(|labels| labels::object(labels, owner));
    if known.is_some_and(|(_, fingerprint)| fingerprint == Some(spec.fingerprint())) {
        return Ok(());
    }
    if let Some(name) = &volume {
        let request = VolumeCreateRequest {
            name: Some(name.clone()),
            labels: Some(labels.clone()),
            ..VolumeCreateRequest::default()
        };
        hands.create_volume(request).await.map_err(attempt())?;
    }
    let empty = empty(docker, cx).await?;
    hands.remove(&name).await.map_err(attempt())?;
    hands.create(&name, resting(&empty, labels, volume)).await.map(drop).map_err(attempt())
}

/// Removes an incarnation of an object, with all that it holds. One that is gone is fine.
pub(crate) async fn delete(docker: &Docker, object: &ObjectId) -> Result<(), ProviderError> {
    match &object.address {
        Address::Network(_) => {
            docker.place.lock().await.forget();
            network::delete(&docker.hands, &docker.owner, object).await?;
        }
        Address::Nlb(name) => return docker.doors.delete_balancer(name, object.generation).await,
        Address::Supervisor(_) => return docker.doors.delete_supervisor(object.generation).await,
        _ => {}
    }
    let name = names::object(&docker.owner, object);
    docker.hands.remove(&name).await.map_err(error::engine(format!("cannot remove {object}")))?;
    sweep(docker, object).await
}

/// Removes what an incarnation that is gone held.
pub(crate) async fn sweep(docker: &Docker, object: &ObjectId) -> Result<(), ProviderError> {
    let name = names::object(&docker.owner, object);
    docker.hands.remove_volume(&name).await.map_err(error::engine(format!("cannot remove what {object} held")))
}

/// Whether there is such an incarnation.
pub(crate) async fn exists(docker: &Docker, object: &ObjectId) -> Result<bool, ProviderError> {
    if object.address.kind() == Kind::Network && network::find(&docker.hands, &docker.owner, object).await?.is_some() {
        return Ok(true);
    }
    if let Some(door) = Door::of_object(object) {
        return docker.doors.exists(&door).await;
    }
    let found = docker.hands.container(&names::object(&docker.owner, object)).await;
    Ok(found.map_err(error::engine(format!("cannot look at {object}")))?.is_some())
}
