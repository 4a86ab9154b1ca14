//! How long history is kept: the newest commits, and beyond them every one that a rollback may go back to.

use crate::{Backend, StoreError, commit, journal};
use std::collections::{BTreeMap, BTreeSet};
use wharf_model::{Record, RevisionNumber, ServiceName};

/// How many more than those to be kept there may be before anything is removed, as a share: a removal reads them all.
const SLACK: usize = 4;

/// What a commit can take a service back to.
type Serves = BTreeSet<(ServiceName, RevisionNumber)>;

fn serves(record: &Record) -> Serves {
    let current =
        |(name, service): (&ServiceName, &wharf_model::RecordedService)| Some((name.clone(), service.current?));
    record.services.iter().filter_map(current).collect()
}

/// The revisions that the record still knows: those that a rollback can go to.
fn known(record: &Record) -> Serves {
    let of = |(name, service): (&ServiceName, &wharf_model::RecordedService)| {
        let name = name.clone();
        service.revisions.keys().map(move |number| (name.clone(), *number)).collect::<Vec<_>>()
    };
    record.services.iter().flat_map(of).collect()
}

/// The commits that may go: older than the newest `keep`, and not the last to serve a revision that is still known.
pub(crate) fn dispensable(history: &BTreeMap<u64, Serves>, known: &Serves, keep: usize) -> Vec<u64> {
    let mut wanted = known.clone();
    let mut gone = Vec::new();
    for (place, (serial, serves)) in history.iter().rev().enumerate() {
        let needed = serves.iter().any(|revision| wanted.contains(revision));
        if place >= keep && !needed {
            gone.push(*serial);
        } else {
            wanted.retain(|revision| !serves.contains(revision));
        }
    }
    gone
}

/// Removes what may go, once enough has gathered. Answers how many commits went.
pub(crate) fn prune(backend: &dyn Backend, keep: usize) -> Result<usize, StoreError> {
    let serials = commit::serials(backend)?;
    if serials.len() <= keep + keep / SLACK {
        return Ok(0);
    }
    let mut history = BTreeMap::new();
    let mut newest = Serves::new();
    for serial in serials {
        if let Some(commit) = commit::read(backend, serial)? {
            newest = known(&commit.record);
            history.insert(serial, serves(&commit.record));
        }
    }
    let gone = dispensable(&history, &newest, keep);
    for serial in &gone {
        commit::delete(backend, *serial)?;
        history.remove(serial);
    }
    forget_journals(backend, &history)?;
    Ok(gone.len())
}

/// A journal tells how its commit became the next one; it goes with that one, and those of the newest stay in any case.
fn forget_journals(backend: &dyn Backend, kept: &BTreeMap<u64, Serves>) -> Result<(), StoreError> {
    let newest = kept.keys().next_back().copied().unwrap_or(0);
    for (id, key) in journal::all(backend)? {
        if id.serial + 1 < newest && !kept.contains_key(&(id.serial + 1)) {
            backend.delete(&key)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revisions(numbers: &[u32]) -> Serves {
        numbers.iter().map(|number| ("hello".parse().unwrap(), RevisionNumber(*number))).collect()
    }

    #[test]
    fn the_newest_stay_and_so_does_the_last_to_serve_a_known_revision() {
        let history: BTreeMap<u64, Serves> = [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3), (7, 3)]
            .map(|(serial, number)| (serial, revisions(&[number])))
            .into();
        assert_eq!(dispensable(&history, &revisions(&[1, 2, 3]), 2), [5, 3, 1]);
        assert_eq!(dispensable(&history, &revisions(&[2, 3]), 2), [5, 3, 2, 1]);
        assert_eq!(dispensable(&history, &revisions(&[1, 2, 3]), 7), [0; 0]);
    }

    #[test]
    fn what_served_nothing_goes_when_it_is_old() {
        let history: BTreeMap<u64, Serves> = (1..=4).map(|serial| (serial, Serves::new())).collect();
        assert_eq!(dispensable(&history, &Serves::new(), 1), [3, 2, 1]);
    }
}
