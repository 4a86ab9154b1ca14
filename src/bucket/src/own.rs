//! What this process has made and removed. A server's list may be older than that; then we know better.

use crate::client::Listed;
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

#[derive(Debug, Default)]
struct Known {
    made: BTreeSet<String>,
    gone: BTreeSet<String>,
}

/// The keys of objects that we have made or removed ourselves.
#[derive(Debug, Default)]
pub(crate) struct Own(Mutex<Known>);

impl Own {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn made(&self, key: &str) {
        let mut known = self.known();
        known.gone.remove(key);
        known.made.insert(key.to_owned());
    }

    pub(crate) fn removed(&self, key: &str) {
        let mut known = self.known();
        known.made.remove(key);
        known.gone.insert(key.to_owned());
    }

    /// What we have made below a folder and a list does not show. Somebody else may have removed it.
    pub(crate) fn missing(&self, folder: &str, listed: &[Listed]) -> Vec<(Listed, String)> {
        let below = format!("{folder}/");
        let of = |key: &String| {
            let name = key.strip_prefix(&below)?;
            let listed = match name.split_once('/') {
                Some((first, _)) => Listed::Folder(format!("{below}{first}")),
                None => Listed::Object(key.clone()),
            };
            Some((listed, key.clone()))
        };
        let known = self.known();
        known.made.iter().filter_map(of).filter(|(own, _)| !listed.contains(own)).collect()
    }

    /// Takes out of a list what we have removed. A folder says nothing about what is in it.
    pub(crate) fn without_removed(&self, listed: &mut Vec<Listed>) {
        let known = self.known();
        listed.retain(|listed| !matches!(listed, Listed::Object(key) if known.gone.contains(key)));
    }
}
