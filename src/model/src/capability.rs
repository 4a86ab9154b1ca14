//! What a runtime can honour, as data: for every field, what a change of it costs there.

use crate::Field;
use std::{borrow::Cow, collections::BTreeMap};

/// What a change of a field costs on a runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cost {
    /// Nothing that runs is disturbed.
    InPlace,
    /// New instances, by a rollout.
    Roll,
    /// The object goes away and comes back.
    Replace,
    /// The runtime cannot honour the field at all: setting it is an error of the plan.
    Unsupported {
        /// Why not.
        why: Cow<'static, str>,
        /// The way out.
        help: Cow<'static, str>,
    },
}

/// The table of one runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    provider: &'static str,
    costs: BTreeMap<Field, Cost>,
}

impl Capabilities {
    /// Makes the table by asking `cost` about every field there is, so none can be forgotten.
    pub fn of(provider: &'static str, cost: impl Fn(Field) -> Cost) -> Self {
        Self { provider, costs: Field::ALL.iter().map(|field| (*field, cost(*field))).collect() }
    }

    /// The runtime's name in the file.
    pub fn provider(&self) -> &'static str {
        self.provider
    }

    /// What a change of `field` costs.
    pub fn cost(&self, field: Field) -> &Cost {
        self.costs.get(&field).expect("the table was made from every field")
    }
}
