//! Groups: one entry for several services.

use super::words::words;
use crate::{Entry, Field, GroupName, entries::List};
use std::fmt;

/// One entry for several services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSpec {
    /// How requests are divided.
    pub policy: GroupPolicy,
}

impl GroupSpec {
    /// Every field of the group.
    pub fn entries(&self) -> Vec<Entry> {
        let Self { policy } = self;
        let mut list = List::default();
        list.text(Field::GroupPolicy, policy.as_str());
        list.sorted()
    }
}

words! {
    /// How the requests of a group are divided among its services.
    GroupPolicy {
        /// By how many instances each has.
        Instances => "instances",
        /// By the weights that they are given.
        Weights => "weights",
    }
}

/// A service's place in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The group.
    pub group: GroupName,
    /// Its share of the requests, where weights divide them; 0 for none.
    pub weight: Option<u32>,
}

impl fmt::Display for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.group)?;
        self.weight.map_or(Ok(()), |weight| write!(f, ", weight {weight}"))
    }
}
