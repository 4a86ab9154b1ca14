//! Prepared contents: snapshots of folders and sets of libraries.

use super::{Aspect, Class, Finding};
use std::collections::BTreeMap;
use wharf_model::{Address, ContentRef, Observed, Record, Revision, ServiceName};

pub(super) fn findings(recorded: &Record, observed: &Observed) -> Vec<Finding> {
    let missing: Vec<_> = recorded.contents.difference(&observed.contents).collect();
    let extra: Vec<_> = observed.contents.difference(&recorded.contents).collect();
    if missing.is_empty() && extra.is_empty() {
        return Vec::new();
    }
    let users = users(recorded);
    let of = |content: &ContentRef| users.get(content).cloned().unwrap_or(Address::Content(*content));
    let missing = missing.into_iter().map(|content| Finding::new(of(content), Class::Missing, Aspect::Object));
    let extra = extra.into_iter().map(|content| Finding::new(Address::Content(*content), Class::Extra, Aspect::Object));
    missing.chain(extra).collect()
}

/// What each content is, in the words of the files: the mount or the libraries of the service that serves from it.
fn users(recorded: &Record) -> BTreeMap<ContentRef, Address> {
    let mut users = BTreeMap::new();
    for (name, service) in &recorded.services {
        if let Some(revision) = service.current_revision() {
            users.extend(of_revision(name, revision));
        }
    }
    users
}

fn of_revision(name: &ServiceName, revision: &Revision) -> Vec<(ContentRef, Address)> {
    let mounts = revision.pins.mounts.iter();
    let mounts = mounts.map(|(path, digest)| {
        (revision.template.content_of(path, *digest), Address::Mount(name.clone(), path.clone()))
    });
    let packages =
        revision.pins.packages.map(|content| (ContentRef::Packages(content), Address::Packages(name.clone())));
    mounts.chain(packages).collect()
}
