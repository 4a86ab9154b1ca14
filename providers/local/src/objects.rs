//! Objects beside gateways and instances: balancers, groups and logins. For each stands a folder whose labels say from what
//! it was made; only for a balancer does something run.

use crate::{
    error::disk,
    files,
    format::{FORMAT, ObjectLabels},
    labels,
    layout::Layout,
    provider::Local,
};
use std::{collections::BTreeMap, io, path::Path, path::PathBuf};
use wharf_model::{Address, ObjectId, ObjectSpec, ObservedObject};
use wharf_provider::{OpContext, Owner, ProviderError};

fn labels_of(folder: &Path) -> PathBuf {
    folder.join("labels.json")
}

/// Makes an incarnation of an object, or brings it to this spec.
pub(crate) async fn put(
    local: &Local,
    object: &ObjectId,
    spec: &ObjectSpec,
    cx: &OpContext,
) -> Result<(), ProviderError> {
    let mut stored = ObjectLabels {
        format: FORMAT,
        project: local.owner.project.to_string(),
        environment: local.owner.environment.to_string(),
        address: object.address.to_string(),
        generation: object.generation.0,
        operation: cx.operation.to_string(),
        fingerprint: None,
    };
    let folder = local.layout.object(object);
    let label = |stored: &ObjectLabels| labels::write(&labels_of(&folder), stored);
    let attempt = || disk(format!("cannot make {object}"));
    files::private_folder(&folder).and_then(|()| label(&stored)).map_err(attempt())?;
    match (spec, &object.address) {
        // What they mean is in the routes of gateways, and with those who fetch images.
        (ObjectSpec::Group(_) | ObjectSpec::Registry(_), _) => {}
        (ObjectSpec::Nlb(spec), Address::Nlb(name)) => local.balancers.put(name, object, spec).await?,
        _ => {
            return Err(ProviderError::Rejected {
                attempt: format!("{object} is nothing that this runtime can make"),
                help: "plan again: this runtime plans no such step".to_owned(),
                source: None,
            });
        }
    }
    stored.fingerprint = Some(spec.fingerprint().to_string());
    label(&stored).map_err(attempt())
}

/// Removes an incarnation of an object. One that is gone is fine.
pub(crate) async fn delete(local: &Local, object: &ObjectId) -> Result<(), ProviderError> {
    match &object.address {
        Address::Nlb(name) => local.balancers.delete(name, object).await,
        _ => files::unmake(&local.layout.object(object)).map_err(disk(format!("cannot remove {object}"))),
    }
}

/// The objects that carry our labels.
pub(crate) fn list(layout: &Layout, owner: &Owner) -> io::Result<BTreeMap<ObjectId, ObservedObject>> {
    let mut found = BTreeMap::new();
    for name in files::names(&layout.objects())? {
        let Ok(object) = name.parse::<ObjectId>() else { continue };
        let Some(stored) = labels::read::<ObjectLabels>(&labels_of(&layout.object(&object))) else { continue };
        let ours = owner.project.as_str() == stored.project
            && owner.environment.as_str() == stored.environment
            && object.address.to_string() == stored.address
            && object.generation.0 == stored.generation;
        if ours {
            found.insert(object, ObservedObject::made_from(stored.fingerprint.and_then(|text| text.parse().ok())));
        } else {
            tracing::warn!(name, "these labels belong to something else");
        }
    }
    Ok(found)
}
